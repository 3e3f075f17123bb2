"""A chunk on its way from disk to wire: multipart, in one pass, with the MD5 part last.

The next piece is read and hashed in a thread while this one is written. Two buffers are enough for that,
and one is filled again only when the transport holds nothing of it back: asyncio and uvloop may keep a
view of what was written, and would send the buffer's later content.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from uuid import uuid4

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from pk_upload.errors import PkUploadError
from pk_upload.transfer.config import MIB
from pk_upload.transfer.pacing import SLICE, Pacer
from pk_upload.transfer.plan import Chunk
from pk_upload.transfer.source import Digest, Source
from pk_upload.transfer.stall import held_back

__all__ = ["PIECE", "Buffers", "ChunkBody"]

PIECE = MIB  # measured: smaller pieces pay for more thread hops, larger ones fall out of the caches
MD5_DIGITS = 32


class Buffers:
    """Two buffers of one lane, used in turn."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pair = [memoryview(bytearray(size)) for _ in range(2)]

    def view(self, turn: int, size: int) -> memoryview:
        return self._pair[turn % 2][:size]

    def part_with(self, turn: int) -> None:
        """Whoever still holds that buffer keeps it; the lane takes a new one."""
        self._pair[turn % 2] = memoryview(bytearray(self._size))


class ChunkBody(aiohttp.Payload):
    """The body of one attempt at one chunk; good for a single use.

    `failure` is the source's error, if that is what ended the attempt; `paused` while a rate limit holds
    bytes back; `md5` is set and `complete` true once all is written.
    """

    def __init__(
        self,
        source: Source,
        chunk: Chunk,
        buffers: Buffers,
        *,
        checksum: bool,
        pacer: Pacer | None,
        on_sent: Callable[[int], None],
    ) -> None:
        boundary = uuid4().hex
        super().__init__(None, content_type=f"multipart/form-data; boundary={boundary}")
        self._source = source
        self._chunk = chunk
        self._buffers = buffers
        self._digest = Digest(checksum)
        self._pacer = pacer
        self._on_sent = on_sent
        self._head = _head(boundary)
        self._boundary = boundary
        tail = _tail(boundary, "0" * MD5_DIGITS if checksum else "")  # the MD5 is known only at the end
        self._size = len(self._head) + chunk.size + len(tail)
        self._transport: asyncio.WriteTransport | None = None
        self._written = 0
        self.paused = False
        self.failure: PkUploadError | None = None
        self.md5 = ""
        self.complete = False

    def decode(self, *_: object, **__: object) -> str:
        raise TypeError("a chunk is streamed and has no text")

    def accepted(self) -> int:
        """The bytes the other side has taken so far: what must change for the attempt to be alive."""
        return self._written - (held_back(self._transport) if self._transport is not None else 0)

    async def write(self, writer: AbstractStreamWriter) -> None:
        transport = writer.transport
        self._transport = transport
        if transport is not None and transport.get_extra_info("sslcontext") is None:
            # A drain then waits until the socket has taken all. TLS copies what it encrypts, so it needs no
            # such wait, and its transport would never resume from a limit of nothing.
            transport.set_write_buffer_limits(high=0)
        try:
            await self._put(writer, self._head)
            await self._stream(writer)
            self.md5 = self._digest.hex()
            await self._put(writer, _tail(self._boundary, self.md5))
            self.complete = True
        except PkUploadError as error:
            self.failure = error
            raise

    async def _stream(self, writer: AbstractStreamWriter) -> None:
        offset, end, turn = self._chunk.offset, self._chunk.offset + self._chunk.size, 0
        view, ahead = self._read(offset, end, turn)
        try:
            while offset < end:
                await ahead
                piece, offset = view, offset + len(view)
                if offset < end:
                    view, ahead = self._read(offset, end, turn + 1)
                await self._send(writer, piece)
                if writer.transport is None or writer.transport.get_write_buffer_size():
                    self._buffers.part_with(turn)
                turn += 1
        finally:
            ahead.cancel()

    def _read(self, offset: int, end: int, turn: int) -> tuple[memoryview, asyncio.Future[None]]:
        view = self._buffers.view(turn, min(PIECE, end - offset))
        return view, self._source.read(view, offset, self._digest)

    async def _send(self, writer: AbstractStreamWriter, piece: memoryview) -> None:
        # Windows tells of a write only when all of it is out: a piece on a slow line looks like a stall.
        step = SLICE if self._pacer is not None or sys.platform == "win32" else len(piece)
        for start in range(0, len(piece), step):
            part = piece[start : start + step]
            if self._pacer is not None:
                self.paused = True
                await asyncio.sleep(self._pacer.reserve(len(part), asyncio.get_running_loop().time()))
                self.paused = False
            await self._put(writer, part)
            self._on_sent(len(part))

    async def _put(self, writer: AbstractStreamWriter, data: bytes | memoryview) -> None:
        await writer.write(data)
        self._written += len(data)
        await writer.drain()


def _head(boundary: str) -> bytes:
    return (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="chunk"; filename="chunk"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()


def _tail(boundary: str, md5: str) -> bytes:
    part = f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="md5"\r\n\r\n{md5}' if md5 else ""
    return f"{part}\r\n--{boundary}--\r\n".encode()
