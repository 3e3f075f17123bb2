"""The body of one attempt at one chunk: multipart, in one pass, with the MD5 part last."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from pk_upload.errors import PkUploadError
from pk_upload.transfer.content import Content
from pk_upload.transfer.stall import held_back
from pk_upload.transfer.wire import carry

__all__ = ["ChunkBody"]

MD5_DIGITS = 32


class ChunkBody(aiohttp.Payload):
    """Good for a single use, by one request. No content may hold the `boundary`: let it be random.

    `failure` is the source's error, if that is what ended the attempt; `complete` is true once all is out.
    """

    def __init__(self, content: Content, boundary: str) -> None:
        super().__init__(None, content_type=f"multipart/form-data; boundary={boundary}")
        self._content = content
        self._head = _head(boundary)
        self._boundary = boundary
        # The MD5 is known only at the end.
        tail = _tail(boundary, "0" * MD5_DIGITS if content.checksum else "")
        self._size = len(self._head) + content.size + len(tail)
        self._transport: asyncio.WriteTransport | None = None
        self._framing = 0
        self.failure: PkUploadError | None = None
        self.complete = False

    def decode(self, *_: object, **__: object) -> str:
        raise TypeError("a chunk is streamed and has no text")

    @property
    def paused(self) -> bool:
        """Whether a rate limit holds bytes back."""
        return self._content.paused

    def accepted(self) -> int:
        """The bytes the other side has taken so far: what must change for the attempt to be alive."""
        return self._framing + self._content.written - self.held()

    def held(self) -> int:
        """The bytes that went out and that the other side has not taken yet."""
        return held_back(self._transport) if self._transport is not None else 0

    async def write(self, writer: AbstractStreamWriter) -> None:
        transport = writer.transport
        self._transport = transport
        if transport is not None and transport.get_extra_info("sslcontext") is None:
            # A drain then waits until the socket has taken all. TLS copies what it encrypts, so it needs no
            # such wait, and its transport would never resume from a limit of nothing.
            transport.set_write_buffer_limits(high=0)
        try:
            await self._frame(writer, self._head)
            await carry(self._content, writer)
            await self._frame(writer, _tail(self._boundary, self._content.md5))
            self.complete = True
        except PkUploadError as error:
            self.failure = error
            raise

    async def _frame(self, writer: AbstractStreamWriter, data: bytes) -> None:
        await writer.write(data)
        self._framing += len(data)
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
