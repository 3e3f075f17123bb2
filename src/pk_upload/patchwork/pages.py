"""Where a list goes on, as the `Link` headers of one of its pages say. Pure, for hostile input."""

from __future__ import annotations

import re
from dataclasses import dataclass

from yarl import URL

from pk_upload.answers import usable

__all__ = ["Links", "read_links"]

LONGEST = 65536  # characters; no server takes headers of any length, nor should a client
MOST_DIGITS = 9
VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s;,"'<>]*)"""
LINK = re.compile(rf"<([^<>]*)>((?:\s*;\s*[^\s=;,<>]+(?:\s*=\s*{VALUE})?)*)")
PARAMETER = re.compile(rf";\s*([^\s=;,<>]+)\s*=\s*({VALUE})")


@dataclass(frozen=True, slots=True)
class Links:
    """The numbers of the pages after this one and at the end, as far as the service tells."""

    next: int | None
    last: int | None


def read_links(header: str) -> Links:
    """What the header names; where it names no next page the list ends here.

    Raises `UnexpectedAnswer` for a next page without a number.
    """
    found: dict[str, str] = {}
    for address, parameters in LINK.findall(header[:LONGEST]):
        for name, value in PARAMETER.findall(parameters):
            if name.lower() == "rel":
                for rel in value.strip("\"'").lower().split():
                    found.setdefault(rel, address)
    following = _page(found["next"]) if "next" in found else None
    usable(found, "Link", "next" not in found or following is not None)
    return Links(following, _page(found["last"]) if "last" in found else None)


def _page(address: str) -> int | None:
    """The number of the page at `address`; the first one goes without."""
    try:
        text = URL(address).query.get("page", "1")
    except (ValueError, IndexError):
        return None
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= MOST_DIGITS else None
