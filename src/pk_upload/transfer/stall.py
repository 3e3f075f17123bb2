"""Telling a slow connection from a dead one, and ending what is dead."""

from __future__ import annotations

import asyncio
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import anyio

from pk_upload.errors import Stalled

if sys.platform == "linux":
    import fcntl
    import termios

__all__ = ["Moving", "StallClock", "StallWatch", "held_back"]


class Moving(Protocol):
    """What can stall: bytes accepted, bytes still on the way, and whether more wait on purpose."""

    @property
    def paused(self) -> bool: ...

    def accepted(self) -> int: ...

    def held(self) -> int: ...


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


class StallWatch:
    """One task that looks after all attempts under way."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._watched: dict[Moving, tuple[StallClock, anyio.CancelScope]] = {}

    @contextmanager
    def over(self, moving: Moving, name: str) -> Iterator[None]:
        """Ends the block with `Stalled` when no byte moves for the timeout; waiting for an answer counts."""
        clock = StallClock(self._timeout)
        with anyio.CancelScope() as scope:
            self._watched[moving] = clock, scope
            try:
                yield
            finally:
                del self._watched[moving]
        if scope.cancelled_caught:
            raise Stalled(f"no byte of {name} moved for {self._timeout:g} s")

    def accepted(self) -> int:
        """The bytes that the other side has taken of all that is under way."""
        return sum(moving.accepted() for moving in self._watched)

    async def run(self) -> None:
        """Watches until it is cancelled."""
        while True:
            now = anyio.current_time()
            for moving, (clock, scope) in self._watched.items():
                if moving.paused and not moving.held():
                    clock.restart(now)
                elif clock.stalled(moving.accepted(), now):
                    scope.cancel()
            await anyio.sleep(min(1.0, self._timeout / 4))


def held_back(transport: asyncio.WriteTransport) -> int:
    """The bytes written to `transport` that the other side has not acknowledged, as far as can be told.

    The kernel may take megabytes at once and be minutes in sending them over a slow line; Linux tells.
    """
    held = transport.get_write_buffer_size()
    if sys.platform == "linux":
        socket = transport.get_extra_info("socket")
        with suppress(AttributeError, OSError, ValueError):  # of a connection that has just been closed
            held += struct.unpack("i", fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
    return held
