"""Kickfolio's apps, versions and images in the database."""

from __future__ import annotations

import json
import secrets
import string
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pk_upload.sandbox.kickfolio.records import FAILED, PENDING, READY, App, Version

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from pk_upload.sandbox.database import Database
    from pk_upload.sandbox.kickfolio.records import Bundle

__all__ = ["KickfolioTable"]

_APP = """
SELECT app.*, (
    SELECT json_group_array(id) FROM (SELECT id FROM kickfolio_version WHERE app = app.number ORDER BY number)
) AS versions
FROM kickfolio_app AS app
"""
_VERSION = """
SELECT version.*, app.id AS app_id
FROM kickfolio_version AS version JOIN kickfolio_app AS app ON app.number = version.app
"""
_KEY_LENGTH = 7
_KEY_LETTERS = string.ascii_uppercase + string.digits


class KickfolioTable:
    """What a Kickfolio keeps, in `db`. Every list has the oldest first."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def user_id(self) -> str:
        """The one account's id, the same for the life of the database."""
        self._db.execute("INSERT OR IGNORE INTO setting VALUES ('kickfolio_user', ?)", (str(uuid.uuid4()),))
        return str(self._db.value("SELECT value FROM setting WHERE name = 'kickfolio_user'"))

    # Apps

    def create_app(self, name: str) -> App:
        """A new app with an id and a public key of its own."""
        now, app_id = _now(), str(uuid.uuid4())
        key = "".join(secrets.choice(_KEY_LETTERS) for _ in range(_KEY_LENGTH))
        while self.app(key) is not None:
            key = "".join(secrets.choice(_KEY_LETTERS) for _ in range(_KEY_LENGTH))
        self._db.execute(
            "INSERT INTO kickfolio_app (id, public_key, name, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
            (app_id, key, name, now, now),
        )
        return self._known_app(app_id)

    def apps(self, ids: Collection[str] | None) -> list[App]:
        """All apps, or those with one of these `ids` or public keys."""
        where, values = "", tuple[str, ...]()
        if ids is not None:
            wanted = "SELECT value FROM json_each(?)"
            where = f"WHERE app.id IN ({wanted}) OR app.public_key IN ({wanted})"
            values = (_lowered(ids), json.dumps([*ids]))
        return [_app(row) for row in self._db.execute(f"{_APP} {where} ORDER BY app.number", values)]

    def app(self, identifier: str) -> App | None:
        """The app with this id or public key."""
        row = self._db.row(f"{_APP} WHERE app.id = ? OR app.public_key = ?", identifier.lower(), identifier)
        return None if row is None else _app(row)

    def rename_app(self, app: App, name: str) -> App:
        """The app with its new name."""
        self._db.execute(
            "UPDATE kickfolio_app SET name = ?, updated_at = ? WHERE number = ?", (name, _now(), app.number)
        )
        return self._known_app(app.id)

    def delete_app(self, app: App) -> None:
        """Delete the app with all that is its."""
        self._db.execute("DELETE FROM kickfolio_app WHERE number = ?", (app.number,))

    # Versions

    def create_version(self, app: App, bundle_url: str, version_string: str | None) -> Version:
        """A new version, whose bundle is still to be fetched."""
        now, version_id = _now(), str(uuid.uuid4())
        self._db.execute(
            "INSERT INTO kickfolio_version (id, app, bundle_url, given_string, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (version_id, app.number, bundle_url, version_string, now, now),
        )
        return self._known_version(version_id)

    def versions(self, app: App | None, ids: Collection[str] | None) -> list[Version]:
        """All versions, or those of `app`, or those with one of these `ids`."""
        conditions: dict[str, Any] = {}
        if app is not None:
            conditions["version.app = ?"] = app.number
        if ids is not None:
            conditions["version.id IN (SELECT value FROM json_each(?))"] = _lowered(ids)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        sql = f"{_VERSION} {where} ORDER BY version.number"
        return [_version(row) for row in self._db.execute(sql, (*conditions.values(),))]

    def version(self, version_id: str) -> Version | None:
        """One version."""
        row = self._db.row(f"{_VERSION} WHERE version.id = ?", version_id.lower())
        return None if row is None else _version(row)

    def update_version(self, version: Version, app: App, bundle_url: str, given: str | None) -> Version:
        """The version with these attributes.

        A bundle that is another one, or that could not be fetched, is to be fetched from now on.
        """
        with self._db.transaction():
            self._db.execute(
                "UPDATE kickfolio_version SET app = ?, bundle_url = ?, given_string = ?, updated_at = ?"
                " WHERE number = ?",
                (app.number, bundle_url, given, _now(), version.number),
            )
            if bundle_url != version.bundle_url or version.state == FAILED:
                self._forget_bundle(version)
            return self._known_version(version.id)

    def delete_version(self, version: Version) -> None:
        """Delete the version with all that is its."""
        self._db.execute("DELETE FROM kickfolio_version WHERE number = ?", (version.number,))

    # Bundles

    def to_fetch(self, but: Collection[tuple[int, int]]) -> Version | None:
        """The oldest version that is pending, but for those whose number and fetch are in `but`."""
        rows = self._db.execute(
            f"{_VERSION} WHERE version.state = ? ORDER BY version.number LIMIT ?", (PENDING, len(but) + 1)
        )
        return next((_version(row) for row in rows if (row["number"], row["fetch"]) not in but), None)

    def is_awaited(self, number: int, fetch: int) -> bool:
        """Whether there is still a version with this number that waits for this fetch."""
        sql = "SELECT 1 FROM kickfolio_version WHERE number = ? AND fetch = ? AND state = ?"
        return self._db.value(sql, number, fetch, PENDING) is not None

    def fail(self, version: Version, reason: str) -> None:
        """The fetch that `version` waited for came to nothing; ignored when nobody waits for it any more."""
        self._db.execute(
            "UPDATE kickfolio_version SET state = ?, state_reason = ?, updated_at = ?"
            " WHERE number = ? AND fetch = ?",
            (FAILED, reason, _now(), version.number, version.fetch),
        )

    def succeed(self, version: Version, bundle: Bundle) -> None:
        """The fetch brought `bundle`, of which its app tells too; ignored when nobody waits any more."""
        now = _now()
        with self._db.transaction():
            app = self._db.value(
                "SELECT app FROM kickfolio_version WHERE number = ? AND fetch = ?",
                version.number,
                version.fetch,
            )
            if app is None:
                return
            upright = self._keep(bundle.default_image, version=version.number)
            lying = self._keep(bundle.default_image_landscape, version=version.number)
            self._db.execute(
                "UPDATE kickfolio_version SET state = ?, found_string = ?, default_image = ?,"
                " default_image_landscape = ?, updated_at = ? WHERE number = ?",
                (READY, bundle.version_string, upright, lying, now, version.number),
            )
            self._db.execute("DELETE FROM kickfolio_image WHERE app = ?", (app,))
            icon = self._keep(bundle.icon, app=app)
            self._db.execute(
                "UPDATE kickfolio_app SET bundle = ?, default_to_landscape = ?, icon = ?, device_type = ?,"
                " updated_at = ? WHERE number = ?",
                (bundle.identifier, bundle.landscape, icon, bundle.device_type, now, app),
            )

    def image(self, guid: str) -> bytes | None:
        """The bytes of an image."""
        data = self._db.value("SELECT data FROM kickfolio_image WHERE guid = ?", guid)
        return None if data is None else bytes(data)

    def _forget_bundle(self, version: Version) -> None:
        self._db.execute("DELETE FROM kickfolio_image WHERE version = ?", (version.number,))
        self._db.execute(
            "UPDATE kickfolio_version SET state = ?, state_reason = NULL, found_string = NULL,"
            " default_image = NULL, default_image_landscape = NULL, fetch = fetch + 1 WHERE number = ?",
            (PENDING, version.number),
        )

    def _keep(self, data: bytes | None, *, app: int | None = None, version: int | None = None) -> str | None:
        if data is None:
            return None
        guid = str(uuid.uuid4())
        self._db.execute("INSERT INTO kickfolio_image VALUES (?, ?, ?, ?)", (guid, app, version, data))
        return guid

    def _known_app(self, app_id: str) -> App:
        app = self.app(app_id)
        if app is None:
            raise LookupError(f"no app {app_id}")
        return app

    def _known_version(self, version_id: str) -> Version:
        version = self.version(version_id)
        if version is None:
            raise LookupError(f"no version {version_id}")
        return version


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _lowered(ids: Collection[str]) -> str:
    return json.dumps([one.lower() for one in ids])


def _app(row: sqlite3.Row) -> App:
    columns = dict(row) | {
        "default_to_landscape": bool(row["default_to_landscape"]),
        "versions": tuple(json.loads(row["versions"])),
    }
    return App(**columns)


def _version(row: sqlite3.Row) -> Version:
    return Version(**dict(row))
