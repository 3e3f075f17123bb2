"""What DEFLATE would make of a folder, and how fast, from a few places in it."""

from __future__ import annotations

import os
import time
from bisect import bisect_right
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate

from pk_upload.archive.folder.deflating import deflated
from pk_upload.archive.folder.tree import Member, Tree
from pk_upload.errors import SourceChanged, SourceUnreadable

__all__ = ["Sample", "sample"]

PLACES, SIZE = 64, 128 * 1024  # bytes of each: a tenth of a second on one core


@dataclass(frozen=True, slots=True)
class Sample:
    """What a byte of the folder becomes, and the bytes a second that all cores deflate here."""

    ratio: float
    all_cores: float


def sample(tree: Tree) -> Sample | None:
    """Deflates what lies at a few places that are spread evenly over all content; the same ones each time.

    `None` if there is nothing to be had. A file that cannot be read is passed over: others will meet it.
    """
    pieces = [piece for member, start, size in _places(tree) if (piece := _piece(tree, member, start, size))]
    if not pieces:
        return None
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="pk-upload-sample") as pool:
        begun = time.perf_counter()
        outcomes = list(pool.map(_deflate, pieces))
        elapsed = time.perf_counter() - begun
    size = sum(map(len, pieces))
    # Each place stands for an equal share of the content, however short the file is that it lies in.
    ratio = sum(packed / len(piece) for piece, packed in zip(pieces, outcomes, strict=True)) / len(pieces)
    return Sample(ratio, size / max(elapsed, 1e-9))


def _places(tree: Tree) -> Iterator[tuple[Member, int, int]]:
    """Members, and in each a start and a size."""
    files = [member for member in tree.members if member.is_file and member.size]
    ends = list(accumulate(member.size for member in files))
    total = ends[-1] if ends else 0
    count = min(PLACES, -(-total // SIZE))
    for number in range(count):
        offset = (2 * number + 1) * total // (2 * count)
        index = bisect_right(ends, offset)
        member = files[index]
        within = offset - (ends[index] - member.size)
        start = max(0, min(within - SIZE // 2, member.size - SIZE))
        yield member, start, min(SIZE, member.size)


def _piece(tree: Tree, member: Member, start: int, size: int) -> bytearray | None:
    try:
        return tree.read(member, start, size)
    except (SourceChanged, SourceUnreadable):
        return None


def _deflate(piece: bytearray) -> int:
    """The bytes that come out."""
    packed = deflated(memoryview(piece))
    return len(piece if packed is None else packed)
