"""Progress on a terminal: a bar for each stage that has one, and lines above them for what is to stay."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import rich.progress as bars
from rich.console import Console
from rich.table import Column
from rich.text import Text

from pk_upload.cli.tracking import Tracking
from pk_upload.cli.wording import sentence
from pk_upload.events import Event, Stage
from pk_upload.redaction import plain

__all__ = ["Bar"]

SHOW_CURSOR = b"\x1b[?25h"


class _Console(Console):
    """A console that falls silent when its pipe breaks.

    Rich's own would send stdout, where the result goes, to nowhere and end the process.
    """

    def on_broken_pipe(self) -> None:
        self.quiet = True


class Bar:
    """The bars. They are redrawn from the event loop: a thread of its own would see half an event.

    Everything shown is `Text`, for markup in what a service says is not to be obeyed.
    """

    interval: float | None = 0.125

    def __init__(self, safe: Callable[[str], str]) -> None:
        self._safe = safe
        self._tracking = Tracking()
        self._task: bars.TaskID | None = None
        self._console = _Console(stderr=True, force_terminal=True, highlight=False, markup=False, emoji=False)
        self._bars = bars.Progress(
            bars.TextColumn(
                "{task.description}", markup=False, table_column=Column(no_wrap=True, min_width=10)
            ),
            bars.BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
            bars.TextColumn(
                "{task.percentage:>3.0f} %", markup=False, table_column=Column(no_wrap=True, min_width=5)
            ),
            bars.TextColumn(
                "{task.fields[details]}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis"),
            ),
            console=self._console,
            auto_refresh=False,
            expand=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def tell(self, event: Event) -> None:
        now = time.monotonic()
        moved = self._tracking.follow(event, now)
        if isinstance(event, Stage) and self._task is not None:
            with _harmless():
                self._bars.refresh()  # or it would stand where it was at the last tick
            self._task = None
        line = sentence(event)
        if line is not None and not _has_bar(event):
            self.say(plain(line))
        if moved:
            self._move(now)

    def say(self, text: str) -> None:
        with _harmless():
            self._console.print(Text(self._safe(text)), soft_wrap=True)

    def tick(self) -> None:
        if self._task is not None:
            self._move(time.monotonic())
            with _harmless():
                self._bars.refresh()

    def close(self) -> None:
        with _harmless():
            self._bars.stop()

    def _move(self, now: float) -> None:
        tracking = self._tracking
        if self._task is None:
            with _harmless():
                self._bars.start()  # not before there is a bar: most commands never have one
            with _harmless():
                self._bars.add_task(tracking.activity, total=1.0, details="")
            self._task = self._bars.task_ids[-1]  # it is there even if it could not be shown
        told = [*tracking.details(now), *([tracking.resumed] if tracking.resumed else [])]
        details = self._safe(plain(", ".join(told)))
        self._bars.update(self._task, completed=tracking.fraction, details=details)


def _has_bar(event: Event) -> bool:
    return isinstance(event, Stage) and event.stage in {"upload", "processing", "publishing"}


@contextmanager
def _harmless() -> Iterator[None]:
    """A terminal that is gone costs no upload."""
    with suppress(OSError, ValueError):
        yield
