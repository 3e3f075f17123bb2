"""A build that is a string of bytes, and counts how much of it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pk_upload.archive.build import Fingerprint

__all__ = ["InMemory"]


class InMemory:
    """A `Build`. `was_read` counts the bytes that were read."""

    path = Path("build.zip")
    compression: Literal["", "store", "deflate"] = ""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.was_read = 0

    @property
    def size(self) -> int:
        return len(self._data)

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(self.size, 0, 0, "")

    def read_into(self, view: memoryview, offset: int) -> int:
        if offset < 0:
            raise AssertionError(f"reads at {offset}")
        data = self._data[offset : offset + len(view)]
        view[: len(data)] = data
        self.was_read += len(data)
        return len(data)

    def advise(self, offset: int) -> None:
        """There is no disk."""

    def compare(self, *, thoroughly: bool) -> None:
        """It never changes."""

    def close(self) -> None:
        """There is nothing to close."""
