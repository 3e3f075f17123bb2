"""The PatchKit API, version 1: typed coroutines, one an endpoint, and no workflow.

Unknown fields of an answer are ignored and missing ones take the values below, because the service adds
fields as it grows; a field of a wrong type raises `UnexpectedAnswer` and is named.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TypeVar
from urllib.parse import quote

import msgspec

from pk_upload.answers import decode
from pk_upload.errors import UnexpectedAnswer, UsageError
from pk_upload.events import OnEvent
from pk_upload.http import Http, RetryPolicy, base_url, clean_secret

if TYPE_CHECKING:
    from ssl import SSLContext

    from aiohttp import Payload

__all__ = [
    "API_URL",
    "UPLOAD_URL",
    "Account",
    "App",
    "ChangelogEntry",
    "Job",
    "ParentGroup",
    "PatchKit",
    "Platform",
    "ProcessingMessage",
    "Version",
]

API_URL = "https://api2.patchkit.net"
UPLOAD_URL = "https://api.patchkit.net"  # chunks alone go here, says the service's documentation

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
T = TypeVar("T")


class ParentGroup(msgspec.Struct, frozen=True):
    """The app group that a channel belongs to."""

    secret: str = ""
    name: str = ""


class App(msgspec.Struct, frozen=True):
    """An application. Its `secret` identifies it and is public; `current_version` is 0 before the first.

    `processing_version` and `publishing_version` are the id of the version at work, else false or null.
    """

    id: int = 0
    secret: str = ""
    platform: str = ""
    name: str = ""
    display_name: str | None = None
    author: str | None = None
    is_channel: bool = False
    allow_channel_direct_publish: bool = False
    parent_group: ParentGroup | None = None
    current_version: int | None = 0
    processing_version: int | bool | None = None
    publishing_version: int | bool | None = None
    published_versions_count: int | None = 0
    draft_versions_count: int | None = 0
    use_keys: bool | None = False
    diff_algorithm: str | None = None


class ProcessingMessage(msgspec.Struct, frozen=True):
    """What processing found. A `severity` of "error" bars the version from being published."""

    severity: str = "info"
    message: str = ""


class Version(msgspec.Struct, frozen=True):
    """A version of an app; `id` counts from 1 in each app. Times are Unix seconds, 0 for never."""

    id: int = 0
    label: str = ""
    changelog: str | None = ""
    publish_date: int | None = 0
    draft: bool = False
    pending_publish: bool = False
    published: bool = False
    publish_progress: float | None = 0.0
    publish_time: int | None = 0
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
    status: int | None = 0
    status_message: str | None = ""


class ChangelogEntry(msgspec.Struct, frozen=True):
    """What a published version changed."""

    version_id: int = 0
    version_label: str = ""
    changes: str | None = ""


class Account(msgspec.Struct, frozen=True):
    """The account an API key belongs to."""

    id: int | None = None
    email: str | None = None


class _UploadMade(msgspec.Struct):
    id: int | str  # some answers quote it


class _JobMade(msgspec.Struct):
    job_guid: str


class _LatestId(msgspec.Struct):
    id: int


class PatchKit:
    """A client of one account. Use it as an async context manager.

    `api_url` takes every call but chunks, which go to `upload_url`; when only `api_url` is given, both go
    there. `api_key` may be left out for what is public. `timeout` is the deadline of one call in seconds,
    `ssl_context` says which certificates are trusted, by default those of the system.
    Every coroutine raises `ApiError`s by status, `NetworkError`s, `Redirected` and `UnexpectedAnswer`.
    Raises `UsageError` for an address or a key that cannot be one.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        api_url: str | None = None,
        upload_url: str | None = None,
        retry: RetryPolicy | None = None,
        timeout: float = 60.0,
        ssl_context: SSLContext | None = None,
    ) -> None:
        key = None if api_key is None else clean_secret(api_key, "API key")
        self.api_url = base_url(api_url or API_URL)
        self.upload_url = base_url(upload_url or api_url or UPLOAD_URL)
        self._http = Http(
            auth={"X-Api-Key": key} if key else {},
            secrets=(key or "",),
            retry=retry,
            timeout=timeout,
            ssl_context=ssl_context,
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """A client from `PATCHKIT_API_KEY`, `PATCHKIT_API_URL` and `PATCHKIT_UPLOAD_URL`.

        Raises `UsageError` when the key is missing.
        """
        env = os.environ if environ is None else environ
        if not env.get("PATCHKIT_API_KEY"):
            raise UsageError(
                "no API key", hint="Set PATCHKIT_API_KEY; the key is shown on your account page."
            )
        return cls(
            env["PATCHKIT_API_KEY"],
            api_url=env.get("PATCHKIT_API_URL"),
            upload_url=env.get("PATCHKIT_UPLOAD_URL"),
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, traceback)

    def __repr__(self) -> str:
        return f"PatchKit(api_url={self.api_url!r}, upload_url={self.upload_url!r})"

    @property
    def http(self) -> Http:
        """The session under this client, for who drives attempts of their own."""
        return self._http

    def listening(self, on_event: OnEvent, *, retries: int | None = None) -> Self:
        """The same client, telling `on_event` of repeated calls, with other `retries` if they are given."""
        other = copy.copy(self)
        other._http = self._http.listening(on_event, retries=retries)
        return other

    async def account(self) -> Account:
        """The account of the key; observed on the official clients, which check a key with it."""
        return await self._call(Account, "GET", "account")

    async def apps(self) -> list[App]:
        return await self._call(list[App], "GET", "apps")

    async def app(self, secret: str) -> App:
        return await self._call(App, "GET", f"apps/{_segment(secret)}")

    async def create_app(self, name: str, platform: str) -> App:
        """The app just made. A lost answer is not repeated: it could make a second app."""
        return await self._call(App, "POST", "apps", {"name": name, "platform": platform})

    async def changelog(self, secret: str) -> list[ChangelogEntry]:
        return await self._call(list[ChangelogEntry], "GET", f"apps/{_segment(secret)}/changelog")

    async def versions(self, secret: str) -> list[Version]:
        """The versions by ascending id; drafts only with the owner's key."""
        return await self._call(list[Version], "GET", f"apps/{_segment(secret)}/versions")

    async def latest_version(self, secret: str) -> Version:
        """The newest published version; raises `NotFound` before the first."""
        return await self._call(Version, "GET", f"apps/{_segment(secret)}/versions/latest")

    async def latest_version_id(self, secret: str) -> int:
        """The id of the newest published version; raises `NotFound` before the first."""
        latest = await self._call(_LatestId, "GET", f"apps/{_segment(secret)}/versions/latest/id")
        return latest.id

    async def version(self, secret: str, version_id: int) -> Version:
        version = await self._call(Version, "GET", _version_path(secret, version_id))
        messages = [
            ProcessingMessage(each.severity, self._http.plain(each.message))
            for each in version.processing_messages or ()
        ]
        return msgspec.structs.replace(version, processing_messages=messages)

    async def create_version(self, secret: str, label: str, changelog: str | None = None) -> Version:
        """The draft just made; raises `Forbidden` when there is one already.

        A lost answer is not repeated: read `versions` to learn whether the draft was made.
        """
        form = {"label": label} if changelog is None else {"label": label, "changelog": changelog}
        return await self._call(Version, "POST", f"apps/{_segment(secret)}/versions", form)

    async def update_version(
        self,
        secret: str,
        version_id: int,
        *,
        label: str | None = None,
        changelog: str | None = None,
        publish_when_processed: bool | None = None,
        publish_time: int | None = None,
    ) -> Version:
        """The version with what was given changed; `publish_time` is Unix seconds, 0 for at once."""
        given = {
            "label": label,
            "changelog": changelog,
            "publish_when_processed": None
            if publish_when_processed is None
            else _flag(publish_when_processed),
            "publish_time": None if publish_time is None else str(publish_time),
        }
        form = {name: value for name, value in given.items() if value is not None}
        return await self._call(Version, "PATCH", _version_path(secret, version_id), form)

    async def publish_version(self, secret: str, version_id: int) -> None:
        """Returns when the request was accepted; poll `version` until `published`.

        A lost answer is not repeated: read the version to learn whether it was carried out.
        """
        await self._http.call("POST", f"{self.api_url}/1/{_version_path(secret, version_id)}/publish")

    async def create_upload(self, total_size: int) -> int:
        """The id of a new upload of `total_size` bytes.

        Repeated after a lost answer: what that leaves behind is an empty upload that nothing refers to.
        """
        made = await self._call(
            _UploadMade, "POST", "uploads", {"total_size_bytes": str(total_size)}, repeatable=True
        )
        try:
            return int(made.id)
        except ValueError:
            raise UnexpectedAnswer("the answer's field `id` is not a number") from None

    async def send_chunk(self, upload_id: int, content_range: str, body: Payload) -> None:
        """One attempt at a chunk, to the upload host; `content_range` is "bytes A-B/TOTAL", both inclusive.

        It has no deadline of its own and is not repeated. Raises `ChunkMismatch` on a wrong MD5.
        """
        path = f"uploads/{upload_id}/chunk"
        answer = await self._http.send(
            "POST", f"{self.upload_url}/1/{path}", body=body, headers={"Content-Range": content_range}
        )
        if answer.strip():  # what it says is not documented, but a page of a portal in between is no yes
            decode(answer, object, f"POST /1/{path}")

    async def set_content_file(self, secret: str, version_id: int, upload_id: int) -> str:
        """The GUID of the job that processes the upload as this version's content."""
        made = await self._call(
            _JobMade,
            "PUT",
            f"{_version_path(secret, version_id)}/content_file",
            {"upload_id": str(upload_id)},
        )
        return made.job_guid

    async def job(self, guid: str) -> Job:
        job = await self._call(Job, "GET", f"background_jobs/{_segment(guid)}")
        return msgspec.structs.replace(job, status_message=self._http.plain(job.status_message or ""))

    async def _call(
        self,
        kind: type[T],
        method: str,
        path: str,
        form: Mapping[str, str] | None = None,
        *,
        repeatable: bool | None = None,
    ) -> T:
        body = await self._http.call(method, f"{self.api_url}/1/{path}", form=form, repeatable=repeatable)
        return decode(body, kind, f"{method} /1/{path}")


def _version_path(secret: str, version_id: int) -> str:
    return f"apps/{_segment(secret)}/versions/{version_id}"


def _segment(text: str) -> str:
    """One segment of a path, whatever the user typed."""
    if not text or text in {".", ".."}:
        raise UsageError(f"not an identifier: {text!r}")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise UsageError(f"not an identifier: {text!r}") from None


def _flag(value: bool) -> str:
    return "true" if value else "false"
