"""The uploads, and which of their bytes have arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pk_upload.sandbox.ranges import Span, joined, without
from pk_upload.sandbox.records import Upload

if TYPE_CHECKING:
    from pk_upload.sandbox.database import Database

__all__ = ["UploadTable"]


class UploadTable:
    """The uploads in `db`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def create(self, total: int, *, presigned: bool) -> Upload:
        """A new upload of `total` bytes of which none has arrived."""
        row = self._db.execute("INSERT INTO upload (total, presigned) VALUES (?, ?)", (total, presigned))
        return Upload(int(row.lastrowid or 0), total, presigned, closed=False)

    def find(self, upload_id: int) -> Upload | None:
        """One upload."""
        row = self._db.row("SELECT * FROM upload WHERE id = ?", upload_id)
        return (
            None
            if row is None
            else Upload(row["id"], row["total"], bool(row["presigned"]), bool(row["closed"]))
        )

    def needed(self) -> set[int]:
        """The ids of the uploads whose bytes are still wanted."""
        sql = "SELECT id FROM upload WHERE id NOT IN (SELECT upload_id FROM job WHERE finished)"
        return {row["id"] for row in self._db.execute(sql)}

    def received(self, upload_id: int) -> tuple[Span, ...]:
        """The bytes of an upload that have arrived, ascending."""
        rows = self._db.execute(
            'SELECT first, "end" FROM received WHERE upload_id = ? ORDER BY first', (upload_id,)
        )
        return tuple(Span(row["first"], row["end"]) for row in rows)

    def receive(self, upload_id: int, span: Span) -> bool:
        """Count `span` as arrived; False, and nothing done, when the upload is closed."""
        with self._db.transaction():
            if not self._is_open(upload_id):
                return False
            self._insert(upload_id, joined([*self._take_touching(upload_id, span), span]))
            return True

    def forget(self, upload_id: int, span: Span) -> bool:
        """Count `span` as not arrived; False, and nothing done, when the upload is closed."""
        with self._db.transaction():
            if not self._is_open(upload_id):
                return False
            self._insert(upload_id, without(self._take_touching(upload_id, span), span))
            return True

    def _is_open(self, upload_id: int) -> bool:
        return bool(self._db.value("SELECT NOT closed FROM upload WHERE id = ?", upload_id))

    def _take_touching(self, upload_id: int, span: Span) -> list[Span]:
        # At most two of the joined spans stand out of `span`, so this stays small however big the upload is.
        where = 'upload_id = ? AND first <= ? AND "end" >= ?'
        values = (upload_id, span.end, span.first)
        rows = self._db.execute(f'SELECT first, "end" FROM received WHERE {where}', values)  # noqa: S608
        touching = [Span(row["first"], row["end"]) for row in rows]
        self._db.execute(f"DELETE FROM received WHERE {where}", values)  # noqa: S608
        return touching

    def _insert(self, upload_id: int, spans: tuple[Span, ...]) -> None:
        rows = [(upload_id, span.first, span.end) for span in spans]
        self._db.execute_for_each("INSERT INTO received VALUES (?, ?, ?)", rows)
