"""Uploads and their chunks, sent to the service itself or to a presigned URL."""

from __future__ import annotations

import errno
import hashlib
import hmac
import logging
import time
from typing import TYPE_CHECKING

from aiohttp import web

from pk_upload.sandbox import auth
from pk_upload.sandbox.answers import Problem, answer
from pk_upload.sandbox.forms import go_ahead, parts, read_data, readable_body, whole_number
from pk_upload.sandbox.landing import closed, land
from pk_upload.sandbox.places import reason_of
from pk_upload.sandbox.ranges import Span, parse_content_range, prefix

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import BodyPartReader

    from pk_upload.sandbox.call import Call
    from pk_upload.sandbox.records import Upload

__all__ = ["create_upload", "generate_url", "receive_chunk", "receive_part"]

_log = logging.getLogger(__name__)

_LONGEST_TEXT = 64 * 1024
_MOST_PARTS = 32
_URL_LIFETIME = 3600
_TOO_LARGE = {errno.EFBIG, errno.EINVAL, errno.ENOSPC}
"""What goes wrong when a file is too large for its file system; which of them, depends on that."""


async def create_upload(call: Call) -> web.Response:
    """POST uploads: `total_size_bytes`, and `storage_type=s3` for presigned parts."""
    fields = await call.fields()
    total = whole_number(fields, "total_size_bytes")
    if total == 0:
        raise Problem(400, "The parameter total_size_bytes must be at least 1.", "bad_parameter")
    storage = fields.get("storage_type", "")
    if storage not in {"", "s3"}:
        raise Problem(
            400, f"The parameter storage_type must be s3 or absent, not {storage[:40]!r}.", "bad_parameter"
        )
    store = call.server.store
    try:
        with store.transaction():
            upload = store.uploads.create(total, presigned=storage == "s3")
            call.server.places.create_upload(upload.id, total)
    except OSError as error:
        raise _unmakeable(total, error) from error
    return answer({"id": upload.id}, 201)


def _unmakeable(total: int, error: OSError) -> Problem:
    reason = reason_of(error)
    _log.warning("A file for an upload of %d bytes could not be made: %s", total, reason)
    if error.errno in _TOO_LARGE:
        return Problem(
            400, f"The parameter total_size_bytes is too much for this server: {reason}.", "bad_parameter"
        )
    return Problem(500, f"This server cannot make a file for the upload: {reason}.", "storage")


async def receive_chunk(call: Call) -> web.Response:
    """POST a chunk: a file part `chunk`, a text part `md5` before or after it, and Content-Range.

    A chunk that fails its check counts as not arrived even if it had before: it was overwritten in place.
    """
    request = call.request
    if not call.has_key():  # nothing of the body is read for a stranger, so the form cannot hold it
        raise auth.unauthorized()
    upload = _open_upload(call, presigned=False)
    span = _span(request, upload)
    if call.has_fault("strict-order") and span.first > prefix(call.server.store.uploads.received(upload.id)):
        raise Problem(400, "Bad Request", "bad_request")
    _check_length(request, span)
    if request.content_type != "multipart/form-data":
        raise Problem(400, "A chunk is sent as multipart/form-data with the file part chunk.", "bad_body")
    await go_ahead(request)
    digest, texts = await _read_parts(call, upload, span)
    expected = texts.get("md5", "").strip().lower()
    if (expected and expected != digest) or call.has_fault("wrong-md5"):
        raise Problem(
            412, f"The MD5 of the chunk {span} is not the one given; send it again.", "md5_mismatch"
        )
    await _count(call, upload, span, digest)
    return answer({"id": upload.id}, 201)


async def _read_parts(call: Call, upload: Upload, span: Span) -> tuple[str, dict[str, str]]:
    """The MD5 of the chunk, which is written by then, and the text parts."""
    digest, texts = None, dict[str, str]()
    async for part in parts(call.request, _largest_body(span), _MOST_PARTS):
        if part.name != "chunk":
            texts[part.name or ""] = await _text(part)
            continue
        if digest is not None:
            raise Problem(400, "The body has two parts named chunk.", "bad_body")
        digest = await land(call, upload, span, read_data(part))
    if digest is None:
        raise Problem(400, "The file part chunk is missing.", "missing_parameter")
    return digest, texts


