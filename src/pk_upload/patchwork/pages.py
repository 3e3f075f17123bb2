"""Where a list goes on, as the `Link` header of one of its pages says. Pure, for hostile input."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from yarl import URL

__all__ = ["Links", "read_links"]

LONGEST = 16384  # characters; no server takes headers of any length, nor should a client
MOST_DIGITS = 9
LINK = re.compile(r'<([^<>]*)>\s*;\s*rel="?(\w+)"?')


@dataclass(frozen=True, slots=True)
class Links:
    """The numbers of the pages after this one and at the end, as far as the service tells."""

    next: int | None
    last: int | None


def read_links(headers: Mapping[str, str]) -> Links:
    """What the `Link` header names; where there is none the list ends here."""
    found = {rel.lower(): _page(address) for address, rel in LINK.findall(headers.get("Link", "")[:LONGEST])}
    return Links(found.get("next"), found.get("last"))


def _page(address: str) -> int | None:
    """The number of the page at `address`; the first one goes without."""
    try:
        text = URL(address).query.get("page", "1")
    except ValueError:
        return None
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= MOST_DIGITS else None
