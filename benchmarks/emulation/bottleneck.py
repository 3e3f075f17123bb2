"""The narrowest place of a link: how many bytes may pass, and whose. Pure, with the caller's clock."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Allowance", "shares"]

LONGEST_TURN = 0.25  # seconds; a machine that slept longer than this is not to catch up


class Allowance:
    """Bytes that may pass at `rate` bytes a second, earned by the time that has really gone by.

    So a turn that comes late costs nothing of the rate. What a turn leaves unused, because nobody had
    more to send, is lost as on a real line; `kept` seconds' worth of it survive, for a sender that is a
    moment late.
    """

    def __init__(self, rate: float, kept: float) -> None:
        self._rate = rate
        self._most_kept = rate * kept
        self.bytes = 0.0

    def earn(self, seconds: float) -> None:
        """A turn begins, `seconds` after the one before."""
        self.bytes = min(self.bytes, self._most_kept) + self._rate * min(seconds, LONGEST_TURN)

    def spend(self, size: int) -> None:
        self.bytes -= size


def shares(budget: float, wishes: Sequence[float]) -> list[float]:
    """`budget` bytes divided max-min fairly: nobody gets more than it wishes, the others share the rest."""
    granted = [0.0] * len(wishes)
    waiting = len(wishes)
    for index in sorted(range(waiting), key=wishes.__getitem__):
        granted[index] = max(0.0, min(wishes[index], budget / waiting))
        budget -= granted[index]
        waiting -= 1
    return granted
