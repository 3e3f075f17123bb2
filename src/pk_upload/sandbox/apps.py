"""Apps and the account they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pk_upload.sandbox.answers import Problem, answer
from pk_upload.sandbox.forms import required
from pk_upload.sandbox.records import PLATFORMS

if TYPE_CHECKING:
    from aiohttp import web

    from pk_upload.sandbox.call import Call

__all__ = ["create_app", "list_apps", "show_account", "show_app"]


async def show_account(_call: Call) -> web.Response:
    """GET account: official clients try their key with it."""
    return answer({"id": 1, "name": "Local", "email": "local@example.com"})


async def list_apps(call: Call) -> web.Response:
    """GET apps."""
    return answer([app.to_json() for app in call.server.store.apps()])


async def create_app(call: Call) -> web.Response:
    """POST apps: `name` and `platform`."""
    fields = await call.fields()
    name, platform = required(fields, "name"), required(fields, "platform")
    if platform not in PLATFORMS:
        raise Problem(
            400,
            f"The parameter platform must be one of {', '.join(PLATFORMS)}, not {platform[:40]!r}.",
            "bad_parameter",
        )
    display_name, author = fields.get("display_name", "") or name, fields.get("author", "")
    return answer(call.server.store.create_app(name, platform, display_name, author).to_json(), 201)


async def show_app(call: Call) -> web.Response:
    """GET an app; public."""
    return answer(call.app().to_json())
