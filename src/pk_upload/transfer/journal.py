"""The file that remembers a run: appended to, locked while in use, readable by its owner alone."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiofiles
import anyio
import filelock
from aiofiles.threadpool.binary import AsyncFileIO
from platformdirs import user_state_path

from pk_upload.errors import StateLocked
from pk_upload.events import OnEvent, Warned
from pk_upload.transfer.records import Begun, Damaged, Record, State, encode, replay

__all__ = ["Journal", "default_state_dir", "open_journal"]


def default_state_dir() -> Path:
    """Where journals live unless told otherwise; `XDG_STATE_HOME` moves it."""
    return user_state_path("pk-upload", appauthor=False)


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

    async def record(self, record: Record) -> None:
        """Writes `record` down, then counts it."""
        # One after the other and to the end, or a line could land after one that takes it back.
        async with self._turn:
            with anyio.CancelScope(shield=True):
                await self._write(encode(record))
            self.state.apply(record)

    async def _write(self, line: bytes) -> None:
        if self._file is None:
            return
        try:
            if await self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            await self.close()
            self._emit(Warned(f"this run cannot be resumed: its journal cannot be written: {error}"))

    async def finish(self) -> None:
        """Nothing is left to resume: removes the file."""
        await self.close()
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()

    async def open(self, path: Path) -> None:
        self._file = await aiofiles.open(path, "ab", buffering=0, opener=_private)

    async def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with anyio.CancelScope(shield=True), suppress(OSError):
                await file.close()


@asynccontextmanager
async def open_journal(
    begun: Begun, emit: OnEvent, *, state_dir: str | os.PathLike[str] | None, resume: bool = True
) -> AsyncIterator[Journal]:
    """The journal of what `begun` describes, as an earlier run left it, or a new one.

    A source that is no longer the one the journal began with keeps its version and loses its upload, with a
    warning; so does everything when the journal is damaged: it is set aside. Raises `StateLocked` when
    another run holds it.
    """
    if not resume:
        yield _forgetful(begun, emit)
        return
    path = Path(state_dir or default_state_dir()) / f"{_name(begun)}.journal"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _locked(path)
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
        await journal.close()
        _unlock(lock, path)


def _forgetful(begun: Begun, emit: OnEvent) -> Journal:
    journal = Journal(State(), emit)
    journal.state.apply(begun)
    return journal


async def _restore(journal: Journal, path: Path, begun: Begun, emit: OnEvent) -> None:
    try:
        journal.state = await anyio.to_thread.run_sync(_read, path)
    except Damaged as damage:
        aside = _set_aside(path)
        emit(Warned(f"the journal of this run is damaged ({damage}); it is kept as {aside}, all starts over"))
    except OSError as error:
        emit(Warned(f"this run cannot be resumed: {path} cannot be read: {error.strerror or error}"))
        journal.state.apply(begun)
        return
    with suppress(OSError):  # `record` tells of a disk that takes nothing, once there is something to lose
        await journal.open(path)
    if journal.state.begun is None:
        await journal.record(begun)
    elif journal.state.begun.fingerprint != begun.fingerprint:
        if journal.state.upload_id is not None:
            emit(Warned(f"{begun.source} has changed since its upload began; the upload starts over"))
        await journal.record(begun)


def _set_aside(path: Path) -> Path:
    aside = path.with_suffix(".damaged")
    with suppress(OSError):
        path.replace(aside)
    return aside


def _read(path: Path) -> State:
    """The state in the file, which is cut to its last whole record."""
    try:
        with path.open("rb") as file:
            state, whole = replay(file)
            size = file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        return State()
    if size and not whole:
        raise Damaged("it has no whole line")
    if whole < size:
        os.truncate(path, whole)
    return state


def _name(begun: Begun) -> str:
    """One journal for each source, server, app and label."""
    what = "\0".join((begun.source, begun.api_url, begun.app, begun.label))
    return hashlib.sha256(what.encode()).hexdigest()[:24]


def _locked(path: Path) -> filelock.BaseFileLock:
    lock = filelock.FileLock(path.with_suffix(".lock"), timeout=0, mode=0o600, thread_local=False)
    holder = Path(lock.lock_file)
    try:
        lock.acquire()
    except filelock.Timeout:
        with suppress(OSError):
            raise StateLocked(f"process {holder.read_text()} is uploading this source already") from None
        raise StateLocked("another process is uploading this source already") from None
    with suppress(OSError):
        holder.write_text(str(os.getpid()))
    return lock


def _unlock(lock: filelock.BaseFileLock, path: Path) -> None:
    if not path.exists():
        with suppress(OSError):  # while it is held: whoever waits for it notices that its name is gone
            Path(lock.lock_file).unlink()
    lock.release()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
