"""Form fields: urlencoded or multipart, beside those of the query, all of bounded size and number."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import anyio
from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http import HttpProcessingError

from pk_upload.sandbox.answers import Disconnected, Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from aiohttp import StreamReader

__all__ = [
    "boolean",
    "go_ahead",
    "parts",
    "read_body",
    "read_data",
    "read_fields",
    "readable_body",
    "required",
    "whole_number",
]

_READ = 64 * 1024
_LARGEST_FORM = 1 << 20
_MOST_PARTS = 1000
_LONGEST_WAIT = 60.0
"""Seconds for a form, or for the head of a part, to arrive: a body may keep a server busy and say nothing."""


_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")


@contextmanager
def readable_body() -> Iterator[None]:
    """What reading a body can raise, as Problem 400, 408 or 413, or Disconnected when the sender is lost."""
    try:
        yield
    except (ConnectionError, web.RequestPayloadError) as error:
        raise Disconnected from error
    except TimeoutError as error:
        raise Problem(408, "The body did not arrive in time.", "too_slow") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise _too_large() from error
    except (ValueError, LookupError, AssertionError, RuntimeError, HttpProcessingError) as error:
        raise Problem(400, "The body is no well-formed form.", "bad_body") from error


async def go_ahead(request: web.BaseRequest) -> None:
    """Tell a client that asked for it that its body is wanted; one that is refused never has to send it."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        with readable_body():
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # what follows is the beginning of the answer


async def read_fields(request: web.BaseRequest) -> Mapping[str, str]:
    """The fields of the query and the form; the form's win. Files are left out.

    Problem 400, 408 or 413, or Disconnected.
    """
    await go_ahead(request)
    fields = dict(request.query)
    if request.content_type == "multipart/form-data":
        async for part in parts(request, _LARGEST_FORM, _MOST_PARTS):
            text = b"".join([data async for data in read_data(part)])
            if part.filename is None:
                fields[part.name or ""] = text.decode("utf-8", "replace")
    else:
        with readable_body(), anyio.fail_after(_LONGEST_WAIT):
            fields |= {name: cast("str", value) for name, value in (await request.post()).items()}
    with readable_body():  # some character sets have characters that no text has
        "".join((*fields, *fields.values())).encode()
    return fields


async def read_body(request: web.BaseRequest) -> bytes:
    """The whole body, whatever it is. Problem 408 or 413, or Disconnected."""
    await go_ahead(request)
    with readable_body(), anyio.fail_after(_LONGEST_WAIT):
        return await request.read()


async def parts(request: web.BaseRequest, largest: int, most: int) -> AsyncIterator[BodyPartReader]:
    """The parts of a multipart body, each to be read before the next.

    Problem 400, 408, or 413 when there are more than `most` or the body is larger than `largest` bytes;
    Disconnected.
    """
    with readable_body():
        content = cast("StreamReader", _Measured(request.content, largest))
        reader = MultipartReader(request.headers, content)
    for _ in range(most):
        with readable_body(), anyio.fail_after(_LONGEST_WAIT):
            part = await reader.next()
        if part is None:
            return
        if not isinstance(part, BodyPartReader):
            raise Problem(400, "The body is no well-formed form.", "bad_body")
        yield part
    raise _too_large()


async def read_data(part: BodyPartReader) -> AsyncIterator[bytes]:
    """The content of a part, as it is. Problem 400 or 413, or Disconnected."""
    while True:
        with readable_body():
            data = await part.read_chunk(_READ)
        if not data:
            return
        yield data


class _Measured:
    """The body of a request for a `MultipartReader`, which would read on for ever what is of no part."""

    def __init__(self, content: StreamReader, largest: int) -> None:
        self._content = content
        self._largest = largest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def read(self, size: int = -1) -> bytes:
        self._measure()
        return await self._content.read(size)

    async def readline(self, **limits: int) -> bytes:
        self._measure()
        return await self._content.readline(**limits)

    def _measure(self) -> None:
        if self._content.total_bytes > self._largest:
            raise _too_large()


def _too_large() -> Problem:
    return Problem(413, "The body is too large; only a chunk may be.", "too_large")


def required(fields: Mapping[str, str], name: str) -> str:
    """The field's text. Problem 400 when it is missing or empty."""
    text = fields.get(name, "").strip()
    if not text:
        raise Problem(400, f"The parameter {name} is missing.", "missing_parameter")
    return text


def whole_number(fields: Mapping[str, str], name: str) -> int:
    """The field as a number from 0 on. Problem 400 when it is missing or none."""
    text = required(fields, name)
    if not _WHOLE_NUMBER.fullmatch(text):
        raise Problem(
            400, f"The parameter {name} must be a whole number, not {text[:40]!r}.", "bad_parameter"
        )
    return int(text)


def boolean(fields: Mapping[str, str], name: str) -> bool:
    """The field as true or false. Problem 400 when it is missing or neither."""
    text = required(fields, name).lower()
    if text not in {"true", "1", "false", "0"}:
        raise Problem(400, f"The parameter {name} must be true or false, not {text[:40]!r}.", "bad_parameter")
    return text in {"true", "1"}
