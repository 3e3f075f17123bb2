"""A build that is a ZIP on disk."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from pk_upload.archive.build import Fingerprint, unreadable
from pk_upload.archive.directory import directory_digest
from pk_upload.archive.positioned import read_at
from pk_upload.errors import PreflightFailed, SourceChanged, SourceUnreadable

__all__ = ["BuildFile"]

MIB = 1024 * 1024
# How far the system is told to read ahead, and in what steps: Linux shortens a longer piece of advice.
AHEAD, ADVICE = 32 * MIB, MIB


class BuildFile:
    """An open file: a `Build`.

    Raises `SourceUnreadable` when it is missing, no regular file or not readable, and `PreflightFailed` when
    it is empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._advised = 0  # up to here the system has been told to read ahead
        try:
            # Without O_NONBLOCK a pipe in the source's place would block here for ever.
            self._fd = os.open(path, os.O_RDONLY | _BINARY | _NONBLOCK)
        except OSError as error:
            raise unreadable(path, error) from None
        try:
            self.fingerprint = self._describe()
        except OSError as error:
            self.close()
            raise unreadable(path, error) from None
        except BaseException:
            self.close()
            raise

    @property
    def compression(self) -> Literal[""]:
        return ""

    @property
    def size(self) -> int:
        return self.fingerprint.size

    def read_into(self, view: memoryview, offset: int) -> int:
        try:
            return read_at(self._fd, view, offset)
        except OSError as error:
            raise unreadable(self.path, error) from None

    def compare(self, *, thoroughly: bool) -> None:
        try:
            now = _fingerprint(self.path.stat(), self.fingerprint.directory)
            if thoroughly and now == self.fingerprint:
                now = msgspec.structs.replace(now, directory=self._digest(now.size))
        except FileNotFoundError:
            raise SourceChanged(f"{self.path} was removed while it was being uploaded") from None
        except OSError as error:
            raise unreadable(self.path, error) from None
        if now != self.fingerprint:
            raise SourceChanged(f"{self.path} changed while it was being uploaded")

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _describe(self) -> Fingerprint:
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            raise SourceUnreadable(f"{self.path} is neither a file nor a folder")
        if status.st_size == 0:
            raise PreflightFailed(f"{self.path} is empty")
        return _fingerprint(status, self._digest(status.st_size))

    def _digest(self, size: int) -> str:
        def read(offset: int, most: int) -> bytes:
            buffer = bytearray(max(0, min(most, size - offset)))
            view = memoryview(buffer)
            while view and (count := read_at(self._fd, view, offset)):
                view, offset = view[count:], offset + count
            return bytes(buffer[: len(buffer) - len(view)])

        return directory_digest(read, size)

    if hasattr(os, "posix_fadvise"):

        def advise(self, offset: int) -> None:
            """Has the system read ahead of the foremost lane. Lanes that meet here advise twice; no harm."""
            end = min(offset + AHEAD, self.size)
            for start in range(max(self._advised, offset), end, ADVICE):
                self._advised = start + ADVICE
                with suppress(OSError):  # of a file system that takes no advice
                    os.posix_fadvise(self._fd, start, ADVICE, os.POSIX_FADV_WILLNEED)

    else:

        def advise(self, offset: int) -> None:
            """There is no way to tell this system."""


_BINARY = getattr(os, "O_BINARY", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)


def _fingerprint(status: os.stat_result, directory: str) -> Fingerprint:
    return Fingerprint(status.st_size, status.st_mtime_ns, status.st_ino, directory)
