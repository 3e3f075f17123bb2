from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pk_upload.sandbox.ranges import Span, described, joined, missing, parse_content_range, prefix, without

TOTAL = 60
spans = st.builds(
    lambda first, length: Span(first, min(first + length, TOTAL)),
    st.integers(0, TOTAL - 1),
    st.integers(1, TOTAL),
)
several = st.lists(spans, max_size=12)


def bytes_of(ranges: list[Span] | tuple[Span, ...]) -> set[int]:
    return {offset for span in ranges for offset in range(span.first, span.end)}


@given(several)
def test_joined_holds_the_same_bytes_in_as_few_spans_as_can_be(ranges: list[Span]) -> None:
    result = joined(ranges)
    assert bytes_of(result) == bytes_of(ranges)
    assert all(left.end < right.first for left, right in pairwise(result))
    assert joined(result) == result


@given(several, spans)
def test_without_takes_out_the_hole_and_nothing_else(ranges: list[Span], hole: Span) -> None:
    result = without(ranges, hole)
    assert bytes_of(result) == bytes_of(ranges) - bytes_of([hole])
    assert joined(result) == result


@given(several)
def test_missing_is_what_is_left_of_the_whole(ranges: list[Span]) -> None:
    assert bytes_of(missing(ranges, TOTAL)) == set(range(TOTAL)) - bytes_of(ranges)


@given(several)
def test_prefix_ends_at_the_first_gap(ranges: list[Span]) -> None:
    held = bytes_of(ranges)
    assert prefix(ranges) == next(offset for offset in range(TOTAL + 1) if offset not in held)


@given(spans, st.booleans(), st.sampled_from(["bytes ", "bytes=", "Bytes "]))
def test_what_a_client_writes_is_read_back(span: Span, with_total: bool, unit: str) -> None:
    text = f"{unit}{span}/{TOTAL}" if with_total else f"{unit}{span}"
    assert parse_content_range(text, TOTAL) == span


@given(st.text(max_size=40))
def test_any_other_text_is_an_error_with_a_sentence(text: str) -> None:
    try:
        span = parse_content_range(text, TOTAL)
    except ValueError as error:
        sentence = str(error)
    else:
        sentence = "."
        assert 0 <= span.first < span.end <= TOTAL
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "missing"),
        ("", "missing"),
        ("0-9/60", "cannot be read"),
        ("bytes -9/60", "cannot be read"),
        ("bytes 0-/60", "cannot be read"),
        ("bytes \u0660-\u0669/60", "cannot be read"),
        ("bytes 0-99999999999999999999", "cannot be read"),
        ("bytes 9-8/60", "before it begins"),
        ("bytes 0-9/61", "of 61 bytes"),
        ("bytes 0-60/60", "only 60 bytes"),
        ("bytes 60-60", "only 60 bytes"),
    ],
)
def test_a_bad_range_says_what_is_wrong(text: str | None, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_content_range(text, TOTAL)


def test_ranges_are_described_without_end() -> None:
    assert described((Span(0, 10), Span(20, 30))) == "0-9, 20-29"
    assert described(tuple(Span(i, i + 1) for i in range(0, 20, 2)), most=2) == "0-0, 2-2 and 8 more"
