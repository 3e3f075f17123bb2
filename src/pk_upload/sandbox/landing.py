"""The bytes of a body on their way into an upload's file: in place, hashed, in bounded memory."""

from __future__ import annotations

import hashlib
import logging
from io import FileIO
from typing import TYPE_CHECKING

from anyio import to_thread

from pk_upload.sandbox import injection
from pk_upload.sandbox.answers import Problem
from pk_upload.sandbox.places import no_link, reason_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pk_upload.sandbox.arrivals import Arrival
    from pk_upload.sandbox.call import Call
    from pk_upload.sandbox.ranges import Span
    from pk_upload.sandbox.records import Upload

__all__ = ["closed", "land"]

_log = logging.getLogger(__name__)

PIECE = 1 << 18
"""Bytes that are gathered before they are written and hashed; this much memory is held for each request."""


class _Landing:
    """A file open for writing from an offset on. Made, and `put`, in a worker thread: both block."""

    def __init__(self, path: Path, offset: int, arrival: Arrival, buffer: memoryview) -> None:
        self._arrival = arrival
        self._file = FileIO(path, "r+", opener=no_link)
        self._file.seek(offset)
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._piece = buffer
        self._filled = 0

    def take(self, data: bytes) -> bytes:
        """Gather what there is room for; the rest of it."""
        room = min(len(self._piece) - self._filled, len(data))
        self._piece[self._filled : self._filled + room] = data[:room]
        self._filled += room
        return data[room:]

    def put(self) -> None:
        """Hash what was taken, and write it unless a newer request has these bytes, in one visit."""
        piece = rest = self._piece[: self._filled]
        with self._arrival.writing() as allowed:
            while allowed and rest:
                rest = rest[self._file.write(rest) :]
        self._md5.update(piece)
        self._filled = 0

    def close(self) -> str:
        """The MD5 of all that was put, in hex."""
        self._file.close()
        return self._md5.hexdigest()


async def land(call: Call, upload: Upload, span: Span, body: AsyncIterator[bytes]) -> str:
    """Write `body` over `span` of the upload's file; the MD5 in hex.

    From its first byte on, the span counts as not arrived; whoever calls counts it when all is well.
    Problem 400 when the body is not exactly as long as the span, 403 when the upload is closed by then, 404
    when the file is gone, 507 when it cannot be written. Where a newer request has some of the bytes they
    are hashed and not written.
    """
    path = call.server.places.upload(upload.id)
    # One for the whole request, made in this thread: the heaps of many threads add up to several times it.
    buffer = memoryview(bytearray(min(PIECE, span.length)))
    try:
        landing = await to_thread.run_sync(_Landing, path, span.first, call.arrival, buffer)
    except FileNotFoundError as error:
        raise Problem(404, f"The upload {upload.id} is gone.", "upload_not_found") from error
    except OSError as error:
        raise _unwritable(span, error) from error
    try:
        arrived = 0
        async for data in body:
            if not arrived:
                await _begin(call, upload, span)
            arrived += len(data)
            if arrived > span.length:
                raise _wrong_length(span)
            rest = data
            while rest := landing.take(rest):
                await _put(landing, span)
            await injection.strike_inside(call, arrived / span.length)
        if arrived < span.length:
            raise _wrong_length(span)
        await _put(landing, span)
    finally:
        digest = landing.close()
    return digest


async def _begin(call: Call, upload: Upload, span: Span) -> None:
    older = call.server.arrivals.begin(call.arrival, upload.id, span)
    if call.arrival.overtaken_by is not None:
        return  # whether the span has arrived is the newer one's affair
    if not call.server.store.uploads.forget(upload.id, span):
        raise closed(upload)
    for other in older:  # what these write at this moment must not end up over what is to come
        await to_thread.run_sync(other.wait)


async def _put(landing: _Landing, span: Span) -> None:
    try:
        await to_thread.run_sync(landing.put)
    except OSError as error:
        raise _unwritable(span, error) from error


def closed(upload: Upload) -> Problem:
    """The answer to a chunk that comes after the upload was given to a version."""
    return Problem(
        403, f"The upload {upload.id} was given to a version and takes no more chunks.", "upload_closed"
    )


def _unwritable(span: Span, error: OSError) -> Problem:
    reason = reason_of(error)
    _log.warning("The chunk %s could not be written: %s", span, reason)
    return Problem(507, f"This server cannot write the chunk {span}: {reason}.", "storage")


def _wrong_length(span: Span) -> Problem:
    return Problem(
        400, f"The body is not as long as its Content-Range {span}: {span.length} bytes.", "wrong_length"
    )
