"""The files that are sent: made once, and brought into or out of the page cache before a run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarks.settings import GIB, MIB, Failure

__all__ = ["can_cool", "cool", "make", "make_room", "make_sparse", "settle", "warm"]

PIECE = 4 * MIB
SPARE = GIB  # left free on the disk


def make_room(folder: Path, size: int) -> None:
    """Raises `Failure` unless `size` bytes more fit into `folder`."""
    free = shutil.disk_usage(folder).free
    if free < size + SPARE:
        raise Failure(
            f"This needs {(size + SPARE) / GIB:.1f} GiB of disk, and {free / GIB:.1f} GiB are free in the "
            "scratch folder: choose another one by --dir, or a smaller --size."
        )


def make(path: Path, size: int) -> None:
    """Writes a file of random bytes, so that nothing on the way can compress it."""
    with path.open("wb") as file:
        for left in range(size, 0, -PIECE):
            file.write(os.urandom(min(PIECE, left)))
        file.flush()
        os.fsync(file.fileno())


def make_sparse(path: Path, size: int) -> bool:
    """Makes a file of zeros that take no room; False where the file system has no files of that size."""
    try:
        with path.open("wb") as file:
            file.truncate(size)
    except OSError:
        path.unlink(missing_ok=True)
        return False
    return True


def settle() -> None:
    """Has what was written brought to the disk, so that this does not happen during the next run."""
    if hasattr(os, "sync"):
        os.sync()


def warm(path: Path) -> None:
    """Reads the file, so that it is in the page cache."""
    buffer = bytearray(PIECE)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


if hasattr(os, "posix_fadvise"):

    def cool(path: Path) -> None:
        """Drops the file from the page cache, where the platform can."""
        with path.open("rb") as file:
            os.fsync(file.fileno())  # what is not on the disk yet would stay
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

else:

    def cool(path: Path) -> None:
        """Drops the file from the page cache, where the platform can."""


def can_cool(path: Path) -> bool:
    """Whether `cool` does what it says here: a file in memory, for one, stays there."""
    if not hasattr(os, "posix_fadvise") or not hasattr(os, "RWF_NOWAIT"):
        return False
    warm(path)
    cool(path)
    probe, size = bytearray(1), path.stat().st_size
    with path.open("rb") as file:
        for offset in range(0, size, max(1, size // 16)):
            try:
                os.preadv(file.fileno(), [probe], offset, os.RWF_NOWAIT)
            except BlockingIOError:
                continue
            except OSError:
                return False
            return False
    return True
