"""The client of Kickfolio: typed coroutines, one an endpoint; `resources` describes what they return."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlencode

from pk_upload.answers import decode, is_identifier, usable
from pk_upload.certificates import trust_also
from pk_upload.client import Client
from pk_upload.errors import (
    AuthenticationFailed,
    ConnectionLost,
    Forbidden,
    NotFound,
    PkUploadError,
    ProcessingFailed,
    Redirected,
    UnexpectedAnswer,
    UsageError,
)
from pk_upload.given import base_url, clean_secret, seconds, segment
from pk_upload.http import CONNECT_TIMEOUT, RESPONSE_TIMEOUT, Http, RetryPolicy
from pk_upload.kickfolio.requests import Authentication, Payload, basic, filters, placed, scoped_path
from pk_upload.kickfolio.resources import App, Apps, OneApp, OneVersion, Version, Versions
from pk_upload.polling import DAY, poll_until

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["MEDIA_TYPE", "Kickfolio"]

MEDIA_TYPE = "application/vnd.kickfolio.v1"
ADDRESS = "Give the site's final address, without /api, with --url or KICKFOLIO_URL."
HINTS: dict[type[PkUploadError], str] = {
    AuthenticationFailed: "Check the token of your account page: --auth-token or KICKFOLIO_AUTH_TOKEN.",
    ConnectionLost: "Check the connection and the address, and try again.",
    Forbidden: "The token is valid but may not do this; check that it belongs to the app's owner.",
    NotFound: "Check the identifier, a UUID or an app's public key, and that the address ends before /api.",
    Redirected: ADDRESS,
}
BAD_BUNDLE = (
    "Check that its address answers the service with a ZIP that holds the .app bundle; then make it anew."
)

T = TypeVar("T")
K = TypeVar("K", App, Version)


class Kickfolio(Client):
    """A client of one account. Use it as an async context manager.

    `url` is the site's address, without `/api`. The token goes into an `Authorization` header, alone or
    ("basic with password") before a password that the service ignores; as a "parameter" it becomes a part of
    each request's address, which servers and proxies tend to write down. `timeout` is the deadline of one
    call in seconds, `connect_timeout` that of its connection; `ssl_context` says which certificates are
    trusted.
    Every coroutine raises `ApiError`s by status, `NetworkError`s, `Redirected` and `UnexpectedAnswer`.
    Raises `UsageError` for an address, a token or a timeout that cannot be one.
    """

    def __init__(
        self,
        auth_token: str,
        *,
        url: str,
        authentication: Authentication = "basic",
        retry: RetryPolicy | None = None,
        timeout: float = RESPONSE_TIMEOUT,
        connect_timeout: float = CONNECT_TIMEOUT,
        ssl_context: SSLContext | None = None,
    ) -> None:
        token = clean_secret(auth_token, "authentication token")
        header = basic(token, authentication)
        self.url = base_url(url)
        self._parameters = [("auth_token", token)] if authentication == "parameter" else []
        super().__init__(
            Http(
                auth={"Authorization": f"Basic {header}"} if header else {},
                secrets=(token, header),
                accept=MEDIA_TYPE,
                hints=HINTS,
                retry=retry,
                timeout=timeout,
                connect_timeout=connect_timeout,
                ssl_context=ssl_context,
            )
        )

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        timeout: float = RESPONSE_TIMEOUT,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> Self:
        """A client from `KICKFOLIO_AUTH_TOKEN` and `KICKFOLIO_URL`.

        `PK_UPLOAD_CA_BUNDLE` names certificates to trust beside the system's. Raises `UsageError` when one of
        the first two is missing, and for certificates that cannot be read.
        """
        env = os.environ if environ is None else environ
        for name in ("KICKFOLIO_AUTH_TOKEN", "KICKFOLIO_URL"):
            if not env.get(name):
                raise UsageError(f"{name} is not set", hint="Kickfolio needs a token and the site's address.")
        return cls(
            env["KICKFOLIO_AUTH_TOKEN"],
            url=env["KICKFOLIO_URL"],
            timeout=timeout,
            connect_timeout=connect_timeout,
            ssl_context=trust_also(bundle) if (bundle := env.get("PK_UPLOAD_CA_BUNDLE")) else None,
        )

    def __repr__(self) -> str:
        return f"Kickfolio(url={self.url!r})"

    async def apps(self, *, ids: Collection[str] | None = None) -> list[App]:
        """The account's apps, or those of them with these UUIDs: of none, none."""
        found: list[App] = []
        for batch in filters(ids):
            answer = await self._call(Apps, "GET", "apps", query=batch)
            found += [_known(each) for each in answer.apps]
        return found

    async def app(self, identifier: str) -> App:
        """The app with this UUID or public key."""
        app = _known((await self._call(OneApp, "GET", f"apps/{segment(identifier)}")).app)
        return usable(app, "id", identifier == app.public_key or identifier.lower() == app.id.lower())

    async def create_app(self, name: str) -> App:
        """The app just made. A lost answer is not repeated: it could make a second app."""
        return _known((await self._call(OneApp, "POST", "apps", {"app": {"name": name}})).app)

    async def update_app(self, identifier: str, *, name: str) -> App:
        """The app under its new name."""
        path = f"apps/{segment(identifier)}"
        return _known((await self._call(OneApp, "PUT", path, {"app": {"name": name}})).app)

    async def delete_app(self, identifier: str) -> None:
        """Deletes the app for good. A lost answer is not repeated: read `apps` then."""
        await self._delete(f"apps/{segment(identifier)}")

    async def versions(self, *, app: str | None = None, ids: Collection[str] | None = None) -> list[Version]:
        """All versions of the account or of one app, or those of them with these UUIDs: of none, none."""
        found: list[Version] = []
        for batch in filters(ids):
            answer = await self._call(Versions, "GET", scoped_path("versions", app), query=batch)
            found += [_known(each) for each in answer.versions]
        return found

    async def version(self, version_id: str, *, app: str | None = None) -> Version:
        """The version; within the scope of `app` raises `NotFound` for that of another."""
        path = scoped_path(f"versions/{segment(version_id)}", app)
        version = _known((await self._call(OneVersion, "GET", path)).version)
        return usable(version, "id", version.id.lower() == version_id.lower())

    async def create_version(
        self, app: str, bundle_url: str, version_string: str | None = None, *, scoped: bool = True
    ) -> Version:
        """The version just made, "pending" until the service has fetched `bundle_url`.

        `app` is named by the request's address, or else by its body. A lost answer is not repeated: it could
        make a second version.
        """
        path, payload = placed("versions", app, bundle_url, version_string, scoped=scoped)
        return _known((await self._call(OneVersion, "POST", path, {"version": payload})).version)

    async def update_version(
        self,
        version_id: str,
        *,
        app: str,
        bundle_url: str,
        version_string: str | None = None,
        scoped: bool = True,
    ) -> Version:
        """The version with what was given changed; the service asks for `app` and `bundle_url` each time.

        `scoped` says where `app` is named, as for `create_version`; a body can name another than so far.
        """
        path, payload = placed(
            f"versions/{segment(version_id)}", app, bundle_url, version_string, scoped=scoped
        )
        return _known((await self._call(OneVersion, "PUT", path, {"version": payload})).version)

    async def delete_version(self, version_id: str) -> None:
        """Deletes the version for good. A lost answer is not repeated: read `versions` then."""
        await self._delete(f"versions/{segment(version_id)}")

    async def wait_until_ready(
        self, version_id: str, *, app: str | None = None, timeout: float = DAY
    ) -> Version:
        """The version once it is "ready", looked at until then, for `timeout` seconds at most.

        Raises `ProcessingFailed` for any state but "pending" and "ready", and `GaveUpWaiting`.
        """
        version = await poll_until(
            lambda now: now.state != "pending",
            lambda: self.version(version_id, app=app),
            what=f"the wait for version {version_id}",
            timeout=seconds("timeout", timeout),
            flag="--processing-timeout",
            again=f"`pk-upload kickfolio version show {version_id} --wait` goes on waiting",
        )
        if version.state != "ready":
            reason = f": {version.state_reason}" if version.state_reason else ""
            ended = self._http.plain(f"version {version.id} is not ready but {version.state}{reason}")
            raise ProcessingFailed(ended, hint=BAD_BUNDLE)
        return version

    async def _delete(self, path: str) -> None:
        answer = await self._http.call("DELETE", self._address(path), repeatable=False)
        if answer.strip():  # the page of a portal in between is no yes
            raise UnexpectedAnswer(f"DELETE {self._shown(path)}: the answer is not empty")

    async def _call(
        self,
        kind: type[T],
        method: str,
        path: str,
        body: Mapping[str, Payload] | None = None,
        *,
        query: Iterable[tuple[str, str]] = (),
    ) -> T:
        answer = await self._http.call(method, self._address(path, query), json=body)
        return decode(answer, kind, f"{method} {self._shown(path)}")

    def _shown(self, path: str) -> str:
        """The path for a message: who takes the token for an identifier puts it there."""
        return self._http.plain(f"/api/{path}")

    def _address(self, path: str, query: Iterable[tuple[str, str]] = ()) -> str:
        try:
            parameters = urlencode([*query, *self._parameters])
        except UnicodeEncodeError:
            raise UsageError("an identifier has characters that no text has") from None
        return f"{self.url}/api/{path}?{parameters}" if parameters else f"{self.url}/api/{path}"


def _known(answer: K) -> K:
    """`answer`, which can be asked for again and be shown."""
    return usable(answer, "id", is_identifier(answer.id))
