"""What a transfer and a release tell about themselves, in order, while they run.

Sizes are bytes, times are seconds, progress is 0 to 1. `to_dict()` gives the JSON form: the fields
and the event's name under "event".
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pk_upload.errors import UsageError

__all__ = [
    "Bytes",
    "ChunkRetry",
    "Event",
    "Lanes",
    "Message",
    "OnEvent",
    "Progress",
    "Retry",
    "Stage",
    "StageName",
    "Warned",
    "emitter",
]

log = logging.getLogger("pk_upload")

StageName = Literal[
    "preflight", "packing", "version", "upload", "processing", "checks", "publishing", "scheduled", "done"
]
Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """The root of all events."""

    def to_dict(self) -> dict[str, Any]:
        return {"event": type(self).__name__.lower(), **asdict(self)}


@dataclass(frozen=True, slots=True)
class Stage(Event):
    """A step of the release begins; `detail` names what it is about: a version, an upload, a job."""

    stage: StageName
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Bytes(Event):
    """How far the upload is.

    `sent` counts what went out in this run, repeats included; `confirmed` what the service holds,
    `resumed` the part of it that an earlier run had delivered; `in_flight` what has gone out of chunks that
    are still to be confirmed. `confirmed` never goes back.
    """

    sent: int
    confirmed: int
    resumed: int
    total: int
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class Lanes(Event):
    """The number of chunks sent at once changed, and why."""

    lanes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Retry(Event):
    """A call is repeated after `wait` seconds."""

    what: str
    attempt: int
    cause: str
    wait: float


@dataclass(frozen=True, slots=True)
class ChunkRetry(Event):
    """A chunk is sent again after `wait` seconds."""

    chunk: int
    offset: int
    attempt: int
    cause: str
    wait: float


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """How far processing or publishing is, with the service's own words."""

    stage: StageName
    progress: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class Message(Event):
    """What the service found in the build."""

    severity: Severity
    message: str


@dataclass(frozen=True, slots=True)
class Warned(Event):
    """Something the user should know that does not stop the run."""

    message: str


OnEvent = Callable[[Event], None]


def emitter(on_event: OnEvent | None) -> OnEvent:
    """A callable that never raises: the listener's first fault is logged, and none costs an upload.

    Raises `UsageError` for a coroutine function, which nobody would await.
    """
    if inspect.iscoroutinefunction(on_event):
        raise UsageError("on_event is a coroutine function", hint="Give a plain function.")
    failed = False

    def emit(event: Event) -> None:
        nonlocal failed
        if on_event is None:
            return
        try:
            on_event(event)
        except Exception:
            if not failed:
                failed = True
                log.exception("the event callback fails on %s", type(event).__name__)

    return emit
