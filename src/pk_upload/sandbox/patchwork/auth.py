"""Who asks a Patchwork: one of its users by token or password, or nobody.

There is no 401: the API refuses wrong credentials with 403, even where none are needed, and a scheme that is
not known is as good as none.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from typing import TYPE_CHECKING

from pk_upload.sandbox.patchwork.answers import denied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

__all__ = ["tokens_of", "user_name"]


def tokens_of(token: str) -> dict[str, str]:
    """The users and their tokens, which are their passwords too, where `token` is the maintainer's."""
    return {"maintainer": token, "submitter": f"{token}-submitter", "reader": f"{token}-reader"}


def user_name(tokens: Mapping[str, str], request: web.BaseRequest) -> str | None:
    """The user who the request says it is from, None for nobody. Problem 403 for wrong credentials."""
    scheme, *rest = request.headers.get("Authorization", "").split() or [""]
    if scheme.lower() == "token":
        return _by_token(tokens, rest)
    if scheme.lower() == "basic":
        return _by_password(tokens, rest)
    return None


def _by_token(tokens: Mapping[str, str], rest: list[str]) -> str:
    if len(rest) != 1:
        reason = "Token string should not contain spaces." if rest else "No credentials provided."
        raise denied(f"Invalid token header. {reason}")
    found = [name for name, token in tokens.items() if _is(token, rest[0])]
    if not found:
        raise denied("Invalid token.")
    return found[0]


def _by_password(tokens: Mapping[str, str], rest: list[str]) -> str:
    if len(rest) != 1:
        reason = "Credentials string should not contain spaces." if rest else "No credentials provided."
        raise denied(f"Invalid basic header. {reason}")
    try:
        name, _, password = b64decode(rest[0], validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise denied("Invalid basic header. Credentials not correctly base64 encoded.") from error
    if not _is(tokens.get(name, ""), password) or name not in tokens:
        raise denied("Invalid username/password.")
    return name


def _is(token: str, shown: str) -> bool:
    """Whether it is the token, in a time that does not tell how close it comes."""
    return hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode())
