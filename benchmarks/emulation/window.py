"""The congestion window of one connection: a pure model of what TCP lets a sender have in flight.

Bytes count as in flight from the moment they pass the bottleneck until their acknowledgement is back, one
round trip later. The window begins at ten segments and grows by what is acknowledged (slow start: it
doubles each round trip) as long as the sender makes use of more than half of it. A loss takes 30 % away;
from then on it grows as CUBIC does, and at least as fast as Reno would (RFC 9438). After a pause of more
than one retransmission timeout it is halved for each such timeout, down to ten segments, as Linux does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import cbrt, inf
from typing import NamedTuple

__all__ = ["FIRST_WINDOW", "SEGMENT", "Window"]

SEGMENT = 1460  # bytes
FIRST_WINDOW = 10 * SEGMENT
SMALLEST_WINDOW = 2 * SEGMENT
LEAST_TIMEOUT = 0.2  # seconds that Linux adds to the round trip for its retransmission timeout

# Of RFC 9438: what a loss leaves, the steepness in segments per cubic second, Reno's growth per round trip.
KEPT = 0.7
STEEPNESS = 0.4
RENO = 3 * (1 - KEPT) / (1 + KEPT)


class Flight(NamedTuple):
    """Bytes that passed the bottleneck together."""

    sent_at: float
    size: int
    in_flight: float
    lost: bool


class Window:
    """The window of one connection. Times are seconds of the caller's clock, sizes are bytes.

    `round_trip` is the link's, `early` how much before its time an acknowledgement may be taken in: half a
    tick, so that ticks do not lengthen the round trip. `loss` is the probability for one segment,
    `random` draws a number from 0 to 1.
    """

    def __init__(self, round_trip: float, *, early: float, loss: float, random: Callable[[], float]) -> None:
        self._round_trip = round_trip
        self._wait = round_trip - early
        self._loss = loss
        self._random = random
        self._size: float = FIRST_WINDOW
        self._threshold = inf  # slow start ends here
        self._flights: deque[Flight] = deque()
        self._in_flight = 0
        self._sent_at: float | None = None
        self._reduced_at = -inf
        self._summit = 0.0  # the window at which CUBIC expects the next loss
        self._climb_began: float | None = None
        self._climb_time = 0.0
        self._reno = 0.0

    def room(self, now: float) -> float:
        """The bytes that may follow those in flight."""
        while self._flights and self._flights[0].sent_at + self._wait <= now:
            self._acknowledge(self._flights.popleft(), now)
        if not self._flights and self._sent_at is not None:
            self._resume_after(now - self._sent_at)
            self._sent_at = now
        return max(0.0, self._size - self._in_flight)

    def send(self, size: int, now: float) -> None:
        """`size` bytes pass the bottleneck."""
        self._in_flight += size
        lost = self._loss > 0 and self._random() > (1 - self._loss) ** (size / SEGMENT)
        self._flights.append(Flight(now, size, self._in_flight, lost))
        self._sent_at = now

    def _acknowledge(self, flight: Flight, now: float) -> None:
        self._in_flight -= flight.size
        if flight.sent_at < self._reduced_at:
            return  # still of the window that was reduced: one loss or many, it shrinks once
        if flight.lost:
            self._reduce(now)
        elif self._size < self._threshold:
            if self._size < 2 * flight.in_flight:
                self._size += flight.size
        elif flight.in_flight >= self._size - SEGMENT:
            self._climb(flight.size, now)

    def _reduce(self, now: float) -> None:
        # A window that shrinks before it was back at its summit makes room for others.
        give_way = (1 + KEPT) / 2 if self._size < self._summit else 1.0
        self._summit = self._size * give_way
        self._size = self._threshold = max(SMALLEST_WINDOW, self._size * KEPT)
        self._reduced_at, self._climb_began = now, None

    def _climb(self, acknowledged: int, now: float) -> None:
        if self._climb_began is None:
            self._climb_began, self._reno = now, self._size
            self._summit = max(self._summit, self._size)
            self._climb_time = cbrt((self._summit - self._size) / SEGMENT / STEEPNESS)
        share = acknowledged / self._size
        ahead = now + self._round_trip - self._climb_began - self._climb_time
        self._reno += RENO * SEGMENT * share
        goal = max(self._summit + SEGMENT * STEEPNESS * ahead**3, self._reno)
        if goal > self._size:
            self._size += min((goal - self._size) * share, acknowledged / 2)

    def _resume_after(self, pause: float) -> None:
        if self._climb_began is not None:
            self._climb_began += pause  # time in which nothing is sent is no time to climb
        timeouts = int(pause / (self._round_trip + LEAST_TIMEOUT))
        if timeouts and self._size > FIRST_WINDOW:
            self._threshold = max(self._threshold, self._size * 3 / 4)
            self._size = max(FIRST_WINDOW, self._size / 2 ** min(timeouts, 60))
