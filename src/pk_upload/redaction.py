"""Before anything is shown: no secret in it, and nothing that steers a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

__all__ = ["Redactor", "plain"]

PUT_IN_PLACE = "[redacted]"


class Redactor:
    """Takes secrets out of text and out of plain values, however deep they are.

    Also where they are percent-encoded or in another case, as in an address that a server sends back.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}
        # The longest first: a secret that is a part of another must not leave the other's rest behind.
        pattern = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
        self._secrets = re.compile(pattern, re.IGNORECASE) if pattern else None

    def text(self, text: str) -> str:
        return self._secrets.sub(PUT_IN_PLACE, text) if self._secrets else text

    def value(self, value: Any) -> Any:
        """`value` with every text in it redacted and encodable as UTF-8, which a file's name may not be."""
        match value:
            case str():
                return self.text(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            case dict():
                return {key: self.value(each) for key, each in value.items()}
            case list() | tuple():
                return [self.value(each) for each in value]
            case _:
                return value


def plain(text: str) -> str:
    """`text` on one line, without control characters: it may come from a service or a file's name."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
