"""What a run leaves behind: its answer on stdout, its failure on stderr, or either as JSON on stdout."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, BinaryIO, TextIO

import click

from pk_upload.cli.errand import Answer
from pk_upload.cli.interruption import Interruption
from pk_upload.cli.settings import Settings
from pk_upload.errors import PkUploadError
from pk_upload.redaction import Redactor, plain

__all__ = ["Interrupted", "Output"]

BLOCK = 65536  # bytes
# What JSON lets stand as it is: DEL, the C1 controls, and marks that turn the direction of what follows.
_STEERING = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Interrupted(Exception):
    """The run was ended by a signal."""


class Output:
    """Both streams of one run. Nothing is written to them but redacted."""

    def __init__(self, settings: Settings, interruption: Interruption) -> None:
        self._settings = settings
        self._interruption = interruption
        self._failure: BaseException | None = None

    @property
    def redactor(self) -> Redactor:
        """Made anew each time, for more secrets may have become known."""
        return Redactor(self._settings.secrets())

    def answer(self, answer: Answer) -> None:
        """Prints the one answer of the run."""
        if not self._interruption.claim_stdout():
            return
        if answer.file is not None:
            with answer.file.open("rb") as file:
                self._written(iter(lambda: file.read(BLOCK), b""))
            return
        known = () if answer.candid else self._settings.secrets()
        redactor = Redactor(known, guessing=not (answer.candid or answer.quoted))
        if not self._settings.json:
            told = answer.text
            self._stdout(
                _steady(redactor.text(told))
                if isinstance(told, str)
                else told(lambda text: _line(redactor, text))
            )
            return
        import msgspec

        value = redactor.value(msgspec.to_builtins(answer.value))
        self._stdout(_inert(msgspec.json.encode(value).decode()))

    def failure(self, error: BaseException) -> int:
        """Tells of `error`, once, and returns the exit code it means."""
        if error is self._failure:
            return int(_described(error)["exit_code"])
        self._failure = error
        if isinstance(error, Interrupted):
            self.stderr(self._interruption.say())
            told = self._interruption.to_dict()
        else:
            told = _described(error)
            if self._settings.verbose:
                self._explain(error)
        if self._settings.json and self._interruption.claim_stdout():
            import json  # and not msgspec, which a mistaken argument should not have to wait for

            value = {"error": self.redactor.value(told)}
            self._stdout(_inert(json.dumps(value, ensure_ascii=False, separators=(",", ":"))))
        elif not isinstance(error, Interrupted):
            self._tell(told, error)
        return int(told["exit_code"])

    def stderr(self, text: str) -> None:
        """Writes lines to stderr, if there still is one."""
        self.redacted(self.redactor.text(text))

    def redacted(self, text: str) -> None:
        """Writes to stderr what is redacted already: JSON would be none any more if a quote went missing."""
        line = f"{_steady(text)}\n"
        if sys.stderr is not None:
            with suppress(OSError, ValueError):
                sys.stderr.write(line)
                sys.stderr.flush()

    def close(self) -> None:
        """Sends out what stderr still holds, or drops it where nobody listens: Python would exit with 120."""
        if sys.stderr is not None:
            try:
                sys.stderr.flush()
            except (OSError, ValueError):
                _discard(sys.stderr)

    def _explain(self, error: BaseException) -> None:
        """What --verbose adds: what else went wrong, and for a bug where."""
        if isinstance(error, PkUploadError):
            for note in getattr(error, "__notes__", ()):
                self.stderr(plain(note))
        elif not isinstance(error, click.ClickException | OSError):
            self.stderr("".join(traceback.format_exception(error)).rstrip())

    def _tell(self, told: dict[str, Any], error: BaseException) -> None:
        if isinstance(error, click.UsageError) and error.ctx is not None and _names_no_command(error):
            self.stderr(error.ctx.get_help())
            return
        self.stderr(f"error: {plain(told['message'])}")
        if told["hint"]:
            self.stderr(f"hint: {plain(told['hint'])}")

    def _stdout(self, text: str) -> None:
        own = "utf-8" if sys.stdout is None else sys.stdout.encoding
        encoding = "utf-8" if self._settings.json or self._settings.csv else own
        self._written([f"{text}\n".encode(encoding, "backslashreplace")])

    def _written(self, pieces: Iterable[bytes]) -> None:
        if sys.stdout is None:
            raise OSError("the result cannot be written: there is no stdout")
        sys.stdout.flush()
        try:
            for piece in pieces:
                _write_whole(sys.stdout.buffer, piece)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            _discard(sys.stdout)  # the reader wanted no more
        except OSError as error:
            _discard(sys.stdout)
            raise OSError(f"the result cannot be written: {error.strerror or error}") from None

    def safe(self, text: str) -> str:
        """`text` without secrets and, but for the ends of its lines, without control characters."""
        return _steady(self.redactor.text(text))


def _described(error: BaseException) -> dict[str, Any]:
    """The JSON form of any error."""
    match error:
        case PkUploadError():
            return dict(error.to_dict())
        case click.UsageError():
            where = error.ctx.command_path if error.ctx is not None else "pk-upload"
            hint = f"`{where} --help` shows how it is used."
            return {"type": "UsageError", "message": error.format_message(), "hint": hint, "exit_code": 2}
        case OSError():
            named = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
            return {"type": type(error).__name__, "message": named or str(error), "hint": "", "exit_code": 1}
        case _:
            said = plain(str(error))
            kind = type(error).__name__
            return {
                "type": kind,
                "message": f"unexpected {kind}: {said}" if said else f"unexpected {kind}",
                "hint": "This is a bug; please report it with what --verbose prints.",
                "exit_code": 1,
            }


def _line(redactor: Redactor, text: str) -> str:
    """`text` without secrets, and on one line that steers nothing; its spaces stay as they are."""
    return _steady(redactor.text(text)).replace("\n", " ")


def _steady(text: str) -> str:
    """`text` with nothing in it that steers a terminal, but for the ends of its lines."""
    return "\n".join("".join(c if c.isprintable() else " " for c in line) for line in text.split("\n"))


def _inert(json: str) -> str:
    """The same JSON, with escapes for what steers a terminal: it may be read there as well."""
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", json)


def _names_no_command(error: click.UsageError) -> bool:
    """Whether the mistake is merely that a group was called without a command: help says it all."""
    ctx = error.ctx
    return type(error) is click.UsageError and ctx is not None and isinstance(ctx.command, click.Group)


def _write_whole(stream: BinaryIO, data: bytes) -> None:
    """Writes all of `data`: without a buffer, as `PYTHONUNBUFFERED` wants it, a write may take a part."""
    left = memoryview(data)
    while left:
        left = left[stream.write(left) or 0 :]


def _discard(stream: TextIO) -> None:
    """Sends what is still to come nowhere, or Python would complain of it when it flushes at the end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
