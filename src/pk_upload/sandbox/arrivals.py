"""Which request has the say over which bytes of an upload, when several send the same ones.

A client that gives a chunk up and sends it again on another connection counts on the second copy alone, but
the first may still be read here, long afterwards. So the newest request that has begun to send a byte has
it: the older ones write no more, and succeed only if the newer one brings the very same bytes. As a
request's bytes count as missing from its first one until it is done, no byte that counts is ever being
written.
"""

from __future__ import annotations

import threading
from bisect import bisect_right, insort
from contextlib import contextmanager
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING

import anyio

from pk_upload.sandbox.answers import Disconnected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pk_upload.sandbox.ranges import Span

__all__ = ["Arrival", "Arrivals"]

_NUMBER = attrgetter("number")


class Arrival:
    """A request, with its `number` in the order in which they came."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.overtaken_by: Arrival | None = None
        self.done = anyio.Event()
        self._sent: tuple[int, Span] | None = None
        self._digest: str | None = None
        self._lock = threading.Lock()

    @contextmanager
    def writing(self) -> Iterator[bool]:
        """Around each write, in its thread: whether there is to be one, or a newer request has the say."""
        with self._lock:
            yield self.overtaken_by is None

    def delivered(self, digest: str) -> None:
        """Its bytes, with this digest, count."""
        self._digest = digest

    async def yield_to_newer(self, digest: str) -> None:
        """Returns once the newer request has delivered the same bytes. Disconnected if it does not."""
        newer = self.overtaken_by
        if newer is not None:
            await newer.done.wait()
            if (newer._digest, newer._sent) != (digest, self._sent):
                raise Disconnected

    def wait(self) -> None:
        """Until no write is under way; blocks."""
        with self._lock:
            pass

    def begins(self, upload_id: int, span: Span) -> None:
        """From now on it is one that sends these bytes."""
        self._sent = upload_id, span

    def sends(self, upload_id: int, span: Span) -> bool:
        """Whether it has begun to send some of these bytes."""
        return self._sent is not None and self._sent[0] == upload_id and self._sent[1].overlaps(span)


class Arrivals:
    """All requests in progress. Nothing of it is kept across restarts, as no connection survives one."""

    def __init__(self) -> None:
        self._numbers = count()
        self._present: dict[int, Arrival] = {}  # in ascending order: that is how they come
        self._begun: list[Arrival] = []
        """In ascending order those that began to send and that an older one might still run into."""

    def __len__(self) -> int:
        """How many requests are remembered."""
        return len(self._present.keys() | {arrival.number for arrival in self._begun})

    @contextmanager
    def arriving(self) -> Iterator[Arrival]:
        """Around all that is done for a request, from its very beginning."""
        arrival = Arrival(next(self._numbers))
        self._present[arrival.number] = arrival
        try:
            yield arrival
        finally:
            arrival.done.set()
            del self._present[arrival.number]
            oldest = next(iter(self._present), None)
            if oldest is None:
                self._begun.clear()
            else:
                del self._begun[: bisect_right(self._begun, oldest, key=_NUMBER)]

    def begin(self, arrival: Arrival, upload_id: int, span: Span) -> list[Arrival]:
        """Give `arrival` the say over these bytes; those it takes it from must be waited for.

        If a newer request has it already, `arrival` is overtaken.
        """
        arrival.begins(upload_id, span)
        newer = self._begun[bisect_right(self._begun, arrival.number, key=_NUMBER) :]
        arrival.overtaken_by = next((other for other in newer if other.sends(upload_id, span)), None)
        if arrival.overtaken_by is not None:
            return []
        insort(self._begun, arrival, key=_NUMBER)
        older = [
            other
            for other in self._present.values()
            if other.number < arrival.number and other.sends(upload_id, span)
        ]
        for other in older:
            other.overtaken_by = arrival
        return older
