"""All that a Patchwork keeps, in the tables that it is kept in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pk_upload.sandbox.patchwork.event_table import EventTable
from pk_upload.sandbox.patchwork.mail_table import MailTable
from pk_upload.sandbox.patchwork.people_table import PeopleTable
from pk_upload.sandbox.patchwork.series_table import SeriesTable
from pk_upload.sandbox.patchwork.work_table import WorkTable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pk_upload.sandbox.database import Database

__all__ = ["PatchworkTable"]


class PatchworkTable:
    """The tables of a Patchwork in `db`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.people = PeopleTable(db)
        self.mails = MailTable(db)
        self.series = SeriesTable(db)
        self.work = WorkTable(db)
        self.events = EventTable(db)

    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside are committed together, or none; may be nested."""
        return self._db.transaction()
