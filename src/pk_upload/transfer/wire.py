"""The two ways of a chunk's content onto the wire.

A plain socket is written by the thread that reads and hashes: one hop moves as much as the socket takes,
while the bytes are in that core's cache, and what is written is the kernel's own copy. TLS, and a system
without such sockets, go through the event loop's transport.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from concurrent.futures import Future

import anyio
from aiohttp.abc import AbstractStreamWriter

from pk_upload.transfer.content import Content

__all__ = ["carry"]

# Seconds that a lane may keep a thread: where the disk is what is slow, the lanes take turns.
LONGEST_HOP = 0.1

# How long a connection that broke while it was written may take to give out an answer that came before.
LAST_WORDS = 1.0


async def carry(content: Content, writer: AbstractStreamWriter) -> None:
    """Returns when all of `content` was handed over. `writer` has nothing of its own left to write."""
    transport = writer.transport
    if transport is None:
        raise ConnectionResetError("the connection is closed")
    plain = transport.get_extra_info("sslcontext") is None
    if plain and sys.platform != "win32" and not transport.get_write_buffer_size():
        await _through_socket(content, transport.get_extra_info("socket").fileno())
    else:
        await _through_transport(content, writer)


async def _through_socket(content: Content, socket_fd: int) -> None:
    # A duplicate: were the connection closed under the thread, its number could be another one's by the
    # next write.
    fd = os.dup(socket_fd)
    pump = _Pump(content, fd)
    hop: Future[int] | None = None
    try:
        while content.written < content.size:
            left = min(content.slice, content.size - content.written)
            await content.permit(left)
            while left:
                hop = content.source.submit(pump.move, left)
                left -= await asyncio.wrap_future(hop)
                content.tell()
                if pump.full:
                    await anyio.wait_writable(fd)
    except OSError:
        # A server may refuse a request before it has read it; whoever reads will find the end by itself.
        await asyncio.sleep(LAST_WORDS)
        raise
    finally:
        pump.stopped = True
        if hop is None:
            os.close(fd)
        else:
            hop.add_done_callback(lambda _: os.close(fd))


class _Pump:
    """From the source into a socket that does not block; the one thread that runs `move` owns both."""

    def __init__(self, content: Content, fd: int) -> None:
        self._content = content
        self._fd = fd
        self._piece = self._ahead = memoryview(b"")
        self.full = False
        self.stopped = False

    def move(self, most: int) -> int:
        """Moves up to `most` bytes, fewer if the socket is `full` or it takes long; returns how many."""
        moved = 0
        self.full = False
        until = time.monotonic() + LONGEST_HOP
        while moved < most and not self.stopped and self._refill():
            try:
                count = os.write(self._fd, self._piece[: most - moved])
            except BlockingIOError:
                # The wire is busy: the time for the disk. By then there may be room.
                if self._ahead or not self._content.unread:
                    self.full = True
                    break
                self._content.buffers.swap()
                self._ahead = self._content.read()
                continue
            self._piece = self._piece[count:]
            self._content.written += count
            moved += count
            if time.monotonic() >= until:
                break
        return moved

    def _refill(self) -> bool:
        if not self._piece:
            self._piece, self._ahead = self._ahead, memoryview(b"")
        if not self._piece and self._content.unread:
            self._piece = self._content.read()
        return bool(self._piece)


async def _through_transport(content: Content, writer: AbstractStreamWriter) -> None:
    """The next piece is read in a thread while this one is written."""

    def read_ahead() -> asyncio.Future[memoryview]:
        content.buffers.swap()  # here, not in the thread: the loop decides what becomes of a buffer
        return asyncio.wrap_future(content.source.submit(content.read))

    ahead = read_ahead()
    try:
        while content.written < content.size:
            piece = await ahead
            if content.unread:
                ahead = read_ahead()
            for start in range(0, len(piece), content.slice):
                part = piece[start : start + content.slice]
                await content.permit(len(part))
                await writer.write(part)
                content.written += len(part)
                await writer.drain()
                content.tell()
            # asyncio and uvloop may keep a view of what was written, and would send its later content.
            if writer.transport is None or writer.transport.get_write_buffer_size():
                content.buffers.part_with(piece)
    finally:
        ahead.cancel()
