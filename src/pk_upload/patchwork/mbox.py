"""An mbox on its way from a service to a file, which has it whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import anyio
from yarl import URL

from pk_upload.errors import DestinationUnwritable, UnexpectedAnswer, UsageError
from pk_upload.http import Http

__all__ = ["destination", "save"]

NAME_IT = "Give the name of a file, new or old."


def destination(to: str | os.PathLike[str]) -> Path:
    """The file `to` itself, where that is a link to it. Raises `UsageError` where no file can be."""
    path = Path(to)
    try:
        if os.fspath(to).endswith(("/", os.sep)) and not path.is_dir():
            raise UsageError(f"{to} is no directory", hint=NAME_IT)
        if path.exists() and not path.is_file():  # a pipe could not take back what it was given
            raise UsageError(f"{path} is {'a directory' if path.is_dir() else 'no file'}", hint=NAME_IT)
        if not path.parent.is_dir():
            raise UsageError(f"{path.parent} is no directory", hint="Make it first, or write to another one.")
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name that none can be
        raise UsageError(f"{to!r} cannot be a file: {error}", hint=NAME_IT) from None


async def save(http: Http, url: URL, place: Path) -> int:
    """The size in bytes of the mbox from `url` that is in the file at `place` now, whatever it was before.

    Raises `DestinationUnwritable`, `UnexpectedAnswer` for a page instead of an mbox, and what
    `Http.download` raises.
    """

    async def receive(headers: Mapping[str, str], pieces: AsyncIterator[bytes]) -> int:
        if "html" in headers.get("Content-Type", "").lower():
            raise UnexpectedAnswer("the answer is a page instead of an mbox")
        size = 0
        with _written(place) as file:
            async for piece in pieces:
                size += await anyio.to_thread.run_sync(file.write, piece)
        return size

    with http.hinting():
        return await http.download(url, receive)


@contextmanager
def _written(place: Path) -> Iterator[BinaryIO]:
    """A file that becomes the one at `place` at the end, or nothing where it does not come to that.

    It is opened and removed on the spot, for a thread could be left behind with it by a cancellation.
    """
    unfinished = place.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with unfinished.open("xb") as file:
            if place.exists():
                unfinished.chmod(stat.S_IMODE(place.stat().st_mode))
            yield file
        unfinished.replace(place)
    except OSError as error:  # a full disk names no file
        raise DestinationUnwritable(f"{place}: {error.strerror or error}") from None
    finally:
        unfinished.unlink(missing_ok=True)
