"""The tables behind `store`, which alone reads and writes them."""

from __future__ import annotations

__all__ = ["SCHEMA", "SCHEMA_VERSION"]

SCHEMA_VERSION = 1

SCHEMA = """
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
