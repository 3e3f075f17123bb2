"""Kickfolio's apps, by their id or public key, and the images that their bundles brought."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from pk_upload.sandbox.answers import Problem, answer
from pk_upload.sandbox.kickfolio.answers import nothing
from pk_upload.sandbox.kickfolio.bodies import asked_ids, read_given

if TYPE_CHECKING:
    from pk_upload.sandbox.call import Call
    from pk_upload.sandbox.kickfolio.records import App
    from pk_upload.sandbox.records import Json

__all__ = [
    "create_app",
    "delete_app",
    "image_address",
    "list_apps",
    "named_app",
    "send_image",
    "show_app",
    "update_app",
]


def named_app(call: Call) -> App:
    """The app that the path names. Problem 404."""
    app = call.server.store.kickfolio.app(call.params["app"])
    if app is None:
        raise Problem(404, "There is no App with this id or public key.", "not_found")
    return app


def image_address(call: Call, guid: str) -> str:
    """Where a client gets the image with this guid."""
    return call.url(f"/kickfolio/images/{guid}")


def _shown(call: Call, app: App) -> Json:
    user_id = call.server.store.kickfolio.user_id()
    return app.to_json(user_id, lambda guid: image_address(call, guid))


async def list_apps(call: Call) -> web.Response:
    """GET apps, maybe filtered by `ids`."""
    apps = call.server.store.kickfolio.apps(asked_ids(call))
    return answer({"apps": [_shown(call, app) for app in apps]})


async def show_app(call: Call) -> web.Response:
    """GET an app."""
    return answer({"app": _shown(call, named_app(call))})


async def create_app(call: Call) -> web.Response:
    """POST apps: `name`."""
    given = await read_given(call, "App")
    name = given.text("name")
    given.check()
    return answer({"app": _shown(call, call.server.store.kickfolio.create_app(name))}, 201)


async def update_app(call: Call) -> web.Response:
    """PUT an app: `name`."""
    given = await read_given(call, "App")
    app, name = named_app(call), given.text("name")
    given.check()
    return answer({"app": _shown(call, call.server.store.kickfolio.rename_app(app, name))})


async def delete_app(call: Call) -> web.Response:
    """DELETE an app and its versions; there is no undo."""
    call.server.store.kickfolio.delete_app(named_app(call))
    call.server.fetches_waiting.set()
    return nothing()


async def send_image(call: Call) -> web.Response:
    """GET an icon or a default image; only its guid leads to it."""
    data = call.server.store.kickfolio.image(call.params["guid"])
    if data is None:
        raise Problem(404, "There is no such image.", "not_found")
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}
    return web.Response(body=data, content_type="image/png", headers=headers)
