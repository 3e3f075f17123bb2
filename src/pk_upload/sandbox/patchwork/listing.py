"""Lists that are filtered, ordered and cut into pages, as SQL made of what a table says of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from pk_upload.sandbox.database import Database
    from pk_upload.sandbox.patchwork.filters import Wanted

__all__ = ["IN_PROJECT", "Listing", "Scope", "among", "columns_of", "count", "made", "named", "rows"]

Record = TypeVar("Record")

_FLAGS = frozenset({"archived", "public", "show_dependencies", "is_maintainer", "send_email", "show_ids"})


@dataclass(frozen=True, slots=True)
class Listing:
    """A table's list: what each filter is for values that are ids, or names, and each order, in its SQL."""

    table: str
    columns: str
    ids: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    orders: Mapping[str, str] = field(default_factory=dict)
    usual: str = "id"

    @property
    def select(self) -> str:
        """What selects all of its rows."""
        return f"SELECT {self.columns} FROM {self.table}"  # noqa: S608  names from the code


@dataclass(frozen=True, slots=True)
class Scope:
    """A condition that goes before all filters, in SQL, and its values."""

    condition: str = "1"
    values: tuple[Any, ...] = ()


def among(column: str) -> str:
    """The condition that `column` has one of the values."""
    return f"{column} IN (SELECT value FROM json_each(?))"  # noqa: S608  a name from the code


def named(column: str, table: str, name: str) -> str:
    """The condition that the row of `table` that `column` means has one of the values as its `name`."""
    return f"{column} IN (SELECT id FROM {table} WHERE {among(name)})"  # noqa: S608  names from the code


IN_PROJECT = named("project", "patchwork_project", "link_name")
"""The condition that it is of one of the projects with the values as their names in links."""


def columns_of(record: type[Any]) -> str:
    """The columns that a record of this class is made of."""
    return ", ".join(one.name for one in fields(record))


def made(record: type[Record], row: sqlite3.Row) -> Record:
    """The record that a row is."""
    known = dict(row)
    for name in _FLAGS & known.keys():
        known[name] = bool(known[name])
    if known.get("addressed") is not None:
        known["addressed"] = bool(known["addressed"])
    return record(**known)


def count(db: Database, listing: Listing, wanted: Wanted, scope: Scope) -> int:
    """How many rows are wanted."""
    condition, values = _condition(listing, wanted, scope)
    return int(db.value(f"SELECT COUNT(*) FROM {listing.table} WHERE {condition}", *values))  # noqa: S608


def rows(
    db: Database, listing: Listing, wanted: Wanted, scope: Scope, first: int, most: int
) -> list[sqlite3.Row]:
    """Those that are wanted, from number `first` on, at `most` so many."""
    condition, values = _condition(listing, wanted, scope)
    order = [
        f"{listing.orders[name]} {'DESC' if reverse else 'ASC'}"
        for name, reverse in wanted.order
        if name in listing.orders
    ]
    downward = wanted.order[-1][1] if order else listing.usual.endswith("DESC")
    order = [*(order or [listing.usual]), "id DESC" if downward else "id"]
    sql = f"{listing.select} WHERE {condition} ORDER BY {', '.join(order)} LIMIT ? OFFSET ?"
    return [*db.execute(sql, (*values, most, first))]


def _condition(listing: Listing, wanted: Wanted, scope: Scope) -> tuple[str, list[Any]]:
    conditions, values = [scope.condition], [*scope.values]
    if wanted.nothing:
        conditions.append("0")
    for name in wanted.ids.keys() | wanted.names.keys():
        either = []
        for known, given in ((listing.ids, wanted.ids), (listing.names, wanted.names)):
            if name in given:
                either.append(known[name])
                values.append(json.dumps(given[name]))
        conditions.append(f"({' OR '.join(either)})")
    for sign, moment in ((">=", wanted.since), ("<", wanted.before)):
        if moment is not None:
            conditions.append(f"date {sign} ?")
            values.append(moment)
    for word in wanted.words:
        conditions.append(f"({' OR '.join(f'{column} LIKE ? ESCAPE ?' for column in listing.words)})")
        values += [_pattern(word), "\\"] * len(listing.words)
    return " AND ".join(conditions), values


def _pattern(word: str) -> str:
    """The pattern of LIKE for what holds the word."""
    for char in "\\%_":
        word = word.replace(char, f"\\{char}")
    return f"%{word}%"
