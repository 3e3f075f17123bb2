"""What a command comes to: work to be done on the event loop, and the answer it ends with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pk_upload.errors import DeadlineExceeded, PkUploadError
from pk_upload.events import OnEvent

__all__ = ["Answer", "Clean", "Desk", "Errand"]

Clean = Callable[[str], str]
"""What makes of a text one line without secrets and without anything that steers a terminal."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A result: `value` is what `--json` prints, made of plain values and structs; `text` is for people.

    Where a text has a form that must not be touched any more, such as columns, it is made on the spot, of
    parts that are cleaned one by one.
    `file` is one that goes to stdout as it is, instead of them.
    `quoted` is for what people wrote, such as patches, in which nothing but known secrets is to be changed.
    `candid` is for the one answer that shows a key on purpose: the sandbox's own. `exit_code` is what the
    command returns, for one whose answer may be bad news.
    """

    value: Any
    text: str | Callable[[Clean], str]
    file: Path | None = None
    quoted: bool = False
    candid: bool = False
    exit_code: int = 0


class Desk(Protocol):
    """What work has at hand: where events go, and where an answer goes that cannot wait for the end."""

    @property
    def emit(self) -> OnEvent: ...

    def answer(self, answer: Answer) -> None:
        """Prints the one answer of the run."""

    def conclude(self, end: Answer | PkUploadError) -> None:
        """Says what the run comes to, before what may be left out; where that is interrupted, it is told."""

    def note(self, text: str) -> None:
        """Prints a line on stderr, unless the user wants quiet."""


def _too_late(timeout: float) -> PkUploadError:
    return DeadlineExceeded(
        f"the time of {timeout:g} s was over", hint="Allow more time with --timeout, or try again."
    )


@dataclass(frozen=True, slots=True)
class Errand:
    """Work that ends with an answer, or with `None` where it has printed one.

    `timeout` bounds it in seconds, and `too_late` makes the error for when it is over. `resumable` is
    whether the same command goes on where this one is interrupted.
    """

    work: Callable[[Desk], Awaitable[Answer | None]]
    timeout: float | None = None
    too_late: Callable[[float], PkUploadError] = _too_late
    resumable: bool = False
