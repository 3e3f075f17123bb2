"""How many lanes to run: a state machine over measured goodput and over troubles, without a clock.

It starts with a few lanes and goes on to the usual number unless it meets with trouble. Then it measures,
tries more, and keeps them if that paid off; otherwise it goes back and rests, longer each time, so that it
settles. An attempt that failed for the network's or the service's sake takes lanes away and makes the next
steps small.
"""

from __future__ import annotations

from dataclasses import dataclass

from pk_upload.transfer.config import TransferConfig

__all__ = ["FEW", "USUAL", "AdaptiveLanes", "most_lanes"]

FEW = 4  # to begin with: fewer leave most links idle while the service thinks
USUAL = 8  # up to here lanes cost next to nothing and bridge each other's pauses: they need not pay off
GAIN = 0.03  # what more than that must add to the goodput

SETTLE = 0.5  # seconds that connections get to come up to speed before a measurement begins
WINDOW, LONGEST_WINDOW = 0.75, 20.0  # seconds of a measurement
REST, LONGEST_REST = 15.0, 240.0  # seconds before more lanes are tried again
RECOVERY = 3.0  # seconds before lanes that a trouble took away are tried again
SLOWEST_CHUNK = 60.0  # seconds: where chunks take that long, more of them only mean more to lose


def most_lanes(config: TransferConfig, chunk_size: int) -> int:
    """The number of lanes, for chunks of `chunk_size` bytes, that the engine's own choice must not exceed.

    Under a limit, more lanes only mean that more is in flight when the run is interrupted, and lost.
    """
    if config.limit_rate is None:
        return config.max_concurrency
    within_ten_seconds = 10 * config.limit_rate // chunk_size
    return max(1, min(config.max_concurrency, within_ten_seconds))


@dataclass(frozen=True, slots=True)
class _Trial:
    """The lanes and the goodput, in bytes a second, that more lanes have to beat."""

    lanes: int
    goodput: float


@dataclass(frozen=True, slots=True)
class _Mark:
    """The beginning of a measurement: seconds, and the bytes that had been moved by then."""

    at: float
    moved: int


class AdaptiveLanes:
    """`lanes` is the number to run, between 1 and `most`; `reason` says why it changed last."""

    def __init__(self, most: int, chunk_size: int) -> None:
        self.lanes = min(FEW, most)
        self.reason = "start"
        self._most = most
        self._chunk_size = chunk_size
        self._trial: _Trial | None = None
        self._careful = False
        self._rest = REST
        self._rest_until = float("-inf")
        self._cut_at = float("-inf")
        self._settled_at: float | None = None
        self._mark: _Mark | None = None

    def observe(self, now: float, moved: int, running: int) -> None:
        """At `now`, in seconds, `moved` bytes have gone out in all and `running` lanes are at work."""
        if running != self.lanes:  # lanes that are too many go when their chunk is done
            self._settled_at = self._mark = None
        elif self._settled_at is None:
            self._settled_at = now + SETTLE
        elif self._mark is None:
            if now >= self._settled_at:
                self._mark = _Mark(now, moved)
        elif self._long_enough(now - self._mark.at, moved - self._mark.moved):
            goodput = (moved - self._mark.moved) / (now - self._mark.at)
            self._mark = _Mark(now, moved)
            self._judge(goodput, now)

    def trouble(self, began: float, now: float, running: int) -> None:
        """An attempt that `began` then has failed now, with so many lanes `running`."""
        self._mark = None  # what it had moved is counted no more
        if began <= self._cut_at or running > self.lanes:
            return  # lanes were taken away already for what this attempt met with
        self._cut_at = now
        if self._trial is None:
            self._cut(max(1, self.lanes - max(1, self.lanes // 4)), now)
        elif self._careful:
            self._go_back(now, "more lanes met with trouble")
        else:
            self._cut(self._trial.lanes, now)
        self._careful = True

    def _cut(self, lanes: int, now: float) -> None:
        """From here on it goes up again soon, one by one."""
        self._trial = None
        self._rest_until = max(self._rest_until, now + RECOVERY)
        self._change(lanes, "trouble")

    def _long_enough(self, seconds: float, moved: int) -> bool:
        # Where it is to be compared, the pause after a chunk counts on every lane.
        representative = moved > 0 if self.lanes < USUAL else moved >= self.lanes * self._chunk_size
        return seconds >= (WINDOW if representative else LONGEST_WINDOW)

    def _judge(self, goodput: float, now: float) -> None:
        if self._trial is not None:
            if self.lanes > USUAL and goodput < self._trial.goodput * (1 + GAIN):
                self._go_back(now, "more lanes were no faster")
                return
            self._trial, self._rest = None, REST
        step = 1 if self._careful else min(self.lanes, FEW)
        more = min(self.lanes + step, self._most)
        slow = more * self._chunk_size > SLOWEST_CHUNK * goodput
        if more > self.lanes and not slow and now >= self._rest_until:
            self._trial = _Trial(self.lanes, goodput)
            self._change(more, "trying more lanes")

    def _go_back(self, now: float, reason: str) -> None:
        if self._trial is not None:
            self._change(self._trial.lanes, reason)
        self._trial = None
        self._rest_until = now + self._rest
        self._rest = min(2 * self._rest, LONGEST_REST)

    def _change(self, lanes: int, reason: str) -> None:
        if lanes != self.lanes:
            self.lanes, self.reason = lanes, reason
            self._settled_at = self._mark = None
