"""What the subject of a mail says: its prefixes, and which part of which version of a series it is. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

__all__ = ["Subject", "one_line", "read_subject"]

LONGEST_NAME = 255
_MOST_PREFIXES = 20

_BRACKETS = re.compile(r"\[([^\[\]]*)\]\s*")
_REPLY = re.compile(r"(?:re|aw|sv|fwd?)(?:\[[0-9]{1,3}\])?:\s*", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,;]+")
_GLUED = re.compile(r"patch[-/_:]?(v[0-9]{1,3}|rfc)", re.IGNORECASE)
_VERSION = re.compile(r"v([0-9]{1,3})", re.IGNORECASE)
_PART = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject taken apart; `number` is 0 for a cover letter, None where the mail is not numbered."""

    title: str
    prefixes: tuple[str, ...]
    version: int
    number: int | None
    total: int
    is_reply: bool

    @property
    def name(self) -> str:
        """The title behind its prefixes: `[v2,1/5] widget: rework`."""
        return f"[{','.join(self.prefixes)}] {self.title}"[:LONGEST_NAME] if self.prefixes else self.title


def one_line(text: str) -> str:
    """The text with all that is no character of a line, and every run of blanks, as one blank."""
    shown = (" " if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} else char for char in text)
    return " ".join("".join(shown).split())


def read_subject(text: str, tags: frozenset[str] = frozenset()) -> Subject:
    """What `text` says; PATCH and the list's own `tags`, in lower case, are no prefixes."""
    rest, is_reply, found = one_line(text), False, list[str]()
    while True:
        if reply := _REPLY.match(rest):
            is_reply, rest = True, rest[reply.end() :]
        elif brackets := _BRACKETS.match(rest):
            found += [_unglued(word) for word in _BETWEEN.split(brackets[1]) if word]
            rest = rest[brackets.end() :]
        else:
            break
    prefixes = tuple(word for word in found if word.lower() not in {"patch", *tags})[:_MOST_PREFIXES]
    versions = [int(match[1]) for word in prefixes if (match := _VERSION.fullmatch(word))]
    part = next((match for word in prefixes if (match := _PART.fullmatch(word))), None)
    return Subject(
        title=rest[:LONGEST_NAME],
        prefixes=prefixes,
        version=max([1, *versions]),
        number=int(part[1]) if part else None,
        total=max(1, int(part[2])) if part else 1,
        is_reply=is_reply,
    )


def _unglued(word: str) -> str:
    """`v2` of `PATCHv2`."""
    glued = _GLUED.fullmatch(word)
    return glued[1] if glued else word
