"""Who is who in a Patchwork: projects, users, and the people that mails came from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pk_upload.sandbox.patchwork.listing import Listing, Scope, among, columns_of, count, made, rows
from pk_upload.sandbox.patchwork.records import Person, Project, User

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pk_upload.sandbox.database import Database
    from pk_upload.sandbox.patchwork.filters import Wanted

__all__ = ["PeopleTable"]

_EDITABLE = frozenset(
    {
        "web_url",
        "scm_url",
        "webscm_url",
        "list_archive_url",
        "list_archive_url_format",
        "commit_url_format",
        "show_dependencies",
    }
)
_OWN = frozenset({"first_name", "last_name", "send_email", "items_per_page", "show_ids"})
_PROJECTS = Listing("patchwork_project", columns_of(Project), orders={"id": "id", "name": "name"})
_USERS = Listing(
    "patchwork_user",
    columns_of(User),
    words=("username", "first_name", "last_name", "email"),
    orders={"id": "id", "username": "username", "name": "username", "email": "email"},
)
_PEOPLE = Listing(
    "patchwork_person",
    columns_of(Person),
    words=("name", "email"),
    orders={"id": "id", "name": "name", "email": "email"},
)
_PROJECT = _PROJECTS.select
_USER = _USERS.select
_PERSON = _PEOPLE.select
_ALL = Scope()


class PeopleTable:
    """The projects, users and people in `db`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # Projects

    def create_project(self, name: str, link_name: str, list_id: str, list_email: str) -> Project:
        """A new project; its name in links gets a number where there is one of that name."""
        self._db.execute(
            "INSERT INTO patchwork_project (name, link_name, list_id, list_email) VALUES (?, ?, ?, ?)",
            (name, self._free_link(link_name), list_id, list_email),
        )
        project = self.project_of_list(list_id)
        if project is None:
            raise LookupError(f"no project {list_id}")
        return project

    def _free_link(self, link_name: str) -> str:
        """A name in links that nobody has: this one, or with a number that is behind one that is taken.

        Not each number is tried, since many lists may have the same label.
        """

        def is_free(number: int) -> bool:
            return self.project_by_name(f"{link_name}-{number}") is None

        if self.project_by_name(link_name) is None:
            return link_name
        taken, free = 1, 2
        while not is_free(free):
            taken, free = free, 2 * free
        while free - taken > 1:
            middle = (taken + free) // 2
            taken, free = (taken, middle) if is_free(middle) else (middle, free)
        return f"{link_name}-{free}"

    def project(self, project_id: int) -> Project | None:
        """The project with this id."""
        return self._project("id = ?", project_id)

    def project_by_name(self, link_name: str) -> Project | None:
        """The project with this name in links."""
        return self._project("link_name = ?", link_name)

    def project_of_list(self, list_id: str) -> Project | None:
        """The project of the list with this id."""
        return self._project("list_id = ?", list_id)

    def project_of_addresses(self, addresses: Iterable[str]) -> Project | None:
        """The project of the list with one of these addresses, the first by the alphabet."""
        return self._project(
            f"{among('list_email')} ORDER BY list_email, id LIMIT 1", json.dumps([*addresses])
        )

    def _project(self, condition: str, value: Any) -> Project | None:
        row = self._db.row(f"{_PROJECT} WHERE {condition}", value)
        return None if row is None else made(Project, row)

    def count_projects(self, wanted: Wanted) -> int:
        """How many are wanted."""
        return count(self._db, _PROJECTS, wanted, _ALL)

    def projects(self, wanted: Wanted, first: int, most: int) -> list[Project]:
        """Those that are wanted."""
        return [made(Project, row) for row in rows(self._db, _PROJECTS, wanted, _ALL, first, most)]

    def update_project(self, project_id: int, changes: dict[str, Any]) -> None:
        """Change what can be."""
        self._db.update("patchwork_project", _EDITABLE, changes, "id = ?", (project_id,))

    # Users

    def create_user(
        self, username: str, first_name: str, last_name: str, email: str, *, maintains: bool
    ) -> None:
        """A user, unless there is one of that name."""
        if self.user_by_name(username) is not None:
            return
        self._db.execute(
            "INSERT INTO patchwork_user (username, first_name, last_name, email, is_maintainer)"
            " VALUES (?, ?, ?, ?, ?)",
            (username, first_name, last_name, email, maintains),
        )

    def user(self, user_id: int) -> User | None:
        """The user with this id."""
        row = self._db.row(f"{_USER} WHERE id = ?", user_id)
        return None if row is None else made(User, row)

    def user_by_name(self, username: str) -> User | None:
        """The user with this name."""
        row = self._db.row(f"{_USER} WHERE username = ?", username)
        return None if row is None else made(User, row)

    def maintainers(self) -> list[User]:
        """Those who maintain every project."""
        return [made(User, row) for row in self._db.execute(f"{_USER} WHERE is_maintainer ORDER BY id")]

    def count_users(self, wanted: Wanted) -> int:
        """How many are wanted."""
        return count(self._db, _USERS, wanted, _ALL)

    def users(self, wanted: Wanted, first: int, most: int) -> list[User]:
        """Those that are wanted."""
        return [made(User, row) for row in rows(self._db, _USERS, wanted, _ALL, first, most)]

    def update_user(self, user_id: int, changes: dict[str, Any]) -> None:
        """Change what a user can of himself."""
        self._db.update("patchwork_user", _OWN, changes, "id = ?", (user_id,))

    # People

    def sender(self, name: str | None, email: str) -> Person:
        """The person with this address, made if need be; a name is kept from the first mail that has one."""
        known = self._db.row(f"{_PERSON} WHERE email = ?", email)
        if known is None:
            self._db.execute("INSERT INTO patchwork_person (name, email) VALUES (?, ?)", (name, email))
        elif known["name"] is None and name is not None:
            self._db.execute("UPDATE patchwork_person SET name = ? WHERE email = ?", (name, email))
        row = self._db.row(f"{_PERSON} WHERE email = ?", email)
        if row is None:
            raise LookupError(f"no person {email}")
        return made(Person, row)

    def tie(self, person: Person, user: User) -> None:
        """Make the person and the user one, unless the user is somebody already, or the person is."""
        with self._db.transaction():
            taken = self._db.value("SELECT 1 FROM patchwork_person WHERE user = ?", user.id)
            if taken or person.user is not None:
                return
            self._db.execute("UPDATE patchwork_person SET user = ? WHERE id = ?", (user.id, person.id))
            first, _, last = (person.name or user.first_name).partition(" ")
            self._db.execute(
                "UPDATE patchwork_user SET first_name = ?, last_name = ?, email = ? WHERE id = ?",
                (first, last, person.email, user.id),
            )

    def person(self, person_id: int) -> Person | None:
        """The person with this id."""
        row = self._db.row(f"{_PERSON} WHERE id = ?", person_id)
        return None if row is None else made(Person, row)

    def count_people(self, wanted: Wanted) -> int:
        """How many are wanted."""
        return count(self._db, _PEOPLE, wanted, _ALL)

    def people(self, wanted: Wanted, first: int, most: int) -> list[Person]:
        """Those that are wanted."""
        return [made(Person, row) for row in rows(self._db, _PEOPLE, wanted, _ALL, first, most)]
