"""One connection of the emulated link: its socket, what limits it, and the requests in it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import inf

from benchmarks.emulation.bottleneck import Allowance
from benchmarks.emulation.incoming import Began, Ended, Incoming
from benchmarks.emulation.parameters import TICK, LinkSettings
from benchmarks.emulation.window import Window

__all__ = ["Peer"]


class Peer:
    """A connection that was accepted at `now`, whose handshake is over one round trip later."""

    def __init__(
        self, connection: socket.socket, now: float, settings: LinkSettings, random: Callable[[], float]
    ) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self.opens_at = now + settings.latency
        self.wish = 0.0
        self.open = True
        self._incoming = Incoming()
        self._cap = Allowance(settings.connection_rate, TICK) if settings.connection_rate else None
        self._window = Window(settings.latency, early=TICK / 2, loss=settings.loss, random=random)

    def begin_turn(self, seconds: float, now: float) -> None:
        """Sets `wish`, the bytes it may carry in a turn that begins `seconds` after the one before."""
        self.wish = inf
        if self._cap is not None:
            self._cap.earn(seconds)
            self.wish = self._cap.bytes
        self.wish = min(self.wish, self._window.room(now))

    def carry(self, buffer: memoryview, now: float) -> int | None:
        """Takes at most a buffer of bytes from the sender; `None` when there are none, 0 at the end.

        Raises `OSError` when the connection is lost.
        """
        try:
            size = self.socket.recv_into(buffer)
        except BlockingIOError:
            return None
        self.wish -= size
        if self._cap is not None:
            self._cap.spend(size)
        if size:
            self._window.send(size, now)
        return size

    def feed(self, data: memoryview) -> Iterator[Began | Ended]:
        return self._incoming.feed(data)

    def send(self, data: bytes) -> None:
        """Answers are so small that the socket takes them at once, or the client is gone."""
        with suppress(OSError):
            self.socket.send(data)

    def close(self) -> None:
        self.open = False
        self.socket.close()