async def _text(part: BodyPartReader) -> str:
    text = bytearray()
    async for data in read_data(part):
        text += data
        if len(text) > _LONGEST_TEXT:
            raise Problem(400, "A text part of the form is too long.", "bad_body")
    return text.decode("utf-8", "replace")


async def generate_url(call: Call) -> web.Response:
    """POST gen_chunk_url: where to PUT the bytes that Content-Range names. Good for an hour."""
    await call.fields()
    upload = _open_upload(call, presigned=True)
    span = _span(call.request, upload)
    expires = int(time.time()) + _URL_LIFETIME
    signature = _signature(call.server.signing_key, upload.id, span, expires)
    path = f"/_parts/{upload.id}/{span.first}/{span.end}?expires={expires}&signature={signature}"
    return answer({"url": call.url(path)})


async def receive_part(call: Call) -> web.Response:
    """PUT to a presigned URL: the raw bytes of the range that the URL was made for."""
    request = call.request
    span = Span(int(call.params["first"]), int(call.params["end"]))
    _check_signature(call, int(call.params["upload"]), span)
    upload = _open_upload(call, presigned=True)
    _check_length(request, span)
    await go_ahead(request)
    digest = await land(call, upload, span, _raw(request))
    await _count(call, upload, span, digest)
    return web.Response(headers={"ETag": f'"{digest}"'})  # as a storage service answers, with no body


async def _raw(request: web.BaseRequest) -> AsyncIterator[bytes]:
    while True:
        with readable_body():
            data = await request.content.readany()
        if not data:
            return
        yield data


def _signature(key: bytes, upload_id: int, span: Span, expires: int) -> str:
    text = f"{upload_id}:{span.first}:{span.end}:{expires}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _check_signature(call: Call, upload_id: int, span: Span) -> None:
    query = call.request.query
    expires = query.get("expires", "")
    if not (expires.isascii() and expires.isdecimal() and len(expires) <= 18):
        raise Problem(403, "The address is not one that this server has made.", "bad_signature")
    signature = _signature(call.server.signing_key, upload_id, span, int(expires))
    given = query.get("signature", "").encode("utf-8", "replace")
    if not hmac.compare_digest(signature.encode(), given):
        raise Problem(403, "The address is not one that this server has made.", "bad_signature")
    if time.time() > int(expires):
        raise Problem(403, "The address has expired; ask for a new one.", "expired")


def _open_upload(call: Call, *, presigned: bool) -> Upload:
    upload = call.upload(int(call.params["upload"]))
    if upload.closed:
        raise closed(upload)
    if upload.presigned != presigned:
        how = "with storage_type=s3" if upload.presigned else "without storage_type=s3"
        raise Problem(
            400, f"The upload {upload.id} was created {how}; its chunks go the other way.", "wrong_storage"
        )
    return upload


async def _count(call: Call, upload: Upload, span: Span, digest: str) -> None:
    """The span has arrived, by this request or by a newer one with the same bytes."""
    if call.arrival.overtaken_by is not None:
        await call.arrival.yield_to_newer(digest)
    elif not call.server.store.uploads.receive(upload.id, span):
        raise closed(upload)
    call.arrival.delivered(digest)


def _span(request: web.BaseRequest, upload: Upload) -> Span:
    try:
        return parse_content_range(request.headers.get("Content-Range"), upload.total)
    except ValueError as error:
        raise Problem(400, str(error), "bad_range") from None


def _check_length(request: web.BaseRequest, span: Span) -> None:
    """Refuse early what cannot be as long as its range."""
    length = request.content_length
    if length is not None and not span.length <= length <= _largest_body(span):
        raise Problem(
            400, f"The body is not as long as its Content-Range {span}: {span.length} bytes.", "wrong_length"
        )


def _largest_body(span: Span) -> int:
    return span.length + _MOST_PARTS * _LONGEST_TEXT
