"""What SIGINT, SIGTERM and SIGHUP do, from the first instant of the process to its last.

Before there is anything to clean up, and at the second signal, the process ends at once. In between the
first signal cancels the run, which has a few seconds to put things in order.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

__all__ = ["Interruption"]

GRACE = 4.0  # seconds; who sends SIGTERM often sends SIGKILL a little later
LAST_WORDS = 0.25  # seconds that a reader has to make room for them
ECHO = 0.1  # seconds; `timeout` and shells send one signal to the process and to its group
EXIT_CODES: dict[int, int] = {signal.SIGINT: 130, signal.SIGTERM: 143}
if sys.platform != "win32":
    EXIT_CODES[signal.SIGHUP] = 143  # the terminal was closed, or the ssh session lost
RESUMED_BY_REPETITION = frozenset({"push", "upload"})
NOT_RESUMED = frozenset({"--no-resume", "--sandbox"})


class Interruption:
    """The signals of one process. `signum` is the one that came first, `None` before any.

    `resumable` is whether the same command goes on where this one is interrupted: a guess from the
    arguments until the command is known. `concluded` is the exit code of a run that is over but for what
    may be left out: once there is one, an interruption makes no other.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        words = frozenset(arguments)
        self.json = "--json" in words
        self.resumable = bool(words & RESUMED_BY_REPETITION) and not words & NOT_RESUMED
        self.signum: int | None = None
        self.concluded: int | None = None
        self.farewell = b""
        """What stderr still has to get when the process ends at once, such as the cursor of a terminal."""
        self._at = 0.0
        self._cancel: Callable[[], None] | None = None
        self._alarm = threading.Event()
        self._stdout = threading.Lock()
        self._said = False
        self._ending = False

    def install(self) -> None:
        """Takes over the signals. Does nothing outside the main thread, where Python allows no handlers.

        One that the process was started to ignore stays ignored: `nohup` does so, and a script's shell with
        what it runs in the background.
        """
        with suppress(ValueError):
            for signum in EXIT_CODES:
                if signal.getsignal(signum) != signal.SIG_IGN:
                    signal.signal(signum, self._handle)
        atexit.register(_let_go)  # called when no thread is left to be waited for

    @property
    def exit_code(self) -> int:
        """130 for SIGINT, 143 for what else ends a run, unless it was concluded before."""
        return EXIT_CODES[self.signum or signal.SIGINT] if self.concluded is None else self.concluded

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
        now, first = time.monotonic(), self.signum is None
        if first:
            self.signum, self._at = signum, now
        elif signum == self.signum and now - self._at < ECHO:
            return
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
        if not self._ending:  # a further signal while this waits for a reader goes straight to the end
            self._ending = True
            silent = self._said or self.concluded is not None
            stderr = self.farewell if silent else self.farewell + self.say().encode() + b"\n"
            if sys.stderr is not None:
                _write(2, stderr)
            if self.json and sys.stdout is not None and self.claim_stdout():
                told = str(self.to_dict()).replace("'", '"')  # JSON, and not a module for it in a handler
                _write(1, f'{{"error": {told}}}\n'.encode())
        os._exit(self.exit_code)


def _let_go() -> None:
    """From here on no signal may make another exit code of a result that is written.

    Python gives the default handlers back while it ends, but not for signals that are ignored.
    """
    with suppress(ValueError):
        for signum in EXIT_CODES:
            signal.signal(signum, signal.SIG_IGN)


def _nothing() -> None:
    pass


def _write(descriptor: int, text: bytes) -> None:
    """Writes a line, unless nobody has read for long what was written before: that must not keep us."""
    with suppress(OSError):
        # On Windows `select` knows sockets alone.
        if os.name == "nt" or select.select([], [descriptor], [], LAST_WORDS)[1]:
            os.write(descriptor, text)
