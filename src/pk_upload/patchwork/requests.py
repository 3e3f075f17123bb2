"""What Patchwork is told, as the JSON of requests, checked before it is sent. Pure."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Collection
from typing import TypeAlias

from msgspec import UNSET, UnsetType
from yarl import URL

from pk_upload.errors import UsageError
from pk_upload.given import clean_secret
from pk_upload.patchwork.query import CHECK_STATES, is_id

__all__ = [
    "Changes",
    "authorization",
    "bundle_changes",
    "changes",
    "check_body",
    "checked_id",
    "patch_changes",
]

Changes: TypeAlias = dict[str, object]

LONGEST_CONTEXT = 255
LONGEST_TARGET = 200
LONGEST_COMMIT = 255
LONGEST_NAME = 50


def authorization(token: str | None, username: str | None, password: str | None) -> tuple[str, str]:
    """The header that says who asks, and what of it is secret; both are empty where nobody says so.

    Raises `UsageError` for credentials of both kinds, for half of one, and for what no header can carry.
    """
    if token is not None and (username is not None or password is not None):
        raise UsageError("a token and a password exclude each other", hint="Give one of the two.")
    if token is not None:
        clean = clean_secret(token, "token")
        return f"Token {clean}", clean
    if username is None and password is None:
        return "", ""
    if not username or not password:
        raise UsageError("a user name and a password belong together", hint="Give both, or a token.")
    if ":" in username:
        raise UsageError("the user name has a colon, at which a header would end it")
    try:
        credentials = b64encode(f"{username}:{password}".encode()).decode()
    except UnicodeEncodeError:
        raise UsageError("the user name or the password has characters that no text has") from None
    return f"Basic {credentials}", credentials


def checked_id(value: int, what: str) -> int:
    """`value` itself; raises `UsageError` if nothing has it for an id."""
    if not is_id(value):
        raise UsageError(f"{_shown(value)} is no id of {what}", hint="An id is a number more than 0.")
    return value


def changes(**given: object) -> Changes:
    """Those of `given` that are to be changed; raises `UsageError` if there are none."""
    wanted = {name: value for name, value in given.items() if value is not UNSET}
    if not wanted:
        raise UsageError("nothing to change", hint=f"Give at least one of {', '.join(given)}.")
    return wanted


def patch_changes(
    *,
    state: str | UnsetType,
    archived: bool | UnsetType,
    delegate: int | UnsetType | None,
    commit_ref: str | UnsetType | None,
    pull_url: str | UnsetType | None,
    related: Collection[int] | UnsetType,
) -> Changes:
    """What is to be changed of a patch. Which states there are the service alone knows."""
    if state is not UNSET and not _is_said(state):
        raise UsageError("a state is a text that is not blank")
    if isinstance(commit_ref, str):
        _bounded("commit_ref", commit_ref, LONGEST_COMMIT)
    return changes(
        state=state,
        archived=archived,
        delegate=delegate,
        commit_ref=commit_ref,
        pull_url=pull_url,
        related=related if isinstance(related, UnsetType) else _ids(related, "a related patch"),
    )


def check_body(state: str, context: object, target_url: str | None, description: str | None) -> Changes:
    """A check that is to be made. Raises `UsageError` for what the service would refuse."""
    if state not in CHECK_STATES:
        raise UsageError(f"there is no state {state!r}", hint=f"It is one of {', '.join(CHECK_STATES)}.")
    if not isinstance(context, str) or not re.fullmatch(r"[-a-zA-Z0-9_]+", context):
        raise UsageError(
            f"the context {context!r} has characters that none has",
            hint="It consists of letters without accents, digits, underscores and hyphens.",
        )
    body: Changes = {"state": state, "context": _bounded("context", context, LONGEST_CONTEXT)}
    if target_url is not None:
        body["target_url"] = _address(_bounded("target_url", target_url, LONGEST_TARGET))
    if description is not None:
        body["description"] = description
    return body


def bundle_changes(
    *,
    name: str | UnsetType = UNSET,
    patches: Collection[int] | UnsetType = UNSET,
    public: bool | UnsetType = UNSET,
) -> Changes:
    """What a bundle is to be. Raises `UsageError` for a name of which services make no good address."""
    if not isinstance(name, UnsetType):
        if not _is_said(name) or "/" in name or name.strip() in {".", ".."}:
            raise UsageError(f"a bundle cannot be called {name!r}", hint="Give a name without a slash.")
        _bounded("name", name, LONGEST_NAME)
    if not isinstance(patches, UnsetType) and not patches:
        raise UsageError("a bundle without patches", hint="Give the ids of at least one patch.")
    wanted = patches if isinstance(patches, UnsetType) else _ids(patches, "a patch")
    return changes(name=name, patches=wanted, public=public)


def _shown(value: object) -> str:
    try:
        return repr(str(value)[:40])
    except ValueError:
        return "a number of thousands of digits"


def _is_said(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())


def _ids(given: Collection[int], what: str) -> list[int]:
    if not isinstance(given, Collection):
        raise UsageError(f"{given!r} is no collection of ids, each of {what}")
    return [checked_id(each, what) for each in given]


def _bounded(name: str, text: object, longest: int) -> str:
    if not isinstance(text, str):
        raise UsageError(f"{name} is a text")
    if len(text) > longest:
        raise UsageError(f"{name} has more than {longest} characters")
    return text


def _address(text: str) -> str:
    try:
        url = URL(text)
    except (ValueError, IndexError):  # an index error is what yarl makes of "http://[]@"
        url = URL()
    if url.scheme not in {"http", "https", "ftp", "ftps"} or not url.host or re.search(r"\s", text):
        raise UsageError(
            f"target_url {text!r} is not an address", hint="It looks like https://ci.example.com/1"
        )
    return text
