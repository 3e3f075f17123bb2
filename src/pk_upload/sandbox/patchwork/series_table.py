"""The series that patches came in, and which of them need which."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from pk_upload.sandbox.patchwork.records import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pk_upload.sandbox.database import Database
    from pk_upload.sandbox.patchwork.filters import Wanted

__all__ = ["SeriesTable"]

_SERIES = Listing(
    "patchwork_series",
    columns_of(Series),
    ids={"project": among("project"), "submitter": among("submitter")},
    names={
        "project": IN_PROJECT,
        "submitter": named("submitter", "patchwork_person", "email"),
    },
    words=("name",),
    orders={name: name for name in ("id", "name", "date", "submitter")},
)
_ONE = _SERIES.select
_ALL = Scope()


class SeriesTable:
    """The series in `db`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def create(self, project: int, name: str, date: str, submitter: int, version: int, total: int) -> Series:
        """A new series, without patches yet."""
        number = self._db.execute(
            "INSERT INTO patchwork_series (project, name, date, submitter, version, total)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (project, name, date, submitter, version, total),
        ).lastrowid
        series = None if number is None else self.find(number)
        if series is None:
            raise LookupError("no series")
        return series

    def find(self, number: int) -> Series | None:
        """The series with this id."""
        row = self._db.row(f"{_ONE} WHERE id = ?", number)
        return None if row is None else made(Series, row)

    def rename(self, series: Series, name: str) -> None:
        """Give it the name that its cover letter has."""
        self._db.execute("UPDATE patchwork_series SET name = ? WHERE id = ?", (name, series.id))

    def alike(
        self, project: int, submitter: int, version: int, total: int, after: str, before: str
    ) -> list[Series]:
        """Series of this sender, version and length, begun between these times, the newest first."""
        sql = (
            f"{_ONE} WHERE submitter = ? AND project = ? AND version = ? AND total = ?"
            " AND date BETWEEN ? AND ? ORDER BY id DESC LIMIT 20"
        )
        values = (submitter, project, version, total, after, before)
        return [made(Series, row) for row in self._db.execute(sql, values)]

    def has_number(self, series: int, number: int) -> bool:
        """Whether the patch with this number is there."""
        sql = "SELECT 1 FROM patchwork_patch WHERE series = ? AND number = ?"
        return self._db.value(sql, series, number) is not None

    def received(self, series: int, below: int = 1 << 31) -> int:
        """How many patches are there, of those with a number less than `below`."""
        sql = "SELECT COUNT(*) FROM patchwork_patch WHERE series = ? AND number < ?"
        return int(self._db.value(sql, series, below))

    def from_number(self, series: int, number: int) -> Iterator[tuple[int, int]]:
        """The numbers and ids of the patches from this number on, in their order, one after the other."""
        sql = "SELECT number, id FROM patchwork_patch WHERE series = ? AND number >= ? ORDER BY number"
        return ((row["number"], row["id"]) for row in self._db.execute(sql, (series, number)))

    def need(self, series: int, needed: Iterable[int]) -> None:
        """Note that `series` needs the others."""
        self._db.execute_for_each(
            "INSERT OR IGNORE INTO patchwork_dependency VALUES (?, ?)",
            [(series, other) for other in needed if other != series],
        )

    def dependencies(self, series: int) -> list[int]:
        """The series that this one needs."""
        sql = "SELECT needed FROM patchwork_dependency WHERE series = ? ORDER BY needed"
        return [row["needed"] for row in self._db.execute(sql, (series,))]

    def dependents(self, series: int) -> list[int]:
        """The series that need this one."""
        sql = "SELECT series FROM patchwork_dependency WHERE needed = ? ORDER BY series"
        return [row["series"] for row in self._db.execute(sql, (series,))]

    def count(self, wanted: Wanted) -> int:
        """How many are wanted."""
        return count(self._db, _SERIES, wanted, _ALL)

    def page(self, wanted: Wanted, first: int, most: int) -> list[Series]:
        """Those that are wanted."""
        return [made(Series, row) for row in rows(self._db, _SERIES, wanted, _ALL, first, most)]
