"""A request to a Patchwork on its way: which version it asks, who asks, and where the answers' links lead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from pk_upload.sandbox.answers import Problem
from pk_upload.sandbox.patchwork.answers import Broken, Invalid, answer, denied
from pk_upload.sandbox.patchwork.filters import BadMoment, ZonedMoment, read_wanted
from pk_upload.sandbox.patchwork.paging import NoSuchPage, link_header, page_size, read_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TypeVar

    from aiohttp import web

    from pk_upload.sandbox.call import Call
    from pk_upload.sandbox.patchwork.filters import Filter, Wanted
    from pk_upload.sandbox.patchwork.records import Person, Project, User
    from pk_upload.sandbox.patchwork.table import PatchworkTable
    from pk_upload.sandbox.patchwork.versions import Version
    from pk_upload.sandbox.records import Json

    Item = TypeVar("Item")

__all__ = ["SITE", "Asked", "number"]

SITE = "/patchwork"
_MOST_PARAMETERS = 500
_LONGEST_NUMBER = 18


def number(text: str) -> int:
    """The id that stands in an address; one that is too long is of nothing."""
    return int(text) if len(text) <= _LONGEST_NUMBER else 0


@dataclass(slots=True)
class Asked:
    """A request to an endpoint; `prefix` is the path of the version that it asks, or of none."""

    call: Call
    version: Version
    prefix: str
    user: User | None
    _projects: dict[int, Project] = field(default_factory=dict)
    _people: dict[int, Person] = field(default_factory=dict)
    _users: dict[int, User] = field(default_factory=dict)

    @property
    def tables(self) -> PatchworkTable:
        """All that is kept."""
        return self.call.server.store.patchwork

    @property
    def params(self) -> Mapping[str, str]:
        """The parts of the path."""
        return self.call.params

    @property
    def path(self) -> str:
        """The path as it was asked for."""
        return self.call.path

    def query(self) -> list[tuple[str, str]]:
        """The parameters. Problem 400 when there are too many."""
        text = self.call.request.raw_path.partition("?")[2]
        try:
            found = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
        except ValueError as error:
            raise Problem(400, "There are too many parameters.", "bad_query") from error
        return [(name.replace("\0", ""), value.replace("\0", "")) for name, value in found]

    def url(self, path: str) -> str:
        """The address of a resource in the version that was asked."""
        return self.call.url(f"{self.prefix}{path}")

    def unversioned(self, path: str) -> str:
        """The address of a resource in no certain version."""
        return self.call.url(f"{SITE}/api{path}")

    def site(self, path: str) -> str:
        """The address of what is no part of the API."""
        return self.call.url(f"{SITE}{path}")

    # Who and where

    def logged_in(self) -> User:
        """Who asks. Problem 403 if nobody does."""
        if self.user is None:
            raise denied("Authentication credentials were not provided.")
        return self.user

    def project(self, project_id: int) -> Project:
        """The project with this id, which exists."""
        return _known(self._projects, project_id, self.tables.people.project)

    def person(self, person_id: int) -> Person:
        """The person with this id, who exists."""
        return _known(self._people, person_id, self.tables.people.person)

    def other_user(self, user_id: int) -> User:
        """The user with this id, who exists."""
        return _known(self._users, user_id, self.tables.people.user)

    # Lists

    def wanted(self, filters: Mapping[str, Filter], orders: Iterable[str] = ()) -> Wanted:
        """What the query asks of a list. Problem 400 or 500 for a time that is none, or has a zone."""
        try:
            return read_wanted(self.query(), filters, orders, self.version)
        except BadMoment as error:
            raise Invalid(["Enter a valid date/time."]) from error
        except ZonedMoment as error:
            raise Broken("Server Error: send times in UTC, without a zone.") from error

    def listed(
        self, total: int, fetch: Callable[[int, int], Sequence[Item]], shown: Callable[[Item], Json]
    ) -> web.Response:
        """A page of a list of `total` items, of which `fetch` gets some. Problem 404."""
        query = self.query()
        last = dict(query)
        size = page_size(last.get("per_page"))
        try:
            page = read_page(last.get("page"), size, total)
        except NoSuchPage as error:
            raise Problem(404, "Invalid page.", "not_found") from error
        items = fetch((page.number - 1) * size, size)
        headers = {"Link": link_header(self.call.url(self.path), query, page)}
        return answer([shown(item) for item in items], headers=headers)


def _known(memo: dict[int, Item], key: int, find: Callable[[int], Item | None]) -> Item:
    found = memo.get(key) or find(key)
    if found is None:
        raise LookupError(key)
    memo[key] = found
    return found
