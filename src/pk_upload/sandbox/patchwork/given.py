"""What a write brings: JSON or a form, read field by field, with all that is wrong told at once.

What is not known is ignored, as are read-only fields: clients send a resource back as they got it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias
from urllib.parse import parse_qsl

from pk_upload.sandbox.answers import Problem
from pk_upload.sandbox.forms import go_ahead, parts, read_body, read_data
from pk_upload.sandbox.patchwork.answers import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from aiohttp import web

    from pk_upload.sandbox.records import Json

    Field: TypeAlias = Callable[[Any], Any]

__all__ = [
    "Wrong",
    "boolean",
    "integer",
    "listed",
    "nullable",
    "pk",
    "read_given",
    "slug",
    "take",
    "text",
    "url",
]

REQUIRED = "This field is required."
_LARGEST = 1 << 20
_MOST_FIELDS = 1000
_TRUE = frozenset({"t", "y", "yes", "true", "on", "1"})
_FALSE = frozenset({"f", "n", "no", "false", "off", "0"})
_SLUG = re.compile(r"[-a-zA-Z0-9_]+")
_NUMBER = re.compile(r"[0-9]{1,18}")
_PK = re.compile(r"-?[0-9]{1,1000}")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_URL = re.compile(
    r"(?:https?|ftps?)://(?:[^\s/?#@]+@)?(?:\[[0-9a-f:.]+\]|localhost|[^\s/?#@:\[\]]+\.[^\s/?#@:\[\]]+)"
    r"(?::[0-9]{1,5})?(?:[/?#]\S*)?",
    re.IGNORECASE,
)


class Wrong(ValueError):
    """A field's value is wrong; `told` is what is said of it, a sentence or what is wrong within it."""

    def __init__(self, told: Json) -> None:
        super().__init__(told)
        self.told = told


async def read_given(request: web.BaseRequest, many: Collection[str] = ()) -> dict[str, Any]:
    """The fields in the body; a form's are texts, lists of them for those in `many`.

    Problem 400, 408, 413 or 415, or Disconnected.
    """
    kind = request.headers.get("Content-Type", "")
    if not request.body_exists:
        return {}
    if request.content_type == "application/json":
        return _fields_of_json(await read_body(request))
    if request.content_type == "application/x-www-form-urlencoded" and kind:
        return _fields_of_form(await read_body(request), many)
    if request.content_type == "multipart/form-data":
        return await _fields_of_parts(request, many)
    raise Problem(415, f'Unsupported media type "{kind}" in request.', "unsupported")


def _fields_of_json(data: bytes) -> dict[str, Any]:
    if not data:
        return {}
    try:
        body = json.loads(data.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"JSON parse error - {error}", "bad_json") from error
    if body is None:
        raise Invalid({"detail": ["No data provided"]})
    if not isinstance(body, dict):
        kind = type(body).__name__
        raise Invalid({"detail": [f"Invalid data. Expected a dictionary, but got {kind}."]})
    return body


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"Out of range float values are not JSON compliant: {name!r}")


