"""The file on disk: read in worker threads, watched for changes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Annotated, ParamSpec, Self, TypeVar

import anyio
import msgspec

from pk_upload.archive import directory_digest
from pk_upload.errors import PreflightFailed, SourceChanged, SourceUnreadable
from pk_upload.transfer.config import MIB

__all__ = ["Fingerprint", "Source"]

T = TypeVar("T")
P = ParamSpec("P")

# One thread more than cores keeps every core hashing while one thread waits for the disk.
THREADS = (os.cpu_count() or 1) + 1
# How far the system is told to read ahead, and in what steps: Linux shortens a longer piece of advice.
AHEAD, ADVICE = 32 * MIB, MIB
WATCH = 5.0  # seconds between two looks at whether the file is still what was begun with


class Fingerprint(msgspec.Struct, frozen=True):
    """What tells one state of a file from another: bytes, nanoseconds, inode, digest of its ZIP directory."""

    size: Annotated[int, msgspec.Meta(ge=1)]
    mtime_ns: int
    inode: int
    directory: str


class Source:
    """An open file. Use it as an async context manager; leaving it waits for reads under way.

    Raises `SourceUnreadable` when it is missing, no regular file or not readable, and
    `PreflightFailed` when it is empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="pk-upload-read")
        self._position = threading.Lock()  # only where there is no pread
        self._advised = 0  # up to here the system has been told to read ahead
        self.fingerprint: Fingerprint

    async def __aenter__(self) -> Self:
        self.fingerprint = await anyio.to_thread.run_sync(self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._close)

    @property
    def size(self) -> int:
        return self.fingerprint.size

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begins `work` in one of the source's threads."""
        return self._pool.submit(work, *args, **kwargs)

    def fill(self, view: memoryview, offset: int) -> None:
        """Fills `view` from `offset`; for the source's threads.

        Raises `SourceChanged` when the file has become shorter, `SourceUnreadable` when the disk fails.
        """
        self._advise(offset)
        done = 0
        while done < len(view):
            try:
                count = self._read_at(view[done:], offset + done)
            except OSError as error:
                raise unreadable(self.path, error) from None
            if count == 0:
                raise SourceChanged(f"{self.path} became shorter while it was being uploaded")
            done += count

    async def digest(self, offset: int, size: int) -> str:
        """The MD5 in hex of `size` bytes from `offset`. Raises what `fill` raises."""
        return await asyncio.wrap_future(self.submit(self._digest, offset, size))

    async def inspect(self, look: Callable[[Path], T]) -> T:
        """What `look` finds out about the file, in a thread; its `OSError`s become `SourceUnreadable`."""
        try:
            return await anyio.to_thread.run_sync(look, self.path, abandon_on_cancel=True)
        except OSError as error:
            raise unreadable(self.path, error) from None

    async def check_unchanged(self) -> None:
        """Raises `SourceChanged` if the file under this path is no longer the one that was opened."""
        await anyio.to_thread.run_sync(self._compare, True)

    async def watch(self) -> None:
        """Does so every few seconds until it is cancelled, by what a mere look tells: hours may be saved."""
        while True:
            await anyio.sleep(WATCH)
            # Abandoned: a network drive may take its time, and the end of the upload does not wait for it.
            with suppress(SourceUnreadable):  # whoever reads it will tell, if it is not only a bad moment
                await anyio.to_thread.run_sync(self._compare, False, abandon_on_cancel=True)

    def _digest(self, offset: int, size: int) -> str:
        md5, buffer = hashlib.md5(usedforsecurity=False), memoryview(bytearray(min(MIB, size)))
        for start in range(0, size, MIB):
            piece = buffer[: min(MIB, size - start)]
            self.fill(piece, offset + start)
            md5.update(piece)
        return md5.hexdigest()

    def _open(self) -> Fingerprint:
        try:
            # Without O_NONBLOCK a pipe in the source's place would block here for ever.
            self._fd = os.open(self.path, os.O_RDONLY | _BINARY | _NONBLOCK)
        except OSError as error:
            raise unreadable(self.path, error) from None
        try:
            return self._describe()
        except OSError as error:
            self._close()
            raise unreadable(self.path, error) from None
        except BaseException:
            self._close()
            raise

    def _describe(self) -> Fingerprint:
        status = os.fstat(self._fd)
        if stat.S_ISDIR(status.st_mode):
            raise SourceUnreadable(f"{self.path} is a folder", hint="Make a ZIP of it and give that.")
        if not stat.S_ISREG(status.st_mode):
            raise SourceUnreadable(f"{self.path} is no regular file")
        if status.st_size == 0:
            raise PreflightFailed(f"{self.path} is empty")
        return _fingerprint(status, directory_digest(self.path))

    def _compare(self, thoroughly: bool) -> None:
        try:
            now = _fingerprint(self.path.stat(), self.fingerprint.directory)
            if thoroughly and now == self.fingerprint:
                now = msgspec.structs.replace(now, directory=directory_digest(self.path))
        except FileNotFoundError:
            raise SourceChanged(f"{self.path} was removed while it was being uploaded") from None
        except OSError as error:
            raise unreadable(self.path, error) from None
        if now != self.fingerprint:
            raise SourceChanged(f"{self.path} changed while it was being uploaded")

    def _close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    if hasattr(os, "preadv"):

        def _read_at(self, view: memoryview, offset: int) -> int:
            return os.preadv(self._fd, [view], offset)

    else:

        def _read_at(self, view: memoryview, offset: int) -> int:
            with self._position:
                os.lseek(self._fd, offset, os.SEEK_SET)
                data = os.read(self._fd, len(view))
            view[: len(data)] = data
            return len(data)

    if hasattr(os, "posix_fadvise"):

        def _advise(self, offset: int) -> None:
            """Has the system read ahead of the foremost lane. Lanes that meet here advise twice; no harm."""
            end = min(offset + AHEAD, self.size)
            for start in range(max(self._advised, offset), end, ADVICE):
                self._advised = start + ADVICE
                with suppress(OSError):  # of a file system that takes no advice
                    os.posix_fadvise(self._fd, start, ADVICE, os.POSIX_FADV_WILLNEED)

    else:

        def _advise(self, offset: int) -> None:
            """There is no way to tell this system."""


_BINARY = getattr(os, "O_BINARY", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)


def _fingerprint(status: os.stat_result, directory: str) -> Fingerprint:
    return Fingerprint(status.st_size, status.st_mtime_ns, status.st_ino, directory)


def unreadable(path: Path, error: OSError) -> SourceUnreadable:
    """The error for a source that the system will not give: missing, forbidden, or on a failing disk."""
    if isinstance(error, FileNotFoundError):
        return SourceUnreadable(f"{path} does not exist")
    return SourceUnreadable(f"{path} cannot be read: {error.strerror or error}")
