"""How long `pk-upload check` takes, beside Python's own listing of the same archive."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import payload
from benchmarks.folders import trees
from benchmarks.measure import interleaved, ratio
from benchmarks.processes import output
from benchmarks.report import Cell, Column, Spread, Table
from benchmarks.settings import MIB, Settings

__all__ = ["Checked", "measure", "table"]

ENTRIES, QUICK_ENTRIES = trees.ENTRIES, 5000
SIZE, QUICK_SIZE = 200 * MIB, 20 * MIB
CHECK, LIST = "pk-upload check", "python -m zipfile -l"


@dataclass(frozen=True, slots=True)
class Checked:
    """One look at an archive."""

    archive: str
    command: str
    round: int
    seconds: float


def measure(settings: Settings) -> list[Checked]:
    archives = _archives(settings)
    cases = [(name, command) for name in archives for command in (CHECK, LIST)]
    found = []
    for number, (name, command) in interleaved(cases, settings.runs):
        words = [*_program(command), str(archives[name])]
        payload.warm(archives[name])
        start = time.perf_counter()
        output(words, command)
        found.append(Checked(name, command, number, time.perf_counter() - start))
        settings.say(f"round {number} of {settings.runs}: {name:30} {command:20} {found[-1].seconds:.2f} s")
    return found


def _archives(settings: Settings) -> dict[str, Path]:
    many, build = settings.folder / "many.zip", settings.folder / "build.zip"
    entries = QUICK_ENTRIES if settings.quick else ENTRIES
    folder, size = settings.folder / "checked", QUICK_SIZE if settings.quick else SIZE
    payload.make_room(settings.folder, 2 * size)
    trees.make_many(many, entries)
    trees.make_software(folder, size)
    trees.make_packed(folder, build)
    files = sum(1 for path in folder.rglob("*") if path.is_file())
    return {f"{entries:,} entries": many, f"a build of {files:,} files": build}


def table(found: Sequence[Checked]) -> Table:
    columns = [
        Column("archive", "archive"),
        Column("check", f"{CHECK}, ms"),
        Column("list", f"{LIST}, ms"),
        Column("ratio", "÷", 2),
    ]
    rows: list[Mapping[str, Cell]] = []
    for name in dict.fromkeys(checked.archive for checked in sorted(found, key=lambda each: each.archive)):
        check, listing = (
            [each.seconds * 1000 for each in found if (each.archive, each.command) == (name, command)]
            for command in (CHECK, LIST)
        )
        row: dict[str, Cell] = {"archive": name, "check": Spread.of(check), "list": Spread.of(listing)}
        rows.append({**row, "ratio": ratio(check, listing)})
    note = "From the start of a process to its end, its output read through a pipe."
    return Table("Checking", columns, rows, [note])


def _program(command: str) -> list[str]:
    module = ("pk_upload", "check") if command == CHECK else ("zipfile", "-l")
    return [sys.executable, "-m", *module]
