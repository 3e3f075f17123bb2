"""Bundles: patches of one project that a user put together, for everybody to see or for the user alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pk_upload.sandbox.patchwork.answers import Broken, Invalid, answer, denied, missing, nothing
from pk_upload.sandbox.patchwork.asked import number
from pk_upload.sandbox.patchwork.filters import Filter
from pk_upload.sandbox.patchwork.given import REQUIRED, boolean, listed, pk, read_given, take, text
from pk_upload.sandbox.patchwork.shown_work import show_bundle
from pk_upload.sandbox.patchwork.work_table import NameTaken

if TYPE_CHECKING:
    from aiohttp import web

    from pk_upload.sandbox.patchwork.asked import Asked
    from pk_upload.sandbox.patchwork.records import Bundle, User

__all__ = ["create_bundle", "delete_bundle", "list_bundles", "show_one_bundle", "update_bundle"]

_FILTERS = {
    "project": Filter("id or name"),
    "owner": Filter("id or name"),
    "public": Filter("flag"),
    "q": Filter("words"),
}
_ORDERS = ("id", "name", "owner")
_LONGEST_NAME = 50


def _named(asked: Asked) -> Bundle:
    """The bundle that the path names. Problem 404, also for one that the client may not see."""
    bundle = asked.tables.work.bundle(number(asked.params["id"]))
    if bundle is None or not (bundle.public or (asked.user is not None and asked.user.id == bundle.owner)):
        raise missing("Bundle")
    return bundle


def _own(asked: Asked) -> tuple[User, Bundle]:
    """Who asks, and the bundle that the path names. Problem 403 for somebody else's, or 404."""
    bundle, user = _named(asked), asked.logged_in()
    if bundle.owner != user.id:
        raise denied()
    return user, bundle


async def list_bundles(asked: Asked) -> web.Response:
    """GET the bundles that the client may see."""
    wanted = asked.wanted(_FILTERS, _ORDERS)
    work, user = asked.tables.work, asked.user.id if asked.user else None
    return asked.listed(
        work.count_bundles(user, wanted),
        lambda first, most: work.bundles(user, wanted, first, most),
        lambda bundle: show_bundle(asked, bundle),
    )


async def show_one_bundle(asked: Asked) -> web.Response:
    """GET a bundle."""
    return answer(show_bundle(asked, _named(asked)))


async def create_bundle(asked: Asked) -> web.Response:
    """POST a bundle: `name`, `patches`, and maybe `public`."""
    user = asked.logged_in()
    values = await _read(asked, required=("name", "patches"))
    project, name, patches = values["project"], values["name"], values["patches"]
    try:
        bundle = asked.tables.work.create_bundle(
            project, name, user.id, patches, public=values.get("public", False)
        )
    except NameTaken as error:
        raise _taken() from error
    shown = show_bundle(asked, bundle)
    return answer(shown, 201, headers={"Location": str(shown["url"])})


async def update_bundle(asked: Asked) -> web.Response:
    """PATCH a bundle, or PUT one, with all that a new one needs: the patches given stand for those it had."""
    _own(asked)
    required = ("name", "patches") if asked.call.request.method == "PUT" else ()
    values = await _read(asked, required)
    _, bundle = _own(asked)
    patches = values.pop("patches", None)
    try:
        bundle = asked.tables.work.update_bundle(bundle, values, patches)
    except NameTaken as error:
        raise _taken() from error
    return answer(show_bundle(asked, bundle))


async def delete_bundle(asked: Asked) -> web.Response:
    """DELETE a bundle; its patches stay."""
    _, bundle = _own(asked)
    asked.tables.work.delete_bundle(bundle)
    return nothing()


async def _read(asked: Asked, required: tuple[str, ...]) -> dict[str, Any]:
    """What is given, with the `project` of the patches. Invalid, or Problem 500 for a name with a slash."""
    values = take(
        await read_given(asked.call.request, many={"patches"}),
        {
            "name": text(_LONGEST_NAME),
            "patches": listed(
                pk(lambda one: asked.tables.mails.patch(one) is not None), empty="Bundles cannot be empty"
            ),
            "public": boolean,
        },
        dict.fromkeys(required, REQUIRED),
    )
    if "/" in values.get("name", ""):
        raise Broken("Server Error: no address can be made of a name with a slash in it.")
    if "patches" in values:
        found = map(asked.tables.mails.patch, values["patches"])
        projects = {patch.project for patch in found if patch is not None}
        if len(projects) > 1:
            raise Invalid({"patches": ["The patches of a bundle must be of one project."]})
        values["project"] = projects.pop()
    return values


def _taken() -> Broken:
    return Broken("Server Error: the owner has a bundle of that name.")
