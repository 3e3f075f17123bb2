"""How many lanes a link wants, and whether the engine finds that number by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter

from benchmarks import payload
from benchmarks.lanes.run import Sample, run
from benchmarks.lanes.scenarios import AUTO, CHUNK, Row, Scenario, rows
from benchmarks.measure import interleaved, ratio
from benchmarks.report import Cell, Column, Lines, Report, Series, Spread, Table
from benchmarks.settings import MIB, Defaults, Failure, Settings

__all__ = ["DEFAULTS", "measure"]

DEFAULTS = Defaults(runs=3, size=512 * MIB, quick_size=80 * MIB)

# A run takes about a fifth of a core, client and link together: two of them measure what one does alone.
AT_ONCE = min(2, os.cpu_count() or 1)

Samples = Mapping[Row, Sequence[Sample]]

ABOUT = """\
A file goes in 10 MiB chunks over an emulated link: a round trip of 40 ms, 25 MB/s (23.8 MiB/s) for all
connections together, 50 ms that the server takes over each chunk, and TCP's slow start. What else limits it
stands above each table. The emulator is part of the benchmark, runs in user space and states its model in
`benchmarks/emulation`. Every run is a process of its own with a link of its own, and is checked to have
delivered every byte; where the machine has two cores, two runs are measured at the same time. Figures are
medians, with the least and the most in brackets; ratios are taken round by round, and their median is
shown."""
TIMED = """\
Time runs from the first call to the last answer: making the upload, connecting, slow start, and the end, when
not every lane has a chunk left, are in it."""
AUTO_LANES = "Lanes taken: those of `auto`, one number after the other, in the run with the median rate."
SMALLER = (
    "A fixed number of lanes sends {} MiB a lane, at most the whole {} MiB, so that a row takes no minutes."
)
COLUMNS = (
    Column("lanes", "lanes"),
    Column("size", "MiB sent"),
    Column("speed", "MiB/s", 1),
    Column("best", "÷ best fixed", 2),
    Column("sequential", "÷ one lane", 2),
    Column("retries", "chunks sent again"),
    Column("path", "lanes taken"),
)


def measure(settings: Settings) -> Report:
    wanted = rows(settings)
    for size in {row.size for row in wanted}:
        # Zeros cost reading and hashing as anything else does, and nothing here compresses.
        if not payload.make_sparse(settings.folder / str(size), size):
            raise Failure(f"The scratch folder takes no file of {size} bytes.")
    samples = _samples(settings, wanted)
    scenarios = list(dict.fromkeys(row.scenario for row in wanted))
    return Report(
        name="link",
        title="Lanes over a link",
        command=settings.command,
        about=ABOUT,
        tables=[_table(scenario, samples) for scenario in scenarios],
        samples=[asdict(sample) for each in samples.values() for sample in each],
        panels=list(_panels(scenarios, samples)),
    )


def _samples(settings: Settings, wanted: Sequence[Row]) -> Samples:
    samples: dict[Row, list[Sample]] = {row: [] for row in wanted}
    for number, pair in _pairs(interleaved(wanted, settings.runs)):
        for row, sample in zip(pair, run(pair, number, settings.folder), strict=True):
            samples[row].append(sample)
            settings.say(
                f"round {number} of {settings.runs}: {row.name:14} {sample.speed:5.1f} MiB/s "
                f"{sample.retries:3} again, lanes {_path(sample)}"
            )
    return samples


def _pairs(runs: Iterator[tuple[int, Row]]) -> Iterator[tuple[int, list[Row]]]:
    """The rows of each round, as many together as are run at the same time."""
    for number, each in groupby(runs, key=itemgetter(0)):
        rest = [row for _, row in each]
        for start in range(0, len(rest), AT_ONCE):
            yield number, rest[start : start + AT_ONCE]


def _table(scenario: Scenario, samples: Samples) -> Table:
    mine = {row: found for row, found in samples.items() if row.scenario == scenario}
    fixed = {row.lanes: found for row, found in mine.items() if row.lanes != AUTO}
    best = max(fixed.values(), key=lambda found: _speed(found).median, default=None)
    cells = [_cells(row, found, best, fixed.get(1)) for row, found in mine.items()]
    notes = [TIMED]
    if any(row.lanes == AUTO for row in mine):
        notes.append(AUTO_LANES)
    if scenario.lane_chunks is not None and len({row.size for row in mine}) > 1:
        notes.append(
            SMALLER.format(scenario.lane_chunks * CHUNK // MIB, max(row.size for row in mine) // MIB)
        )
    return Table(scenario.title, COLUMNS, cells, notes)


def _cells(
    row: Row, found: Sequence[Sample], best: Sequence[Sample] | None, one: Sequence[Sample] | None
) -> dict[str, Cell]:
    cells: dict[str, Cell] = {
        "lanes": str(row.lanes),
        "size": row.size // MIB,
        "speed": _speed(found),
        "retries": Spread.of([sample.retries for sample in found]),
    }
    for key, others in (("best", best), ("sequential", one)):
        if others is not None and others is not found:
            cells[key] = ratio([sample.speed for sample in found], [sample.speed for sample in others])
    if row.lanes == AUTO:
        cells["path"] = _path(sorted(found, key=lambda sample: sample.speed)[len(found) // 2])
    return cells


def _panels(scenarios: Sequence[Scenario], samples: Samples) -> Iterator[Lines]:
    for scenario in scenarios:
        mine = [(row.lanes, _speed(found)) for row, found in samples.items() if row.scenario == scenario]
        fixed = [(lanes, speed) for lanes, speed in mine if isinstance(lanes, int)]
        series = [Series("fixed lanes", fixed)] if fixed else []
        series += [
            Series(AUTO, [(1, speed)], level=True, marked=True) for lanes, speed in mine if lanes == AUTO
        ]
        yield Lines(scenario.title, "lanes", "MiB/s", series)


def _speed(found: Sequence[Sample]) -> Spread:
    return Spread.of([sample.speed for sample in found])


def _path(sample: Sample) -> str:
    return ", ".join(str(change.lanes) for change in sample.changes)
