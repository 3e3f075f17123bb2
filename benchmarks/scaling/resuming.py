"""How long a run takes to its first chunk, against how much an earlier one had delivered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import account, payload
from benchmarks.measure import interleaved, memory
from benchmarks.processes import output, python, server
from benchmarks.report import Cell, Column, Spread, Table
from benchmarks.settings import GIB, MIB, TIB, Failure, Settings, shown

__all__ = ["Resumed", "measure", "table"]

CHUNK = 10 * MIB
CASES = ((GIB, False), (GIB, True), (TIB, False), (TIB, True))


@dataclass(frozen=True, slots=True)
class Resumed:
    """One run over a file of `size` bytes, of which all but a chunk was `confirmed`, or nothing."""

    size: int
    confirmed: bool
    round: int
    seconds: float
    peak_rss: int | None


def measure(settings: Settings) -> list[Resumed]:
    cases = [case for case in CASES if payload.make_sparse(_file(settings, case[0]), case[0])]
    if len(cases) < len(CASES):
        settings.say("Skipped: resuming 1 TiB; the scratch folder takes no file of that size.")
    found = []
    with server("sink") as sink:
        for number, (size, confirmed) in interleaved(cases, settings.runs):
            resumed = _run(settings, sink, size, confirmed=confirmed, number=number)
            found.append(resumed)
            settings.say(
                f"round {number} of {settings.runs}: {_name(size, confirmed=confirmed):34} "
                f"{resumed.seconds * 1000:5.0f} ms"
            )
    return found


def table(found: Sequence[Resumed]) -> Table:
    columns = [
        Column("file", "file"),
        Column("chunks", "chunks"),
        Column("seconds", "seconds to the first chunk", 3),
        Column("memory", "peak RSS MiB", 1),
    ]
    rows: list[Mapping[str, Cell]] = []
    for size, confirmed in CASES:
        runs = [each for each in found if (each.size, each.confirmed) == (size, confirmed)]
        if runs:
            rows.append(
                {
                    "file": _name(size, confirmed=confirmed),
                    "chunks": -(-size // CHUNK),
                    "seconds": Spread.of([each.seconds for each in runs]),
                    "memory": memory([each.peak_rss for each in runs]),
                }
            )
    note = "From the call of `upload` to the first chunk's request at the sink; sparse file, 10 MiB chunks."
    return Table("Beginning and resuming", columns, rows, [note])


def _run(settings: Settings, sink: str, size: int, *, confirmed: bool, number: int) -> Resumed:
    name = _name(size, confirmed=confirmed)
    with TemporaryDirectory(dir=settings.folder) as state:
        command = python(
            "scaling.resumer",
            *("--url", sink, "--file", _file(settings, size), "--chunk-size", CHUNK, "--state-dir", state),
        )
        if confirmed:
            output([*command, "--confirm"], name)
        account.reset(sink)
        told = json.loads(output(command, name))
    ledger = account.read(sink)
    if ledger.first_chunk is None or (confirmed and ledger.chunks != 1):
        raise Failure(f"{name}: {ledger.chunks} chunks were sent.")
    return Resumed(size, confirmed, number, ledger.first_chunk - told["called"], told["peak_rss"])


def _file(settings: Settings, size: int) -> Path:
    return settings.folder / f"sparse-{size // GIB}"


def _name(size: int, *, confirmed: bool) -> str:
    return f"{shown(size)}, {'all but one chunk confirmed' if confirmed else 'nothing sent yet'}"
