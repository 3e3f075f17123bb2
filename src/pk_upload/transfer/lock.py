"""One run at a time: a lock beside each journal, and the process that holds it in a file of its own."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from pk_upload.errors import StateLocked
from pk_upload.transfer.private import open_private

__all__ = ["acquire", "held", "holder", "release"]

# Who only looks whether a lock is held has to hold it for an instant: that is not to fail a run.
PATIENCE = 0.25


def acquire(journal: Path) -> filelock.BaseFileLock:
    """The lock of `journal`, held until it is released or the process is gone; for a worker thread.

    Raises `StateLocked`, which names the process that holds it, and `OSError` where no lock can be made.
    """
    lock = _lock(journal, PATIENCE)
    try:
        lock.acquire(poll_interval=PATIENCE / 5)
    except filelock.Timeout:
        if not Path(lock.lock_file).exists():  # filelock takes it for a race that files cannot be made there
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
        pid = _written(journal)
        raise StateLocked(
            f"{'another process' if pid is None else f'process {pid}'} is uploading this source already"
        ) from None
    # Not into the lock itself: where there is no flock, filelock keeps its own notes there.
    with suppress(OSError), open(_pid(journal), "w", opener=open_private) as file:
        file.write(str(os.getpid()))
    return lock


def release(lock: filelock.BaseFileLock, journal: Path) -> None:
    """Lets go of it, and leaves nothing behind where there is no journal any more."""
    try:
        with suppress(OSError):  # a directory that was taken away does not fail a run that is over
            _pid(journal).unlink(missing_ok=True)
            if not journal.exists():
                # While it is held: whoever waits for it notices that its name is gone.
                Path(lock.lock_file).unlink()
    finally:
        lock.release()


@contextmanager
def held(journal: Path) -> Iterator[None]:
    """Around what no run may meet; raises what `acquire` raises."""
    lock = acquire(journal)
    try:
        yield
    finally:
        release(lock, journal)


def holder(journal: Path) -> int | None:
    """The id of the process that holds the lock, 0 if it cannot be told; `None` if nobody does."""
    if not journal.with_suffix(".lock").exists():
        return None
    lock = _lock(journal, 0)
    try:
        lock.acquire()
    except filelock.Timeout:
        return _written(journal) or 0
    except OSError:
        return None
    release(lock, journal)
    return None


def _lock(journal: Path, patience: float) -> filelock.BaseFileLock:
    return filelock.FileLock(journal.with_suffix(".lock"), timeout=patience, mode=0o600, thread_local=False)


def _pid(journal: Path) -> Path:
    return journal.with_suffix(".pid")


def _written(journal: Path) -> int | None:
    try:
        with _pid(journal).open("rb") as file:
            return int(file.read(20))
    except (OSError, ValueError):
        return None
