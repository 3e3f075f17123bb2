"""Errors that name fields, in the form where the answer's own names are the fields'."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pk_upload.answers import LONGEST_FIELDS, MOST_FIELDS, MOST_NESTED, read_error, read_field_errors
from pk_upload.errors import BadRequest, FieldError, RecordInvalid, api_error


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"state": ["no choice"]}, [("state", "no choice")]),
        ({"state": "no choice", "code": "X1", "timestamp": "2025"}, []),
        ({"a": ["one", "two"], "b": ["three"]}, [("a", "one"), ("a", "two"), ("b", "three")]),
        ({"settings": {"items_per_page": ["too many"]}}, [("settings.items_per_page", "too many")]),
        ({"patches": [{}, {"id": ["unknown"]}]}, [("patches.id", "unknown")]),
        ({"detail": "Invalid page."}, []),
        ({"detail": ["no object"]}, []),
        ({"a": 5, "b": None, "c": True}, []),
        (["a list"], []),
        ({"message": "no", "state": ["no choice"]}, []),
    ],
)
def test_the_names_of_the_answer_are_the_fields(body: object, expected: list[tuple[str, str]]) -> None:
    assert read_field_errors(json.dumps(body).encode()) == tuple(
        FieldError(field, "", message) for field, message in expected
    )


def test_what_is_too_long_too_deep_or_too_much_is_left_out() -> None:
    deep: object = ["bottom"]
    for _ in range(MOST_NESTED + 1):
        deep = {"a": deep}
    assert read_field_errors(json.dumps(deep).encode()) == ()
    assert read_field_errors(json.dumps({"a": ["x" * LONGEST_FIELDS]}).encode()) == ()
    assert read_field_errors(json.dumps({"a" * 1000: ["x"]}).encode()) == ()
    many = {f"field{number}": ["x"] for number in range(2 * MOST_FIELDS)}
    assert len(read_field_errors(json.dumps(many).encode())) == MOST_FIELDS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_any_json_is_read_without_a_crash(value: object) -> None:
    body = json.dumps(value).encode()
    assert all(isinstance(each.message, str) for each in read_field_errors(body))
    assert isinstance(read_error(body)[0], str)


@given(st.binary())
def test_any_bytes_are_read_without_a_crash(body: bytes) -> None:
    read_field_errors(body)
    read_error(body)


def test_a_request_whose_fields_are_refused_is_an_invalid_record() -> None:
    assert type(api_error(400, "no")) is BadRequest
    error = api_error(400, "no", errors=(FieldError("state", "", "no choice"),))
    assert type(error) is RecordInvalid
    assert (error.exit_code, error.status, str(error.errors[0])) == (2, 400, "state: no choice")
