"""What to send next: a state machine over chunks, without I/O and without a clock.

Chunks are handed out from the lowest gap upwards. No document promises that the service takes them in any
order; a refusal while lower offsets are still missing is taken as a sign that it does not. Then nothing
more is handed out until all lanes have ended, and one lane goes on, in order, from the lowest gap.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from pk_upload.transfer.confirmed import Confirmed
from pk_upload.transfer.plan import Chunk, Plan

__all__ = ["Schedule"]


class Schedule:
    """The chunks of `plan` that are not among the `confirmed` ones."""

    def __init__(self, plan: Plan, confirmed: Iterable[int] = ()) -> None:
        self._plan = plan
        self._confirmed = Confirmed(confirmed)
        self._next = 0  # every chunk from here on that is not confirmed has never been handed out
        self._returned: list[int] = []
        self._flying: dict[int, bool] = {}  # whether a lower chunk was missing when it went out
        self._draining = False
        self.in_order = False

    @property
    def missing(self) -> int:
        """The number of chunks that are not confirmed."""
        return len(self._plan) - len(self._confirmed)

    def take(self) -> Chunk | None:
        """The next chunk to send; `None` when this lane has nothing more to do."""
        if self._draining or (self.in_order and self._flying):
            return None
        index = heapq.heappop(self._returned) if self._returned else self._unsent()
        if index is None:
            return None
        self._flying[index] = self._confirmed.floor < index
        return self._plan[index]

    def confirm(self, chunk: Chunk) -> None:
        """The service holds `chunk`."""
        del self._flying[chunk.index]
        self._confirmed.add(chunk.index)

    def refuse(self, chunk: Chunk) -> bool:
        """The service rejected `chunk`; whether that may be for its order. If so, it will be sent again."""
        may_be_order = self._draining or (self._flying[chunk.index] and not self.in_order)
        if not may_be_order:
            return False
        del self._flying[chunk.index]
        heapq.heappush(self._returned, chunk.index)
        self.in_order = self._draining = True
        return True

    def resume_in_order(self) -> None:
        """All lanes have ended; one may go on."""
        self._draining = False

    def _unsent(self) -> int | None:
        self._next = max(self._next, self._confirmed.floor)
        while self._next in self._confirmed:
            self._next += 1
        if self._next >= len(self._plan):
            return None
        self._next += 1
        return self._next - 1
