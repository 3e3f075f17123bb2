"""Telling a slow connection from a dead one."""

from __future__ import annotations

import asyncio
import struct
import sys
from contextlib import suppress

if sys.platform == "linux":
    import fcntl
    import termios

__all__ = ["StallClock", "held_back"]


class StallClock:
    """Pure: how long `progress`, a count of bytes, has stood still."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._progress: int | None = None
        self._since = 0.0

    def stalled(self, progress: int, now: float) -> bool:
        """Whether nothing has moved for the timeout, in seconds, up to `now`."""
        if progress != self._progress:
            self._progress, self._since = progress, now
        return now - self._since >= self._timeout

    def restart(self, now: float) -> None:
        """Standing still until `now` was meant."""
        self._since = now


def held_back(transport: asyncio.WriteTransport) -> int:
    """The bytes written to `transport` that the other side has not acknowledged, as far as can be told.

    The kernel may take megabytes at once and be minutes in sending them over a slow line; Linux tells.
    """
    held = transport.get_write_buffer_size()
    if sys.platform == "linux":
        socket = transport.get_extra_info("socket")
        with suppress(AttributeError, OSError):  # of a connection that has just been closed
            held += struct.unpack("i", fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
    return held
