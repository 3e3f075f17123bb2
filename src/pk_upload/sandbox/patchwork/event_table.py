"""What happened: one event for each thing that came, was changed or was complete."""

from __future__ import annotations

from datetime import UTC, datetime
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
from pk_upload.sandbox.patchwork.records import Event

if TYPE_CHECKING:
    from pk_upload.sandbox.database import Database
    from pk_upload.sandbox.patchwork.filters import Wanted

__all__ = ["EventTable", "now"]

_EVENTS = Listing(
    "patchwork_event",
    columns_of(Event),
    ids={name: among(name) for name in ("project", "series", "patch", "cover", "actor")},
    names={
        "project": IN_PROJECT,
        "actor": named("actor", "patchwork_user", "username"),
        "category": among("category"),
    },
    orders={"date": "date"},
    usual="date DESC",
)
_ALL = Scope()
_OF_NO_COMMENT = Scope("comment IS NULL")


def now() -> str:
    """The time in UTC, as times are kept."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat()


class EventTable:
    """The events in `db`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(
        self,
        category: str,
        project: int,
        *,
        actor: int | None = None,
        patch: int | None = None,
        cover: int | None = None,
        series: int | None = None,
        comment: int | None = None,
        checked: int | None = None,
        previous: str | int | None = None,
        current: str | int | None = None,
    ) -> None:
        """Note that this happened just now."""
        self._db.execute(
            "INSERT INTO patchwork_event (category, project, date, actor, patch, cover, series, comment,"
            " checked, previous, current) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (category, project, now(), actor, patch, cover, series, comment, checked, previous, current),
        )

    def count(self, wanted: Wanted, *, comments: bool) -> int:
        """How many are wanted, those of comments among them or not."""
        return count(self._db, _EVENTS, wanted, _ALL if comments else _OF_NO_COMMENT)

    def page(self, wanted: Wanted, first: int, most: int, *, comments: bool) -> list[Event]:
        """Those that are wanted, the newest first unless it is said."""
        scope = _ALL if comments else _OF_NO_COMMENT
        return [made(Event, row) for row in rows(self._db, _EVENTS, wanted, scope, first, most)]
