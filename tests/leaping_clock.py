"""A clock that leaps: a bound may be so long that no slow machine reaches it, and be over at once."""

from __future__ import annotations

import asyncio

import pytest

__all__ = ["Clock"]


class Clock:
    """The clock of the running event loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self._time, self._ahead = loop.time, 0.0
        monkeypatch.setattr(loop, "time", self._now)

    def _now(self) -> float:
        return self._time() + self._ahead

    def leap(self, seconds: float) -> None:
        """Is so much later from now on."""
        self._ahead += seconds
