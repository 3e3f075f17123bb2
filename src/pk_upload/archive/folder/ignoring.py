"""What of a folder stays behind: version control, and what `.pkignore` and the user's patterns name."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from pathspec import GitIgnoreSpec

from pk_upload.archive.build import unreadable
from pk_upload.errors import UsageError

__all__ = ["IGNORE_FILE", "VERSION_CONTROL", "Ignoring", "literally"]

IGNORE_FILE = ".pkignore"
VERSION_CONTROL = (".git", ".hg", ".svn", ".bzr", ".jj", "_darcs", "CVS")
LARGEST = 1024 * 1024  # bytes of an ignore file
SYNTAX = "It is written as a .gitignore is."


class Ignoring:
    """The patterns for one folder, in the syntax and with the meaning of git's.

    They come from its `.pkignore` and after it from `patterns`; a later one beats an earlier one. So `!.git`
    brings back what is left out by default. Raises `UsageError` for a pattern that means nothing,
    `SourceUnreadable` if the file cannot be read.
    """

    def __init__(self, folder: Path, patterns: Iterable[str] = ()) -> None:
        self._own = frozenset(VERSION_CONTROL)
        own = [f"/{IGNORE_FILE}", *VERSION_CONTROL]
        asked = [*_lines(folder / IGNORE_FILE), *patterns]
        self._spec = _compiled([*own, *asked]) if asked else None

    def __call__(self, name: str) -> bool:
        """Whether the entry stays behind; the name of a folder ends in a slash, and takes all in it along."""
        if self._spec is None:  # most folders are large and have no patterns
            return self.by_default(name) or name == IGNORE_FILE
        return self._spec.match_file(name)

    def by_default(self, name: str) -> bool:
        """Whether the entry is one of version control, which stays behind unless asked for."""
        return name.rstrip("/").rpartition("/")[2] in self._own


def literally(name: str) -> str:
    """The pattern for that one entry, whatever its name holds."""
    return "/" + re.sub(r"([\\*?\[\]!# ])", r"\\\1", name)


def _compiled(patterns: Iterable[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise UsageError(f"a pattern to ignore makes no sense: {error}", hint=SYNTAX) from None


def _lines(path: Path) -> list[str]:
    try:
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"{path} is no regular file", hint=SYNTAX)
            content = file.read(LARGEST + 1)
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no UTF-8 text", hint=SYNTAX) from None
    except OSError as error:
        raise unreadable(path, error) from None
    if len(content) > LARGEST:
        raise UsageError(f"{path} is larger than 1 MiB", hint=SYNTAX)
    return text.splitlines()


def _at_once(path: str, flags: int) -> int:
    """An opener that does not wait for who writes into a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
