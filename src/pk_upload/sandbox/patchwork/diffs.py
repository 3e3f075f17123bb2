"""Diffs in the text of a mail: where they are, what stands for one whatever its context, and pull requests.

Pure.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

__all__ = ["diff_hash", "pull_address", "split_diff"]

LONGEST_ADDRESS = 255

_BEGIN = re.compile(r"diff --git |Index: \S")
_OLD, _NEW = re.compile(r"--- \S"), re.compile(r"\+\+\+ \S")
_HEADER = re.compile(
    r"(?:index |(?:old|new|deleted file|new file) mode |(?:dis)?similarity index "
    r"|(?:rename|copy) (?:from|to) |diff --git |Index: |={30,}|--- \S|\+\+\+ \S|Binary files )"
)
_HUNK = re.compile(r"@@ -[0-9]{1,9}(?:,([0-9]{1,9}))? \+[0-9]{1,9}(?:,([0-9]{1,9}))? @@")
_FILE = re.compile(r"(---|\+\+\+) (\S+)")
_SIGNATURE = re.compile(r"^-- ?$", re.MULTILINE)
_BINARY = re.compile(r"GIT binary patch$|(?:literal|delta) [0-9]+$|[A-Za-z][\x21-\x7e]{5,66}$|$")

_ADDRESS = r"(?:git|ssh|https?|git\+ssh)://\S+(?:[ \t]+\S+)?"
_PULLED = re.compile(rf"available in the git repository at:\s+({_ADDRESS})", re.IGNORECASE)
_PLEASE = re.compile(r"\bplease\s+pull\b|\bpull\s+please\b|\bgit\s+pull\b", re.IGNORECASE)
_ON_A_LINE = re.compile(rf"^[ \t]*(?:git pull )?({_ADDRESS})[ \t]*$", re.MULTILINE)


@dataclass(slots=True)
class _Walk:
    """The lines of a text so far, told apart; `old` and `new` lines of a hunk are still to come."""

    text: list[str] = field(default_factory=list)
    diff: list[str] = field(default_factory=list)
    state: str = "text"
    old: int = 0
    new: int = 0

    def take(self, line: str, following: str) -> None:
        """Put one line where it belongs."""
        if self._is_in_hunk(line):
            self._in_hunk(line)
        elif self._begins(line, following):
            self.state = "header"
            self.diff.append(line)
        elif self.state in {"header", "hunk"} and (hunk := _HUNK.match(line)):
            self.state, self.old, self.new = "hunk", int(hunk[1] or 1), int(hunk[2] or 1)
            self.diff.append(line)
        elif self._goes_on(line):
            self.diff.append(line)
        else:
            self.state = "text"
            self.text.append(line)

    def _is_in_hunk(self, line: str) -> bool:
        """Whether it is a line of the hunk, which ends too soon at what no line of one begins with."""
        return (
            self.state == "hunk"
            and (self.old > 0 or self.new > 0)
            and (not line or line.startswith(("+", "-", " ", "\\")))
        )

    def _begins(self, line: str, following: str) -> bool:
        if _BEGIN.match(line):
            return bool(_HEADER.match(following))
        return bool(_OLD.match(line) and _NEW.match(following))

    def _goes_on(self, line: str) -> bool:
        if self.state == "hunk":
            return line.startswith("\\")
        if self.state == "header" and line == "GIT binary patch":
            self.state = "binary"
        if self.state == "binary":
            return bool(_BINARY.match(line))
        return self.state == "header" and bool(_HEADER.match(line))

    def _in_hunk(self, line: str) -> None:
        self.diff.append(line)
        if not line.startswith(("+", "\\")):
            self.old -= 1
        if not line.startswith(("-", "\\")):
            self.new -= 1


def split_diff(text: str) -> tuple[str, str | None]:
    """What a mail says, without its signature, and the diff in it, if there is one."""
    walk, lines = _Walk(), text.replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines):
        walk.take(line, lines[number + 1] if number + 1 < len(lines) else "")
    diff = "\n".join(walk.diff).rstrip("\n")
    return _clean("\n".join(walk.text)), f"{diff}\n" if diff else None


def _clean(text: str) -> str:
    signature = _SIGNATURE.search(text)
    kept = (text[: signature.start()] if signature else text).strip("\n")
    return f"{kept}\n" if kept.strip() else ""


def diff_hash(diff: str) -> str:
    """The SHA-1 that the same change has wherever it applies, as a running server was seen to make it.

    File names count from their first folder on, hunks by their lengths alone, and what is neither a name nor
    a line of a hunk does not count.
    """
    digest = hashlib.sha1(usedforsecurity=False)
    for line in diff.split("\n"):
        if name := _FILE.match(line):
            first, slash, rest = name[2].partition("/")
            side = "a" if name[1] == "---" else "b"
            kept = f"{name[1]} {side}/{rest if slash else first}"
        elif hunk := _HUNK.match(line):
            kept = f"@@ -{int(hunk[1] or 1)} +{int(hunk[2] or 1)} @@"
        elif line.startswith(("-", "+", " ")):
            kept = line
        else:
            continue
        digest.update(f"{kept}\n".encode())
    return digest.hexdigest()


def pull_address(text: str) -> str | None:
    """Where a mail without a diff asks to pull from, with the branch or tag; None if it does not."""
    found = _PULLED.search(text)
    if found is None and _PLEASE.search(text):
        found = _ON_A_LINE.search(text)
    return None if found is None else " ".join(found[1].split())[:LONGEST_ADDRESS]
