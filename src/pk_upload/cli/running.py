"""The event loop around an errand: its view, its deadline, its interruption, its log."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio

from pk_upload.cli.errand import Answer, Errand
from pk_upload.cli.interruption import Interruption
from pk_upload.cli.lines import Alarms, JsonLines, Lines, View
from pk_upload.cli.output import Interrupted, Output
from pk_upload.cli.settings import Settings
from pk_upload.errors import PkUploadError, first_cause
from pk_upload.events import Bytes, Event, OnEvent, Warned, emitter
from pk_upload.units import amounts

__all__ = ["perform"]

CLEAR_LINE = b"\r\x1b[K"  # or what is said last would stand at the end of the bar


class _Desk:
    """What the errand's work gets. `end` is what it was concluded with."""

    def __init__(self, view: View, output: Output, interruption: Interruption, *, quiet: bool) -> None:
        self._view = view
        self._output = output
        self._interruption = interruption
        self._quiet = quiet
        self.end: Answer | PkUploadError | None = None
        self._reached: Bytes | None = None
        self.emit: OnEvent = emitter(self._tell)

    def answer(self, answer: Answer) -> None:
        self._output.answer(answer)

    def conclude(self, end: Answer | PkUploadError) -> None:
        if self._interruption.signum is None or isinstance(end, Answer):  # or it failed for that alone
            self.end = end
            self._interruption.concluded = end.exit_code

    def hurry(self) -> None:
        """At an interruption: tells what is concluded at once, for the next one may leave no time for it."""
        if self.end is None:
            return
        self._view.close()
        try:
            if isinstance(self.end, Answer):
                self._output.answer(self.end)
            else:
                self._output.failure(self.end)
        except OSError as error:  # it cannot be written
            self._output.stderr(f"error: {error}")
            self.conclude(Answer(None, "", exit_code=1))

    def note(self, text: str) -> None:
        if not self._quiet:
            self._view.say(text)

    def kept(self) -> str | None:
        """What of an upload the next run need not send, in words."""
        if self._reached is None:
            return None
        return f"{amounts(self._reached.confirmed, self._reached.total)} are delivered"

    def _tell(self, event: Event) -> None:
        if isinstance(event, Bytes):
            self._reached = event
        self._view.tell(event)


def perform(errand: Errand, settings: Settings, interruption: Interruption, output: Output) -> Answer | None:
    """What the errand comes to. Raises what it raises, and `Interrupted` once a signal ended it before."""

    silent = settings.quiet or settings.progress in {"none", "json"}
    desk: _Desk | None = None

    def cancel(scope: anyio.CancelScope) -> None:
        scope.cancel()
        if desk is not None:
            desk.hurry()

    async def run() -> Answer | None:
        nonlocal desk
        loop = asyncio.get_running_loop()
        with anyio.CancelScope() as scope:
            with (
                interruption.cancelling(lambda: _soon(loop, cancel, scope)),
                _woken_by_signals(loop),
                _shown(settings, interruption, output) as view,
                _logged(view, verbose=settings.verbose),
            ):
                desk = _Desk(view, output, interruption, quiet=silent)
                return await _carried_out(errand, view, desk)
        if errand.resumable and desk is not None and desk.end is None and (kept := desk.kept()):
            output.stderr(kept)
        raise Interrupted

    try:
        return anyio.run(run)
    except Exception:
        if interruption.signum is None:
            raise
        match desk and desk.end:
            case Answer() as answer:
                return answer
            case PkUploadError() as error:
                raise error from None
            case _:
                raise Interrupted from None  # whatever else went wrong on the way out


def _soon(
    loop: asyncio.AbstractEventLoop, cancel: Callable[[anyio.CancelScope], None], scope: anyio.CancelScope
) -> None:
    """From a signal's handler, which may run at any instant: the loop does it, woken up if it sleeps."""
    loop.call_soon_threadsafe(cancel, scope)


@contextmanager
def _woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Inside, a signal ends the sleep of the loop, also one that comes while it is just going to sleep.

    The handlers of Python's run when the main thread does, which may be never: the system tells a thread
    that sleeps, and not one that is about to. Windows' own loop sees to it by itself.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    awake, alarm = socket.socketpair()
    with awake, alarm:
        awake.setblocking(False)
        alarm.setblocking(False)
        loop.add_reader(awake, awake.recv, 64)
        before = signal.set_wakeup_fd(alarm.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(awake)


async def _carried_out(errand: Errand, view: View, desk: _Desk) -> Answer | None:
    answer = None
    with first_cause():
        async with anyio.create_task_group() as group:
            if view.interval is not None:
                group.start_soon(_tick, view, view.interval)
            with anyio.move_on_after(errand.timeout) as bound:
                answer = await errand.work(desk)
            group.cancel_scope.cancel()
    if bound.cancelled_caught and errand.timeout is not None:
        raise errand.too_late(errand.timeout)
    return answer


async def _tick(view: View, interval: float) -> None:
    while True:
        view.tick()
        await anyio.sleep(interval)


@contextmanager
def _shown(settings: Settings, interruption: Interruption, output: Output) -> Iterator[View]:
    """The view that the user asked for, closed at the end."""
    kind = settings.progress
    dumb = os.environ.get("TERM") == "dumb"
    terminal = sys.stderr is not None and sys.stderr.isatty()
    if kind == "auto":
        kind = "bar" if terminal else "log"
    view: View
    if kind == "json":
        view = JsonLines(output.redacted, output.redactor, quiet=settings.quiet)
    elif kind == "none" or settings.quiet:
        view = Alarms(output.stderr, wanted=kind != "none")
    elif kind == "bar" and not dumb and sys.stderr is not None:
        from pk_upload.cli.progress import SHOW_CURSOR, Bar

        interruption.farewell = CLEAR_LINE + SHOW_CURSOR if terminal else b""
        view = Bar(output.safe)
    else:
        view = Lines(output.stderr)
    try:
        yield view
    finally:
        view.close()
        interruption.farewell = b""


class _Log(logging.Handler):
    """The log as lines on stderr."""

    def __init__(self, view: View) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        self._view = view

    def emit(self, record: logging.LogRecord) -> None:
        self._view.say(self.format(record))


class _Troubles(logging.Handler):
    """What goes wrong in a sandbox as warnings, each a sentence: nobody else tells of a full disk there."""

    def __init__(self, view: View) -> None:
        super().__init__(logging.WARNING)
        self._view = view

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        self._view.tell(Warned(record.getMessage() + (f" ({cause})" if cause else "")))


@contextmanager
def _logged(view: View, *, verbose: bool) -> Iterator[None]:
    """The log on stderr if it is wanted; otherwise only a sandbox's troubles, and nothing of asyncio's."""
    log: logging.Handler = _Log(view) if verbose else logging.NullHandler()
    handlers = {"pk_upload": log, "asyncio": log, "aiohttp": log}
    if not verbose:
        handlers["pk_upload.sandbox"] = _Troubles(view)
    for name, handler in handlers.items():
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.propagate = name == "pk_upload.sandbox"
        if verbose:
            logger.setLevel(logging.DEBUG if name == "pk_upload" else logging.WARNING)
    try:
        yield
    finally:
        for name, handler in handlers.items():
            logging.getLogger(name).removeHandler(handler)
            logging.getLogger(name).propagate = True
