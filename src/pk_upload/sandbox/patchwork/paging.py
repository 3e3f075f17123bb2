"""Pages of a list: which one is asked for, and the links to those around it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["NoSuchPage", "Page", "link_header", "page_size", "read_page"]

PAGE_SIZE = 30
LARGEST_PAGE = 250
_NUMBER = re.compile(r" *\+?[0-9]{1,18} *")


class NoSuchPage(Exception):
    """There is no such page of the list."""


@dataclass(frozen=True, slots=True)
class Page:
    """The page `number` of `last`, from 1 on; an empty list has one."""

    number: int
    last: int


def page_size(asked: str | None) -> int:
    """How many items a page has: as many as asked for, up to a limit that nobody is told about."""
    number = int(asked) if asked and _NUMBER.fullmatch(asked) else 0
    return min(number, LARGEST_PAGE) if number else PAGE_SIZE


def read_page(asked: str | None, size: int, total: int) -> Page:
    """The page asked for, the first unless it is said, of a list of `total` items. Raises NoSuchPage."""
    last = max(1, -(-total // size))
    if asked == "last":
        return Page(last, last)
    if not asked:
        return Page(1, last)
    if not _NUMBER.fullmatch(asked) or not 1 <= int(asked) <= last:
        raise NoSuchPage
    return Page(int(asked), last)


def link_header(address: str, query: Iterable[tuple[str, str]], page: Page) -> str:
    """The links to the pages around `page` of the list at `address`, whose other parameters they keep."""
    kept = [(name, value) for name, value in query if name != "page"]
    links: list[tuple[str, int]] = []
    if page.number < page.last:
        links.append(("next", page.number + 1))
    if page.number > 1:
        links.append(("prev", page.number - 1))
    links += [("first", 1), ("last", page.last)]
    return ", ".join(f'<{_address(address, kept, number, rel)}>; rel="{rel}"' for rel, number in links)


def _address(address: str, kept: Sequence[tuple[str, str]], number: int, rel: str) -> str:
    # The first page is the one without a number, but for the link that is named after it.
    query = [*kept] if rel == "prev" and number == 1 else [*kept, ("page", str(number))]
    text = urlencode(sorted(query, key=lambda pair: pair[0]))
    return f"{address}?{text}" if text else address
