"""Progress without a terminal: whole lines, few of them; or every event as a line of JSON."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from pk_upload.cli.pace import Gate
from pk_upload.cli.tracking import Tracking
from pk_upload.cli.wording import sentence
from pk_upload.events import Bytes, Event, Message, Stage, Warned
from pk_upload.redaction import Redactor, plain

__all__ = ["Alarms", "JsonLines", "Lines", "View", "grave"]

Write = Callable[[str], None]


class View(Protocol):
    """Shows a run. `interval` is how often it wants a `tick`, in seconds; `None` for never."""

    interval: float | None

    def tell(self, event: Event) -> None:
        """Shows `event`."""

    def say(self, text: str) -> None:
        """Shows lines that are no event."""

    def tick(self) -> None:
        """Shows that time passes."""

    def close(self) -> None:
        """Shows what is still owed, and no more after it."""


def grave(event: Event) -> bool:
    """Whether even who wants quiet should hear of `event`."""
    return isinstance(event, Warned) or (isinstance(event, Message) and event.severity != "info")


class _Silent:
    """What views have in common that need no ticks."""

    interval: float | None = None

    def __init__(self, write: Write) -> None:
        self._write = write

    def tell(self, event: Event) -> None:
        pass

    def say(self, text: str) -> None:
        self._write(text)

    def tick(self) -> None:
        pass

    def close(self) -> None:
        pass


class Alarms(_Silent):
    """Warnings and errors alone, if even those are `wanted`."""

    def __init__(self, write: Write, *, wanted: bool) -> None:
        super().__init__(write)
        self._wanted = wanted

    def tell(self, event: Event) -> None:
        if self._wanted and grave(event):
            self._write(plain(sentence(event) or ""))


class JsonLines(_Silent):
    """Every event, or every grave one, as an object on a line of its own."""

    def __init__(self, write: Write, redactor: Redactor, *, quiet: bool) -> None:
        super().__init__(write)
        self._redactor = redactor
        self._quiet = quiet

    def say(self, text: str) -> None:
        self._write(self._redactor.text(text))  # what it writes is not redacted once more

    def tell(self, event: Event) -> None:
        if self._quiet and not grave(event):
            return
        import msgspec

        self._write(msgspec.json.encode(self._redactor.value(event.to_dict())).decode())


class Lines(_Silent):
    """A line for each stage, and for progress where the `Gate` finds it due."""

    def __init__(self, write: Write, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(write)
        self._clock = clock
        self._tracking = Tracking()
        self._gate = Gate(clock())

    def tell(self, event: Event) -> None:
        now = self._clock()
        if isinstance(event, Stage):
            self._settle(now)
            self._gate = Gate(now)
        first = isinstance(event, Bytes) and not self._tracking.fraction
        moved = self._tracking.follow(event, now)
        line = sentence(event)
        if line is not None:
            self._write(plain(line))
        if first and self._tracking.resumed:
            self._write(f"{self._tracking.activity}: {self._tracking.resumed}")
        if moved and self._gate.due(self._tracking.fraction, now):
            self._progress(now)

    def close(self) -> None:
        self._settle(self._clock())
        self._gate = Gate(self._clock())

    def _settle(self, now: float) -> None:
        if self._gate.owed:
            self._progress(now)

    def _progress(self, now: float) -> None:
        tracking = self._tracking
        told = [f"{tracking.fraction * 100:.0f} %", *tracking.details(now)]
        self._write(plain(f"{tracking.activity}: {', '.join(told)}"))
