"""What preflight found, as the caller gets it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from shlex import quote
from typing import Any

from pk_upload.archive.checks.findings import Findings
from pk_upload.archive.checks.launching import Launch
from pk_upload.archive.checks.platforms import judge
from pk_upload.archive.problems import NOT_A_ZIP, Problem
from pk_upload.errors import PreflightFailed

__all__ = ["Report", "refuse"]

NAMED = 10  # problems in the message of an error


@dataclass(frozen=True, slots=True)
class Report:
    """What is wrong with a build of `size` bytes, and what is in it.

    `format` is "zip" or "folder", or `None` when it is neither. Of its `entries` some are `files`, which take
    `unpacked` bytes. `launch` is what could be started of it, `suitability` the problems with that, `general`
    all others.
    """

    source: str
    format: str | None
    entries: int
    size: int
    files: int = 0
    unpacked: int = 0
    strict: bool = False
    launch: Launch | None = None
    general: tuple[Problem, ...] = ()
    suitability: tuple[Problem, ...] = ()

    @classmethod
    def of_nothing(cls, source: str, error: PreflightFailed) -> Report:
        """Of what could not even be opened as a build."""
        return cls(
            source, None, 0, 0, general=(Problem(NOT_A_ZIP, "error", None, error.message, error.hint),)
        )

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All of them, those of one code side by side."""
        return (*self.general, *self.suitability)

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "warning")

    def meant_for(self, platform: str | None) -> Report:
        """The same, judged by what that platform can start; `None` is any."""
        findings = Findings(strict=self.strict)
        if self.launch is not None:
            for code, entry, message in judge(self.launch, platform):
                findings.add(code, entry, message)
        return replace(self, suitability=findings.all())

    def with_problems(self, found: Findings) -> Report:
        """The same with more problems."""
        return replace(self, general=(*self.general, *found.all()))

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: source, format, entries, size and problems."""
        return {
            "source": self.source,
            "format": self.format,
            "entries": self.entries,
            "size": self.size,
            "problems": [asdict(problem) for problem in self.problems],
        }


def refuse(report: Report) -> None:
    """Raises `PreflightFailed`, which names the first of the errors, if there are any."""
    errors = report.errors
    if not errors:
        return
    first = errors[0]
    if len(errors) == 1:
        raise PreflightFailed(f"{report.source}: {first}", hint=first.hint)
    told = [str(error) for error in errors[:NAMED]]
    if len(errors) > NAMED:
        told.append(f"and {len(errors) - NAMED:,} more")
    strict = " --strict" if report.strict else ""
    raise PreflightFailed(
        f"{report.source} has {len(errors):,} errors: {'; '.join(told)}",
        hint=f"`pk-upload check {quote(report.source)}{strict} --verbose` tells what to do about each.",
    )
