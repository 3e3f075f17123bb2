"""The last guard before anything is shown: no secret, and nothing that steers a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

__all__ = ["Redactor", "plain"]

PUT_IN_PLACE = "[redacted]"


class Redactor:
    """Takes secrets out of text and out of plain values, however deep they are."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}
        # The longest first: a secret that is a part of another must not leave the other's rest behind.
        self._forms = sorted(forms, key=len, reverse=True)

    def text(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, PUT_IN_PLACE)
        return text

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
