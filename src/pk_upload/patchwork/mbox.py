"""An mbox on its way from a service to a file, which has it whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import anyio

from pk_upload.errors import UnexpectedAnswer, UsageError
from pk_upload.http import Http

__all__ = ["save"]


async def save(http: Http, url: str, to: str | os.PathLike[str]) -> int:
    """The size in bytes of the mbox from `url` that is in the file `to` now, whatever was in it before.

    Raises `UsageError` for a place where no file can be, `OSError` when it cannot be written,
    `UnexpectedAnswer` for a page instead of an mbox, and what `Http.download` raises.
    """
    place = _place(Path(to))

    async def receive(headers: Mapping[str, str], pieces: AsyncIterator[bytes]) -> int:
        if "html" in headers.get("Content-Type", "").lower():
            raise UnexpectedAnswer("the answer is a page instead of an mbox")
        if place.exists() and not place.is_file():  # a device or a pipe, which stays what it is
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


def _place(path: Path) -> Path:
    """The file itself, where `path` is a link to it."""
    if path.is_dir():
        raise UsageError(f"{path} is a directory", hint="Give the name of a file.")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no directory", hint="Make it first, or write to another one.")
    return path.resolve()


async def _write(path: Path, pieces: AsyncIterator[bytes]) -> int:
    size = 0
    try:
        async with await anyio.open_file(path, "wb") as file:  # which no cancellation leaves half open
            async for piece in pieces:
                size += await file.write(piece)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None  # a full disk names no file
    return size
