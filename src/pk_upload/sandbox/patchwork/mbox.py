"""Reading an mbox: one message after the other, each of bounded size, whatever the size of the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

from pk_upload.sandbox.places import SandboxError, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LARGEST_MESSAGE", "open_mbox", "read_messages"]

LARGEST_MESSAGE = 4 << 20
_LONGEST_READ = 64 * 1024

_FROM = re.compile(rb"From (?:\S+ )?.{0,200}[0-9]{1,2}:[0-9]{2}.{0,40}[0-9]{4}")
"""What parts the messages: a sender, if there is one, and a date."""
_QUOTED = re.compile(rb">+From ")


def open_mbox(path: Path) -> BinaryIO:
    """The file, which begins as an mbox does, or is empty. SandboxError when it is not or cannot be read."""
    try:
        file = (
            path.open("rb") if path.is_file() or not path.exists() else None
        )  # to open a pipe may never end
    except OSError as error:
        raise SandboxError(f"The mbox {path} cannot be read: {reason_of(error)}.") from error
    if file is None:
        raise SandboxError(f"The mbox {path} cannot be read: it is no ordinary file.")
    try:
        first = next((line for line in iter(lambda: file.readline(_LONGEST_READ), b"") if line.strip()), b"")
        if first and not _FROM.match(first):
            raise SandboxError(f"{path} is no mbox: its first line does not begin with From, and a date.")
        file.seek(0)
    except OSError as error:
        file.close()
        if isinstance(error, SandboxError):
            raise
        raise SandboxError(f"The mbox {path} cannot be read: {reason_of(error)}.") from error
    return file


def read_messages(file: BinaryIO) -> Iterator[bytes | None]:
    """The messages in the order of the file; None for one that is larger than `LARGEST_MESSAGE`. OSError."""
    lines: list[bytes] = []
    size, begun, blank, whole = 0, False, True, True
    while line := file.readline(_LONGEST_READ):
        if blank and whole and _FROM.match(line):
            if begun:
                yield b"".join(lines) if size <= LARGEST_MESSAGE else None
            lines, size, begun, blank = [], 0, True, False
        else:
            size += len(line)
            if size <= LARGEST_MESSAGE:
                lines.append(line[1:] if whole and _QUOTED.match(line) else line)
            blank = whole and not line.strip(b"\r\n")
        whole = line.endswith(b"\n")
    if begun:
        yield b"".join(lines) if size <= LARGEST_MESSAGE else None
