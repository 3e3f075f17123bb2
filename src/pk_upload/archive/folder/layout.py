"""Where everything lies in a ZIP of stored members: plain arithmetic over their names and sizes."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from pk_upload.archive.folder.records import central_header_size, end_records, local_header_size
from pk_upload.archive.folder.tree import Member

__all__ = ["Layout", "Place"]


class Place(NamedTuple):
    """A part of the archive: the local header and content of the member of that number, or its record in the
    directory.

    `start` is its offset in the archive, in bytes; the `member` of what follows the directory is -1.
    """

    member: int
    start: int
    in_directory: bool


class Layout:
    """The layout of `members`, one after the other, then their directory. Sizes and offsets are bytes."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._locals, self._centrals = array("Q"), array("Q")
        offset = 0
        for member in members:
            self._locals.append(offset)
            offset += local_header_size(member, member.size) + member.size
        self.directory = offset
        for member, start in zip(members, self._locals, strict=True):
            self._centrals.append(offset)
            offset += central_header_size(member, member.size, start)
        self.end = end_records(len(members), offset - self.directory, self.directory)
        """What follows the directory."""
        self._end = offset
        self.size = offset + len(self.end)

    def start(self, number: int) -> int:
        """The offset of a member's local header."""
        return self._locals[number]

    def at(self, offset: int) -> Place:
        """What lies at `offset`."""
        if offset >= self._end:
            return Place(-1, self._end, in_directory=True)
        starts = self._centrals if offset >= self.directory else self._locals
        number = bisect_right(starts, offset) - 1
        return Place(number, starts[number], in_directory=starts is self._centrals)
