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

_PATCHWORK = """
CREATE TABLE patchwork_project (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    link_name TEXT NOT NULL UNIQUE,
    list_id TEXT NOT NULL UNIQUE,
    list_email TEXT NOT NULL,
    web_url TEXT NOT NULL DEFAULT '',
    scm_url TEXT NOT NULL DEFAULT '',
    webscm_url TEXT NOT NULL DEFAULT '',
    list_archive_url TEXT NOT NULL DEFAULT '',
    list_archive_url_format TEXT NOT NULL DEFAULT '',
    commit_url_format TEXT NOT NULL DEFAULT '',
    subject_match TEXT NOT NULL DEFAULT '',
    show_dependencies INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE patchwork_user (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username TEXT NOT NULL UNIQUE,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    email TEXT NOT NULL,
    is_maintainer INTEGER NOT NULL,
    send_email INTEGER NOT NULL DEFAULT 0,
    items_per_page INTEGER NOT NULL DEFAULT 100,
    show_ids INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE patchwork_person (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT,
    email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    user INTEGER UNIQUE REFERENCES patchwork_user (id)
);
CREATE TABLE patchwork_series (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project INTEGER NOT NULL REFERENCES patchwork_project (id),
    name TEXT NOT NULL,
    date TEXT NOT NULL,
    submitter INTEGER NOT NULL REFERENCES patchwork_person (id),
    version INTEGER NOT NULL,
    total INTEGER NOT NULL
);
CREATE INDEX patchwork_series_parts ON patchwork_series (submitter, project, version, total);
CREATE TABLE patchwork_dependency (
    series INTEGER NOT NULL REFERENCES patchwork_series (id),
    needed INTEGER NOT NULL REFERENCES patchwork_series (id),
    PRIMARY KEY (series, needed)
) WITHOUT ROWID;
CREATE INDEX patchwork_dependents ON patchwork_dependency (needed);
CREATE TABLE patchwork_cover (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project INTEGER NOT NULL REFERENCES patchwork_project (id),
    series INTEGER UNIQUE REFERENCES patchwork_series (id),
    msgid TEXT NOT NULL,
    date TEXT NOT NULL,
    name TEXT NOT NULL,
    submitter INTEGER NOT NULL REFERENCES patchwork_person (id),
    headers TEXT NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (msgid, project)
);
CREATE TABLE patchwork_patch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project INTEGER NOT NULL REFERENCES patchwork_project (id),
    series INTEGER REFERENCES patchwork_series (id),
    number INTEGER,
    msgid TEXT NOT NULL,
    date TEXT NOT NULL,
    name TEXT NOT NULL,
    submitter INTEGER NOT NULL REFERENCES patchwork_person (id),
    hash TEXT,
    pull_url TEXT,
    commit_ref TEXT,
    state TEXT NOT NULL DEFAULT 'new',
    archived INTEGER NOT NULL DEFAULT 0,
    delegate INTEGER REFERENCES patchwork_user (id),
    relation INTEGER,
    prefixes TEXT NOT NULL,
    headers TEXT NOT NULL,
    content TEXT NOT NULL,
    diff TEXT,
    UNIQUE (msgid, project),
    UNIQUE (series, number)
);
CREATE INDEX patchwork_related ON patchwork_patch (relation);
CREATE TABLE patchwork_patch_comment (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    parent INTEGER NOT NULL REFERENCES patchwork_patch (id),
    msgid TEXT NOT NULL,
    date TEXT NOT NULL,
    subject TEXT NOT NULL,
    submitter INTEGER NOT NULL REFERENCES patchwork_person (id),
    addressed INTEGER,
    headers TEXT NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (msgid, parent)
);
CREATE INDEX patchwork_patch_comments ON patchwork_patch_comment (parent);
CREATE TABLE patchwork_cover_comment (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    parent INTEGER NOT NULL REFERENCES patchwork_cover (id),
    msgid TEXT NOT NULL,
    date TEXT NOT NULL,
    subject TEXT NOT NULL,
    submitter INTEGER NOT NULL REFERENCES patchwork_person (id),
    addressed INTEGER,
    headers TEXT NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (msgid, parent)
);
CREATE INDEX patchwork_cover_comments ON patchwork_cover_comment (parent);
CREATE TABLE patchwork_check (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    patch INTEGER NOT NULL REFERENCES patchwork_patch (id),
    user INTEGER NOT NULL REFERENCES patchwork_user (id),
    date TEXT NOT NULL,
    state INTEGER NOT NULL,
    target_url TEXT,
    context TEXT NOT NULL,
    description TEXT
);
CREATE INDEX patchwork_checks ON patchwork_check (patch);
CREATE TABLE patchwork_bundle (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project INTEGER NOT NULL REFERENCES patchwork_project (id),
    name TEXT NOT NULL,
    owner INTEGER NOT NULL REFERENCES patchwork_user (id),
    public INTEGER NOT NULL,
    UNIQUE (owner, name)
);
CREATE TABLE patchwork_bundled (
    bundle INTEGER NOT NULL REFERENCES patchwork_bundle (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    patch INTEGER NOT NULL REFERENCES patchwork_patch (id),
    PRIMARY KEY (bundle, position)
) WITHOUT ROWID;
CREATE TABLE patchwork_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    category TEXT NOT NULL,
    project INTEGER NOT NULL REFERENCES patchwork_project (id),
    date TEXT NOT NULL,
    actor INTEGER REFERENCES patchwork_user (id),
    patch INTEGER REFERENCES patchwork_patch (id),
    cover INTEGER REFERENCES patchwork_cover (id),
    series INTEGER REFERENCES patchwork_series (id),
    comment INTEGER,
    checked INTEGER REFERENCES patchwork_check (id),
    previous TEXT,
    current TEXT
);
CREATE INDEX patchwork_events ON patchwork_event (date);
"""

STEPS = (_PATCHKIT, _KICKFOLIO, _PATCHWORK)
