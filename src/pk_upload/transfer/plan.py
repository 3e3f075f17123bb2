"""How a file is cut into chunks. Pure arithmetic: a plan costs the same for a megabyte and a terabyte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pk_upload.transfer.confirmed import Confirmed

__all__ = ["Chunk", "Plan"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """`size` bytes from `offset` of a file of `total` bytes; `index` counts from 0."""

    index: int
    offset: int
    size: int
    total: int

    @property
    def content_range(self) -> str:
        """The `Content-Range` of the chunk, inclusive, in the form every official client sends."""
        return f"bytes {self.offset}-{self.offset + self.size - 1}/{self.total}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A file of `total` bytes in chunks of `chunk_size`, the last one shorter where it must be."""

    total: int
    chunk_size: int

    def __len__(self) -> int:
        return -(-self.total // self.chunk_size)

    def __getitem__(self, index: int) -> Chunk:
        if not 0 <= index < len(self):
            raise IndexError(index)
        offset = index * self.chunk_size
        return Chunk(index, offset, min(self.chunk_size, self.total - offset), self.total)

    def __iter__(self) -> Iterator[Chunk]:
        return map(self.__getitem__, range(len(self)))

    def size_of(self, confirmed: Confirmed) -> int:
        """The bytes of the chunks that are `confirmed`."""
        last = len(self) - 1
        return len(confirmed) * self.chunk_size - (last in confirmed) * (self.chunk_size - self[last].size)
