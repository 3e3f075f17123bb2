"""The SQLite database beneath `store` and the tables beside it, the only modules with SQL but this one.

It is used from the event loop's thread alone, in transactions of well under a millisecond. What is committed
survives the process being killed. One sandbox at a time has the database.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pk_upload.sandbox.places import SandboxError
from pk_upload.sandbox.schema import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["Database"]


class Database:
    """The database at `path`, made if need be. SandboxError when it cannot be used."""

    def __init__(self, path: Path) -> None:
        try:
            self._connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        except sqlite3.Error as error:
            raise SandboxError(f"The database {path} cannot be opened: {error}.") from error
        try:
            self._prepare(path)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, path: Path) -> None:
        self._connection.row_factory = sqlite3.Row
        try:
            # Exclusive, so that a second sandbox on the same directory does not run the same jobs.
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            with self.transaction():
                found = self.value("PRAGMA user_version")
                for step in STEPS[found:]:
                    for statement in step.split(";"):
                        self._connection.execute(statement)
                if found < len(STEPS):
                    self._connection.execute(f"PRAGMA user_version = {len(STEPS):d}")
        except sqlite3.OperationalError as error:
            reason = "another sandbox uses it" if "locked" in str(error) else str(error)
            raise SandboxError(f"The database {path} cannot be used: {reason}.") from error
        except sqlite3.DatabaseError as error:
            raise SandboxError(f"The database {path} cannot be used: {error}.") from error
        if found > len(STEPS):
            raise SandboxError(
                f"The database {path} is of a newer version of the sandbox; use another directory."
            )

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are committed together, or none; may be nested."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # else SQLite has done it itself, as on a full disk
            self._connection.execute("ROLLBACK")

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """One statement."""
        return self._connection.execute(sql, values)

    def execute_for_each(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """One statement, for each row of values."""
        self._connection.executemany(sql, rows)

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row found."""
        row: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def value(self, sql: str, *values: Any) -> Any:
        """The first column of the first row found, or None."""
        row = self.row(sql, *values)
        return None if row is None else row[0]

    def update(
        self, table: str, known: frozenset[str], changes: dict[str, Any], where: str, key: tuple[Any, ...]
    ) -> None:
        """Make `changes`, whose names must be `known`, to the rows where `key` fits."""
        if not changes:
            return
        if not changes.keys() <= known:
            raise ValueError(f"no such fields of a {table}: {sorted(changes.keys() - known)}")
        columns = ", ".join(f"{name} = ?" for name in changes)
        sql = f"UPDATE {table} SET {columns} WHERE {where}"  # noqa: S608  names from the code, not from a request
        self._connection.execute(sql, (*changes.values(), *key))
