"""A folder as a ZIP that is never written down: each piece of it is made while it is read."""

from __future__ import annotations

import os
from array import array
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

from pk_upload.archive.build import Fingerprint, read
from pk_upload.archive.directory import directory_digest
from pk_upload.archive.folder.fingerprint import fingerprint
from pk_upload.archive.folder.layout import Layout
from pk_upload.archive.folder.records import central_header, local_header
from pk_upload.archive.folder.tree import Tree
from pk_upload.archive.folder.watching import compare
from pk_upload.archive.format import STORE

__all__ = ["StoredFolder"]


class StoredFolder:
    """The members of `tree`, stored: a `Build`.

    Until `checksums`, the CRC-32 of each member, are known, they read as 0, and there is no fingerprint.
    """

    def __init__(self, tree: Tree, ignore: tuple[str, ...] = ()) -> None:
        self.tree = tree
        self.checksums = array("I", [0]) * len(tree.members)
        self._ignore = ignore
        self._layout = Layout(tree.members)

    @property
    def path(self) -> Path:
        return self.tree.root

    @property
    def compression(self) -> Literal["store"]:
        return "store"

    @property
    def size(self) -> int:
        return self._layout.size

    @cached_property
    def fingerprint(self) -> Fingerprint:
        return fingerprint(self.tree, self.size, directory_digest(partial(read, self), self.size))

    def read_into(self, view: memoryview, offset: int) -> int:
        done, most = 0, min(len(view), self.size - offset)
        while done < most:
            done += self._read(view[done:most], offset + done)
        return done

    def advise(self, offset: int) -> None:
        """The system reads ahead by itself: within a file it is read in order."""

    def compare(self, *, thoroughly: bool) -> None:
        compare(self.tree, self._ignore, thoroughly=thoroughly)

    def close(self) -> None:
        """No file stays open."""

    def _read(self, view: memoryview, offset: int) -> int:
        """Reads the rest of what lies at `offset`: of a header, a directory record, or a content."""
        index, start, in_directory = self._layout.at(offset)
        within = offset - start
        if index < 0:
            return _copy(self._layout.end, within, view)
        member, crc = self.tree.members[index], self.checksums[index]
        if in_directory:
            record = central_header(member, STORE, crc, member.size, self._layout.start(index))
            return _copy(record, within, view)
        header = local_header(member, STORE, crc, member.size)
        if within < len(header):
            return _copy(header, within, view)
        if member.link is not None:
            return _copy(os.fsencode(member.link), within - len(header), view)
        content = view[: member.size + len(header) - within]
        self.tree.read_into(member, content, within - len(header))
        return len(content)


def _copy(data: bytes, start: int, view: memoryview) -> int:
    part = data[start : start + len(view)]
    view[: len(part)] = part
    return len(part)
