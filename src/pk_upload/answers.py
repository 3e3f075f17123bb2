"""What an answer says: its JSON as a typed value, its error as a sentence. Pure, for hostile input."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from http import HTTPStatus
from itertools import islice
from typing import TypeVar

import msgspec

from pk_upload.errors import FieldError, UnexpectedAnswer
from pk_upload.redaction import plain

__all__ = [
    "decode",
    "is_identifier",
    "moment",
    "parse_retry_after",
    "phrase",
    "read_error",
    "read_field_errors",
    "shorten",
    "usable",
]

T = TypeVar("T")

# As a structure the two bytes of an empty object take two hundred.
MOST_OBJECTS = 250_000
MOST_FIELDS = 100  # no form has more; what else there is to an error can be left out
MOST_NESTED = 8
LONGEST_FIELDS = 65536  # bytes
LONGEST_NAME = 300  # characters, with those of the fields around it
# Up to the next object, over texts and what else there is. A text without an end goes to the end of all.
_TO_OBJECT = re.compile(rb'(?:[^"{]++|"(?:[^"\\]++|\\.)*+"?)*+\{', re.DOTALL)
NULL = msgspec.Raw(b"null")


def decode(body: bytes, kind: type[T], what: str) -> T:
    """`body` as a `kind`; raises `UnexpectedAnswer`, which names the call and the field."""
    if body.count(b"{") > MOST_OBJECTS and _has_many_objects(body):
        raise UnexpectedAnswer(f"{what}: the answer holds more than {MOST_OBJECTS} objects")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        problem = (
            str(error).replace(" - at `$.", ", in the field `").replace(" - at `$", ", in the answer `$")
        )
        raise UnexpectedAnswer(f"{what}: {problem}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnexpectedAnswer(f"{what}: the answer is no JSON") from None


def _has_many_objects(body: bytes) -> bool:
    """Whether there are too many, not counting the braces in texts, and without a copy of anything."""
    count = end = 0
    while count <= MOST_OBJECTS and (found := _TO_OBJECT.match(body, end)):
        count, end = count + 1, found.end()
    return count > MOST_OBJECTS


def usable(answer: T, field: str, right: bool) -> T:
    """`answer`, if what it says in `field` is `right`; raises `UnexpectedAnswer` otherwise."""
    if not right:
        raise UnexpectedAnswer(f"the answer's field `{field}` cannot be right")
    return answer


def is_identifier(text: str) -> bool:
    """Whether a service's word can be a segment of a path, a line of a journal and a text on a terminal."""
    return re.fullmatch(r"[!-~]{1,200}", text) is not None and text not in {".", ".."}


class _ErrorBody(msgspec.Struct):
    """The shapes of an error so far: `message` with `symbol` or `code`, `error`, `detail`; texts, or not.

    They stay JSON until they are known to be texts: as objects they could be any number of times as large.
    """

    message: msgspec.Raw = NULL
    error: msgspec.Raw = NULL
    detail: msgspec.Raw = NULL
    symbol: msgspec.Raw = NULL
    code: msgspec.Raw = NULL
    errors: msgspec.Raw = NULL


class _FieldBody(msgspec.Struct):
    field: msgspec.Raw = NULL
    resource: msgspec.Raw = NULL
    message: msgspec.Raw = NULL


def read_error(body: bytes) -> tuple[str, str]:
    """The text and the symbol of an error answer, whatever its shape: JSON, HTML, text or nothing."""
    try:
        if body.lstrip()[:1] == b"[":
            return _joined(msgspec.Raw(body)) or _plain_text(body), ""
        found = msgspec.json.decode(body, type=_ErrorBody)
        message = _first_text(found.message, found.error, found.detail) or _joined(found.detail)
        return message, _first_text(found.symbol, found.code)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _plain_text(body), ""


def read_field_errors(body: bytes) -> tuple[FieldError, ...]:
    """The fields that an error answer names, as far as it does so in one of the forms that are known.

    One has a list under `errors`; in the other the fields are the names of the answer itself, each with its
    messages, and where a field has fields of its own the names are joined with dots.
    """
    try:
        found = msgspec.json.decode(body, type=_ErrorBody)
        if found.message == found.error == found.errors == NULL:
            return tuple(islice(_nested(msgspec.Raw(body), ""), MOST_FIELDS))
        raw = found.errors
        named = (
            msgspec.json.decode(raw, type=list[_FieldBody]) if bytes(raw).count(b"{") <= MOST_FIELDS else []
        )
        return tuple(
            FieldError(_text(each.field), _text(each.resource), _text(each.message)) for each in named
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()


def _nested(raw: msgspec.Raw, field: str, depth: int = 0) -> Iterator[FieldError]:
    """The messages of `field` in `raw`: a list of texts, or more of that under further names."""
    kind = _kind(raw)
    if depth > MOST_NESTED or len(raw) > LONGEST_FIELDS or len(field) > LONGEST_NAME:
        return
    if kind == b"[" and field:
        for each in msgspec.json.decode(raw, type=list[msgspec.Raw]):
            if text := _text(each):
                yield FieldError(field, "", text)
            else:
                yield from _nested(each, field, depth + 1)
    elif kind == b"{":
        for name, each in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).items():
            if field or name != "detail":
                yield from _nested(each, f"{field}.{name}".lstrip("."), depth + 1)


def _joined(raw: msgspec.Raw) -> str:
    """A list of texts as one, or nothing."""
    if len(raw) > LONGEST_FIELDS or _kind(raw) != b"[":
        return ""
    return " ".join(text for text in map(_text, msgspec.json.decode(raw, type=list[msgspec.Raw])) if text)


def _first_text(*found: msgspec.Raw) -> str:
    return next((text for text in map(_text, found) if text.strip()), "")


def _text(raw: msgspec.Raw) -> str:
    """The JSON `raw` as the text it is, or nothing."""
    return msgspec.json.decode(raw, type=str) if _kind(raw) == b'"' else ""


def _kind(raw: msgspec.Raw) -> bytes:
    """The character that begins the JSON `raw`."""
    return bytes(memoryview(raw)[:64]).lstrip()[:1]


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """The seconds a `Retry-After` header asks for, in either of its forms; `None` if there is none."""
    if value is None:
        return None
    if re.fullmatch(r"\s*[0-9]{1,9}(\.[0-9]{1,9})?\s*", value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _plain_text(body: bytes) -> str:
    text = body[:65536].decode("utf-8", "replace")
    # Neither pattern can run past the next tag: what they are given may have been made to keep them busy.
    if title := re.search(r"(?i)<title[^<>]*>([^<]*)", text):
        return unescape(title[1])
    return unescape(re.sub(r"<[^<>]*>", " ", text))


def moment(unix: float) -> str:
    """Unix seconds as a moment in UTC, or as they are where a calendar has no such day."""
    try:
        return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return str(unix)


def shorten(text: str) -> str:
    """`text` as one printable line of 300 characters at most."""
    line = plain(text[:65536])
    return line if len(line) <= 300 else f"{line[:297]}..."


def phrase(status: int) -> str:
    """The standard's words for `status`."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no explanation"
