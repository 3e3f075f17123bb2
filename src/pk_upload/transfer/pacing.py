"""Keeping to a rate: a pure account of when the next bytes may go out, over all lanes together."""

from __future__ import annotations

__all__ = ["SLICE", "Pacer"]

SLICE = 64 * 1024  # bytes put on the wire at once under a limit: smooth, and cheap enough


class Pacer:
    """Spreads bytes evenly at `rate` bytes a second; idle time earns at most `burst` seconds of credit."""

    def __init__(self, rate: int, *, burst: float = 0.1) -> None:
        self._rate = rate
        self._burst = burst
        self._free_at = float("-inf")

    def reserve(self, size: int, now: float) -> float:
        """The seconds to wait from `now` before `size` bytes may go out. They count as sent from here on."""
        start = max(self._free_at, now - self._burst)
        self._free_at = start + size / self._rate
        return max(0.0, start - now)
