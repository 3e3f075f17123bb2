"""What the tests of the sandbox's server share: a client that speaks its API by hand."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio

from pk_upload.sandbox import Sandbox, injection, serve
from pk_upload.sandbox.processing import (
    CONTENT,
    CONTENT_SUMMARY,
    DIFF,
    DIFF_SUMMARY,
    Finding,
    Outcome,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    import pytest

    from pk_upload.sandbox.call import Call

KEY = "sandbox"
PATIENCE = 60.0
"""Seconds after which nothing is waited for any longer, however slow the machine is."""


@contextmanager
def awaiting(what: str) -> Iterator[None]:
    """Around a wait for something that is to come; AssertionError where it does not."""
    with anyio.move_on_after(PATIENCE) as scope:
        yield
    if scope.cancelled_caught:
        raise AssertionError(f"waited {PATIENCE:g} s for {what}")


async def until(good: Callable[[], object], what: str) -> None:
    """Waits until it is so; AssertionError names `what` was waited for in vain."""
    with awaiting(what):
        while not good():  # noqa: ASYNC110 - it may be so on the disk alone
            await anyio.sleep(0.01)


class KeptWaiting:
    """Tells when a fault has begun to keep a client waiting, and when it no longer does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._begun, self._ended = anyio.Event(), anyio.Event()
        pause = injection._pause

        async def watched(call: Call, seconds: float) -> None:
            self._begun.set()
            try:
                await pause(call, seconds)
            finally:
                self._ended.set()

        monkeypatch.setattr(injection, "_pause", watched)

    async def begun(self) -> None:
        with awaiting("a fault that keeps a client waiting"):
            await self._begun.wait()

    async def ended(self) -> None:
        with awaiting("the end of what keeps a client waiting"):
            await self._ended.wait()


@dataclass
class FakeProcessing:
    """Stands in for the real processing: says what it is told to, and can be held up."""

    findings: tuple[Finding, ...] = ()
    error: Exception | None = None
    runs: int = 0
    archives: list[bytes] = field(default_factory=list)
    previous: list[Path | None] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    platforms: list[str] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.go_on.set()

    def process(
        self,
        archive: Path,
        out: Path,
        *,
        key: bytes,
        previous: Path | None,
        platform: str,
        progress: Callable[[float, str], None],
    ) -> Outcome:
        self.runs += 1
        progress(0.1, "reading")
        while not self.go_on.wait(0.01):
            progress(0.2, "held up")
        if self.error is not None:
            raise self.error
        self.archives.append(archive.read_bytes())
        self.previous.append(previous)
        self.keys.append(key)
        self.platforms.append(platform)
        out.mkdir(parents=True, exist_ok=True)
        (out / CONTENT).write_bytes(b"content of " + archive.read_bytes()[:100])
        (out / CONTENT_SUMMARY).write_text(json.dumps({"size": archive.stat().st_size}))
        if previous is not None:
            (out / DIFF).write_bytes(b"diff")
            (out / DIFF_SUMMARY).write_text(json.dumps({"added_files": []}))
        progress(1.0, "done")
        return Outcome(self.findings, "game.exe", previous is not None)


@dataclass
class Client:
    """Requests as a client sends them; every answer as its status and its JSON."""

    session: aiohttp.ClientSession
    sandbox: Sandbox

    async def call(
        self,
        verb: str,
        path: str,
        fields: Any = None,
        *,
        key: str | None = KEY,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        sent = dict(headers or {})
        if key is not None:
            sent["X-Api-Key"] = key
        async with self.session.request(verb, self.sandbox.url + path, data=fields, headers=sent) as answer:
            return answer.status, await answer.json()

    async def ok(self, verb: str, path: str, fields: Any = None, **how: Any) -> Any:
        status, data = await self.call(verb, path, fields, **how)
        assert status in {200, 201}, (status, data)
        return data

    async def app(self) -> str:
        app = await self.ok("POST", "/1/apps", {"name": "game", "platform": "windows_x86_64"})
        secret: str = app["secret"]
        return secret

    async def draft(self, label: str = "1.0") -> str:
        """The path of a new draft of a new app."""
        return await self.draft_of(await self.app(), label)

    async def draft_of(self, app: str, label: str) -> str:
        version = await self.ok("POST", f"/1/apps/{app}/versions", {"label": label})
        return f"/1/apps/{app}/versions/{version['id']}"

    async def new_upload(self, size: int, **more: str) -> int:
        upload = await self.ok("POST", "/1/uploads", {"total_size_bytes": str(size), **more})
        number: int = upload["id"]
        return number

    async def chunk(
        self,
        upload: int,
        data: bytes,
        content_range: str,
        *,
        md5: str | None = "right",
        md5_first: bool = False,
        key: str | None = KEY,
    ) -> tuple[int, Any]:
        form = aiohttp.FormData(default_to_multipart=True)
        digest = hashlib.md5(data).hexdigest() if md5 == "right" else md5
        if digest is not None and md5_first:
            form.add_field("md5", digest)
        form.add_field("chunk", io.BytesIO(data), filename="chunk", content_type="application/octet-stream")
        if digest is not None and not md5_first:
            form.add_field("md5", digest)
        headers = {"Content-Range": content_range}
        return await self.call("POST", f"/1/uploads/{upload}/chunk", form, headers=headers, key=key)

    async def uploaded(self, data: bytes) -> int:
        """A whole upload of `data` in one chunk."""
        upload = await self.new_upload(len(data))
        status, answer = await self.chunk(upload, data, f"bytes 0-{len(data) - 1}/{len(data)}")
        assert status == 201, answer
        return upload

    async def start_job(self, version: str, upload: int) -> str:
        job = await self.ok("PUT", f"{version}/content_file", {"upload_id": str(upload)})
        guid: str = job["job_guid"]
        return guid

    async def job(self, guid: str) -> dict[str, Any]:
        """The job, once it is finished."""
        return await self.until(f"/1/background_jobs/{guid}", lambda job: bool(job["finished"]))

    async def processed(self, version: str, data: bytes = b"archive") -> dict[str, Any]:
        """The version after its job has finished, and after the upload's file has gone, soon after that."""
        upload = await self.uploaded(data)
        await self.job(await self.start_job(version, upload))
        file = self.sandbox.data_dir / "uploads" / f"{upload}.data"
        await until(lambda: not file.exists(), "the end of the upload's file")
        found: dict[str, Any] = await self.ok("GET", version)
        return found

    async def published(self, version: str) -> dict[str, Any]:
        """The version, once it is published."""
        return await self.until(version, lambda found: bool(found["published"]))

    async def until(self, path: str, good: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """What is at `path`, once it is good."""
        found: dict[str, Any] = {}
        with anyio.move_on_after(PATIENCE):
            while True:
                found = await self.ok("GET", path, key=None)
                if good(found):
                    return found
                await anyio.sleep(0.01)
        raise AssertionError(f"after {PATIENCE:g} s {path} is still {found}")


@asynccontextmanager
async def sandbox_client(
    data_dir: Path, *, pace: float = 0.0, faults: tuple[str, ...] = ()
) -> AsyncIterator[Client]:
    """A sandbox on `data_dir`, and a client of it."""
    async with (
        serve(data_dir, faults=faults, pace=pace) as sandbox,
        aiohttp.ClientSession() as session,
    ):
        yield Client(session, sandbox)
