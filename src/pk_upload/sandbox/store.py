"""All that the sandbox knows: apps, versions, jobs and locks, and what its other services keep."""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from pk_upload.sandbox.database import Database
from pk_upload.sandbox.kickfolio.table import KickfolioTable
from pk_upload.sandbox.patchwork.table import PatchworkTable
from pk_upload.sandbox.records import App, Job, Version
from pk_upload.sandbox.upload_table import UploadTable

if TYPE_CHECKING:
    import sqlite3
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pk_upload.sandbox.records import Upload

__all__ = ["Store"]

_APP = """
SELECT app.*,
    (SELECT COALESCE(MAX(id), 0) FROM version WHERE app_id = app.id AND published) AS current_version,
    (SELECT MIN(version_id) FROM job WHERE app_id = app.id AND NOT finished) AS processing_version,
    (SELECT MIN(id) FROM version WHERE app_id = app.id AND pending_publish) AS publishing_version,
    (SELECT COUNT(*) FROM version WHERE app_id = app.id AND published) AS published_versions_count,
    (SELECT COUNT(*) FROM version WHERE app_id = app.id AND draft) AS draft_versions_count
FROM app
"""
_JOB_FIELDS = frozenset(field.name for field in fields(Job))
_VERSION_FIELDS = frozenset(field.name for field in fields(Version))
_VERSION_FLAGS = ("draft", "pending_publish", "published", "publish_when_processed", "has_processing_error")


