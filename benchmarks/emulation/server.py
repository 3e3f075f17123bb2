"""The server at the far end of the link: one thread, one selector, a turn each tick while there are bytes.

A byte passes the bottleneck at the moment it is read here; what waits in the kernel has not passed yet.
Small receive buffers and the segment size of the internet, which accepted sockets inherit, keep the
sender's kernel from taking much more at once than it would take on such a link.
"""

from __future__ import annotations

import selectors
import socket
import time
from contextlib import suppress
from math import inf
from random import Random

from benchmarks.emulation.bottleneck import Allowance, shares
from benchmarks.emulation.incoming import BadRequest
from benchmarks.emulation.parameters import TICK, LinkSettings
from benchmarks.emulation.peer import Peer
from benchmarks.emulation.service import Service
from benchmarks.emulation.window import SEGMENT

__all__ = ["LinkServer", "listen"]

SLICE = 256 * 1024  # bytes read at once
LEAST_BUFFER = 16 * 1024  # bytes
BUFFERED_TICKS = 2  # what a sender can be ahead of the emulator: enough that no turn finds it empty


def listen(settings: LinkSettings, port: int) -> socket.socket:
    """A socket on 127.0.0.1 whose connections take no more ahead than the link they stand for."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ahead = LEAST_BUFFER + int(settings.fastest * BUFFERED_TICKS * TICK)
    # Linux doubles what is asked for, and lets senders make use of nearly all of that.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ahead // 2)
    with suppress(AttributeError, OSError):  # not everywhere; loopback's segments are then larger
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    listener.setblocking(False)
    return listener


class LinkServer:
    """Serves `listener`, one that `listen` made, for ever."""

    def __init__(self, listener: socket.socket, settings: LinkSettings) -> None:
        self._listener = listener
        self._settings = settings
        self._service = Service[Peer](settings)
        self._random = Random(settings.seed).random
        self._link = Allowance(settings.rate, TICK)
        self._buffer = memoryview(bytearray(SLICE))
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)

    def run(self) -> None:
        turn_at, busy = 0.0, False
        while True:
            waiting = self._ready(busy)
            now = time.monotonic()
            earned = now - turn_at if busy else 0.0  # while there was nothing to carry, nothing was earned
            self._take_turn([peer for peer in waiting if peer.opens_at <= now], earned, now)
            turn_at, busy = now, bool(waiting)
            self._answer(now)
            if busy:
                # Turns stand on a grid, so that a late one does not delay those after it.
                until = min((now // TICK + 1) * TICK, self._service.next_due())
                time.sleep(max(0.0, until - time.monotonic()))

    def _ready(self, busy: bool) -> list[Peer]:
        """The connections that have bytes. Waits for some, or for an answer's time, unless `busy`."""
        due = self._service.next_due()
        wait = 0.0 if busy else None if due == inf else max(0.0, due - time.monotonic())
        peers: list[Peer] = []
        for key, _ in self._selector.select(wait):
            if key.data is None:
                self._accept()
            else:
                peers.append(key.data)
        return peers

    def _accept(self) -> None:
        with suppress(OSError):  # gone again before it was accepted
            connection, _ = self._listener.accept()
            peer = Peer(connection, time.monotonic(), self._settings, self._random)
            self._selector.register(connection, selectors.EVENT_READ, peer)

    def _take_turn(self, peers: list[Peer], seconds: float, now: float) -> None:
        """Carries what the link and each connection earned in `seconds`, divided max-min fairly."""
        self._link.earn(seconds)
        for peer in peers:
            peer.begin_turn(seconds, now)
        while peers:
            granted = shares(self._link.bytes, [peer.wish for peer in peers])
            sent = [(peer, self._carry(peer, share, now)) for peer, share in zip(peers, granted, strict=True)]
            if self._link.bytes < SEGMENT:
                break  # what is left of a few bytes each is not worth another round
            # Who had less to send than its share leaves the rest of it to the others.
            peers = [peer for peer, more in sent if more]

    def _carry(self, peer: Peer, share: float, now: float) -> bool:
        """Reads up to `share` bytes; whether the connection has more and may carry more."""
        left = int(share)
        if left < 1:
            return False
        try:
            while left > 0:
                size = peer.carry(self._buffer[: min(left, SLICE)], now)
                if not size:
                    if size == 0:
                        self._drop(peer)
                    return False
                left -= size
                self._take(peer, size, now)
        except (OSError, BadRequest):
            self._drop(peer)
        return peer.open and peer.wish >= 1

    def _take(self, peer: Peer, size: int, now: float) -> None:
        """`size` bytes are in the buffer."""
        self._link.spend(size)
        for event in peer.feed(self._buffer[:size]):
            self._service.react(peer, event, now)

    def _answer(self, now: float) -> None:
        for peer, data, closes in self._service.due(now):
            if peer.open:
                peer.send(data)
                if closes:
                    self._drop(peer)

    def _drop(self, peer: Peer) -> None:
        self._service.forget(peer)
        self._selector.unregister(peer.socket)
        peer.close()
