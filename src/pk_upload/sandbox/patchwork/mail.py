"""One mail, read from its bytes: who sent it when, which mails it answers, and what it says. Pure."""

from __future__ import annotations

import codecs
import contextlib
import email
import email.errors
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.utils import parseaddr, parsedate_to_datetime
from typing import TYPE_CHECKING

from pk_upload.sandbox.patchwork.diffs import pull_address, split_diff
from pk_upload.sandbox.patchwork.subjects import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from email.message import Message

__all__ = ["Mail", "Unreadable", "read_mail"]

LARGEST_HEAD = 128 * 1024
MOST_HEADERS = 500
_MOST_BOUNDARIES = 20
_MOST_PARTS = 1000
_MOST_DASHES = 20_000
_MOST_REFERENCES = 200
_LONGEST_HEADER = 8 * 1024
_LONGEST_TYPE = 2 * 1024
"""Of a header with parameters, which the standard library reads in a time that grows with its square."""
_LONGEST_ADDRESS = 254
_LONGEST_LIST = 200

_ID = re.compile(r"<([^<>]{1,250})>")
_EMAIL = re.compile(r"[^\s@<>\"(),]+@[^\s@<>\"(),]+")
_BETWEEN = re.compile(r"[\s,<>\"();:]+")
_LIST = re.compile(r"(?:(.*)<)?([A-Za-z0-9][A-Za-z0-9._-]*)>?")
_DIFF_TYPES = {"text/x-patch", "text/x-diff"}
_TYPED = re.compile(rb"(?:\A|[\r\n])content-(?:type|disposition)[ \t]*:", re.IGNORECASE)
_FOLDED = re.compile(rb"[^\r\n]*(?:(?:\r\n|\r|\n)[ \t][^\r\n]*)*")
_DASHES = re.compile(rb"[\r\n]--(- (?:\"?a/|/dev/null))?")
"""A line that may part a mail; what begins a diff is told apart, for a patch may be of many files."""
_CHARSET = re.compile(r";\s*charset\*?\s*=\s*(?:\"([^\"]{0,100})\"|([^\s;\"]{1,100}))", re.IGNORECASE)
_SLOW = {"idna", "punycode"}
"""Codecs that are for names, and take a time for long texts that grows with its square."""


class Unreadable(Exception):
    """The mail is of no use; the text is the end of a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail. `date` is in UTC, None for one that says none; `references` has the nearest first.

    `headers` are as the mail has them, in their order, one that is there twice as a list.
    """

    msgid: str
    subject: str
    date: datetime | None
    name: str | None
    email: str
    references: tuple[str, ...]
    list_id: str | None
    list_name: str | None
    receivers: frozenset[str]
    headers: Mapping[str, str | list[str]]
    content: str
    diff: str | None
    pull_url: str | None


def read_mail(data: bytes) -> Mail:
    """The mail. Raises Unreadable."""
    head = re.split(rb"\r?\n\r?\n", data, maxsplit=1)[0]
    if len(head) > LARGEST_HEAD:
        raise Unreadable("has a head that is too large")
    if any(_is_long(data, found.end()) for found in _TYPED.finditer(data)):
        raise Unreadable("has a header that is too large")
    if _has_many_parts(data):
        raise Unreadable("has too many parts")
    try:
        return _read(email.message_from_bytes(data), data)
    except (RecursionError, email.errors.MessageError, ValueError, LookupError, TypeError) as error:
        raise Unreadable("is no well-formed mail") from error


def _is_long(data: bytes, start: int) -> bool:
    """Whether the header whose value begins at `start` is too long, with the lines that it goes on in."""
    found = _FOLDED.match(data, start, start + _LONGEST_TYPE + 1)
    return found is not None and found.end() - start > _LONGEST_TYPE


def _has_many_parts(data: bytes) -> bool:
    boundaries = data.lower().count(b"boundary")
    if not boundaries:
        return False
    others = 0
    for dashes, found in enumerate(_DASHES.finditer(data), 1):
        others += found[1] is None
        if dashes > _MOST_DASHES or others > _MOST_PARTS:
            return True
    return boundaries > _MOST_BOUNDARIES


