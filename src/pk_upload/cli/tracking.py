"""Where a run is, kept from its events and told in a few words, for a line as for a bar."""

from __future__ import annotations

from pk_upload.cli.pace import Speed
from pk_upload.cli.wording import ACTIVITIES
from pk_upload.events import Bytes, Event, Lanes, Progress, Stage, StageName
from pk_upload.units import amounts, duration, size

__all__ = ["Tracking"]

ALMOST = 0.99


class Tracking:
    """The stage under way, how far it is as a `fraction` of 1, and what there is to say about it."""

    def __init__(self) -> None:
        self._enter("version")
        self._lanes = 0

    @property
    def activity(self) -> str:
        return ACTIVITIES.get(self.stage, self.stage)

    def follow(self, event: Event, now: float) -> bool:
        """Takes note of `event`; whether it moved the progress."""
        match event:
            case Stage(stage):
                self._enter(stage)
            case Lanes(lanes):
                self._lanes = lanes
            case Bytes():
                self._count(event, now)
                return True
            case Progress(_, progress, message):
                self.fraction, self._message = min(max(progress, 0.0), 1.0), message
                return True
        return False

    @property
    def resumed(self) -> str:
        """What an earlier run had delivered, in words; empty if nothing."""
        if self._bytes is None or not self._bytes.resumed:
            return ""
        return f"{amounts(self._bytes.resumed, self._bytes.total)} resumed"

    def details(self, now: float) -> list[str]:
        """Bytes, speed, time left and lanes of an upload; the service's own words otherwise."""
        count = self._bytes
        if count is None:
            return [self._message] if self._message else []
        told = [amounts(self._reached, count.total)]
        speed, left = self._speed.at(now), count.total - self._reached
        if left and speed >= 1:
            told += [f"{size(speed)}/s", f"{duration(left / speed)} left"]
        if count.confirmed < count.total and self._lanes:
            told.append(f"{self._lanes} lane{'s' if self._lanes > 1 else ''}")
        return told

    def _enter(self, stage: StageName) -> None:
        self.stage: StageName = stage
        self.fraction = 0.0
        self._message = ""
        self._bytes: Bytes | None = None
        self._reached = 0
        self._speed = Speed()

    def _count(self, event: Bytes, now: float) -> None:
        """Counts what is on its way as well: of a small build nothing is confirmed until the very end."""
        self._bytes = event
        self._speed.add(now, event.sent)
        self._reached = max(self._reached, min(event.total, event.confirmed + event.in_flight))
        self.fraction = 1.0
        if event.confirmed < event.total:
            self.fraction = min(ALMOST, self._reached / event.total)
