"""The work of packing a folder, cut into pieces: each is read and packed by one thread, and knows no other.

How it is cut, and what becomes of each piece, follows from the folder alone: neither the number of threads
nor their speed shows in the archive.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from zlib_ng import zlib_ng

from pk_upload.archive.folder.deflating import BLOCK, HISTORY, deflated, deflated_block, most, shrinks
from pk_upload.archive.folder.records import local_header
from pk_upload.archive.folder.tree import Member, Tree
from pk_upload.archive.format import DEFLATE, FULL32, STORE

__all__ = [
    "Batch",
    "Block",
    "Entry",
    "PackedBatch",
    "PackedBlock",
    "Piece",
    "blocks",
    "method_of",
    "portions",
]

MOST = 128  # small files that one thread takes at once
LOOKS = 64  # places in a large file to look at before it is given up as one that does not shrink


class Entry(NamedTuple):
    """A member with what its records tell: the method, the CRC-32, and the bytes it has in the archive."""

    member: Member
    method: int
    crc: int
    packed: int


class PackedBatch(NamedTuple):
    """Members with all that stands before the next one, headers too."""

    entries: list[Entry]
    data: bytes


class PackedBlock(NamedTuple):
    """A part of a large file: the CRC-32 of its content, and what it became."""

    block: Block
    crc: int
    data: bytes | bytearray


@dataclass(frozen=True, slots=True)
class Batch:
    """Members that are packed each as a whole."""

    members: Sequence[Member]

    @property
    def size(self) -> int:
        return sum(member.size for member in self.members)

    def pack(self, tree: Tree) -> PackedBatch:
        """Raises what `Tree.open` raises, `SourceChanged` for a file that became shorter."""
        entries, parts = [], []
        for member in self.members:
            content = _content(tree, member)
            crc, packed = zlib_ng.crc32(content), _packed(member, content)
            method, data = (STORE, content) if packed is None else (DEFLATE, packed)
            entries.append(Entry(member, method, crc, len(data)))
            parts += [local_header(member, method, crc, len(data)), data]
        return PackedBatch(entries, b"".join(parts))


@dataclass(frozen=True, slots=True)
class Block:
    """`size` bytes of a large file, from `start`, for the given method."""

    member: Member
    method: int
    start: int
    size: int

    @property
    def first(self) -> bool:
        return self.start == 0

    @property
    def last(self) -> bool:
        return self.start + self.size == self.member.size

    def pack(self, tree: Tree) -> PackedBlock:
        """Raises as a batch does."""
        before = min(HISTORY, self.start) if self.method == DEFLATE else 0
        content = tree.read(self.member, self.start - before, before + self.size)
        view = memoryview(content)
        data, history = view[before:], view[:before]
        crc = zlib_ng.crc32(data)
        if self.method == STORE:
            return PackedBlock(self, crc, content)
        return PackedBlock(self, crc, deflated_block(data, history, last=self.last))


Piece: TypeAlias = Batch | Block


def portions(members: Sequence[Member]) -> Iterator[Batch | Member]:
    """The members in their order: small ones in batches, large files one by one."""
    batch: list[Member] = []
    size = 0
    for member in members:
        if member.size > BLOCK:
            if batch:
                yield Batch(batch)
            batch, size = [], 0
            yield member
            continue
        batch.append(member)
        size += member.size
        if size >= BLOCK or len(batch) >= MOST:
            yield Batch(batch)
            batch, size = [], 0
    if batch:
        yield Batch(batch)


def method_of(tree: Tree, member: Member) -> int:
    """The method for a large file: DEFLATE if it seems to shrink anywhere. Raises as packing it does."""
    if member.size < FULL32 <= most(member.size):
        return STORE  # what it becomes might not fit into the record that its size fits into
    looks = min(LOOKS, -(-member.size // BLOCK))
    for number in range(looks):
        start = number * (member.size - BLOCK) // (looks - 1)
        if shrinks(memoryview(tree.read(member, start, BLOCK))):
            return DEFLATE
    return STORE


def blocks(member: Member, method: int) -> Iterator[Block]:
    for start in range(0, member.size, BLOCK):
        yield Block(member, method, start, min(BLOCK, member.size - start))


def _content(tree: Tree, member: Member) -> bytes | bytearray:
    if member.link is not None:
        return os.fsencode(member.link)
    return tree.read(member, 0, member.size) if member.size else b""


def _packed(member: Member, content: bytes | bytearray) -> bytes | None:
    """The content as a stream, unless it is to stay what it is: a link's target is never packed."""
    return deflated(memoryview(content)) if member.is_file else None
