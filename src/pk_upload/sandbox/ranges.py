"""Byte ranges: what a Content-Range says, and which bytes of an upload have arrived. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Span", "described", "joined", "missing", "parse_content_range", "prefix", "without"]

# The service's documentation gives `bytes A-B`, official clients send `bytes A-B/TOTAL`.
_CONTENT_RANGE = re.compile(
    r"\s*bytes[ =]\s*([0-9]{1,18})-([0-9]{1,18})(?:/([0-9]{1,18}|\*))?\s*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The bytes from offset `first` up to, not including, `end`."""

    first: int
    end: int

    @property
    def length(self) -> int:
        """How many bytes it holds."""
        return self.end - self.first

    def overlaps(self, other: Span) -> bool:
        """Whether they have a byte in common."""
        return self.first < other.end and other.first < self.end

    def __str__(self) -> str:
        return f"{self.first}-{self.end - 1}"


def parse_content_range(text: str | None, total: int) -> Span:
    """The bytes that a Content-Range header of an upload of `total` bytes names.

    ValueError, with a sentence for the sender, when it is missing, malformed, outside the upload, or of
    another total.
    """
    if not text:
        raise ValueError("The header Content-Range is missing; it looks like 'bytes 0-10485759/20971520'.")
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None:
        raise ValueError(
            "The header Content-Range cannot be read; it looks like 'bytes 0-10485759/20971520'."
        )
    first, last, whole = int(match[1]), int(match[2]), match[3]
    if last < first:
        raise ValueError(f"The Content-Range ends ({last}) before it begins ({first}).")
    if whole is not None and whole != "*" and int(whole) != total:
        raise ValueError(f"The Content-Range is of {whole} bytes, but the upload was created with {total}.")
    if last >= total:
        raise ValueError(f"The Content-Range ends at byte {last}, but the upload has only {total} bytes.")
    return Span(first, last + 1)


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same bytes, ascending, with spans that touch or overlap made one."""
    result: list[Span] = []
    for span in sorted(spans):
        if result and span.first <= result[-1].end:
            result[-1] = Span(result[-1].first, max(result[-1].end, span.end))
        else:
            result.append(span)
    return tuple(result)


def without(spans: Iterable[Span], hole: Span) -> tuple[Span, ...]:
    """The bytes of `spans` that are not in `hole`, ascending and joined."""
    left: list[Span] = []
    for span in joined(spans):
        before = Span(span.first, min(span.end, hole.first))
        after = Span(max(span.first, hole.end), span.end)
        left += [piece for piece in (before, after) if piece.length > 0]
    return joined(left)


def missing(spans: Iterable[Span], total: int) -> tuple[Span, ...]:
    """The bytes of the first `total` ones that are in none of `spans`, ascending."""
    gaps, reached = [], 0
    for span in joined(spans):
        if span.first >= total:
            break
        if span.first > reached:
            gaps.append(Span(reached, span.first))
        reached = span.end
    if reached < total:
        gaps.append(Span(reached, total))
    return tuple(gaps)


def prefix(spans: Iterable[Span]) -> int:
    """How many bytes have arrived without a gap from the start."""
    first = next(iter(joined(spans)), None)
    return first.end if first is not None and first.first == 0 else 0


def described(spans: tuple[Span, ...], most: int = 5) -> str:
    """The spans for a reader, at most `most` of them: `0-99, 200-299 and 3 more`."""
    text = ", ".join(str(span) for span in spans[:most])
    return text if len(spans) <= most else f"{text} and {len(spans) - most} more"
