"""What processing has to say about an archive."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Findings", "Outcome", "Severity", "quoted"]

Severity = Literal["info", "warning", "error"]

LIMIT = 20
"""Findings of one severity that are spelled out; the rest are only counted."""

_NAME_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Finding:
    """One readable sentence. The service's documentation: errors block publishing, warnings do not."""

    severity: Severity
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of processing one archive.

    `main_executable` is the one executable (on macOS: the one bundle) at the top level, None when
    there is not exactly one. `has_diff` tells whether a delta against the version before was made.
    """

    findings: tuple[Finding, ...]
    main_executable: str | None
    has_diff: bool

    @property
    def failed(self) -> bool:
        """Whether any finding is an error; then nothing was made of the archive."""
        return any(finding.severity == "error" for finding in self.findings)


class Findings:
    """Collects findings; an archive with a million faults costs no more memory than one with twenty."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._counts: Counter[Severity] = Counter()

    def error(self, message: str) -> None:
        self._add("error", message)

    def warning(self, message: str) -> None:
        self._add("warning", message)

    @property
    def failed(self) -> bool:
        return self._counts["error"] > 0

    def all(self) -> tuple[Finding, ...]:
        """The findings in the order they were made, then what was left out."""
        return (*self._kept, *self._left_out())

    def _add(self, severity: Severity, message: str) -> None:
        self._counts[severity] += 1
        if self._counts[severity] <= LIMIT:
            self._kept.append(Finding(severity, message))

    def _left_out(self) -> list[Finding]:
        return [
            Finding(severity, f"... and {count - LIMIT} more {severity}s like these.")
            for severity, count in self._counts.items()
            if count > LIMIT
        ]


def quoted(name: str) -> str:
    """The name as a finding shows it: quoted, shortened, and with nothing a terminal would act on."""
    shown = name if len(name) <= _NAME_SHOWN else name[:_NAME_SHOWN] + "..."
    escaped = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in shown
    )
    return f'"{escaped}"'
