"""The tables behind `store`, which alone reads and writes them, in the steps in which they came to be.

A database says how many of the steps it has; the rest are made up for when it is opened.
"""

from __future__ import annotations

__all__ = ["STEPS"]

_PATCHKIT = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE app (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    secret TEXT NOT NULL UNIQUE,
    platform TEXT NOT NULL,
    name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    author TEXT NOT NULL,
    content_key BLOB NOT NULL
);
CREATE TABLE version (
    app_id INTEGER NOT NULL REFERENCES app (id),
    id INTEGER NOT NULL,
    label TEXT NOT NULL,
    changelog TEXT NOT NULL,
    publish_date INTEGER NOT NULL DEFAULT 0,
    draft INTEGER NOT NULL DEFAULT 1,
    pending_publish INTEGER NOT NULL DEFAULT 0,
    published INTEGER NOT NULL DEFAULT 0,
    publish_progress REAL NOT NULL DEFAULT 0.0,
    publish_time INTEGER NOT NULL DEFAULT 0,
    publish_when_processed INTEGER NOT NULL DEFAULT 0,
    publish_started REAL NOT NULL DEFAULT 0.0,
    has_processing_error INTEGER NOT NULL DEFAULT 0,
    processing_messages TEXT NOT NULL DEFAULT '[]',
    processing_progress REAL NOT NULL DEFAULT 0.0,
    processing_started_at TEXT,
    processing_finished_at TEXT,
    content_guid TEXT UNIQUE,
    diff_guid TEXT UNIQUE,
    main_executable TEXT,
    PRIMARY KEY (app_id, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX one_draft ON version (app_id) WHERE draft;
CREATE TABLE upload (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    total INTEGER NOT NULL,
    presigned INTEGER NOT NULL,
    closed INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE received (
    upload_id INTEGER NOT NULL REFERENCES upload (id),
    first INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    PRIMARY KEY (upload_id, first)
) WITHOUT ROWID;
CREATE TABLE job (
    number INTEGER PRIMARY KEY,
    guid TEXT NOT NULL UNIQUE,
    app_id INTEGER NOT NULL,
    version_id INTEGER NOT NULL,
    upload_id INTEGER NOT NULL UNIQUE REFERENCES upload (id),
    time_started TEXT NOT NULL,
    time_finished TEXT,
    progress REAL NOT NULL DEFAULT 0.0,
    pending INTEGER NOT NULL DEFAULT 1,
    finished INTEGER NOT NULL DEFAULT 0,
    status INTEGER NOT NULL DEFAULT 0,
    status_message TEXT NOT NULL DEFAULT 'waiting for free worker...',
    FOREIGN KEY (app_id, version_id) REFERENCES version (app_id, id)
);
CREATE TABLE claim (
    number INTEGER PRIMARY KEY,
    resource TEXT NOT NULL,
    owner TEXT NOT NULL,
    seen REAL NOT NULL,
    UNIQUE (resource, owner)
);
"""

_KICKFOLIO = """
CREATE TABLE kickfolio_app (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    public_key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    bundle TEXT,
    default_to_landscape INTEGER NOT NULL DEFAULT 0,
    icon TEXT,
    device_type TEXT NOT NULL DEFAULT 'iPhone',
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE TABLE kickfolio_version (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    app INTEGER NOT NULL REFERENCES kickfolio_app (number) ON DELETE CASCADE,
    state TEXT NOT NULL DEFAULT 'pending',
    state_reason TEXT,
    bundle_url TEXT NOT NULL,
    given_string TEXT,
    found_string TEXT,
    default_image TEXT,
    default_image_landscape TEXT,
    fetch INTEGER NOT NULL DEFAULT 1,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX kickfolio_versions ON kickfolio_version (app);
CREATE INDEX kickfolio_pending ON kickfolio_version (number) WHERE state = 'pending';
CREATE TABLE kickfolio_image (
    guid TEXT PRIMARY KEY,
    app INTEGER REFERENCES kickfolio_app (number) ON DELETE CASCADE,
    version INTEGER REFERENCES kickfolio_version (number) ON DELETE CASCADE,
    data BLOB NOT NULL
);
CREATE INDEX kickfolio_icons ON kickfolio_image (app);
CREATE INDEX kickfolio_default_images ON kickfolio_image (version);
"""

STEPS = (_PATCHKIT, _KICKFOLIO)
