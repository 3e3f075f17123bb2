"""`pk-upload check`: whether the service will take a build, found out without a network."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pk_upload.cli.command import Command
from pk_upload.cli.errand import Answer, Desk, Errand
from pk_upload.cli.options import global_options, ignore_option, strict_option
from pk_upload.cli.settings import Settings
from pk_upload.cli.values import SOURCE
from pk_upload.errors import PreflightFailed

if TYPE_CHECKING:
    from pk_upload.archive import Report

__all__ = ["check"]

EPILOG = """\
\b
Examples:
  pk-upload check build.zip
  pk-upload check build.zip --platform windows_x86_64 --strict
  pk-upload check ./build --json
  pk-upload check build.zip --deep

\b
Exit codes: 0 if it is good, 10 if it has errors.
"""
PLATFORMS = (
    "windows_x86", "windows_x86_64", "mac_x86", "mac_x86_64", "mac_arm64", "linux_x86", "linux_x86_64",
    "other",
)  # fmt: skip
MOST = 10  # of one kind, unless --verbose


@click.command(cls=Command, epilog=EPILOG, short_help="Check a build; no network.")
@click.argument("source", type=SOURCE)
@click.option("--platform", type=click.Choice(PLATFORMS), help="What the build is for.")
@click.option("--deep", is_flag=True, help="Unpack everything and compare it with its checksums.")
@strict_option
@ignore_option
@global_options
@click.pass_obj
def check(settings: Settings, source: str, platform: str | None, deep: bool, strict: bool) -> Errand:
    """Checks SOURCE, a ZIP or a folder, as it is checked before every push, and names all that is wrong with
    it.
    """

    async def work(desk: Desk) -> Answer:
        from pk_upload.archive import Report, preflighted, read_through, surveyed
        from pk_upload.events import Progress, Stage

        try:
            async with surveyed(Path(source), settings.packing(), emit=desk.emit) as build:
                report = await preflighted(build, platform=platform, strict=strict)
                if deep:
                    desk.emit(Stage("preflight", "reading everything"))
                    report = await read_through(
                        build, report, on_progress=lambda done: desk.emit(Progress("preflight", done))
                    )
        except PreflightFailed as error:  # there is nothing in it that could be looked at
            report = Report.of_nothing(source, error)
        code = PreflightFailed.exit_code if report.errors else 0
        return Answer(
            report.to_dict(), _told(report, most=None if settings.verbose else MOST), exit_code=code
        )

    return Errand(work)


def _told(report: Report, *, most: int | None) -> str:
    """The problems, the errors first, each kind with what to do about it; then the verdict."""
    from pk_upload.units import counted, size

    lines: list[str] = []
    for _, group in groupby(
        [*report.errors, *report.warnings], key=lambda problem: (problem.severity, problem.code)
    ):
        problems = [*group]
        lines += [f"{problem.severity}: {problem} [{problem.code}]" for problem in problems[:most]]
        if most is not None and len(problems) > most:
            lines.append(f"    and {len(problems) - most:,} more of these; --verbose names them")
        lines.append(f"    hint: {problems[0].hint}")
    wrong = [
        counted(len(problems), kind)
        for kind, problems in (("error", report.errors), ("warning", report.warnings))
        if problems
    ]
    about = f"{counted(report.files, 'file')}, {size(report.size)}"
    return "\n".join(
        [*lines, f"{report.source}: {about}: {' and '.join(wrong) or 'nothing is wrong with it'}"]
    )
