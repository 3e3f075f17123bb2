"""Files that are their owner's alone: how everything in a state directory is opened."""

from __future__ import annotations

import os

__all__ = ["open_private"]

NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # or a pipe in a file's place would block for ever


def open_private(path: str, flags: int) -> int:
    """An opener for files that nobody else may read and that no link leads away from."""
    return os.open(path, flags | NOFOLLOW | NONBLOCK, 0o600)
