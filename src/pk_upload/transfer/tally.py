"""The account of a transfer's bytes, told as events."""

from __future__ import annotations

from pk_upload.events import Bytes, OnEvent

__all__ = ["Tally"]

INTERVAL = 0.1  # seconds; confirmations are told at once, bytes on the wire no more often than this


class Tally:
    """Counts for one run. `confirmed` never goes back, even if the service loses an upload."""

    def __init__(self, emit: OnEvent, total: int) -> None:
        self._emit = emit
        self.total = total
        self.sent = 0
        self.resumed = 0
        self._held = 0
        self._in_flight = 0
        self._shown = 0
        self._told = float("-inf")

    def begin(self, resumed: int) -> None:
        """An upload begins of which an earlier run delivered `resumed` bytes."""
        self.resumed = self._held = resumed
        self._in_flight = 0
        self._tell()

    def send(self, size: int, now: float) -> None:
        self.sent += size
        self._in_flight += size
        if now - self._told >= INTERVAL:
            self._told = now
            self._tell()

    def lose(self, size: int) -> None:
        """An attempt failed after it had sent that much."""
        self._in_flight -= size

    def confirm(self, size: int) -> None:
        self._held += size
        self._in_flight -= size
        self._tell()

    def _tell(self) -> None:
        self._shown = max(self._shown, self._held)
        self._emit(Bytes(self.sent, self._shown, self.resumed, self.total, self._in_flight))
