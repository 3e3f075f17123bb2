"""An mbox on its way from a service to a file, which has it whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import anyio

from pk_upload.errors import UnexpectedAnswer, UsageError
from pk_upload.http import Http

__all__ = ["destination", "save"]


def destination(to: str | os.PathLike[str]) -> Path:
    """The file `to` itself, where that is a link to it. Raises `UsageError` where no file can be."""
    path = Path(to)
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a directory", hint="Give the name of a file.")
        if not path.parent.is_dir():
            raise UsageError(f"{path.parent} is no directory", hint="Make it first, or write to another one.")
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name that none can be
        raise UsageError(f"{to!r} cannot be a file: {error}", hint="Give the name of a file.") from None


async def save(http: Http, url: str, place: Path) -> int:
    """The size in bytes of the mbox from `url` that is in the file at `place` now, whatever it was before.

    Raises `OSError` when it cannot be written, `UnexpectedAnswer` for a page instead of an mbox, and what
    `Http.download` raises.
    """

    async def receive(headers: Mapping[str, str], pieces: AsyncIterator[bytes]) -> int:
        if "html" in headers.get("Content-Type", "").lower():
            raise UnexpectedAnswer("the answer is a page instead of an mbox")
        there = anyio.Path(place)
        if await there.exists() and not await there.is_file():  # a device or a pipe, which stays what it is
            return await _write(place, pieces)
        unfinished = place.with_name(f".{place.name[:100]}.{secrets.token_hex(4)}.part")
        try:
            size = await _write(unfinished, pieces)
            await anyio.to_thread.run_sync(os.replace, unfinished, place)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(lambda: unfinished.unlink(missing_ok=True))
        return size

    return await http.download(url, receive)


async def _write(path: Path, pieces: AsyncIterator[bytes]) -> int:
    size = 0
    try:
        async with await anyio.open_file(path, "wb") as file:  # which no cancellation leaves half open
            async for piece in pieces:
                size += await file.write(piece)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None  # a full disk names no file
    return size
