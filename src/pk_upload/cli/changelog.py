"""The text of a changelog, from the command line or from a file."""

from __future__ import annotations

import os
import select
from pathlib import Path

from pk_upload.errors import UsageError

__all__ = ["read_changelog"]

LOOK = 0.1  # seconds
PIECE = 64 * 1024


def read_changelog(given: str | None) -> str | None:
    """`given`, or with an @ in front the text of the file it names. Raises `UsageError`."""
    if given is None or not given.startswith("@"):
        return given
    path = Path(given[1:])
    try:
        return _text(path)
    except (OSError, ValueError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(
            f"the changelog {path} cannot be read: {reason}",
            hint="Check the path, the permissions and the encoding.",
        ) from None


def _text(path: Path) -> str:
    content = b""
    with path.open("rb", buffering=0) as file:
        while True:
            # A signal that comes just before a read is heard of after it: of a pipe that may be never.
            while os.name == "posix" and not select.select([file], [], [], LOOK)[0]:
                pass
            piece = file.read(PIECE)
            if not piece:
                return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
            content += piece
