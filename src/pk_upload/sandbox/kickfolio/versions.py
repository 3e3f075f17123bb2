"""Kickfolio's versions, all of the account's or those of one app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pk_upload.sandbox.answers import Problem, answer
from pk_upload.sandbox.kickfolio.answers import Invalid, nothing
from pk_upload.sandbox.kickfolio.apps import image_address, named_app
from pk_upload.sandbox.kickfolio.bodies import asked_ids, read_given

if TYPE_CHECKING:
    from aiohttp import web

    from pk_upload.sandbox.call import Call
    from pk_upload.sandbox.kickfolio.bodies import Given
    from pk_upload.sandbox.kickfolio.records import App, Version
    from pk_upload.sandbox.records import Json

__all__ = ["create_version", "delete_version", "list_versions", "show_version", "update_version"]


def _scope(call: Call) -> App | None:
    """The app in the path, if there is one. Problem 404."""
    return named_app(call) if "app" in call.params else None


def _named(call: Call) -> Version:
    """The version that the path names. Problem 404, also for one of another app than the path's."""
    scope = _scope(call)
    version = call.server.store.kickfolio.version(call.params["id"])
    if version is None or (scope is not None and version.app != scope.number):
        where = "" if scope is None else " in this App"
        raise Problem(404, f"There is no Version with this id{where}.", "not_found")
    return version


def _shown(call: Call, version: Version) -> Json:
    return version.to_json(lambda guid: image_address(call, guid))


async def list_versions(call: Call) -> web.Response:
    """GET versions, of one app or of all, maybe filtered by `ids`."""
    versions = call.server.store.kickfolio.versions(_scope(call), asked_ids(call))
    return answer({"versions": [_shown(call, version) for version in versions]})


async def show_version(call: Call) -> web.Response:
    """GET a version."""
    return answer({"version": _shown(call, _named(call))})


async def create_version(call: Call) -> web.Response:
    """POST versions: `bundle_url`, `app_id` unless the path names the app, and maybe `version_string`."""
    given = await read_given(call, "Version")
    attributes = _attributes(call, given, given.optional_text("version_string"))
    version = call.server.store.kickfolio.create_version(*attributes)
    call.server.fetches_waiting.set()
    return answer({"version": _shown(call, version)}, 201)


async def update_version(call: Call) -> web.Response:
    """PUT a version: as for a new one; a version string that is not given stays as it is."""
    given = await read_given(call, "Version")
    version = _named(call)
    text = given.optional_text("version_string") if "version_string" in given else version.given_string
    version = call.server.store.kickfolio.update_version(version, *_attributes(call, given, text))
    call.server.fetches_waiting.set()
    return answer({"version": _shown(call, version)})


def _attributes(call: Call, given: Given, text: str | None) -> tuple[App, str, str | None]:
    """Its app, the bundle's address, and `text`, the version string. Invalid."""
    app, url = _owner(call, given), given.url("bundle_url")
    if app is None or given.errors:
        raise Invalid(given.errors)
    return app, url, text


def _owner(call: Call, given: Given) -> App | None:
    """The app that the version is to belong to: that of the path, or else `app_id`; None if it is wrong."""
    scope = _scope(call)
    if scope is not None and "app_id" not in given:
        return scope
    identifier = given.text("app_id")
    if not identifier:
        return None
    app = call.server.store.kickfolio.app(identifier)
    if app is None:
        given.wrong("app_id", "is not an App of this account")
    elif scope is not None and app.number != scope.number:
        given.wrong("app_id", "is not the App of the address")
    return app


async def delete_version(call: Call) -> web.Response:
    """DELETE a version; there is no undo."""
    call.server.store.kickfolio.delete_version(_named(call))
    call.server.fetches_waiting.set()
    return nothing()
