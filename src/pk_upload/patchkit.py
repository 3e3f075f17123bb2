"""The PatchKit API, version 1: typed coroutines, one an endpoint, and no workflow.

What they return is described in `resources`; an answer that is none of these raises `UnexpectedAnswer`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec

from pk_upload.answers import decode, is_identifier, usable
from pk_upload.certificates import trust_also
from pk_upload.client import Client
from pk_upload.errors import UsageError
from pk_upload.given import base_url, clean_secret, segment
from pk_upload.http import CONNECT_TIMEOUT, RESPONSE_TIMEOUT, Http, RetryPolicy
from pk_upload.resources import (
    Account,
    App,
    ChangelogEntry,
    Int,
    Job,
    ParentGroup,
    Platform,
    ProcessingMessage,
    Version,
)

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

T = TypeVar("T")


class _UploadMade(msgspec.Struct):
    id: Int | str  # some answers quote it


class _JobMade(msgspec.Struct):
    job_guid: str


class _LatestId(msgspec.Struct):
    id: Int


class PatchKit(Client):
    """A client of one account. Use it as an async context manager.

    `api_url` takes every call but chunks, which go to `upload_url`; when only `api_url` is given, both go
    there. `api_key` may be left out for what is public. `timeout` is the deadline of one call in seconds,
    `connect_timeout` bounds the way to the service, chunks included; what follows of a chunk is bounded by
    the transfer's `stall_timeout`. `ssl_context` says which certificates are trusted, by default those of
    the system.
    Every coroutine raises `ApiError`s by status, `NetworkError`s, `Redirected` and `UnexpectedAnswer`.
    Raises `UsageError` for an address, a key or a timeout that cannot be one.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        api_url: str | None = None,
        upload_url: str | None = None,
        retry: RetryPolicy | None = None,
        timeout: float = RESPONSE_TIMEOUT,
        connect_timeout: float = CONNECT_TIMEOUT,
        ssl_context: SSLContext | None = None,
    ) -> None:
        key = None if api_key is None else clean_secret(api_key, "API key")
        self.api_url = base_url(api_url or API_URL)
        self.upload_url = base_url(upload_url or api_url or UPLOAD_URL)
        super().__init__(
            Http(
                auth={"X-Api-Key": key} if key else {},
                secrets=(key or "",),
                retry=retry,
                timeout=timeout,
                connect_timeout=connect_timeout,
                ssl_context=ssl_context,
            )
        )

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        timeout: float = RESPONSE_TIMEOUT,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> Self:
        """A client from `PATCHKIT_API_KEY`, `PATCHKIT_API_URL` and `PATCHKIT_UPLOAD_URL`.

        `PK_UPLOAD_CA_BUNDLE` names a PEM file, or a directory of them, with certificates to trust beside the
        system's. Raises `UsageError` when the key is missing, and for certificates that cannot be read.
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
            timeout=timeout,
            connect_timeout=connect_timeout,
            ssl_context=trust_also(bundle) if (bundle := env.get("PK_UPLOAD_CA_BUNDLE")) else None,
        )

    def __repr__(self) -> str:
        return f"PatchKit(api_url={self.api_url!r}, upload_url={self.upload_url!r})"

    def version_url(self, secret: str, version_id: int) -> str:
        """Where anybody can read what the service tells of the version."""
        return f"{self.api_url}/1/{_version_path(secret, version_id)}"

    async def account(self) -> Account:
        """The account of the key; observed on the official clients, which check a key with it."""
        return await self._call(Account, "GET", "account")

    async def apps(self) -> list[App]:
        return await self._call(list[App], "GET", "apps")

    async def app(self, secret: str) -> App:
        return await self._call(App, "GET", f"apps/{segment(secret)}")

    async def create_app(self, name: str, platform: str) -> App:
        """The app just made. A lost answer is not repeated: it could make a second app."""
        made = await self._call(App, "POST", "apps", {"name": name, "platform": platform})
        return usable(made, "secret", is_identifier(made.secret))

    async def changelog(self, secret: str) -> list[ChangelogEntry]:
        return await self._call(list[ChangelogEntry], "GET", f"apps/{segment(secret)}/changelog")

    async def versions(self, secret: str) -> list[Version]:
        """The versions by ascending id; drafts only with the owner's key."""
        return await self._call(list[Version], "GET", f"apps/{segment(secret)}/versions")

    async def latest_version(self, secret: str) -> Version:
        """The newest published version; raises `NotFound` before the first."""
        return await self._call(Version, "GET", f"apps/{segment(secret)}/versions/latest")

    async def latest_version_id(self, secret: str) -> int:
        """The id of the newest published version; raises `NotFound` before the first."""
        latest = await self._call(_LatestId, "GET", f"apps/{segment(secret)}/versions/latest/id")
        return latest.id

    async def version(self, secret: str, version_id: int) -> Version:
        version = await self._call(Version, "GET", _version_path(secret, version_id))
        usable(version, "id", version.id == version_id)
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
        made = await self._call(Version, "POST", f"apps/{segment(secret)}/versions", form)
        return usable(made, "id", made.id > 0)

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
        changed = await self._call(Version, "PATCH", _version_path(secret, version_id), form)
        return msgspec.structs.replace(changed, id=version_id)

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
        # Quoted it may be anything, and is to be no more than a number that a journal can hold.
        usable(made, "id", re.fullmatch(r"[0-9]{1,18}", str(made.id)) is not None)
        return int(made.id)

    async def send_chunk(self, upload_id: int, content_range: str, body: Payload) -> None:
        """One attempt at a chunk, to the upload host; `content_range` is "bytes A-B/TOTAL", both inclusive.

        It has no deadline of its own and is not repeated. Raises `ChunkMismatch` on a wrong MD5.
        """
        path = f"uploads/{upload_id}/chunk"
        answer = await self._http.send(
            "POST", f"{self.upload_url}/1/{path}", body=body, headers={"Content-Range": content_range}
        )
        if answer.strip():  # what it says is not documented, but a page of a portal in between is no yes
            decode(answer, msgspec.Raw, f"POST /1/{path}")

    async def set_content_file(self, secret: str, version_id: int, upload_id: int) -> str:
        """The GUID of the job that processes the upload as this version's content."""
        made = await self._call(
            _JobMade,
            "PUT",
            f"{_version_path(secret, version_id)}/content_file",
            {"upload_id": str(upload_id)},
        )
        return usable(made, "job_guid", is_identifier(made.job_guid)).job_guid

    async def job(self, guid: str) -> Job:
        job = await self._call(Job, "GET", f"background_jobs/{segment(guid)}")
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
    return f"apps/{segment(secret)}/versions/{version_id}"


def _flag(value: bool) -> str:
    return "true" if value else "false"
