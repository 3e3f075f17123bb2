"""The file that remembers a run: appended to, locked while in use, readable by its owner alone."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiofiles
import anyio
import filelock
from aiofiles.threadpool.binary import AsyncFileIO

from pk_upload.events import OnEvent, Warned
from pk_upload.transfer.lock import acquire, release
from pk_upload.transfer.private import open_private
from pk_upload.transfer.records import Begun, ChunkDone, Damaged, Record, State, encode
from pk_upload.transfer.state_dir import clear_out, journal_path, prepare, read

__all__ = ["Journal", "open_journal"]


class Journal:
    """The state of a run, and the file that keeps it; without a file it is forgotten with the run.

    A full disk costs the ability to resume, not the upload: the first failing write is told as a warning,
    and it is the last.
    """

    def __init__(self, state: State, emit: OnEvent, path: Path | None = None) -> None:
        self.state = state
        self._emit = emit
        self._path = path
        self._file: AsyncFileIO | None = None
        self._turn = anyio.Lock()

    @property
    def directory(self) -> Path | None:
        """Where the file is, if there is one."""
        return self._path.parent if self._file is not None and self._path is not None else None

    async def record(self, record: Record) -> None:
        """Writes `record` down, then counts it."""
        # One after the other and to the end, or a line could land after one that takes it back.
        # Whoever is cancelled meanwhile has an answer in hand that must not be forgotten.
        with anyio.CancelScope(shield=True):
            async with self._turn:
                await self._write(record)
                self.state.apply(record)

    async def _write(self, record: Record) -> None:
        if self._file is None:
            return
        line = encode(record)
        try:
            if await self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if not isinstance(record, ChunkDone):  # a chunk forgotten in a power cut is merely sent again
                await anyio.to_thread.run_sync(os.fsync, self._file.fileno())
        except OSError as error:
            await self.close()
            self._unwritable(self._path, error)

    def _unwritable(self, path: Path | None, error: OSError) -> None:
        where = f"{path or 'the journal'} cannot be written: {error.strerror or error}"
        self._emit(Warned(f"from here on this run cannot be resumed: {where}"))

    async def finish(self) -> None:
        """Nothing is left to resume: removes the file."""
        await self.close()
        if self._path is not None:
            try:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(_remove, self._path)
            except (FileNotFoundError, NotADirectoryError):
                return  # whoever took it away has done so for us
            except OSError as error:
                self._emit(Warned(f"{self._path} cannot be removed: {error.strerror or error}"))

    async def end(self) -> None:
        """The run is over: closes the file, and removes it if nobody could go on with it."""
        if self._file is not None and self.state.worthless:
            await self.finish()
        await self.close()

    async def open(self, path: Path) -> None:
        """From here on records are kept in `path`; where that cannot be, a warning says so."""
        try:
            self._file = await aiofiles.open(path, "ab", buffering=0, opener=open_private)
        except OSError as error:
            self._unwritable(path, error)

    async def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with anyio.CancelScope(shield=True), suppress(OSError):
                await file.close()


@asynccontextmanager
async def open_journal(begun: Begun, emit: OnEvent, *, state_dir: Path | None) -> AsyncIterator[Journal]:
    """The journal of what `begun` describes, as an earlier run left it, or a new one; without a file if there
    is no directory for it.

    A source that is no longer the one the journal began with keeps its version and loses its upload, with a
    warning; so does everything when the journal is damaged: it is set aside. Journals that nobody went on
    with for long are cleared out. Raises `StateLocked` when another run holds it.
    """
    if state_dir is None:
        yield _forgetful(begun, emit)
        return
    path = journal_path(state_dir, begun.run)
    try:
        with anyio.CancelScope(shield=True):  # a lock that is had must also be let go of
            lock = await anyio.to_thread.run_sync(_prepared, path)
    except OSError as error:
        emit(
            Warned(f"this run cannot be resumed: {path.parent} cannot be written: {error.strerror or error}")
        )
        yield _forgetful(begun, emit)
        return
    journal = Journal(State(), emit, path)
    try:
        await _restore(journal, path, begun, emit)
        yield journal
    finally:
        await journal.end()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(release, lock, path)


def _prepared(path: Path) -> filelock.BaseFileLock:
    """The lock of the journal, in a directory that is in order."""
    prepare(path.parent)
    lock = acquire(path)
    clear_out(path.parent, time.time())
    return lock


def _remove(path: Path) -> None:
    path.with_suffix(".sums").unlink(missing_ok=True)
    path.unlink()


def _forgetful(begun: Begun, emit: OnEvent) -> Journal:
    journal = Journal(State(), emit)
    journal.state.apply(begun)
    return journal


async def _restore(journal: Journal, path: Path, begun: Begun, emit: OnEvent) -> None:
    try:
        journal.state, damage = await anyio.to_thread.run_sync(_recall, path, begun)
    except OSError as error:
        emit(Warned(f"this run cannot be resumed: {path} cannot be used: {error.strerror or error}"))
        journal.state.apply(begun)
        return
    if damage:
        emit(Warned(damage))
    await journal.open(path)
    if journal.state.begun is None:
        await journal.record(begun)
    elif journal.state.begun.fingerprint != begun.fingerprint:
        if journal.state.upload_id is not None:
            emit(Warned(f"{_difference(journal.state.begun, begun)}; the upload starts over"))
        await journal.record(begun)


def _difference(was: Begun, now: Begun) -> str:
    if was.compression != now.compression:
        ways = {"": "a ZIP", "store": "stored", "deflate": "packed with DEFLATE"}
        one, other = ways[now.compression], ways[was.compression]
        return f"{now.source} is {one} now, and was {other} when its upload began"
    less = ", or what is left out of it," if now.compression else ""
    return f"{now.source}{less} has changed since its upload began"


def _recall(path: Path, begun: Begun) -> tuple[State, str]:
    """The state in the file, which is cut to its last whole record; and what is to be said of its damage."""
    try:
        state, whole = read(path)
        if state.begun is not None and state.begun.run != begun.run:
            raise Damaged("it is about another run")
    except FileNotFoundError:
        return State(), ""
    except Damaged as damage:
        aside = path.with_suffix(".damaged")
        path.replace(aside)
        return (
            State(),
            f"the journal of this run is damaged ({damage}); it is kept as {aside}, all starts over",
        )
    if whole < path.stat().st_size:
        os.truncate(path, whole)
    return state, ""