def _read(message: Message, data: bytes) -> Mail:
    fields = [(name, _decoded(value)) for name, value in message.raw_items()]
    if len(fields) > MOST_HEADERS:
        raise Unreadable("has too many headers")
    first = {name.lower(): value for name, value in reversed(fields)}
    shown, address = parseaddr(first.get("from", ""))
    if len(address) > _LONGEST_ADDRESS or not _EMAIL.fullmatch(address):
        raise Unreadable("does not say who sent it")
    subject = one_line(first.get("subject", "")) or "(no subject)"
    content, diff = split_diff(_text(message))
    named = _LIST.fullmatch(first.get("list-id", "")[:_LONGEST_LIST].strip())
    return Mail(
        msgid=_own_id(first.get("message-id", ""), data),
        subject=subject,
        date=_date(first.get("date", "")),
        name=one_line(shown)[:_LONGEST_ADDRESS] or None,
        email=address,
        references=tuple(_references(first)),
        list_id=named[2].lower() if named else None,
        list_name=(one_line(named[1]).strip('" ') or None) if named and named[1] else None,
        receivers=_receivers(first),
        headers=_grouped(fields),
        content=content,
        diff=diff,
        pull_url=None if diff else pull_address(f"{subject}\n{content}"),
    )


def _decoded(value: str) -> str:
    """The text of a header, encoded words read and folds taken out, without what no text can have."""
    text = value[:_LONGEST_HEADER].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    with contextlib.suppress(email.errors.HeaderParseError, LookupError, ValueError):  # else as it came
        text = str(make_header(decode_header(text)))
    return one_line(_sound(text))


def _sound(text: str) -> str:
    """The text without halves of characters, which no database keeps, and without NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _own_id(header: str, data: bytes) -> str:
    """The mail's id, or, for one that has none, as patches made for a file have, one that is always its."""
    found = _ID.search(header)
    if found:
        return f"<{one_line(found[1])}>"
    return f"<{hashlib.sha256(data).hexdigest()[:32]}@sandbox.example.com>"


def _references(first: Mapping[str, str]) -> Iterable[str]:
    answered = _ID.findall(first.get("in-reply-to", ""))
    before = _ID.findall(first.get("references", ""))
    return dict.fromkeys(f"<{one_line(one)}>" for one in [*answered, *reversed(before)][:_MOST_REFERENCES])


def _receivers(first: Mapping[str, str]) -> frozenset[str]:
    words = _BETWEEN.split(f"{first.get('to', '')} {first.get('cc', '')}")
    return frozenset(word.lower() for word in words if "@" in word)


def _date(text: str) -> datetime | None:
    """The time in UTC, without a zone."""
    try:
        date = parsedate_to_datetime(text)
        return (date.astimezone(UTC) if date.tzinfo else date).replace(tzinfo=None, microsecond=0)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def _grouped(fields: Iterable[tuple[str, str]]) -> dict[str, str | list[str]]:
    grouped: dict[str, str | list[str]] = {}
    for name, value in fields:
        before = grouped.get(_sound(name))
        if before is None:
            grouped[_sound(name)] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            grouped[_sound(name)] = [before, value]
    return grouped


def _text(message: Message) -> str:
    """What the mail says in its parts of plain text, the patches that are attached behind it."""
    said: list[str] = []
    attached: list[str] = []
    for part in message.walk():
        if part.get_content_type() in _DIFF_TYPES:
            attached.append(_decoded_part(part))
        elif part.get_content_type() == "text/plain":
            where = attached if part.get_content_disposition() == "attachment" else said
            where.append(_decoded_part(part))
    return "\n".join((*said, *attached))


def _decoded_part(part: Message) -> str:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    for charset in (_charset(part), "utf-8"):
        try:
            if codecs.lookup(charset).name not in _SLOW:
                return _sound(data.decode(charset))
        except (LookupError, ValueError):
            continue
    return _sound(data.decode("utf-8", "replace"))


def _charset(part: Message) -> str:
    """The charset that the part says it is in, without the language that may stand before it."""
    found = _CHARSET.search(str(part.get("Content-Type", "")))
    return (found[1] or found[2] or "utf-8").rpartition("'")[2] if found else "utf-8"
