"""The CRC-32 of every member of a folder, in one pass on all cores."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import anyio
from zlib_ng import zlib_ng

from pk_upload.archive.folder.tree import Member, Tree
from pk_upload.errors import first_cause

__all__ = ["checksums"]

MIB = 1024 * 1024
PIECE = MIB
SPAN = 64 * MIB  # what one thread takes at once of a large file
MOST = 256  # and the most small files


@dataclass(frozen=True, slots=True)
class _Span:
    """`size` bytes of the member `index`, from `offset`."""

    index: int
    offset: int
    size: int


async def checksums(tree: Tree, *, on_progress: Callable[[int, int], None]) -> array[int]:
    """The CRC-32 of each member's content, in the tree's order.

    `on_progress` hears how many bytes have been read, and of how many. Raises `SourceChanged` for a file that
    is no longer what was found, `SourceUnreadable` when the disk fails.
    """
    found = array("I", [0]) * len(tree.members)
    partial: dict[int, dict[int, tuple[int, int]]] = {}
    todo = _portions(tree.members)
    total, done = sum(member.size for member in tree.members), 0

    async def work() -> None:
        nonlocal done
        for portion in todo:
            for span, crc in zip(portion, await anyio.to_thread.run_sync(_sums, tree, portion), strict=True):
                done += span.size
                if span.size == tree.members[span.index].size:
                    found[span.index] = crc
                else:
                    partial.setdefault(span.index, {})[span.offset] = (crc, span.size)
            on_progress(done, total)

    with first_cause():
        async with anyio.create_task_group() as group:
            for _ in range(os.cpu_count() or 1):
                group.start_soon(work)
    for index, spans in partial.items():
        for _, (crc, size) in sorted(spans.items()):
            found[index] = zlib_ng.crc32_combine(found[index], crc, size)
    return found


def _portions(members: Sequence[Member]) -> Iterator[list[_Span]]:
    """The work in portions: a span of a large file, or a number of small files."""
    portion: list[_Span] = []
    size = 0
    for index, member in enumerate(members):
        if member.size > SPAN:
            for offset in range(0, member.size, SPAN):
                yield [_Span(index, offset, min(SPAN, member.size - offset))]
            continue
        portion.append(_Span(index, 0, member.size))
        size += member.size
        if size >= SPAN or len(portion) >= MOST:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _sums(tree: Tree, portion: Sequence[_Span]) -> list[int]:
    buffer = memoryview(bytearray(min(PIECE, max(span.size for span in portion))))
    return [_sum(tree, span, buffer) for span in portion]


def _sum(tree: Tree, span: _Span, buffer: memoryview) -> int:
    member, crc = tree.members[span.index], 0
    if member.link is not None:
        return zlib_ng.crc32(os.fsencode(member.link))
    if not member.is_file:
        return 0
    for done in range(0, span.size, PIECE):
        piece = buffer[: min(PIECE, span.size - done)]
        tree.read_into(member, piece, span.offset + done)
        crc = zlib_ng.crc32(piece, crc)
    return crc
