"""What SIGINT and SIGTERM do, from the first instant of the process to its last.

Before there is anything to clean up, and at the second signal, the process ends at once. In between the
first signal cancels the run, which has a few seconds to put things in order.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

__all__ = ["Interruption"]

GRACE = 4.0  # seconds; who sends SIGTERM often sends SIGKILL a little later
RESUMED_BY_REPETITION = frozenset({"push", "upload"})
NOT_RESUMED = frozenset({"--no-resume", "--sandbox"})


class Interruption:
    """The signals of one process. `signum` is the one that came first, `None` before any.

    `resumable` is whether the same command goes on where this one is interrupted: a guess from the
    arguments until the command is known.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        words = frozenset(arguments)
        self.json = "--json" in words
        self.resumable = bool(words & RESUMED_BY_REPETITION) and not words & NOT_RESUMED
        self.signum: int | None = None
        self.farewell = b""
        """What stderr still has to get when the process ends at once, such as the cursor of a terminal."""
        self._cancel: Callable[[], None] | None = None
        self._alarm = threading.Event()
        self._stdout = threading.Lock()
        self._said = False
        self._ending = False

    def install(self) -> None:
        """Takes over the signals. Does nothing outside the main thread, where Python allows no handlers."""
        with suppress(ValueError):
            for signum in (signal.SIGINT, signal.SIGTERM):
                signal.signal(signum, self._handle)

    @property
    def exit_code(self) -> int:
        """As shells have it: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + (self.signum or signal.SIGINT)

    def say(self) -> str:
        """The line for stderr."""
        self._said = True
        return "interrupted: run the same command again to resume" if self.resumable else "interrupted"

    def to_dict(self) -> dict[str, str | int]:
        """The JSON form of the failure."""
        return {
            "type": "Interrupted",
            "message": "interrupted",
            "hint": "Run the same command again to resume." if self.resumable else "",
            "exit_code": self.exit_code,
        }

    def claim_stdout(self) -> bool:
        """Whether the caller may write the one value that goes to stdout; true once."""
        return self._stdout.acquire(blocking=False)

    @contextmanager
    def cancelling(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Inside, the first signal calls `cancel`; the process ends by itself if that does not end it."""
        threading.Thread(target=self._watch, name="pk-upload-interruption", daemon=True).start()
        self._cancel = cancel
        try:
            yield
        finally:
            self._cancel = _nothing  # the run is over and only its result is left to be written

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        first, self.signum = self.signum is None, self.signum or signum
        if first and self._cancel is not None:
            self._alarm.set()
            self._cancel()
        else:
            self._end_at_once()

    def _watch(self) -> None:
        self._alarm.wait()
        time.sleep(GRACE)
        self._end_at_once()

    def _end_at_once(self) -> None:
        if not self._ending:  # a further signal while this blocks on a full pipe goes straight to the end
            self._ending = True
            stderr = self.farewell if self._said else self.farewell + self.say().encode() + b"\n"
            if sys.stderr is not None:
                _write(2, stderr)
            if self.json and sys.stdout is not None and self.claim_stdout():
                told = str(self.to_dict()).replace("'", '"')  # JSON, and not a module for it in a handler
                _write(1, f'{{"error": {told}}}\n'.encode())
        os._exit(self.exit_code)


def _nothing() -> None:
    pass


def _write(descriptor: int, text: bytes) -> None:
    with suppress(OSError):
        os.write(descriptor, text)
