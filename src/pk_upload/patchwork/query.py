"""A list's filters and its order as the parameters of an address, checked before they are sent.

A service ignores a filter it does not know, and many a one without a value, and then answers with everything;
for a value it does not know it answers with nothing. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from shlex import quote
from typing import get_args
from urllib.parse import urlencode

from pk_upload.errors import UsageError
from pk_upload.patchwork.filters import FILTERS, ORDERS
from pk_upload.patchwork.resources import CheckState, EventCategory
from pk_upload.patchwork.versions import Version

__all__ = ["CHECK_STATES", "Query", "is_id", "query"]

CHECK_STATES: tuple[CheckState, ...] = get_args(CheckState)  # by the numbers that the filter takes
CATEGORIES: tuple[EventCategory, ...] = get_args(EventCategory)
LARGEST_ID = 2**63 - 1  # a database holds no larger one
LONGEST = 6000  # characters; servers do not read addresses of any length
SINCE: Mapping[str, Version] = {"patches.hash": "1.2", "patches.msgid": "1.2", "events.actor": "1.2"}


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a list's address, and the names of those that came `since` some version.

    `empty` is whether nothing can match, so that nothing need be asked: a choice among no values.
    """

    pairs: tuple[tuple[str, str], ...]
    since: Mapping[str, Version]
    empty: bool


def query(resource: str, filters: Mapping[str, object], order: str | None = None) -> Query:
    """What `filters` ask of the list `resource`; those that are `None` are left out.

    Raises `UsageError` for a filter or an order that the list has not, and for a value that a filter cannot
    have.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    pairs: list[tuple[str, str]] = []
    empty = False
    for name, value in given.items():
        _require(resource, name)
        read = _READERS.get(f"{resource}.{name}") or _READERS[name]
        texts = [*read(name, value)]
        empty = empty or not texts
        pairs += [(name, text) for text in texts]
    if order is not None:
        pairs.append(("order", _order(resource, order)))
    if len(urlencode(pairs)) > LONGEST:
        raise UsageError(
            f"{resource} are asked for by too many values, or too long ones",
            hint="Ask for some of them at a time.",
        )
    return Query(tuple(pairs), _brought(resource, given), empty)


def is_id(value: object) -> bool:
    """Whether a service can have something of that number."""
    return type(value) is int and 0 < value <= LARGEST_ID


def _brought(resource: str, names: Iterable[str]) -> dict[str, Version]:
    return {name: SINCE[f"{resource}.{name}"] for name in names if f"{resource}.{name}" in SINCE}


def _require(resource: str, name: str) -> None:
    known = FILTERS[resource].__annotations__ if resource in FILTERS else {}
    if name not in known:
        hint = f"There are {', '.join(known)}." if known else None
        raise UsageError(f"there is no filter {name!r} of {resource}", hint=hint)


def _each(value: object) -> Iterable[object]:
    return value if isinstance(value, Collection) and not isinstance(value, str) else (value,)


def _ids(name: str, value: object) -> Iterator[str]:
    for each in _each(value):
        if not is_id(each):
            raise UsageError(f"{name} is asked for by an id, a number more than 0")
        yield str(each)


def _names(name: str, value: object) -> Iterator[str]:
    for each in _each(value):
        yield from _ids(name, each) if isinstance(each, int) else _texts(name, each)


def _texts(name: str, value: object) -> Iterator[str]:
    for each in _each(value):
        if not isinstance(each, str) or not each.strip():
            raise UsageError(f"{name} is asked for by a text that is not blank")
        if not _is_text(each):
            raise UsageError(f"{name} has characters that no text has")
        yield each.strip()


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _submitters(name: str, value: object) -> Iterator[str]:
    for text in _names(name, value):
        if not text.isdecimal() and "@" not in text:
            raise UsageError(
                f"{text!r} is neither an id nor an e-mail address",
                hint=f"`pk-upload patchwork person list --query {quote(text)}` looks for the address.",
            )
        yield text


def _text(name: str, value: object) -> Iterator[str]:
    return _texts(name, _single(name, value))


def _id(name: str, value: object) -> Iterator[str]:
    return _ids(name, _single(name, value))


def _single(name: str, value: object) -> object:
    if not isinstance(value, str | int):
        raise UsageError(f"{name} is asked for by one value")
    return value


def _message_id(name: str, value: object) -> Iterator[str]:
    for text in _text(name, value):
        yield from _text(name, re.sub(r"^<|>$", "", text))


def _state(name: str, value: object) -> Iterator[str]:
    for text in _text(name, value):
        yield str(_one_of(name, text, CHECK_STATES))


def _category(name: str, value: object) -> Iterator[str]:
    for text in _text(name, value):
        yield CATEGORIES[_one_of(name, text, CATEGORIES)]


def _one_of(name: str, text: str, known: Collection[str]) -> int:
    if text not in known:
        raise UsageError(f"there is no {name} {text!r}", hint=f"It is one of {', '.join(known)}.")
    return [*known].index(text)


def _flag(name: str, value: object) -> Iterator[str]:
    if not isinstance(value, bool):
        raise UsageError(f"{name} is true or false")
    yield "true" if value else "false"


def _moment(name: str, value: object) -> Iterator[str]:
    """Naive and in UTC: with a zone a service may break."""
    if not isinstance(value, datetime):
        raise UsageError(f"{name} is a moment, with a date and a time")
    try:
        utc = value if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise UsageError(f"{name} is a moment that no calendar has") from None
    yield utc.replace(tzinfo=None).isoformat()


def _order(resource: str, order: str) -> str:
    known, field = ORDERS.get(resource, ()), order.removeprefix("-")
    if field not in known:
        ways = f"It is one of {', '.join(known)}, with a - before it the other way round."
        raise UsageError(f"there is no order {order!r} of {resource}", hint=ways if known else None)
    # Among equals the id decides, or a page could have what was on the one before.
    return order if field == "id" or "id" not in known else f"{order},{order[: -len(field)]}id"


_READERS = {
    "project": _names,
    "series": _ids,
    "patch": _ids,
    "cover": _ids,
    "submitter": _submitters,
    "delegate": _names,
    "owner": _names,
    "actor": _id,
    "user": _names,
    "state": _texts,
    "context": _text,
    "category": _category,
    "hash": _text,
    "msgid": _message_id,
    "q": _text,
    "archived": _flag,
    "public": _flag,
    "since": _moment,
    "before": _moment,
    "checks.state": _state,
}
