"""A PatchKit that does everything right, but for the answers that a test meddles with.

It knows one version, one upload and one job, and is always done at once. `meddle` is told what is asked for
and how it would be answered, and returns a `Reply` instead, or what is sent as it is: bytes, after which the
connection ends, or an iterator of bytes, which may have no end. `None` leaves the answer alone.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

VERSION: dict[str, Any] = {
    "id": 1,
    "label": "1.0",
    "changelog": "",
    "draft": True,
    "pending_publish": False,
    "published": False,
    "publish_progress": 0.0,
    "publish_time": 0,
    "publish_when_processed": False,
    "has_processing_error": False,
    "processing_messages": [{"severity": "warning", "message": "no icon"}],
    "processing_finished_at": "2021-10-19T11:14:50.176Z",
}
JOB = {"guid": "5776de94", "progress": 1.0, "finished": True, "status": 0, "status_message": "done"}
ANSWERS = {
    "POST versions": (201, VERSION),
    "GET versions": (200, [VERSION]),
    "POST uploads": (201, {"id": 7}),
    "POST chunk": (201, {"id": 7}),
    "PUT content_file": (200, {"job_guid": "5776de94"}),
    "GET job": (200, JOB),
    "GET version": (200, VERSION),
    "POST publish": (200, {}),
    "GET published version": (200, {**VERSION, "draft": False, "published": True}),
}
PATHS = {
    r"/1/apps/\w+/versions": "versions",
    r"/1/apps/\w+/versions/\d+": "version",
    r"/1/apps/\w+/versions/\d+/content_file": "content_file",
    r"/1/apps/\w+/versions/\d+/publish": "publish",
    r"/1/uploads": "uploads",
    r"/1/uploads/\d+/chunk": "chunk",
    r"/1/background_jobs/.+": "job",
}


class Reply(NamedTuple):
    """A well-formed answer, of whatever content."""

    status: int
    body: bytes
    headers: str = ""

    def encode(self) -> bytes:
        head = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(self.body)}\r\n{self.headers}\r\n"
        return head.encode("latin-1") + self.body


Meddled = Reply | bytes | AsyncIterator[bytes] | None
Meddle = Callable[[str, Reply], Meddled]


@dataclass
class HostileServer:
    """`url` is its address, `asked` what it was asked for so far."""

    meddle: Meddle
    url: str = ""
    asked: list[str] = field(default_factory=list)
    _asked_to_publish: bool = False

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has left
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection can take another request."""
        request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        size = re.search(r"(?im)^content-length: *(\d+)", request)
        await reader.readexactly(int(size[1]) if size else 0)
        what = self._what(request)
        self.asked.append(what)
        status, value = ANSWERS.get(what, (404, {}))
        reply = Reply(status, json.dumps(value).encode())
        meddled = self.meddle(what, reply)
        if meddled is None:
            meddled = reply
        if isinstance(meddled, AsyncIterator):
            async for part in meddled:
                writer.write(part)
                await writer.drain()
            return False
        writer.write(meddled.encode() if isinstance(meddled, Reply) else meddled)
        await writer.drain()
        return isinstance(meddled, Reply)

    def _what(self, request: str) -> str:
        method, target, _ = request.split(" ", 2)
        what = next(
            (name for pattern, name in PATHS.items() if re.fullmatch(pattern, target)), "what is not here"
        )
        self._asked_to_publish |= what == "publish"
        if what == "version" and self._asked_to_publish:
            return "GET published version"
        return f"{method} {what}"


@asynccontextmanager
async def hostile(meddle: Meddle) -> AsyncIterator[HostileServer]:
    """Such a server on a free port of this machine; it and its connections end with the block."""
    server = HostileServer(meddle)
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await server.handle(reader, writer)
        except asyncio.CancelledError:
            pass  # asyncio would complain of it
        finally:
            connections.discard(task)

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, limit=2**20)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
