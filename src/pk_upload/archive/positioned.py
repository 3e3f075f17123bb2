"""Reading a file at an offset, from several threads at once."""

from __future__ import annotations

import os
import threading

__all__ = ["read_at"]

if hasattr(os, "preadv"):

    def read_at(fd: int, view: memoryview, offset: int) -> int:
        """Reads into `view` what is at `offset`; returns how many bytes. Raises `OSError`."""
        return os.preadv(fd, [view], offset)

else:
    _position = threading.Lock()  # a file has one position for all who read it

    def read_at(fd: int, view: memoryview, offset: int) -> int:
        """Reads into `view` what is at `offset`; returns how many bytes. Raises `OSError`."""
        with _position:
            os.lseek(fd, offset, os.SEEK_SET)
            data = os.read(fd, len(view))
        view[: len(data)] = data
        return len(data)
