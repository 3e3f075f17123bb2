"""The index of the API, and what OPTIONS tells of any of its addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pk_upload.sandbox.patchwork.answers import answer

if TYPE_CHECKING:
    from aiohttp import web

    from pk_upload.sandbox.patchwork.asked import Asked

__all__ = ["describe", "show_index"]

_RESOURCES = ("projects", "users", "people", "patches", "covers", "series", "events", "bundles")


async def show_index(asked: Asked) -> web.Response:
    """GET the addresses of all lists."""
    return answer({name: asked.url(f"/{name}/") for name in _RESOURCES})


def describe(name: str) -> web.Response:
    """The answer to OPTIONS."""
    return answer(
        {
            "name": name,
            "description": "",
            "renders": ["application/json"],
            "parses": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
        }
    )
