"""How long the command line takes to start: to its help, and to its first chunk."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import account, payload
from benchmarks.measure import interleaved
from benchmarks.processes import environment, output, server
from benchmarks.report import Bars, Cell, Column, Spread, Table
from benchmarks.settings import MIB, Failure, Settings

__all__ = ["Started", "bars", "measure", "table"]

RUNS = 4  # a round: these are short
BASE, HELP, CHUNK = 'python -c "import click"', "pk-upload --help", "pk-upload upload, to its first chunk"
COMMANDS: Mapping[str, Sequence[str]] = {
    "python -c pass": [sys.executable, "-c", "pass"],
    BASE: [sys.executable, "-c", "import click"],
    HELP: ["pk-upload", "--help"],
    CHUNK: ["pk-upload", "upload", "{file}", "--api-url", "{sink}", "--state-dir", "{state}", "--quiet"],
}


@dataclass(frozen=True, slots=True)
class Started:
    """One start of a command."""

    command: str
    round: int
    seconds: float


def measure(settings: Settings) -> list[Started]:
    file = settings.folder / "small"
    payload.make(file, MIB)
    found = []
    with server("sink") as sink:
        for number, command in interleaved([*COMMANDS], settings.runs * RUNS):
            account.reset(sink)
            with TemporaryDirectory(dir=settings.folder) as state:
                words = [word.format(file=file, sink=sink, state=state) for word in COMMANDS[command]]
                seconds = _time(_program(words), command, sink)
            found.append(Started(command, number, seconds))
    settings.say(f"start-up: {len(found)} starts")
    return found


def table(found: Sequence[Started]) -> Table:
    base = [each.seconds for each in found if each.command == BASE]
    rows: list[Mapping[str, Cell]] = []
    for command in COMMANDS:
        seconds = [each.seconds for each in found if each.command == command]
        ratios = Spread.of([one / other for one, other in zip(seconds, base, strict=True)])
        rows.append({"command": command, "ms": _milliseconds(seconds), "ratio": ratios.median})
    columns = [Column("command", "command"), Column("ms", "ms"), Column("ratio", f"÷ {BASE}", 2)]
    note = (
        "From the start of a process to its end, for the last one to its first chunk's request at the sink."
    )
    return Table("Start-up", columns, rows, [note])


def bars(found: Sequence[Started]) -> Bars:
    rows = [
        (command, _milliseconds([each.seconds for each in found if each.command == command]))
        for command in COMMANDS
    ]
    return Bars("Start-up, ms", rows, frozenset((HELP, CHUNK)))


def _time(words: Sequence[str], command: str, sink: str) -> float:
    start = time.monotonic()
    output(words, command, env={**environment(), "PATCHKIT_API_KEY": "benchmark"})
    end = time.monotonic()
    if command == CHUNK:
        first = account.read(sink).first_chunk
        if first is None:
            raise Failure(f"{command}: no chunk arrived.")
        end = first
    return end - start


def _program(words: Sequence[str]) -> list[str]:
    """The command with the program that was installed beside this interpreter."""
    script = Path(sys.executable).with_name("pk-upload")
    program = [str(script)] if script.exists() else [sys.executable, "-m", "pk_upload"]
    return [*program, *words[1:]] if words[0] == "pk-upload" else [*words]


def _milliseconds(seconds: Sequence[float]) -> Spread:
    return Spread.of([each * 1000 for each in seconds])
