"""The kinds of value that options take, as click's parameter types: sizes, rates, seconds, moments."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import click

__all__ = [
    "CONCURRENCY",
    "DAY",
    "ID",
    "IDS",
    "MOMENT",
    "NAME",
    "RATE",
    "SECONDS",
    "SERIES",
    "SIZE",
    "SOURCE",
    "TEXT",
    "VERSION",
    "WHEN",
]

DAY = 86400.0  # seconds

_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*([kmgt]?)(i?)(b?)", re.IGNORECASE | re.ASCII)
_SECONDS = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*(ms|s|m|min|h|d)?", re.IGNORECASE | re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(text: str) -> int:
    """`text` in bytes: 10M and 10MiB are powers of 1024, 10MB is ten million. Raises `ValueError`."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no size; sizes look like 10MiB, 10M, 10MB or 10485760")
    number, power, binary, byte = found.groups()
    base = 1000 if byte and not binary else 1024
    return round(float(number) * float(base) ** _POWERS[power.lower()])


def parse_rate(text: str) -> int:
    """`text` in bytes a second: a size, with or without a `/s`. Raises `ValueError`."""
    try:
        return parse_size(re.sub(r"\s*/s$", "", text.strip(), flags=re.IGNORECASE))
    except ValueError:
        raise ValueError(f"{text!r} is no rate; rates look like 5MiB/s, 5M or 5000000") from None


def parse_seconds(text: str) -> float:
    """`text` in seconds, more than 0: 90, 90s, 15m, 2h, 1d. Raises `ValueError`."""
    found = _SECONDS.fullmatch(text.strip())
    seconds = float(found[1]) * _UNITS[(found[2] or "s").lower()] if found else 0.0
    if seconds <= 0:
        raise ValueError(f"{text!r} is no time; times are more than 0 and look like 90, 90s, 15m or 2h")
    return seconds


def parse_when(text: str) -> int:
    """`text` in Unix seconds: ISO 8601 with a time zone, or the seconds themselves. Raises `ValueError`."""
    if re.fullmatch(r"[0-9]{1,12}", text.strip()):
        return int(text)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            f"{text!r} is no moment; moments look like 2030-01-31T18:00+01:00, or are Unix seconds"
        ) from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; add one, such as Z or +01:00")
    return max(0, int(moment.timestamp()))


def parse_moment(text: str) -> datetime:
    """`text` as an aware moment: ISO 8601, in UTC where it has no time zone. Raises `ValueError`."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            f"{text!r} is no moment; moments look like 2030-01-31, or 2030-01-31T18:00+01:00"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


class _Parsed(click.ParamType):  # type: ignore[type-arg]  # not generic in all of click 8
    """A parameter type around one of the functions above."""

    def __init__(self, name: str, parse: Any) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except (ValueError, OverflowError) as error:
            self.fail(f"{error}.", param, ctx)


def _concurrency(text: str) -> int | str:
    if text.strip().lower() == "auto":
        return "auto"
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text.strip()):
        raise ValueError(f"{text!r} is neither a number from 1 to 16 nor auto")
    return int(text)


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds bytes that are no UTF-8 text") from None
    return text


def _source(text: str) -> str:
    if not text:
        raise ValueError("it is empty")
    return text


def _version(text: str) -> int | str:
    if text.strip().lower() == "latest":
        return "latest"
    if not re.fullmatch(r"[1-9][0-9]{0,17}", text.strip()):
        raise ValueError(f"{text!r} is neither a version's id nor latest")
    return int(text)


def _series(text: str) -> int | str:
    if text.strip() == "*":
        return "*"
    if not re.fullmatch(r"[1-9][0-9]{0,17}", text.strip()):
        raise ValueError(f"{text!r} is neither a series' id nor *")
    return int(text)


def _id(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text.strip(), re.ASCII) or int(text) == 0:
        raise ValueError(f"{text!r} is no id; ids are numbers more than 0")
    return int(text)


def _ids(text: str) -> tuple[str, ...]:
    found = tuple(each.strip() for each in text.split(","))
    if not all(found):
        raise ValueError("an id is missing; ids look like ID or ID,ID")
    return found


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError("it is blank")
    return _text(text)


SIZE = _Parsed("size", parse_size)
RATE = _Parsed("rate", parse_rate)
SECONDS = _Parsed("seconds", parse_seconds)
WHEN = _Parsed("when", parse_when)
CONCURRENCY = _Parsed("concurrency", _concurrency)
MOMENT = _Parsed("moment", parse_moment)
SERIES = _Parsed("series", _series)
SOURCE = _Parsed("path", _source)
TEXT = _Parsed("text", _text)
NAME = _Parsed("text", _name)
ID = _Parsed("id", _id)
IDS = _Parsed("ids", _ids)
VERSION = _Parsed("version", _version)
