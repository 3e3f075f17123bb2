"""What the flags and the environment say together; a flag beats the environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pk_upload.errors import UsageError
from pk_upload.redaction import passwords

if TYPE_CHECKING:
    from pk_upload.archive import Packing
    from pk_upload.transfer import TransferConfig

__all__ = ["SANDBOX_KEY", "Settings"]

SECRETS = ("PATCHKIT_API_KEY", "KICKFOLIO_AUTH_TOKEN", "PATCHWORK_TOKEN")
SECRET_FLAGS = {
    "--api-key": "api_key",
    "--auth-token": "auth_token",
    "--kickfolio-token": "kickfolio_token",
    "--token": "token",
    "--patchwork-token": "patchwork_token",
}
SANDBOX_KEY = "sandbox"  # what the sandbox takes unless told otherwise: printed in every help, so no secret


class Settings:
    """The settings of one command. `given` holds what flags said, by parameter name.

    `parsed` turns true once the arguments are known to be right; before, `json` is a guess from their text.
    """

    def __init__(self, arguments: Iterable[str], environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.given: dict[str, Any] = {}
        self.parsed = False
        self._words = tuple(arguments)

    @property
    def json(self) -> bool:
        return bool(self.given.get("json")) if self.parsed else "--json" in self._words

    @property
    def csv(self) -> bool:
        return bool(self.given.get("csv"))

    @property
    def quiet(self) -> bool:
        return bool(self.given.get("quiet"))

    @property
    def verbose(self) -> bool:
        return bool(self.given.get("verbose"))

    @property
    def progress(self) -> str:
        return str(self.given.get("progress", "auto"))

    @property
    def timeout(self) -> float | None:
        return cast("float | None", self.given.get("timeout"))

    @property
    def connect_timeout(self) -> float | None:
        return cast("float | None", self.given.get("connect_timeout"))

    @property
    def response_timeout(self) -> float | None:
        return cast("float | None", self.given.get("response_timeout"))

    @property
    def retries(self) -> int | None:
        return cast("int | None", self.given.get("retries"))

    @property
    def api_key(self) -> str | None:
        return self._text("api_key", "PATCHKIT_API_KEY")

    @property
    def api_url(self) -> str | None:
        return self._text("api_url", "PATCHKIT_API_URL")

    @property
    def upload_url(self) -> str | None:
        return self._text("upload_url", "PATCHKIT_UPLOAD_URL")

    @property
    def kickfolio_url(self) -> str | None:
        return self._text("url", "KICKFOLIO_URL")

    @property
    def kickfolio_token(self) -> str | None:
        return self._text("auth_token", "KICKFOLIO_AUTH_TOKEN")

    @property
    def patchwork_url(self) -> str | None:
        return self._text(self._own("patchwork_url", "url"), "PATCHWORK_URL")

    @property
    def patchwork_token(self) -> str | None:
        return self._text(self._own("patchwork_token", "token"), "PATCHWORK_TOKEN")

    @property
    def patchwork_version(self) -> str | None:
        return self._text(self._own("patchwork_api_version", "api_version"), "PATCHWORK_API_VERSION")

    @property
    def check_patch(self) -> int | None:
        """The patch that a push reports to, by its id."""
        return cast("int | None", self.given.get("check"))

    @property
    def check_url(self) -> str | None:
        return cast("str | None", self.given.get("check_url"))

    @property
    def check_context(self) -> str:
        return str(self.given.get("check_context", "pk-upload"))

    @property
    def app(self) -> str | None:
        return self._text("app", "PATCHKIT_APP")

    @property
    def state_dir(self) -> Path | None:
        directory = self._text("state_dir", "PK_UPLOAD_STATE_DIR")
        return None if directory is None else Path(directory)

    @property
    def ca_bundle(self) -> Path | None:
        bundle = self._text("ca_bundle", "PK_UPLOAD_CA_BUNDLE")
        return None if bundle is None else Path(bundle)

    def require_key(self) -> None:
        """Raises `UsageError` when there is no API key."""
        if self.api_key is None:
            raise UsageError(
                "no API key",
                hint="Set PATCHKIT_API_KEY or give --api-key; the key is shown on your account page.",
            )

    def require_kickfolio(self) -> tuple[str, str]:
        """Kickfolio's address and the token; raises `UsageError` when one is missing."""
        url, token = self.kickfolio_url, self.kickfolio_token
        if url is None:
            raise UsageError(
                "no address of Kickfolio", hint="Set KICKFOLIO_URL or give --url: the site's, without /api."
            )
        if token is None:
            raise UsageError(
                "no authentication token",
                hint="Set KICKFOLIO_AUTH_TOKEN or give --auth-token; it is shown on your account page.",
            )
        return url, token

    def require_patchwork(self, *, writing: bool = False) -> tuple[str, str | None]:
        """Patchwork's address and the token, if there is one.

        Raises `UsageError` without an address, and without a token for `writing`, which asks for one.
        """
        url, token = self.patchwork_url, self.patchwork_token
        flag = "--patchwork-" if self.check_patch is not None else "--"
        if url is None:
            raise UsageError(
                "no address of Patchwork",
                hint=f"Set PATCHWORK_URL or give {flag}url: the site's, without /api.",
            )
        if writing and token is None:
            raise UsageError(
                "no token of Patchwork",
                hint=f"Set PATCHWORK_TOKEN or give {flag}token; it is shown on your profile page.",
            )
        return url, token

    def require_app(self) -> str:
        """The app's secret; raises `UsageError` when there is none."""
        if self.app is None:
            raise UsageError(
                "no app", hint="Give its secret with --app or PATCHKIT_APP; `pk-upload app list` shows it."
            )
        return self.app

    def transfer(self, *, resume: bool = True) -> TransferConfig:
        """How to transfer; raises `UsageError` for values that make no sense."""
        from pk_upload.transfer import TransferConfig

        names = ("chunk_size", "concurrency", "limit_rate", "stall_timeout", "checksum", "resume_from")
        try:
            return TransferConfig(
                **{name: self.given[name] for name in names if name in self.given},
                retries=self.retries,
                resume=resume and bool(self.given.get("resume", True)),
                state_dir=self.state_dir,
            )
        except UsageError as error:
            raise UsageError(error.message, hint="--help shows what the transfer options take.") from None

    def packing(self) -> Packing:
        """How a folder is to become a ZIP; raises `UsageError` for values that make no sense."""
        from pk_upload.archive import Packing

        names = ("compression", "ignore")
        return Packing(**{name: self.given[name] for name in names if name in self.given})

    def secrets(self) -> set[str]:
        """Every text that must not be shown, found even where the arguments could not be parsed."""
        found = {*map(self.environ.get, SECRETS), *passwords(self.environ)}
        found |= set(map(self.given.get, SECRET_FLAGS.values()))
        for word, following in pairwise((*self._words, "")):
            flag, equals, value = word.partition("=")
            if flag in SECRET_FLAGS:
                found.add(value if equals else following)
        return {text.strip() for text in found if text and text.strip()} - {SANDBOX_KEY}

    def _own(self, name: str, other: str) -> str:
        """The flag of a command that has one of its own for what others call otherwise."""
        return name if name in self.given else other

    def _text(self, name: str, variable: str) -> str | None:
        given = self.given.get(name)
        if given is not None and not given.strip():
            # It is a variable that was not set, and to fall back on another would be a surprise.
            raise UsageError(f"--{name.replace('_', '-')} is empty", hint="Give a value, or leave it out.")
        return given or self.environ.get(variable) or None
