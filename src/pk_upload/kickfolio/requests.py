"""How a request to Kickfolio says who asks, of what, and for what. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Iterator
from typing import Literal, get_args

from pk_upload.errors import UsageError
from pk_upload.given import segment

__all__ = ["Authentication", "Pairs", "Payload", "basic", "filters", "placed", "scoped_path"]

MOST_IDS = 100  # in one address, which servers do not read at any length

Authentication = Literal["basic", "basic with password", "parameter"]
Pairs = list[tuple[str, str]]
Payload = dict[str, str]


def basic(token: str, authentication: Authentication) -> str:
    """What follows "Basic " in the header; empty if there is to be no header.

    Raises `UsageError` for a token that a header would cut.
    """
    if authentication not in get_args(Authentication):
        raise UsageError(f"the authentication is one of {', '.join(map(repr, get_args(Authentication)))}")
    if authentication == "parameter":
        return ""
    if ":" in token:
        raise UsageError(
            "the authentication token has a colon, at which a header would end it",
            hint="Check the token: it stands on your account page.",
        )
    credentials = f"{token}:X" if authentication == "basic with password" else token
    return b64encode(credentials.encode()).decode()


def filters(ids: Collection[str] | None) -> Iterator[Pairs]:
    """The parameters of as many requests as it takes to ask for `ids`; without a filter that is one."""
    if ids is None:
        yield []
        return
    each = list(
        dict.fromkeys([ids] if isinstance(ids, str) else ids)
    )  # a text is one id, and not its letters
    for start in range(0, len(each), MOST_IDS):
        yield [("ids[]", one) for one in each[start : start + MOST_IDS]]


def scoped_path(path: str, app: str | None) -> str:
    """`path` within the scope of `app`, if there is one."""
    return path if app is None else f"apps/{segment(app)}/{path}"


def placed(
    path: str, app: str, bundle_url: str, version_string: str | None, *, scoped: bool
) -> tuple[str, Payload]:
    """Path and body of a request that says what a version is to be; either names `app`."""
    payload = {"bundle_url": bundle_url}
    if version_string is not None:
        payload["version_string"] = version_string
    return (scoped_path(path, app), payload) if scoped else (path, {"app_id": app, **payload})
