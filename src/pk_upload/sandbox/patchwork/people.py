"""Projects, users and people: read, and changed by their maintainers and themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pk_upload.sandbox.patchwork.answers import Invalid, answer, denied, missing
from pk_upload.sandbox.patchwork.asked import number
from pk_upload.sandbox.patchwork.filters import Filter
from pk_upload.sandbox.patchwork.given import REQUIRED, Wrong, boolean, integer, read_given, take, text
from pk_upload.sandbox.patchwork.shown_people import show_person, show_project, show_user, small_user

if TYPE_CHECKING:
    from aiohttp import web

    from pk_upload.sandbox.patchwork.asked import Asked
    from pk_upload.sandbox.patchwork.records import Project, User

__all__ = [
    "list_people",
    "list_projects",
    "list_users",
    "show_one_person",
    "show_one_project",
    "show_one_user",
    "update_project",
    "update_user",
]

_WORDS = {"q": Filter("words")}
_LONGEST_URL = 2000
_LONGEST_NAME = 150
_MOST_ITEMS = 2**31 - 1
_DEPENDENCIES = (1, 4)
"""The version that brought what shows them."""
_FORMATS = ("list_archive_url", "list_archive_url_format", "commit_url_format")
_ARCHIVES = (1, 2)
"""The version that brought the formats and the settings."""


# Projects


def _named_project(asked: Asked) -> Project:
    """The project whose id or name in links the path has. Problem 404."""
    name = asked.params["project"]
    project = asked.tables.people.project_by_name(name)
    if name.isascii() and name.isdecimal():
        project = asked.tables.people.project(number(name)) or project
    if project is None:
        raise missing("Project")
    return project


async def list_projects(asked: Asked) -> web.Response:
    """GET projects."""
    people, wanted = asked.tables.people, asked.wanted({}, ("id", "name"))
    return asked.listed(
        people.count_projects(wanted),
        lambda first, most: people.projects(wanted, first, most),
        lambda project: show_project(asked, project),
    )


async def show_one_project(asked: Asked) -> web.Response:
    """GET a project."""
    return answer(show_project(asked, _named_project(asked)))


async def update_project(asked: Asked) -> web.Response:
    """PATCH or PUT a project: its addresses, and whether it shows dependencies; its names stay."""
    project = _named_project(asked)
    if not asked.logged_in().is_maintainer:
        raise denied()
    fields: dict[str, Any] = {
        name: text(_LONGEST_URL, blank=True)
        for name in ("web_url", "scm_url", "webscm_url", *(_FORMATS if asked.version >= _ARCHIVES else ()))
    }
    if asked.version >= _DEPENDENCIES:
        fields["show_dependencies"] = boolean
    changes = take(await read_given(asked.call.request), fields)
    asked.tables.people.update_project(project.id, changes)
    return await show_one_project(asked)


# Users


def _named_user(asked: Asked) -> User:
    """The user whom the path names. Problem 404."""
    user = asked.tables.people.user(number(asked.params["id"]))
    if user is None:
        raise missing("User")
    return user


async def list_users(asked: Asked) -> web.Response:
    """GET users."""
    people, wanted = asked.tables.people, asked.wanted(_WORDS, ("id", "username", "name", "email"))
    return asked.listed(
        people.count_users(wanted),
        lambda first, most: people.users(wanted, first, most),
        lambda user: small_user(asked, user),
    )


async def show_one_user(asked: Asked) -> web.Response:
    """GET a user."""
    return answer(show_user(asked, _named_user(asked)))


async def update_user(asked: Asked) -> web.Response:
    """PATCH the own user, or PUT it with its settings, where the version knows them: they and the names."""
    user = _named_user(asked)
    if asked.logged_in().id != user.id:
        raise denied()
    fields: dict[str, Any] = {name: text(_LONGEST_NAME, blank=True) for name in ("first_name", "last_name")}
    required: dict[str, str] = {}
    if asked.version >= _ARCHIVES:
        fields["settings"] = _settings
        required = {"settings": REQUIRED} if asked.call.request.method == "PUT" else {}
    changes = take(await read_given(asked.call.request), fields, required)
    changes |= changes.pop("settings", {})
    asked.tables.people.update_user(user.id, changes)
    return await show_one_user(asked)


def _settings(value: Any) -> dict[str, Any]:
    if value is None:
        raise Wrong("This field may not be null.")
    if not isinstance(value, dict):
        told = f"Invalid data. Expected a dictionary, but got {type(value).__name__}."
        raise Wrong({"detail": [told]})
    known = {"send_email": boolean, "items_per_page": integer(1, _MOST_ITEMS), "show_ids": boolean}
    try:
        return take(value, known)
    except Invalid as error:
        raise Wrong(error.errors) from error


# People


async def list_people(asked: Asked) -> web.Response:
    """GET people."""
    people, wanted = asked.tables.people, asked.wanted(_WORDS, ("id", "name", "email"))
    return asked.listed(
        people.count_people(wanted),
        lambda first, most: people.people(wanted, first, most),
        lambda person: show_person(asked, person),
    )


async def show_one_person(asked: Asked) -> web.Response:
    """GET somebody who sent a mail."""
    person = asked.tables.people.person(number(asked.params["id"]))
    if person is None:
        raise missing("Person")
    return answer(show_person(asked, person))
