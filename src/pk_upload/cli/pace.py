"""Decisions about progress, pure: when a line is due, and how fast bytes move. Times are seconds."""

from __future__ import annotations

from collections import deque

__all__ = ["Gate", "Speed"]

STEP = 0.1
INTERVAL = 30.0
WINDOW = 10.0


class Gate:
    """When progress is worth a line: a tenth more and half a minute since the last, and once at the end.

    A gate is for one stage, whose beginning has a line of its own.
    """

    def __init__(self, now: float) -> None:
        self._at = now
        self._from: float | None = None
        self._latest = 0.0
        self._told: float | None = None

    def due(self, fraction: float, now: float) -> bool:
        """Whether to tell of `fraction`, 0 to 1."""
        if self._from is None:
            self._from = fraction
        self._latest = fraction
        if self._told is not None and self._told >= 1:
            return False
        # The sum of tenths is not exact: 0.3 - 0.2 is less than 0.1.
        rarely = fraction - self._from >= STEP - 1e-9 and now - self._at >= INTERVAL
        if fraction >= 1 or rarely:
            self._at, self._from, self._told = now, fraction, fraction
            return True
        return False

    @property
    def owed(self) -> bool:
        """Whether the stage's last progress, now that it has ended, is still to be told."""
        return self._from is not None and self._told != self._latest and not (self._told or 0) >= 1


class Speed:
    """Bytes a second over the last few seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now: float, count: int) -> None:
        """`count` is of all bytes so far."""
        self._samples.append((now, count))
        while len(self._samples) > 2 and now - self._samples[1][0] > WINDOW:
            self._samples.popleft()

    def at(self, now: float) -> float:
        """The speed until `now`: it falls while nothing is added."""
        if not self._samples:
            return 0.0
        (begin, first), (_, last) = self._samples[0], self._samples[-1]
        return (last - first) / (now - begin) if now > begin else 0.0
