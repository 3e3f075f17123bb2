"""The content of one chunk, piece by piece: read and hashed in one pass, let through at the rate."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from pk_upload.transfer.config import MIB
from pk_upload.transfer.pacing import Pacer
from pk_upload.transfer.plan import Chunk
from pk_upload.transfer.source import Source

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["PIECE", "Buffers", "Content"]

PIECE = MIB  # measured: smaller pieces pay for more thread hops, larger ones fall out of the caches

# Windows tells of a write only when all of it is out: a piece on a slow line would look like a stall.
UNPACED_SLICE = 64 * 1024 if sys.platform == "win32" else None


class Buffers:
    """The memory of one lane: a buffer to write from, and one to read ahead into where that pays."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._buffer = self._fresh()
        self._other: memoryview | None = None

    def view(self, size: int) -> memoryview:
        """The buffer, of at most `size` bytes. It is the same one until it is swapped."""
        return self._buffer[:size]

    def swap(self) -> None:
        """From here on `view` gives the other one."""
        self._buffer, self._other = self._other or self._fresh(), self._buffer

    def part_with(self, piece: memoryview) -> None:
        """Whoever still holds `piece` keeps its buffer; the lane takes a new one."""
        if piece.obj is self._buffer.obj:
            self._buffer = self._fresh()
        else:
            self._other = None

    def _fresh(self) -> memoryview:
        return memoryview(bytearray(self._size))


class Digest:
    """An MD5 over the pieces of one chunk, or nothing at all where no checksum is wanted."""

    def __init__(self, wanted: bool) -> None:
        self._md5: _Hash | None = hashlib.md5(usedforsecurity=False) if wanted else None

    def update(self, piece: memoryview) -> None:
        if self._md5 is not None:
            self._md5.update(piece)

    def hex(self) -> str:
        return self._md5.hexdigest() if self._md5 is not None else ""


class Content:
    """What one attempt at `chunk` sends between the head and the tail of its body.

    At most `slice` bytes are handed over at once. `written` are those that went out so far, counted by the
    thread that writes and read by the loop; `told` are those of them that `on_sent` has heard of; `paused` is
    true while a rate limit holds bytes back.
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
        self.source = source
        self.buffers = buffers
        self.size = chunk.size
        self.checksum = checksum
        self.written = 0
        self.told = 0
        self.paused = False
        self.slice = pacer.slice if pacer else UNPACED_SLICE or chunk.size
        self._offset = chunk.offset
        self._end = chunk.offset + chunk.size
        self._digest = Digest(checksum)
        self._pacer = pacer
        self._on_sent = on_sent

    @property
    def unread(self) -> int:
        return self._end - self._offset

    @property
    def md5(self) -> str:
        """Of all pieces read so far; empty where no checksum is wanted."""
        return self._digest.hex()

    def read(self) -> memoryview:
        """The next piece, read and hashed; for a thread of the source, one at a time."""
        piece = self.buffers.view(min(PIECE, self.unread))
        self.source.fill(piece, self._offset)
        self._digest.update(piece)
        self._offset += len(piece)
        return piece

    async def permit(self, size: int) -> None:
        """Returns when `size` bytes may go out."""
        if self._pacer is not None:
            self.paused = True
            await asyncio.sleep(self._pacer.reserve(size, asyncio.get_running_loop().time()))
            self.paused = False

    def tell(self) -> None:
        """Tells of what went out since it was last told."""
        size = self.written - self.told
        self.told += size
        self._on_sent(size)
