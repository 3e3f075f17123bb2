"""Filling a directory so that it holds everything or nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pk_upload.sandbox.processing.formats import CONTENT, CONTENT_SUMMARY, DIFF, DIFF_SUMMARY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Staging", "staging"]

_ORDER = (CONTENT, DIFF, DIFF_SUMMARY, CONTENT_SUMMARY)
_SUFFIX = ".part"


class Staging:
    """The files of one version under temporary names, until `commit`."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def path(self, name: str) -> Path:
        """Where to write the file that is to be called `name`."""
        return self._out / (name + _SUFFIX)

    def commit(self) -> None:
        """Gives the files their names and removes those of an earlier run that were not made again.

        The content summary goes first and comes last: while it is there, the directory is complete.
        """
        (self._out / CONTENT_SUMMARY).unlink(missing_ok=True)
        for name in _ORDER:
            staged = self.path(name)
            if staged.exists():
                staged.replace(self._out / name)
            else:
                (self._out / name).unlink(missing_ok=True)

    def discard(self) -> None:
        for name in _ORDER:
            self.path(name).unlink(missing_ok=True)


@contextmanager
def staging(out: Path) -> Iterator[Staging]:
    """Clears the temporary files before, in case an earlier run was killed, and after."""
    out.mkdir(parents=True, exist_ok=True)
    stage = Staging(out)
    stage.discard()
    try:
        yield stage
    finally:
        stage.discard()
