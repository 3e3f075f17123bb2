"""Who asks a Kickfolio, and for which version of its API."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import TYPE_CHECKING

from pk_upload.sandbox.answers import Problem
from pk_upload.sandbox.auth import is_key

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["check_token", "check_version"]

_VERSIONED = re.compile(r"application/vnd\.kickfolio\.v([0-9]+)", re.IGNORECASE)
_CURRENT = "1"


def check_token(token: str, request: web.BaseRequest) -> None:
    """Problem 401 unless the request shows the token, in its header or as a parameter."""
    shown = request.query.getall("auth_token", [])
    for header in request.headers.getall("Authorization", []):
        shown += _credentials(header)
    if not is_key(token, shown):
        raise Problem(
            401,
            "This needs your authentication token: Base64 in an Authorization header of the scheme Basic, or"
            " the parameter auth_token.",
            "unauthorized",
            headers={"WWW-Authenticate": 'Basic realm="Kickfolio"'},
        )


def _credentials(header: str) -> list[str]:
    """What the header says may be the token, or the token and a password, which is ignored."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return []
    try:
        text = b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return []
    return [text, text.rpartition(":")[0]] if ":" in text else [text]


def check_version(request: web.BaseRequest) -> None:
    """Problem 406 if the request accepts none but versions of the API that there are not."""
    asked = _VERSIONED.findall(",".join(request.headers.getall("Accept", [])))
    if asked and _CURRENT not in asked:
        raise Problem(
            406, "The only version of this API is application/vnd.kickfolio.v1.", "unknown_api_version"
        )
