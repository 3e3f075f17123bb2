"""What a request to a Kickfolio brings: JSON under the resource's name, and each field's rules.

What is not known is ignored: clients send a record back as they got it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from pk_upload.sandbox.answers import Problem
from pk_upload.sandbox.forms import read_body
from pk_upload.sandbox.kickfolio.answers import FieldError, Invalid
from pk_upload.sandbox.kickfolio.texts import fault_of_url, is_clean

if TYPE_CHECKING:
    from pk_upload.sandbox.call import Call

__all__ = ["Given", "asked_ids", "read_given"]

LONGEST_TEXT = 255
LONGEST_URL = 2048
LONGEST_ID = 100
_IDS = re.compile(r"ids(\[[0-9]*\])?")
"""The ways to write an array parameter: ids[]=, ids[0]= and the plain ids=."""


class Given:
    """The attributes given for a resource, read one by one; what is wrong gathers in `errors`."""

    def __init__(self, resource: str, values: dict[str, Any]) -> None:
        self._resource = resource
        self._values = values
        self.errors: list[FieldError] = []

    def __contains__(self, field: str) -> bool:
        return field in self._values

    def check(self) -> None:
        """Invalid if a field that was read is wrong."""
        if self.errors:
            raise Invalid(self.errors)

    def wrong(self, field: str, message: str) -> None:
        """Note that the field is wrong."""
        self.errors.append(FieldError(field, self._resource, message))

    def text(self, field: str, longest: int = LONGEST_TEXT) -> str:
        """A required text, without the blanks around it; an empty one for a field that is wrong."""
        value = self._values.get(field)
        fault = _fault(value, longest)
        if fault is not None:
            self.wrong(field, fault)
            return ""
        return str(value).strip()

    def optional_text(self, field: str) -> str | None:
        """A text, or None where it is missing or null."""
        return None if self._values.get(field) is None else self.text(field)

    def url(self, field: str) -> str:
        """A required address that can be fetched; an empty text for a field that is wrong."""
        text = self.text(field, LONGEST_URL)
        fault = fault_of_url(text) if text else None
        if fault is not None:
            self.wrong(field, fault)
            return ""
        return text


def _fault(value: object, longest: int) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return "can't be blank"
    if not isinstance(value, str):
        return "must be a string"
    if len(value.strip()) > longest:
        return f"is too long: there may be {longest} characters"
    return None if is_clean(value.strip()) else "has a control character or a line break in it"


async def read_given(call: Call, resource: str) -> Given:
    """The attributes in the body, `{"app": {...}}`, whatever type of content it claims to be.

    curl, in the service's document, calls it a form. Problem 400, 408 or 413, or Disconnected.
    """
    name = resource.lower()
    body = _parsed(await read_body(call.request))
    values = body.get(name) if isinstance(body, dict) else None
    if not isinstance(values, dict):
        raise Problem(400, f'The body must be JSON of the form {{"{name}": {{...}}}}.', "bad_request")
    return Given(resource, values)


def _parsed(data: bytes) -> object:
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "The body is no valid JSON in UTF-8.", "bad_request") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def asked_ids(call: Call) -> list[str] | None:
    """The ids that a list is to be filtered by, an array parameter; None for no filter."""
    asked = [value for name, value in call.request.query.items() if _IDS.fullmatch(name)]
    if not asked:
        return None
    return [one for one in dict.fromkeys(asked) if 0 < len(one) <= LONGEST_ID and one.isascii()]