class Store:
    """What is in the database at `path`, made if need be. SandboxError when it cannot be used."""

    def __init__(self, path: Path) -> None:
        self._db = Database(path)
        self.uploads = UploadTable(self._db)
        self.kickfolio = KickfolioTable(self._db)
        self.patchwork = PatchworkTable(self._db)

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside are committed together, or none; may be nested."""
        return self._db.transaction()

    def signing_key(self) -> bytes:
        """The 32 bytes that presigned URLs are signed with, the same for the life of the database."""
        fresh = secrets.token_bytes(32)
        self._db.execute("INSERT OR IGNORE INTO setting VALUES ('signing_key', ?)", (fresh,))
        return bytes(self._db.value("SELECT value FROM setting WHERE name = 'signing_key'"))

    # Apps

    def create_app(self, name: str, platform: str, display_name: str, author: str) -> App:
        """A new app with a secret and a content key of its own."""
        secret, key = secrets.token_hex(16), secrets.token_bytes(32)
        self._db.execute(
            "INSERT INTO app (secret, platform, name, display_name, author, content_key)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (secret, platform, name, display_name, author, key),
        )
        app = self.app(secret)
        assert app is not None  # noqa: S101  it was inserted just now
        return app

    def apps(self) -> list[App]:
        """All apps, the oldest first."""
        return [App(**dict(row)) for row in self._db.execute(f"{_APP} ORDER BY id")]

    def app(self, secret: str) -> App | None:
        """The app with this secret."""
        row = self._db.row(f"{_APP} WHERE secret = ?", secret)
        return None if row is None else App(**dict(row))

    def app_by_id(self, app_id: int) -> App:
        """The app with this id, which exists."""
        row = self._db.row(f"{_APP} WHERE id = ?", app_id)
        if row is None:
            raise LookupError(f"no app {app_id}")
        return App(**dict(row))

    # Versions

    def create_version(self, app_id: int, label: str, changelog: str) -> Version | None:
        """A new draft, or None when the app has a draft already."""
        with self._db.transaction():
            if self._db.value("SELECT 1 FROM version WHERE app_id = ? AND draft", app_id):
                return None
            version_id = self._db.value(
                "SELECT COALESCE(MAX(id), 0) + 1 FROM version WHERE app_id = ?", app_id
            )
            self._db.execute(
                "INSERT INTO version (app_id, id, label, changelog) VALUES (?, ?, ?, ?)",
                (app_id, version_id, label, changelog),
            )
            return self.version(app_id, version_id)

    def versions(self, app_id: int, *, drafts: bool) -> list[Version]:
        """An app's versions in ascending id, unpublished ones only with `drafts`."""
        sql = "SELECT * FROM version WHERE app_id = ? AND (published OR ?) ORDER BY id"
        return [_version(row) for row in self._db.execute(sql, (app_id, drafts))]

    def version(self, app_id: int, version_id: int) -> Version | None:
        """One version."""
        row = self._db.row("SELECT * FROM version WHERE app_id = ? AND id = ?", app_id, version_id)
        return None if row is None else _version(row)

    def latest(self, app_id: int, before: int | None = None) -> Version | None:
        """The newest published version, or the newest one with an id below `before`."""
        sql = "SELECT * FROM version WHERE app_id = ? AND published AND id < ? ORDER BY id DESC LIMIT 1"
        row = self._db.row(sql, app_id, 1 << 62 if before is None else before)
        return None if row is None else _version(row)

    def being_published(self) -> list[Version]:
        """All versions on their way to being published."""
        return [_version(row) for row in self._db.execute("SELECT * FROM version WHERE pending_publish")]

    def version_of_file(self, guid: str) -> Version | None:
        """The version whose content file or diff file has this guid."""
        row = self._db.row("SELECT * FROM version WHERE content_guid = ? OR diff_guid = ?", guid, guid)
        return None if row is None else _version(row)

    def update_version(self, app_id: int, version_id: int, **changes: Any) -> Version:
        """The version with `changes` made, which are fields of `Version`."""
        if "processing_messages" in changes:
            changes["processing_messages"] = json.dumps(changes["processing_messages"])
        self._db.update("version", _VERSION_FIELDS, changes, "app_id = ? AND id = ?", (app_id, version_id))
        version = self.version(app_id, version_id)
        if version is None:
            raise LookupError(f"no version {version_id} of app {app_id}")
        return version

    # Jobs

    def start_job(self, version: Version, upload: Upload, now: str) -> Job:
        """A new pending job, which closes its upload; the version forgets an earlier processing."""
        guid = str(uuid.uuid4())
        with self._db.transaction():
            self._db.execute("UPDATE upload SET closed = 1 WHERE id = ?", (upload.id,))
            self._db.execute(
                "INSERT INTO job (guid, app_id, version_id, upload_id, time_started) VALUES (?, ?, ?, ?, ?)",
                (guid, version.app_id, version.id, upload.id, now),
            )
            self.update_version(
                version.app_id,
                version.id,
                has_processing_error=False,
                processing_messages=(),
                processing_progress=0.0,
                processing_started_at=now,
                processing_finished_at=None,
                content_guid=None,
                diff_guid=None,
                main_executable=None,
            )
            return self._job("guid = ?", guid)

    def job(self, guid: str) -> Job | None:
        """One job."""
        return self._find_job("guid = ?", guid)

    def job_of_upload(self, upload_id: int) -> Job | None:
        """The job that was started for an upload."""
        return self._find_job("upload_id = ?", upload_id)

    def unfinished_job(self, version: Version) -> Job | None:
        """The job that waits or runs for a version."""
        return self._find_job("app_id = ? AND version_id = ? AND NOT finished", version.app_id, version.id)

    def next_job(self) -> Job | None:
        """The oldest job that waits."""
        return self._find_job("pending ORDER BY number LIMIT 1")

    def requeue_jobs(self) -> None:
        """Let the jobs that ran when the sandbox ended wait again."""
        self._db.execute("UPDATE job SET pending = 1 WHERE NOT finished")

    def update_job(self, guid: str, **changes: Any) -> Job:
        """The job with `changes` made, which are fields of `Job`."""
        self._db.update("job", _JOB_FIELDS, changes, "guid = ?", (guid,))
        return self._job("guid = ?", guid)

    def _find_job(self, where: str, *values: Any) -> Job | None:
        row = self._db.row(f"SELECT * FROM job WHERE {where}", *values)  # noqa: S608  conditions from this class
        if row is None:
            return None
        columns = {name: row[name] for name in row.keys() if name != "number"}  # noqa: SIM118  rows iterate values
        return Job(**columns | {name: bool(row[name]) for name in ("pending", "finished")})

    def _job(self, where: str, *values: Any) -> Job:
        job = self._find_job(where, *values)
        if job is None:
            raise LookupError("no such job")
        return job

    # Locks

    def acquire(self, resource: str, owner: str, now: float, lapse: float) -> int:
        """The owner's place in the queue for a resource, 0 when it holds the lock.

        Whoever did not ask for more than `lapse` seconds before `now` (Unix seconds) has lost its place.
        """
        with self._db.transaction():
            self._db.execute("DELETE FROM claim WHERE seen < ?", (now - lapse,))
            self._db.execute(
                "INSERT INTO claim (resource, owner, seen) VALUES (?, ?, ?)"
                " ON CONFLICT (resource, owner) DO UPDATE SET seen = excluded.seen",
                (resource, owner, now),
            )
            ahead = self._db.value(
                "SELECT COUNT(*) FROM claim AS c JOIN claim AS mine ON mine.resource = c.resource"
                " WHERE mine.resource = ? AND mine.owner = ? AND c.number < mine.number",
                resource,
                owner,
            )
            return int(ahead)


def _version(row: sqlite3.Row) -> Version:
    columns = dict(row) | {name: bool(row[name]) for name in _VERSION_FLAGS}
    return Version(**columns | {"processing_messages": tuple(json.loads(row["processing_messages"]))})
