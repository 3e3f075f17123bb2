"""A folder packed with DEFLATE on all cores, into a file."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from typing import BinaryIO

import anyio
from anyio.abc import TaskGroup

from pk_upload.archive.folder.pieces import (
    Batch,
    PackedBatch,
    PackedBlock,
    Piece,
    blocks,
    method_of,
    portions,
)
from pk_upload.archive.folder.tree import Tree
from pk_upload.archive.folder.writing import Archive, Writer
from pk_upload.errors import first_cause

__all__ = ["pack"]

AHEAD = 3  # pieces in memory for each thread: enough for all to work on while one of them takes long


async def pack(
    tree: Tree, file: BinaryIO, *, on_progress: Callable[[int, int], None], threads: int | None = None
) -> Archive:
    """Writes the ZIP of `tree` to the empty `file`. The same tree gives the same bytes, for any `threads`.

    `on_progress` hears how many bytes of the folder have been packed, each time more than before, and of how
    many. Raises `SourceChanged` for a file that is no longer what was found, `SourceUnreadable` when the
    system fails, `UsageError` when the file cannot be written, for want of room above all.
    """
    threads = threads or os.cpu_count() or 1
    progress = _Progress(sum(member.size for member in tree.members), on_progress)
    writer = Writer(file)
    with first_cause():
        async with anyio.create_task_group() as group:
            line = _Line(tree, writer, group, threads, progress)
            for portion in portions(tree.members):
                if isinstance(portion, Batch):
                    await line.put(portion)
                    continue
                # Not in the line: it would wait for its turn there, and the line for it.
                method = await anyio.to_thread.run_sync(method_of, tree, portion)
                for block in blocks(portion, method):
                    await line.put(block)
            await line.finish()
    return await anyio.to_thread.run_sync(writer.finish)


class _Progress:
    """Tells of bytes that were packed, if it is more than it told before."""

    def __init__(self, total: int, tell: Callable[[int, int], None]) -> None:
        self._total, self._tell = total, tell
        self._done, self._told = 0, -1

    def add(self, size: int) -> None:
        self._done += size
        if self._done > self._told:
            self._told = self._done
            self._tell(self._done, self._total)


class _Place:
    """One piece on its way."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self.packed: PackedBatch | PackedBlock | None = None
        self.ready = anyio.Event()


class _Line:
    """Pieces are packed in any order, and written in that in which they were put into the line."""

    def __init__(
        self, tree: Tree, writer: Writer, group: TaskGroup, threads: int, progress: _Progress
    ) -> None:
        self._tree, self._writer, self._group, self._progress = tree, writer, group, progress
        self._threads = anyio.CapacityLimiter(threads)
        self._most = AHEAD * threads
        self._places: deque[_Place] = deque()

    async def put(self, piece: Piece) -> None:
        """Returns once there was room for it."""
        while len(self._places) >= self._most:
            await self._write()
        place = _Place(piece)
        self._places.append(place)
        self._group.start_soon(self._pack, place)

    async def finish(self) -> None:
        """Returns once all is written."""
        while self._places:
            await self._write()

    async def _pack(self, place: _Place) -> None:
        place.packed = await anyio.to_thread.run_sync(place.piece.pack, self._tree, limiter=self._threads)
        place.ready.set()

    async def _write(self) -> None:
        """Waits for the foremost piece, and writes it and those right behind it that are ready as well."""
        await self._places[0].ready.wait()
        ready = []
        size = 0
        while self._places and (packed := self._places[0].packed) is not None:
            ready.append(packed)
            size += self._places.popleft().piece.size
        await anyio.to_thread.run_sync(self._writer.write, ready)
        self._progress.add(size)
