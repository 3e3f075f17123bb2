"""Form fields: urlencoded or multipart, beside those of the query, each of bounded size."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http import HttpProcessingError

from pk_upload.sandbox.answers import Disconnected, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["boolean", "go_ahead", "read_fields", "readable_body", "required", "whole_number"]

_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")


@contextmanager
def readable_body() -> Iterator[None]:
    """What reading a body can raise, as Problem 400 or 413, or Disconnected when the sender is lost."""
    try:
        yield
    except (ConnectionError, web.RequestPayloadError) as error:
        raise Disconnected from error
    except web.HTTPRequestEntityTooLarge as error:
        raise Problem(413, "The form is too large; only a chunk may be.", "too_large") from error
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

    Problem 400 or 413, or Disconnected.
    """
    await go_ahead(request)
    with readable_body():
        form = await request.post()
    fields = dict(request.query)
    for name, value in form.items():
        if isinstance(value, web.FileField):
            value.file.close()
        elif isinstance(value, (bytes, bytearray)):
            fields[name] = value.decode("utf-8", "replace")
        else:
            fields[name] = value
    return fields


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
