"""Telling how far the work is, often enough to abort it and seldom enough not to slow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ITEM", "Meter"]

ITEM = 4096
"""What one file weighs beyond its bytes, so that a million empty ones are noticed too."""


class Meter:
    """Maps `total` bytes of work to the fractions from `start` to `end` and tells them every `step` bytes."""

    def __init__(
        self,
        progress: Callable[[float, str], None],
        message: str,
        total: int,
        *,
        start: float,
        end: float,
        step: int = 4 << 20,
    ) -> None:
        self._progress = progress
        self._message = message
        self._total = max(1, total)
        self._start = start
        self._span = end - start
        self._step = step
        self._done = 0
        self._told = 0
        progress(start, message)

    def advance(self, amount: int) -> None:
        """Counts `amount` bytes as done; raises whatever `progress` raises."""
        self._done += amount
        if self._done - self._told >= self._step:
            self._told = self._done
            self._progress(self._start + self._span * min(1.0, self._done / self._total), self._message)
