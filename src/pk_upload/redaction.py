"""Before anything is shown: no secret in it, and nothing that steers a terminal.

Known secrets are found in every form in which they may come back. Text of somebody else's making, such as a
server's message or a redirect's location, may hold secrets that nobody knows of: those are told by what
stands before them. An app's `secret` is its public identifier and is left alone.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

__all__ = ["Redactor", "passwords", "plain"]

PUT_IN_PLACE = "[redacted]"
SHORTEST_REAL = 16
"""Characters; a shorter one, such as the key of a sandbox, may be a word in anybody's text."""
SHORTEST_CODED = 8
"""Characters; of a shorter secret, base64 leaves too little that could not be anything else."""

# Names of parameters, by their ends: `token` stands for `upload_token` too.
_NAME = (
    r"(?:api[_-]?key|access[_-]?key(?:[_-]?id)?|googleaccessid|key-pair-id"
    r"|token|signature|credential|password)"
)
_IN_QUERY = r"(?:(?<=[?&;])(?:key|policy)|(?<![a-z])sig)"  # elsewhere these are words like any other
_IN_HEADER = r"(?:x-api-key|api_key|(?:access|auth|refresh|security|session|upload)[_-]token)"
_QUOTE = r"\\?[\"']"
_EQUALS = rf"(?:{_QUOTE})?[ \t]*(?:=|%(?:25)*3D)[ \t]*(?:{_QUOTE})?"
_COLON = rf"(?:{_QUOTE})?[ \t]*:[ \t]*(?:b?{_QUOTE})?"
_VALUE = r"(?![,:;)}\]])(?:(?!%(?:25)*26|\\[\"'])[^\s&\"'<>])+"
_SENTENCE = r"(?:auth\w*|tokens?|scheme|of|or|and|is|was)\b(?![-.~+/=])|(?:realm|scope|error)="

# What ends at a sign far behind must not run over a bracket, so that what was put in place is no part of it,
# nor over a place where it could begin: hostile text would take the square of its length.
_TELLTALE = re.compile(
    # In front of a host: up to the last @ before path and query, or else whatever follows "user:".
    r"(://)(?:[^\s/?#\[\"<>]*|[^\s/?#:\[\"<>]*:[^\s/\[\"<>]*)(?=@)"
    # Up to the end of the line, for every scheme has a form of its own.
    rf"|((?:proxy-)?authorization(?:{_COLON}|{_EQUALS}))(?![,:;)}}\]\s])[^\r\n\"']+"
    rf"|({_IN_HEADER}{_COLON}){_VALUE}"
    rf"|((?:{_NAME}|{_IN_QUERY}){_EQUALS}){_VALUE}"
    rf"|({_NAME}{_QUOTE}[ \t]*:[ \t]*{_QUOTE}){_VALUE}"
    rf"|(\b(?:bearer(?::|%20|[ \t])+)+)(?!{_SENTENCE}){_VALUE}"
    # Base64 and no word of English, for there is a digit or a capital in it.
    rf"|(\bbasic(?:%20|[ \t])+)(?!{_SENTENCE})"
    r"(?=[a-z0-9+/=_-]{8})(?=[a-z]*+[0-9+/=_-]|(?-i:[A-Za-z]*?[a-z][A-Z]))[a-z0-9+/=_-]+"
    # A JSON Web Token begins with {" and has three parts, five when it is encrypted.
    r"|(?:(?<![a-z0-9_-])|(?<=%[0-9a-f]{2}))(?-i:eyJ)[a-z0-9_-]++(?:\.[a-z0-9_-]*+){2,4}",
    re.IGNORECASE,
)
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


class Redactor:
    """Takes secrets out of text and out of plain values, however deep they are.

    `secrets` are found also where they are percent-encoded, escaped, in base64 or in another case; other
    secrets where a name, a header or their form gives them away, unless `guessing` is off: a source text may
    hold the like. What was redacted once stays as it is.
    """

    def __init__(self, secrets: Iterable[str], *, guessing: bool = True) -> None:
        self._guessing = guessing
        known = frozenset(secrets) - {""}
        self._known = _pattern_of(known)
        self._unmistakable = _pattern_of(frozenset(each for each in known if len(each) >= SHORTEST_REAL))

    def text(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(PUT_IN_PLACE, text)
        return _TELLTALE.sub(_without_value, text) if self._guessing else text

    def body(self, body: bytes) -> bytes:
        """`body` without the known secrets: what a service sends goes on into events and journals.

        Only those that no text holds by chance, for it is also what decisions are made from.
        """
        if self._unmistakable is None:
            return body
        text, count = self._unmistakable.subn(PUT_IN_PLACE, body.decode("utf-8", "surrogateescape"))
        return text.encode("utf-8", "surrogateescape") if count else body

    def value(self, value: Any) -> Any:
        """`value` with every text in it redacted and encodable as UTF-8, which a file's name may not be."""
        match value:
            case str():
                return _encodable(self.text(value))
            case dict():
                return {key: self.value(each) for key, each in value.items()}
            case list() | tuple():
                return [self.value(each) for each in value]
            case _:
                return value


def passwords(environ: Mapping[str, str]) -> set[str]:
    """The passwords of the proxies that `environ` names, as they stand there and decoded."""
    found = set()
    for name, address in environ.items():
        if name.lower().endswith("_proxy"):
            user_info = address.rpartition("@")[0]
            password = (user_info.partition("://")[2] or user_info).partition(":")[2]
            found |= {password, unquote(password)}
    return found - {""}


def plain(text: str) -> str:
    """`text` on one line, without control characters: it may come from a service or a file's name."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@lru_cache(maxsize=4)
def _pattern_of(secrets: frozenset[str]) -> re.Pattern[str] | None:
    forms = secrets.union(*map(_coded, secrets))
    # The longest first: a secret that is a part of another must not leave the other's rest behind.
    # And before them what stands in their place, of which a secret may be a part.
    known = map(_spelled, sorted(forms, key=lambda form: (-len(form), form)))
    return re.compile("|".join((re.escape(PUT_IN_PLACE), *known)), re.IGNORECASE) if forms else None


def _without_value(match: re.Match[str]) -> str:
    return f"{match[match.lastindex] if match.lastindex else ''}{PUT_IN_PLACE}"


def _spelled(secret: str) -> str:
    """A pattern for `secret` with any of its characters escaped or percent-encoded, be it repeatedly."""
    return "".join(map(_spelled_character, secret))


def _spelled_character(character: str) -> str:
    encoded = character.encode("utf-8", "surrogatepass")
    percent = "".join(f"%(?:25)*{byte:02x}" for byte in encoded)
    literal = character if character.isalnum() else rf"\\{{0,3}}{re.escape(character)}"
    return rf"(?:{literal}|{percent}|\\{{1,4}}u{ord(character):04x})"


def _coded(secret: str) -> set[str]:
    """What base64 makes of `secret`, whatever stands around it, but for characters that depend on that."""
    encoded = secret.encode("utf-8", "surrogatepass")
    if len(encoded) < SHORTEST_CODED:
        return set()
    found = set()
    for before in range(3):
        whole = b64encode(bytes(before) + encoded).decode()
        core = whole[-(-before * 8 // 6) : (before + len(encoded)) * 8 // 6]
        found |= {core, core.replace("+", "-").replace("/", "_")}
    return found


def _encodable(text: str) -> str:
    """`text` without lone surrogates: the bytes that some stand for are decoded again, if they are UTF-8."""
    return _NO_BYTE.sub("\ufffd", text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
