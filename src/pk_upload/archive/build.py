"""What a build is to everything above: the bytes of one ZIP at any offset, and whether they are still the
same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Literal, Protocol

import msgspec

from pk_upload.errors import SourceChanged, SourceUnreadable

__all__ = ["Build", "Fingerprint", "Inspect", "fill", "read", "unreadable"]


class Fingerprint(msgspec.Struct, frozen=True):
    """Tells one state of a build from another: bytes, nanoseconds, inode, digest of its ZIP directory."""

    size: Annotated[int, msgspec.Meta(ge=1)]
    mtime_ns: int
    inode: int
    directory: str


class Build(Protocol):
    """A ZIP, on disk or made up while it is read. Its methods block, and several threads may read at once."""

    @property
    def path(self) -> Path:
        """What the user named."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def compression(self) -> Literal["", "store", "deflate"]:
        """How a folder is made a ZIP; nothing for a ZIP that was there."""

    @property
    def fingerprint(self) -> Fingerprint: ...

    def read_into(self, view: memoryview, offset: int) -> int:
        """Reads up to `len(view)` bytes from `offset`; returns how many, 0 only where there are no more.

        Raises `SourceUnreadable` when the disk fails, `SourceChanged` when a file is no longer what it was.
        """

    def advise(self, offset: int) -> None:
        """Has the system read ahead of `offset`, where it can."""

    def compare(self, *, thoroughly: bool) -> None:
        """Raises `SourceChanged` if what lies under the path is no longer what was opened.

        Unless it is to look `thoroughly`, it goes by what the file system tells. Raises `SourceUnreadable`.
        """

    def close(self) -> None:
        """Lets go of files. Nothing may be read afterwards."""


Inspect = Callable[[Build], Awaitable[object]]
"""Looks at a build, and refuses it by raising."""


def read(build: Build, offset: int, size: int) -> bytes:
    """The `size` bytes from `offset`, fewer where the build ends. Raises what `read_into` raises."""
    buffer = bytearray(max(0, min(size, build.size - offset)))
    fill(build, memoryview(buffer), offset)
    return bytes(buffer)


def fill(build: Build, view: memoryview, offset: int) -> None:
    """Reads into all of `view`, from `offset`. Raises what `read_into` raises, `SourceChanged` at an early
    end.
    """
    done = 0
    while done < len(view):
        count = build.read_into(view[done:], offset + done)
        if count == 0:
            raise SourceChanged(f"{build.path} became shorter while it was being uploaded")
        done += count


def unreadable(path: Path, error: OSError) -> SourceUnreadable:
    """The error for a source that the system will not give: missing, forbidden, or on a failing disk."""
    if isinstance(error, FileNotFoundError):
        return SourceUnreadable(f"{path} does not exist")
    return SourceUnreadable(f"{path} cannot be read: {error.strerror or error}")
