"""The resources as the sandbox keeps them, and the JSON that clients see of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["PLATFORMS", "App", "Job", "Json", "Upload", "Version"]

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

PLATFORMS = (
    "windows_x86",
    "windows_x86_64",
    "mac_x86",
    "mac_x86_64",
    "mac_arm64",
    "linux_x86",
    "linux_x86_64",
    "other",
)


@dataclass(frozen=True, slots=True)
class App:
    """An app; `current_version` is 0 while none is published, the two busy versions are None when idle."""

    id: int
    secret: str
    platform: str
    name: str
    display_name: str
    author: str
    content_key: bytes
    current_version: int
    processing_version: int | None
    publishing_version: int | None
    published_versions_count: int
    draft_versions_count: int

    def to_json(self) -> Json:
        """The fields of the service's Swagger, and those that official clients read besides."""
        shown: dict[str, Json] = {
            field.name: getattr(self, field.name) for field in fields(self) if field.name != "content_key"
        }
        return shown | {
            # "False or null when idle; any int means busy" (observed on official clients).
            "processing_version": self.processing_version or False,
            "publishing_version": self.publishing_version or False,
            "is_channel": False,
            "allow_channel_direct_publish": False,
            "parent_group": None,
            "use_keys": False,
            "diff_algorithm": "librsync",  # the value that official clients were observed with
        }


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an app; ids count 1, 2, 3 within the app.

    Times named `_at` are ISO 8601, the others Unix seconds.
    """

    app_id: int
    id: int
    label: str
    changelog: str
    publish_date: int
    draft: bool
    pending_publish: bool
    published: bool
    publish_progress: float
    publish_time: int
    publish_when_processed: bool
    publish_started: float
    has_processing_error: bool
    processing_messages: tuple[Mapping[str, str], ...]
    processing_progress: float
    processing_started_at: str | None
    processing_finished_at: str | None
    content_guid: str | None
    diff_guid: str | None
    main_executable: str | None

    @property
    def hindrance(self) -> str | None:
        """Why it cannot be published, as a sentence, or None.

        Any error is critical (the service's documentation).
        """
        if self.has_processing_error:
            return "Its processing ended with an error; upload the content again."
        for message in self.processing_messages:
            if message["severity"] == "error":
                return f"Its content has an error: {message['message']}"
        if self.content_guid is None:
            return "It has no processed content yet."
        return None

    def to_json(self) -> Json:
        """The fields of the service's Swagger."""
        shown: dict[str, Json] = {
            name: value for name, value in asdict(self).items() if name not in {"app_id", "publish_started"}
        }
        return shown | {
            "main_executable_args": None,
            "ignored_files": "",
            "can_be_imported": self.published,
        }


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload of `total` bytes; once `closed`, its content is or was processed and takes no more chunks."""

    id: int
    total: int
    presigned: bool
    closed: bool


@dataclass(frozen=True, slots=True)
class Job:
    """The processing of an upload into a version; `status` 0 is fine, 1 a failed job once `finished`."""

    guid: str
    app_id: int
    version_id: int
    upload_id: int
    time_started: str
    time_finished: str | None
    progress: float
    pending: bool
    finished: bool
    status: int
    status_message: str

    def to_json(self) -> Json:
        """The fields of the service's documentation, with the guid."""
        hidden = {"app_id", "version_id", "upload_id"}
        return {name: value for name, value in asdict(self).items() if name not in hidden}
