"""What users make of patches: checks and bundles."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from pk_upload.sandbox.patchwork.listing import (
    IN_PROJECT,
    Listing,
    Scope,
    among,
    columns_of,
    count,
    made,
    named,
    rows,
)
from pk_upload.sandbox.patchwork.records import CHECK_STATES, Bundle, Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pk_upload.sandbox.database import Database
    from pk_upload.sandbox.patchwork.filters import Wanted

__all__ = ["NameTaken", "WorkTable"]

_CHECKS = Listing(
    "patchwork_check",
    columns_of(Check),
    ids={"user": among("user"), "state": among("state")},
    names={"user": named("user", "patchwork_user", "username"), "context": among("context")},
    orders={"id": "id", "date": "date"},
)
_BUNDLES = Listing(
    "patchwork_bundle",
    columns_of(Bundle),
    ids={"project": among("project"), "owner": among("owner"), "public": among("public")},
    names={
        "project": IN_PROJECT,
        "owner": named("owner", "patchwork_user", "username"),
    },
    words=("name",),
    orders={"id": "id", "name": "name", "owner": "owner"},
)
_BUNDLE = _BUNDLES.select
_NEWEST = "SELECT MAX(id) FROM patchwork_check WHERE patch = ? GROUP BY user, context"


class NameTaken(Exception):
    """The owner has a bundle of that name."""


class WorkTable:
    """The checks and bundles in `db`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # Checks

    def add_check(
        self,
        patch: int,
        user: int,
        date: str,
        state: str,
        target_url: str | None,
        context: str,
        description: str | None,
    ) -> Check:
        """A new check of a patch."""
        number = self._db.execute(
            "INSERT INTO patchwork_check (patch, user, date, state, target_url, context, description)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (patch, user, date, CHECK_STATES.index(state), target_url, context, description),
        ).lastrowid
        check = None if number is None else self.check(patch, number)
        if check is None:
            raise LookupError("no check")
        return check

    def check(self, patch: int, number: int) -> Check | None:
        """The check with this number, if it is one of this patch."""
        row = self._db.row(f"{_CHECKS.select} WHERE id = ? AND patch = ?", number, patch)
        return None if row is None else made(Check, row)

    def combined(self, patch: int) -> str:
        """The worst of the newest checks, by user and context; pending where there is none."""
        worst = self._db.value(f"SELECT MAX(state) FROM patchwork_check WHERE id IN ({_NEWEST})", patch)  # noqa: S608
        return CHECK_STATES[worst or 0]

    def count_checks(self, patch: int, wanted: Wanted) -> int:
        """How many of a patch's are wanted."""
        return count(self._db, _CHECKS, wanted, Scope("patch = ?", (patch,)))

    def checks(self, patch: int, wanted: Wanted, first: int, most: int) -> list[Check]:
        """Those of a patch that are wanted, the oldest first."""
        scope = Scope("patch = ?", (patch,))
        return [made(Check, row) for row in rows(self._db, _CHECKS, wanted, scope, first, most)]

    # Bundles

    def create_bundle(
        self, project: int, name: str, owner: int, patches: Sequence[int], *, public: bool
    ) -> Bundle:
        """A new bundle. Raises NameTaken."""
        with self._db.transaction():
            try:
                number = self._db.execute(
                    "INSERT INTO patchwork_bundle (project, name, owner, public) VALUES (?, ?, ?, ?)",
                    (project, name, owner, public),
                ).lastrowid
            except sqlite3.IntegrityError as error:
                raise NameTaken from error
            bundle = None if number is None else self.bundle(number)
            if bundle is None:
                raise LookupError("no bundle")
            self._fill(bundle.id, patches)
        return bundle

    def bundle(self, number: int) -> Bundle | None:
        """The bundle with this id."""
        row = self._db.row(f"{_BUNDLE} WHERE id = ?", number)
        return None if row is None else made(Bundle, row)

    def bundle_by_name(self, owner: int, name: str) -> Bundle | None:
        """The owner's bundle of this name."""
        row = self._db.row(f"{_BUNDLE} WHERE owner = ? AND name = ?", owner, name)
        return None if row is None else made(Bundle, row)

    def update_bundle(self, bundle: Bundle, changes: dict[str, Any], patches: Sequence[int] | None) -> Bundle:
        """The bundle with these changes, and with these patches unless they are None. Raises NameTaken."""
        known = frozenset({"name", "public", "project"})
        with self._db.transaction():
            try:
                self._db.update("patchwork_bundle", known, changes, "id = ?", (bundle.id,))
            except sqlite3.IntegrityError as error:
                raise NameTaken from error
            if patches is not None:
                self._db.execute("DELETE FROM patchwork_bundled WHERE bundle = ?", (bundle.id,))
                self._fill(bundle.id, patches)
        return self.bundle(bundle.id) or bundle

    def delete_bundle(self, bundle: Bundle) -> None:
        """Delete the bundle; its patches stay."""
        self._db.execute("DELETE FROM patchwork_bundle WHERE id = ?", (bundle.id,))

    def bundled(self, bundle: int) -> list[int]:
        """The ids of its patches, in their order."""
        sql = "SELECT patch FROM patchwork_bundled WHERE bundle = ? ORDER BY position"
        return [row["patch"] for row in self._db.execute(sql, (bundle,))]

    def count_bundles(self, user: int | None, wanted: Wanted) -> int:
        """How many of those that `user` may see are wanted."""
        return count(self._db, _BUNDLES, wanted, _visible(user))

    def bundles(self, user: int | None, wanted: Wanted, first: int, most: int) -> list[Bundle]:
        """Those that `user` may see and that are wanted."""
        found = rows(self._db, _BUNDLES, wanted, _visible(user), first, most)
        return [made(Bundle, row) for row in found]

    def _fill(self, bundle: int, patches: Sequence[int]) -> None:
        self._db.execute_for_each(
            "INSERT INTO patchwork_bundled (bundle, position, patch) VALUES (?, ?, ?)",
            [(bundle, position, patch) for position, patch in enumerate(patches)],
        )


def _visible(user: int | None) -> Scope:
    return Scope("(public OR owner = ?)", (user,))
