"""The bytes of a body on their way into an upload's file: in place, hashed, in bounded memory."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from anyio import to_thread

from pk_upload.sandbox import injection
from pk_upload.sandbox.answers import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pk_upload.sandbox.call import Call
    from pk_upload.sandbox.ranges import Span
    from pk_upload.sandbox.records import Upload

__all__ = ["land"]

PIECE = 1 << 20
"""Bytes that are gathered before they are written and hashed; this much memory is held for each request."""


class _Landing:
    """A file open for writing from an offset on. Its methods block: they belong in a worker thread."""

    def __init__(self, path: Path, offset: int) -> None:
        self._file = path.open("r+b", buffering=0)
        self._file.seek(offset)
        self._md5 = hashlib.md5(usedforsecurity=False)

    def put(self, piece: bytearray) -> None:
        """Write and hash in one visit to the thread."""
        rest = memoryview(piece)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._md5.update(piece)

    def close(self) -> str:
        """The MD5 of all that was put, in hex."""
        self._file.close()
        return self._md5.hexdigest()


async def land(call: Call, upload: Upload, span: Span, body: AsyncIterator[bytes]) -> str:
    """Write `body` over `span` of the upload's file; the MD5 in hex.

    From its first byte on, the span counts as not arrived; whoever calls counts it when all is well.
    Problem 400 when the body is not exactly as long as the span, 404 when the file is gone.
    """
    store = call.server.store
    try:
        landing = await to_thread.run_sync(_Landing, call.server.places.upload(upload.id), span.first)
    except FileNotFoundError as error:
        raise Problem(404, f"The upload {upload.id} is gone.", "upload_not_found") from error
    try:
        arrived, piece = 0, bytearray()
        async for data in body:
            if not arrived:
                store.forget(upload.id, span)
            arrived += len(data)
            if arrived > span.length:
                raise _wrong_length(span)
            piece += data
            if len(piece) >= PIECE:
                await to_thread.run_sync(landing.put, piece)
                piece = bytearray()
            await injection.strike_inside(call, arrived / span.length)
        if arrived < span.length:
            raise _wrong_length(span)
        await to_thread.run_sync(landing.put, piece)
    finally:
        digest = landing.close()
    return digest


def _wrong_length(span: Span) -> Problem:
    return Problem(
        400, f"The body is not as long as its Content-Range {span}: {span.length} bytes.", "wrong_length"
    )