def _fields_of_form(data: bytes, many: Collection[str]) -> dict[str, Any]:
    try:
        pairs = parse_qsl(
            data.decode("utf-8", "replace"),
            keep_blank_values=True,
            errors="replace",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise Problem(400, "The body has too many fields.", "bad_body") from error
    return _gathered(pairs, many)


async def _fields_of_parts(request: web.BaseRequest, many: Collection[str]) -> dict[str, Any]:
    pairs = []
    await go_ahead(request)
    async for part in parts(request, _LARGEST, _MOST_FIELDS):
        data = b"".join([data async for data in read_data(part)])
        if part.filename is None:
            pairs.append((part.name or "", data.decode("utf-8", "replace")))
    return _gathered(pairs, many)


def _gathered(pairs: list[tuple[str, str]], many: Collection[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in many:
            fields.setdefault(name, []).append(value)
        else:
            fields[name] = value
    return fields


def take(
    given: Mapping[str, Any], fields: Mapping[str, Field], required: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The values of these `fields`, as far as they are given.

    `required` says of those that must be what is told where they are not. Invalid, with all that is wrong.
    """
    values: dict[str, Any] = {}
    errors: dict[str, Json] = {}
    for name, read in fields.items():
        if name in given:
            try:
                values[name] = read(given[name])
            except Wrong as wrong:
                errors[name] = [wrong.told] if isinstance(wrong.told, str) else wrong.told
        elif name in (required or {}):
            errors[name] = [(required or {})[name]]
    if errors:
        raise Invalid(errors)
    return values


def text(longest: int, *, blank: bool = False) -> Field:
    """A text of at most `longest` characters."""

    def read(value: Any) -> str:
        if value is None:
            raise Wrong("This field may not be null.")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Wrong("Not a valid string.")
        found = str(value).strip()
        if not found and not blank:
            raise Wrong("This field may not be blank.")
        if "\0" in found:
            raise Wrong("Null characters are not allowed.")
        half = next((char for char in found if "\ud800" <= char <= "\udfff"), None)
        if half is not None:
            raise Wrong(f"Surrogate characters are not allowed: U+{ord(half):X}.")
        if len(found) > longest:
            raise Wrong(f"Ensure this field has no more than {longest} characters.")
        return found

    return read


def nullable(field: Field, *, empty: bool = False) -> Field:
    """What `field` takes, or null, and with `empty` an empty text for that."""

    def read(value: Any) -> Any:
        return None if value is None or (empty and value == "") else field(value)

    return read


def slug(longest: int) -> Field:
    """A text of letters, digits, underscores and hyphens."""
    plain = text(longest)

    def read(value: Any) -> str:
        found = str(plain(value))
        if not _SLUG.fullmatch(found):
            raise Wrong('Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.')
        return found

    return read


def url(longest: int) -> Field:
    """An address, or an empty text."""
    plain = text(longest, blank=True)

    def read(value: Any) -> str:
        found = str(plain(value))
        if found and not _URL.fullmatch(found):
            raise Wrong("Enter a valid URL.")
        return found

    return read


def boolean(value: Any) -> bool:
    """True or false, in one of the ways to write it."""
    if value is None:
        raise Wrong("This field may not be null.")
    if isinstance(value, bool | int | float | str):
        word = str(int(value)) if isinstance(value, bool | float) and value in {0, 1} else str(value)
        if word.lower() in _TRUE | _FALSE:
            return word.lower() in _TRUE
    raise Wrong("Must be a valid boolean.")


def integer(lowest: int, highest: int) -> Field:
    """A whole number between these."""

    def read(value: Any) -> int:
        if value is None:
            raise Wrong("This field may not be null.")
        if isinstance(value, bool) or not _INTEGER.fullmatch(str(value)):
            raise Wrong("A valid integer is required.")
        if int(value) < lowest:
            raise Wrong(f"Ensure this value is greater than or equal to {lowest}.")
        if int(value) > highest:
            raise Wrong(f"Ensure this value is less than or equal to {highest}.")
        return int(value)

    return read


def pk(exists: Callable[[int], bool]) -> Field:
    """The id of something that is there."""

    def read(value: Any) -> int:
        if value is None:
            raise Wrong("This field may not be null.")
        if isinstance(value, bool) or not _PK.fullmatch(str(value)):
            raise Wrong(f"Incorrect type. Expected pk value, received {type(value).__name__}.")
        if not _NUMBER.fullmatch(str(value)) or not exists(int(value)):
            raise Wrong(f'Invalid pk "{value}" - object does not exist.')
        return int(value)

    return read


def listed(field: Field, *, empty: str | None = None) -> Field:
    """A list of what `field` takes, each once; `empty` is what is said of an empty one, if it is wrong."""

    def read(value: Any) -> list[Any]:
        if value is None:
            raise Wrong("This field may not be null.")
        if not isinstance(value, list):
            raise Wrong(f'Expected a list of items but got type "{type(value).__name__}".')
        if not value and empty is not None:
            raise Wrong(empty)
        return [*dict.fromkeys(field(item) for item in value)]

    return read
