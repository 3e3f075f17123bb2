"""Where journals live: how they are named, opened and read, and when they are cleared out."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from platformdirs import user_state_path

from pk_upload.errors import StateError, StateLocked
from pk_upload.transfer.lock import held
from pk_upload.transfer.private import open_private
from pk_upload.transfer.records import LONGEST_LINE, Damaged, RunName, State, replay

__all__ = [
    "clear_out",
    "default_state_dir",
    "journal_path",
    "journals",
    "prepare",
    "read",
]

OLD = 90 * 24 * 3600.0
"""Seconds after which what nobody went on with is removed: no service keeps half an upload for so long."""


def default_state_dir() -> Path:
    """Where journals live unless told otherwise; `XDG_STATE_HOME` moves it.

    Raises `StateError` for a user without a home, as a container may have.
    """
    try:
        return user_state_path("pk-upload", appauthor=False)
    except RuntimeError:
        raise StateError(
            "this user has no home to keep state in",
            hint="Name a directory with --state-dir or PK_UPLOAD_STATE_DIR.",
        ) from None


def prepare(directory: Path) -> None:
    """Makes the directory, for its owner alone. One that is there and was named by the user stays as it is.

    Raises `OSError`.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(StateError):
        if os.name == "posix" and directory == default_state_dir():
            directory.chmod(0o700)


def journal_path(directory: Path, run: RunName) -> Path:
    """One journal for each source, server, app and label."""
    what = "\0".join(run)
    return directory / f"{hashlib.sha256(what.encode()).hexdigest()[:24]}.journal"


def journals(directory: Path, suffix: str = ".journal") -> Iterator[Path]:
    """The journals in `directory`, or what lies beside them under this suffix, and nothing that is not ours.

    Raises `OSError`.
    """
    if not directory.exists():
        return
    for path in sorted(directory.iterdir()):
        if path.suffix == suffix and len(path.stem) == 24 and not set(path.stem) - set("0123456789abcdef"):
            yield path


def read(path: Path, *, digests: bool = False) -> tuple[State, int]:
    """What the journal adds up to, and the bytes of its whole lines.

    Raises `Damaged` for one that is not to be trusted, `OSError` when it is missing or cannot be read.
    """
    with open(path, "rb", opener=open_private) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Damaged("it is no regular file")
        if os.name == "posix" and status.st_uid != os.geteuid():
            raise Damaged("it belongs to another user")
        return replay(iter(lambda: file.readline(LONGEST_LINE + 1), b""), digests=digests)


def clear_out(directory: Path, now: float) -> None:
    """Removes what has not been touched for long; `now` is Unix seconds. What cannot be removed stays."""
    with suppress(OSError):
        for suffix in (".journal", ".damaged", ".new", ".sums", ".pid", ".lock"):
            for path in journals(directory, suffix):
                with suppress(OSError, StateLocked):
                    if _is_old(path, now):
                        _remove(path, now)


def _is_old(path: Path, now: float) -> bool:
    return now - path.lstat().st_mtime > OLD


def _remove(path: Path, now: float) -> None:
    journal = path.with_suffix(".journal")
    if path.suffix == ".lock" and journal.exists():
        return  # as old as the beginning of a run that may have gone on for months
    with held(journal):
        if _is_old(path, now):  # a run may just have gone on with it
            path.unlink()
