"""Who asks: the API key in a header, in the query, or, as official clients do, in the form.

A key that everybody knows keeps no web page out that the developer happens to look at, and whose requests
come from this very machine. Browsers name the page, and no client does.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from pk_upload.sandbox.answers import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

__all__ = ["is_key", "presented", "refuse_web_page", "unauthorized"]


def presented(request: web.BaseRequest) -> list[str]:
    """The keys that the header and the query hold."""
    found = request.headers.getall("X-Api-Key", [])
    # Some official clients append the key to a URL that has it already: ?api_key=K?api_key=K
    found += [value.partition("?api_key=")[0] for value in request.query.getall("api_key", [])]
    return found


def is_key(key: str, candidates: Iterable[str]) -> bool:
    """Whether `key` is among the candidates, in a time that does not tell how close they come."""
    wanted = key.encode()
    matches = [hmac.compare_digest(candidate.encode("utf-8", "replace"), wanted) for candidate in candidates]
    return any(matches)


def unauthorized() -> Problem:
    """The answer to a request without the right key."""
    return Problem(
        401, "This needs the API key, in the header X-Api-Key or the query parameter api_key.", "unauthorized"
    )


def refuse_web_page(request: web.BaseRequest) -> None:
    """Problem 403 for a request that a page of another site makes in somebody's browser."""
    from_elsewhere = request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}
    if "Origin" in request.headers or from_elsewhere:
        raise Problem(403, "This server answers no requests of web pages.", "forbidden")
