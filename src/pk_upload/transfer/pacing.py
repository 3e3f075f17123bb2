"""Keeping to a rate: a pure account of when the next bytes may go out, over all lanes together."""

from __future__ import annotations

from pk_upload.transfer.config import MIB

__all__ = ["Pacer"]

# Seconds' worth of bytes that go out at once: smooth, and cheap at any rate. A slow rate gets longer ones, up
# to a size that costs little to handle.
BEAT, SLOW_BEAT = 0.01, 0.05
CHEAP_SLICE = 16 * 1024
SMALLEST_SLICE, LARGEST_SLICE = 256, MIB


class Pacer:
    """Spreads bytes evenly at `rate` bytes a second; idle time earns at most `burst` seconds of credit.

    `slice` is the number of bytes to put on the wire at once.
    """

    def __init__(self, rate: int, *, burst: float = 0.1) -> None:
        slice_ = max(rate * BEAT, min(rate * SLOW_BEAT, CHEAP_SLICE))
        self.slice = min(max(SMALLEST_SLICE, round(slice_)), LARGEST_SLICE)
        self._rate = rate
        self._burst = burst
        self._free_at = float("-inf")

    def reserve(self, size: int, now: float) -> float:
        """The seconds to wait from `now` before `size` bytes may go out. They count as sent from here on."""
        start = max(self._free_at, now - self._burst)
        self._free_at = start + size / self._rate
        return max(0.0, start - now)
