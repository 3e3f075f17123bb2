"""Names that cannot stand beside each other: the same, or but for case or Unicode form, or file and folder.

Memory holds a hash of each name; only where two are the same are the names themselves read, in a second pass.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Iterable, Iterator
from itertools import islice

from pk_upload.archive.checks.entries import Report
from pk_upload.archive.checks.findings import printable
from pk_upload.archive.problems import (
    CASE_COLLISION,
    DUPLICATE_NAME,
    FILE_AND_FOLDER,
    UNICODE_COLLISION,
)

__all__ = ["MOST_FOLDERS", "Collisions", "fold"]

MOST_FOLDERS = 500_000  # distinct ones, with those that a path implies
NAMED = 5000  # names that are read again to tell what collides; beyond it they are counted
BUCKET = 1 << 18  # names that are compared at once


def fold(part: bytes) -> bytes:
    """A name in UTF-8 as a file system sees it that minds neither case nor Unicode form."""
    if part.isascii():
        return part.lower()
    text = _decomposed(part)
    folded = text.casefold()
    if len(folded) != len(text):  # no file system makes two letters of one
        folded = "".join(one if len(one := c.casefold()) == 1 else c for c in text)
    return unicodedata.normalize("NFD", folded).encode()


def _decomposed(part: bytes) -> str:
    return unicodedata.normalize("NFD", part.decode())


def chain(folder: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each folder of a path: its own name, the hash of its path, folded, and the hash of it as it is.

    A folder's hash is made from its parent's, so that a deep path costs no more than its length.
    """
    key = exact = 0
    for part in folder.split(b"/"):
        if part and part != b".":
            key, exact = hash((key, fold(part))), hash((exact, part))
            yield part, key, exact


class Collisions:
    """Takes the entries one after another, then tells which names collide."""

    def __init__(self) -> None:
        self._files = array("q")  # for each file the hash of its path, folded
        self._entries = array("q")  # the same for each folder that is an entry
        self._folders: dict[int, int] = {}  # for each folder, named or implied: the hash of its path as it is
        self._respelled: set[int] = set()  # folders of which there is a second spelling
        self._folder = 0
        self.too_many_folders = False

    def enter(self, folder: bytes) -> list[bytes]:
        """What follows is in that folder: a path with a slash at its end, or nothing.

        Returns the paths of those folders on its way that were not seen before.
        """
        new = []
        path = b""
        self._folder = 0
        for part, key, exact in chain(folder):
            known = self._folders.get(key)
            path += part + b"/"
            if known != exact:
                new.append(path)
                if known is not None:
                    self._respelled.add(key)
                elif len(self._folders) < MOST_FOLDERS:
                    self._folders[key] = exact
                else:
                    self.too_many_folders = True
            self._folder = key
        return new

    def see(self, base: bytes) -> None:
        """A file of that name in the current folder; the folder itself if there is no name."""
        if base:
            name = base.lower() if base.isascii() else fold(base)
            self._files.append(hash((self._folder, name)))
        else:
            self._entries.append(self._folder)

    def report(self, names: Iterable[bytes], report: Report) -> None:
        """Tells what collides; `names` are those of the same entries, once more, read if need be."""
        suspects = _repeated(self._files) | _repeated(self._entries) | self._respelled
        if not self._folders.keys().isdisjoint(self._files):
            suspects.update(key for key in self._files if key in self._folders)
        if suspects:
            gathering = _Gathering(suspects)
            for name in names:
                gathering.see(name)
            gathering.report(report)


def _repeated(hashes: array[int]) -> set[int]:
    """Those that are there more than once. A part of them at a time, so that memory is bounded."""
    buckets = 1 + len(hashes) // BUCKET
    repeated: set[int] = set()
    for bucket in range(buckets):
        part = hashes if buckets == 1 else array("q", (h for h in hashes if h % buckets == bucket))
        if len(set(part)) < len(part):
            seen: set[int] = set()
            repeated.update(h for h in part if h in seen or _added(seen, h))
    return repeated


def _added(seen: set[int], one: int) -> bool:
    """Puts it there; `False`, for it was not there."""
    seen.add(one)
    return False


class _Group:
    """The names that are one to such a file system; for those of entries, how often each is there."""

    def __init__(self) -> None:
        self.files: dict[bytes, int] = {}
        self.entries: dict[bytes, int] = {}  # of folders
        self.folders: dict[bytes, int] = {}  # with those that a path implies


class _Gathering:
    """Collects the names of the suspects, up to a number, and says what is the matter with each group."""

    def __init__(self, suspects: set[int]) -> None:
        self._suspects = suspects
        self._groups: dict[int, _Group] = {}
        self._spellings: set[int] = set()  # of folders whose name was put together
        self._room = NAMED
        self._is_cut = False
        self._path: bytes | None = None
        self._folder = 0

    def see(self, name: bytes) -> None:
        start = name.rfind(b"/") + 1
        if name[:start] != self._path:
            self._enter(name[:start])
        if base := name[start:]:
            key = hash((self._folder, fold(base)))
            if group := self._group(key):
                self._count(group.files, name)
        elif group := self._group(self._folder):
            self._count(group.entries, name)

    def report(self, report: Report) -> None:
        code = CASE_COLLISION
        for group in self._groups.values():
            for name, count in (*group.files.items(), *group.entries.items()):
                if count > 1:
                    code = DUPLICATE_NAME
                    report(DUPLICATE_NAME, name.decode(), f"the archive holds it {count} times")
            for names in (group.files, group.folders):
                first = next(iter(names), b"")
                for other in islice(names, 1, None):
                    report(*_difference(other, first))
            if group.files and group.folders:
                report(FILE_AND_FOLDER, next(iter(group.files)).decode(), "it is both a file and a folder")
        if self._is_cut or self._room <= 0:
            report(code, None, f"only the first {NAMED:,} names that collide are told")

    def _enter(self, folder: bytes) -> None:
        self._path, self._folder = folder, 0
        path = []
        for part, key, exact in chain(folder):
            path.append(part)
            if self._room > 0 and exact not in self._spellings and (group := self._group(key)):
                self._spellings.add(exact)
                self._count(group.folders, b"/".join((*path, b"")))
            self._folder = key

    def _count(self, names: dict[bytes, int], name: bytes) -> None:
        if name in names:
            names[name] += 1
        elif self._room > 0:
            self._room -= 1
            names[name] = 1
        else:
            self._is_cut = True

    def _group(self, key: int) -> _Group | None:
        """That of a suspect. A new one leaves half of the room, so that the first names find all others."""
        if key not in self._suspects:
            return None
        group = self._groups.get(key)
        if group is None and self._room > NAMED // 2:
            group = self._groups[key] = _Group()
        self._is_cut = self._is_cut or group is None
        return group


def _difference(name: bytes, first: bytes) -> tuple[str, str, str]:
    """The problem of two names that are one to some file system."""
    shown = printable(first.decode())
    if _plain(name) == _plain(first):
        return DUPLICATE_NAME, name.decode(), f"it is the same path as {shown}"
    if _decomposed(name) == _decomposed(first):
        return UNICODE_COLLISION, name.decode(), f"it differs from {shown} only in its Unicode form"
    return CASE_COLLISION, name.decode(), f"it differs from {shown} only in upper and lower case"


def _plain(name: bytes) -> list[bytes]:
    return [part for part in name.split(b"/") if part not in (b"", b".")]
