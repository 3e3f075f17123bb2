"""What may stand in a name, a version string or an address that a client or a bundle brings. Pure."""

from __future__ import annotations

import unicodedata

from yarl import URL

__all__ = ["fault_of_url", "is_clean"]

_REFUSED = {"Cc", "Cs", "Zl", "Zp"}
"""Control characters, halves of a character, which no database keeps, and what ends a line or a paragraph."""


def is_clean(text: str) -> bool:
    """Whether it is one line of text. What joins and parts characters is text: scripts and emoji need it."""
    return not any(unicodedata.category(char) in _REFUSED for char in text)


def fault_of_url(text: str) -> str | None:
    """Why `text` is no address that can be fetched, as the end of a sentence about it; None if it is one."""
    try:
        url = URL(text)
        host, port = url.host, url.port
    except ValueError:
        return "must be a valid URL"
    if url.scheme not in {"http", "https"} or not host or not port or " " in text or not text.isprintable():
        return "must be a valid URL that begins with http:// or https://"
    if url.user is not None or url.password is not None:
        return "must not have a user or a password in it"
    return None
