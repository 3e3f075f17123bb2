"""One run at a time: a lock beside each journal, with the process that holds it written into it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import filelock

from pk_upload.errors import StateLocked

__all__ = ["acquire", "holder", "release"]

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
        pid = _written(journal)
        raise StateLocked(
            f"{'another process' if pid is None else f'process {pid}'} is uploading this source already"
        ) from None
    with suppress(OSError):
        Path(lock.lock_file).write_text(str(os.getpid()))
    return lock


def release(lock: filelock.BaseFileLock, journal: Path) -> None:
    """Lets go of it, and leaves no lock behind without a journal."""
    if not journal.exists():
        with suppress(OSError):  # while it is held: whoever waits for it notices that its name is gone
            Path(lock.lock_file).unlink()
    lock.release()


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
    lock.release()
    return None


def _lock(journal: Path, patience: float) -> filelock.BaseFileLock:
    return filelock.FileLock(journal.with_suffix(".lock"), timeout=patience, mode=0o600, thread_local=False)


def _written(journal: Path) -> int | None:
    try:
        with journal.with_suffix(".lock").open("rb") as file:
            return int(file.read(20))
    except (OSError, ValueError):
        return None
