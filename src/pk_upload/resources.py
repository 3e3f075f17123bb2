"""What PatchKit's answers are about: apps, versions, jobs.

Unknown fields of an answer are ignored and missing ones take the values below, because the service adds
fields as it grows; a field of a wrong type raises `UnexpectedAnswer` and is named.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

__all__ = [
    "Account",
    "App",
    "ChangelogEntry",
    "Int",
    "Job",
    "ParentGroup",
    "Platform",
    "ProcessingMessage",
    "Version",
]

Platform = Literal[
    "windows_x86",
    "windows_x86_64",
    "mac_x86",
    "mac_x86_64",
    "mac_arm64",
    "linux_x86",
    "linux_x86_64",
    "other",
]

# What a journal, JSON and a URL can carry: numbers without bound can be written nowhere.
Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class ParentGroup(msgspec.Struct, frozen=True):
    """The app group that a channel belongs to."""

    secret: str = ""
    name: str = ""


class App(msgspec.Struct, frozen=True):
    """An application. Its `secret` identifies it and is public; `current_version` is 0 before the first.

    `processing_version` and `publishing_version` are the id of the version at work, else false or null.
    """

    id: Int = 0
    secret: str = ""
    platform: str = ""
    name: str = ""
    display_name: str | None = None
    author: str | None = None
    is_channel: bool = False
    allow_channel_direct_publish: bool = False
    parent_group: ParentGroup | None = None
    current_version: Int | None = 0
    processing_version: Int | bool | None = None
    publishing_version: Int | bool | None = None
    published_versions_count: Int | None = 0
    draft_versions_count: Int | None = 0
    use_keys: bool | None = False
    diff_algorithm: str | None = None


class ProcessingMessage(msgspec.Struct, frozen=True):
    """What processing found. A `severity` of "error" bars the version from being published."""

    severity: str = "info"
    message: str = ""


class Version(msgspec.Struct, frozen=True):
    """A version of an app; `id` counts from 1 in each app. Times are Unix seconds, 0 for never."""

    id: Int = 0
    label: str = ""
    changelog: str | None = ""
    publish_date: Int | None = 0
    draft: bool = False
    pending_publish: bool = False
    published: bool = False
    publish_progress: float | None = 0.0
    publish_time: Int | None = 0
    publish_when_processed: bool | None = False
    has_processing_error: bool | None = False
    processing_messages: list[ProcessingMessage] | None = None
    processing_progress: float | None = 0.0
    processing_started_at: str | None = None
    processing_finished_at: str | None = None
    content_guid: str | None = None
    diff_guid: str | None = None
    main_executable: str | None = None
    main_executable_args: str | None = None
    ignored_files: str | None = None
    can_be_imported: bool | None = False


class Job(msgspec.Struct, frozen=True):
    """Work the service does in the background. Once `finished`, a `status` other than 0 is a failure."""

    guid: str = ""
    time_started: str | None = None
    time_finished: str | None = None
    progress: float | None = 0.0
    pending: bool = False
    finished: bool = False
    status: Int | None = 0
    status_message: str | None = ""


class ChangelogEntry(msgspec.Struct, frozen=True):
    """What a published version changed."""

    version_id: Int = 0
    version_label: str = ""
    changes: str | None = ""


class Account(msgspec.Struct, frozen=True):
    """The account an API key belongs to."""

    id: Int | None = None
    email: str | None = None
