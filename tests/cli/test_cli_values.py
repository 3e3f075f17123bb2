"""The kinds of value that options take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pk_upload.cli.values import parse_rate, parse_seconds, parse_size, parse_when


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10MiB", 10 * 1024**2),
        ("10M", 10 * 1024**2),
        ("10Mi", 10 * 1024**2),
        ("10MB", 10_000_000),
        ("1.5 k", 1536),
        ("2gib", 2 * 1024**3),
        ("1T", 1024**4),
        ("7", 7),
        ("7b", 7),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert parse_rate(f"{text}/s") == parse_rate(text) == size


@given(st.integers(0, 2**50))
def test_bare_numbers_are_bytes(count: int) -> None:
    assert parse_size(str(count)) == count


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1e3", "10X", "nan", "1 0", "10MiBs", "\u0661M", "1M/s/s"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size(text)
    with pytest.raises(ValueError, match="is no rate"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2H", 7200), ("1d", 86400), ("250ms", 0.25)]
)
def test_times(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0.0s", "-1", "inf", "nan", "1w", "s"])
def test_no_times(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        parse_seconds(text)


@pytest.mark.parametrize(
    ("text", "unix"),
    [
        ("0", 0),
        ("1896109200", 1896109200),
        ("2030-01-31T18:00+01:00", 1896109200),
        ("2030-01-31T17:00:00Z", 1896109200),
        ("2030-01-31 17:00:00.5+00:00", 1896109200),
        ("1960-01-01T00:00Z", 0),
    ],
)
def test_moments(text: str, unix: int) -> None:
    assert parse_when(text) == unix


@pytest.mark.parametrize(
    ("text", "why"), [("tomorrow", "no moment"), ("2030-01-31T18:00", "time zone"), ("-5", "no")]
)
def test_no_moments(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_when(text)
