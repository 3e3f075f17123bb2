"""What a caller gives a client, checked before it is used: addresses, secrets, identifiers, seconds. Pure."""

from __future__ import annotations

import math
import re
from urllib.parse import quote

from yarl import URL

from pk_upload.errors import UsageError

__all__ = ["base_url", "clean_secret", "seconds", "segment"]

LONGEST = 1e9  # seconds; clocks cannot add any number


def base_url(text: str) -> str:
    """`text` as the address that paths are appended to; raises `UsageError` if it is none."""
    try:
        url = URL(str(URL(text.strip())))  # twice: what is left of "http://[:]" is no address any more
        host = (url.host or "").encode("idna")  # as name resolution will do
    except (ValueError, IndexError):  # an index error is what yarl makes of "http://[]@"
        url, host = URL(), b""
    if url.scheme not in {"http", "https"} or not re.fullmatch(rb"[\w.:%~-]+", host):
        # It is not shown: a key or a password may have slipped into it.
        raise UsageError(
            f"what is given for a service is not an address ({len(text)} characters)",
            hint="An address looks like https://example.com, and begins as that does.",
        )
    if url.user or url.password or url.query_string or url.fragment:
        raise UsageError(
            "the address of a service holds more than host and path",
            hint="Leave out user names, passwords and what follows a question mark.",
        )
    return str(url).rstrip("/")


def clean_secret(text: str, name: str) -> str:
    """`text` without the white space around it; raises `UsageError` if no header can carry it."""
    secret = text.strip()
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise UsageError(f"the {name} is empty or has characters that no {name} has")
    return secret


def segment(text: str) -> str:
    """`text` as one segment of a path, whatever it holds; raises `UsageError` if it is no identifier."""
    if not text or text in {".", ".."}:
        raise UsageError(f"not an identifier: {text!r}")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise UsageError(f"not an identifier: {text!r}") from None


def seconds(name: str, value: float) -> float:
    """`value`, or the longest that clocks can add; raises `UsageError`, with `name`, if it bounds nothing."""
    if not 0 < value < math.inf:
        raise UsageError(f"{name} is a number of seconds, more than 0")
    return min(value, LONGEST)
