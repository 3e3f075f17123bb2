"""The problems found so far: bounded in number and in length, whatever an archive makes of its names."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from pk_upload.archive.problems import Problem, problem

__all__ = ["KEPT", "Findings", "printable"]

KEPT = 1000  # problems of one code; beyond it they are counted
LONGEST_NAME = 1024


def printable(name: str) -> str:
    """The name as a line of output and JSON can show it: escaped where need be, cut where it is endless."""
    if len(name) > LONGEST_NAME:
        name = name[:LONGEST_NAME] + "…"
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


class Findings:
    """Collects problems; `strict` makes an error of every warning."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._kept: dict[str, list[Problem]] = {}
        self._more: Counter[str] = Counter()

    def add(self, code: str, entry: str | None, message: str) -> None:
        """Keeps a problem of one of the codes in `RULES`, or counts it where there are too many such."""
        kept = self._kept.setdefault(code, [])
        if len(kept) < KEPT:
            kept.append(self._made(code, None if entry is None else printable(entry), message))
        else:
            self._more[code] += 1

    def add_more(self, code: str, count: int) -> None:
        """So many more of that code that were not looked at one by one."""
        self._more[code] += count

    def has(self, *codes: str) -> bool:
        """Whether there is a problem of one of the codes."""
        return not self._kept.keys().isdisjoint(codes)

    def all(self) -> tuple[Problem, ...]:
        """Those that were kept, by code, each with one that says how many more such there are."""
        found: list[Problem] = []
        for code, kept in self._kept.items():
            found += kept
            if more := self._more[code]:
                found.append(self._made(code, None, f"and {more:,} more such"))
        return tuple(found)

    def _made(self, code: str, entry: str | None, message: str) -> Problem:
        made = problem(code, entry, message)
        return replace(made, severity="error") if self._strict else made
