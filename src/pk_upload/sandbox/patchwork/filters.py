"""What a query asks of a list: which items, and in which order. Pure.

A filter that is given several times takes each of its values, one that is not known is ignored, and one with
a value that cannot be leaves nothing. So does an empty value of what stands for a thing; others are ignored
where they are empty. Of a flag the last value counts, if it is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from pk_upload.sandbox.patchwork.records import state_of
from pk_upload.sandbox.patchwork.versions import LATEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pk_upload.sandbox.patchwork.versions import Version

__all__ = ["BadMoment", "Filter", "Wanted", "ZonedMoment", "read_moment", "read_wanted"]

Kind: TypeAlias = Literal[
    "id", "id or name", "state", "text", "msgid", "flag", "number", "since", "before", "words"
]
Value: TypeAlias = "int | str"

MOST_WORDS = 20
_FLAGS = {"true": 1, "1": 1, "false": 0, "0": 0}
_THINGS = frozenset({"id", "id or name", "state"})
"""Kinds of filters whose values stand for something of its own."""
_ID = re.compile(r"[0-9]{1,18}")
_ZONE = re.compile(r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)$", re.IGNORECASE)
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?", re.IGNORECASE
)


class BadMoment(ValueError):
    """A time is not written as one."""


class ZonedMoment(ValueError):
    """A time has a zone, at which a running server breaks."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of a list: what its values are, and the first version of the API that has it.

    Where it `may_be_empty`, empty values are ignored, as they are in all that are of no id, name or state.
    """

    kind: Kind
    since: Version = (1, 0)
    may_be_empty: bool = False

    @property
    def keeps_empty(self) -> bool:
        """Whether an empty value counts, and leaves nothing."""
        return self.kind in _THINGS and not self.may_be_empty


@dataclass(slots=True)
class Wanted:
    """What is asked of a list. `ids` and `names` are by filter, and an item is to have one of either.

    `since` and `before` are times as they are kept, `order` names fields, True where it is reversed.
    """

    ids: dict[str, list[int]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    since: str | None = None
    before: str | None = None
    words: list[str] = field(default_factory=list)
    order: list[tuple[str, bool]] = field(default_factory=list)
    nothing: bool = False


def read_moment(text: str) -> str:
    """A time without a zone, in UTC, as it is kept. Raises BadMoment or ZonedMoment."""
    if _MOMENT.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper()).isoformat()
        except ValueError as error:
            raise BadMoment(text) from error
    day, separator, _ = text.partition("T" if "T" in text else " ")
    if separator and _ZONE.search(text) and _MOMENT.fullmatch(day):
        raise ZonedMoment(text)
    raise BadMoment(text)


def read_wanted(
    query: Iterable[tuple[str, str]],
    filters: Mapping[str, Filter],
    orders: Iterable[str],
    version: Version = LATEST,
) -> Wanted:
    """What `query` asks of a list that has these filters and orders. Raises BadMoment or ZonedMoment."""
    wanted, given = Wanted(), dict[str, list[str]]()
    for name, text in query:
        if name == "order":
            wanted.order = _order(text, frozenset(orders))
        elif (
            name in filters and filters[name].since <= version and (text.strip() or filters[name].keeps_empty)
        ):
            given.setdefault(name, []).append(text.strip())
    for name, texts in given.items():
        _read(wanted, name, filters[name].kind, texts)
    return wanted


def _order(text: str, known: frozenset[str]) -> list[tuple[str, bool]]:
    terms = [(term.strip().removeprefix("-"), term.strip().startswith("-")) for term in text.split(",")]
    seen = {name: reverse for name, reverse in reversed(terms) if name in known}
    return [(name, seen[name]) for name in dict.fromkeys(name for name, _ in terms) if name in seen]


def _read(wanted: Wanted, name: str, kind: Kind, texts: list[str]) -> None:
    if kind == "since":
        wanted.since = min(map(read_moment, texts))
    elif kind == "before":
        wanted.before = max(map(read_moment, texts))
    elif kind == "flag":
        flag = _FLAGS.get(texts[-1].lower())
        if flag is not None:
            wanted.ids[name] = [flag]
    elif kind == "words":
        wanted.words = re.split(r"[\s,]+", " ".join(texts).strip(" ,"))[:MOST_WORDS]
    else:
        values = [_value(kind, text) for text in texts]
        ids = [value for value in values if isinstance(value, int)]
        names = [value for value in values if isinstance(value, str)]
        if ids:
            wanted.ids[name] = ids
        if names:
            wanted.names[name] = names
        wanted.nothing = wanted.nothing or None in values


def _value(kind: Kind, text: str) -> Value | None:
    if not text:
        return None
    if kind == "state":
        return state_of(text)
    if kind in {"id", "number"} or (kind == "id or name" and _ID.fullmatch(text)):
        return int(text) if _ID.fullmatch(text) else None
    if kind == "msgid":
        return f"<{text}>"
    return text
