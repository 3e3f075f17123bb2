"""The build on disk: read in worker threads, watched for changes."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

import anyio

from pk_upload.archive import Build, Fingerprint, fill
from pk_upload.errors import SourceUnreadable
from pk_upload.transfer.config import MIB

__all__ = ["Source"]

T = TypeVar("T")
P = ParamSpec("P")

# One thread more than cores keeps every core hashing while one thread waits for the disk.
THREADS = (os.cpu_count() or 1) + 1
# Seconds between two looks at whether the build is what was begun with, and how often as long as a look.
WATCH, REST = 5.0, 20


class Source:
    """An open build. Use it as an async context manager; leaving it waits for reads and closes it."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="pk-upload-read")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._close)

    @property
    def path(self) -> Path:
        return self._build.path

    @property
    def size(self) -> int:
        return self._build.size

    @property
    def fingerprint(self) -> Fingerprint:
        return self._build.fingerprint

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begins `work` in one of the source's threads."""
        return self._pool.submit(work, *args, **kwargs)

    def fill(self, view: memoryview, offset: int) -> None:
        """Fills `view` from `offset`; for the source's threads.

        Raises `SourceChanged` when a file has become shorter, `SourceUnreadable` when the disk fails.
        """
        self._build.advise(offset)
        fill(self._build, view, offset)

    async def digest(self, offset: int, size: int) -> str:
        """The MD5 in hex of `size` bytes from `offset`. Raises what `fill` raises."""
        return await asyncio.wrap_future(self.submit(self._digest, offset, size))

    async def check_unchanged(self) -> None:
        """Raises `SourceChanged` if what lies under the path is no longer what was opened."""
        await anyio.to_thread.run_sync(self._compare, True)

    async def watch(self) -> None:
        """Does so every few seconds until it is cancelled, by what a mere look tells: hours may be saved."""
        wait = WATCH
        while True:
            await anyio.sleep(wait)
            began = anyio.current_time()
            # Abandoned: a network drive may take its time, and the end of the upload does not wait for it.
            with suppress(SourceUnreadable):  # whoever reads it will tell, if it is not only a bad moment
                await anyio.to_thread.run_sync(self._compare, False, abandon_on_cancel=True)
            # A look at a million files takes a while, and is not to take the upload's time.
            wait = max(WATCH, REST * (anyio.current_time() - began))

    def _compare(self, thoroughly: bool) -> None:
        self._build.compare(thoroughly=thoroughly)

    def _digest(self, offset: int, size: int) -> str:
        md5, buffer = hashlib.md5(usedforsecurity=False), memoryview(bytearray(min(MIB, size)))
        for start in range(0, size, MIB):
            piece = buffer[: min(MIB, size - start)]
            self.fill(piece, offset + start)
            md5.update(piece)
        return md5.hexdigest()

    def _close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._build.close()
