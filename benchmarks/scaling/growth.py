"""The engine's cost against the size of the file, and against the number of chunks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks import payload
from benchmarks.measure import Client, Sample, Summary, interleaved, ratio, run
from benchmarks.processes import server
from benchmarks.report import Cell, Column, Lines, Series, Table
from benchmarks.settings import GIB, KIB, MIB, Settings, shown

__all__ = ["Case", "by_chunk_size", "by_file_size", "chunk_table", "measure", "plots", "size_table"]

ENGINE = Client("engine", "pk-upload, 8 lanes", "engine", ("--concurrency", "8"))
FLOOR = Client("raw", "raw sockets", "raw")
CHUNK = 10 * MIB
SIZES = (GIB, 4 * GIB, 16 * GIB, 64 * GIB)
QUICK_SIZES = (GIB // 4, GIB)
LARGE = 64 * GIB  # is sent in the first round only: it takes minutes
CHUNKS = (10 * MIB, MIB, 256 * KIB)
SPARSE = """\
The files are sparse, so that they fit on any disk, and are read once before they are sent: those that fit in
memory are warm. What the system needs to read the others shows in raw sockets too, hence the ratios."""
ONCE = "64 GiB are sent once, and not in every round."

FIGURES = (
    Column("speed", "MiB/s"),
    Column("cpu", "CPU s/GiB", 2),
    Column("memory", "peak RSS MiB", 1),
    Column("speed_ratio", "MiB/s ÷ raw sockets", 2),
    Column("cpu_ratio", "CPU ÷ raw sockets", 2),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One size of file in one size of chunk, and what it cost the engine and raw sockets, the floor."""

    size: int
    chunk_size: int
    samples: Sequence[Sample] = ()
    floor: Sequence[Sample] = ()

    @property
    def name(self) -> str:
        return f"{shown(self.size)} in {shown(self.chunk_size)}"

    @property
    def chunks(self) -> int:
        return -(-self.size // self.chunk_size)

    @property
    def summary(self) -> Summary:
        return Summary.of(self.samples)


def by_file_size(settings: Settings) -> list[Case]:
    """What is to be measured for `size_table`; nothing unless it is wanted."""
    sizes = QUICK_SIZES if settings.quick else SIZES
    return [Case(size, CHUNK) for size in sizes] if settings.wants("size") else []


def by_chunk_size(settings: Settings) -> list[Case]:
    """What is to be measured for `chunk_table`; nothing unless it is wanted."""
    size = (QUICK_SIZES if settings.quick else SIZES)[0]
    return [Case(size, chunk_size) for chunk_size in CHUNKS] if settings.wants("chunks") else []


def measure(settings: Settings, cases: Sequence[Case]) -> dict[Case, Case]:
    """The cases, all distinct, with what was measured; those that were not possible here are missing."""
    if not cases:
        return {}
    samples: dict[Case, list[Sample]] = defaultdict(list)
    floor: dict[Case, list[Sample]] = defaultdict(list)
    file = settings.folder / "sparse"
    with server("sink") as sink:
        for number, case in interleaved(cases, settings.runs):
            if case.size == LARGE and number > 1:
                continue
            if not payload.make_sparse(file, case.size):
                settings.say(f"Skipped: {case.name}; the scratch folder takes no file of that size.")
                continue
            payload.warm(file)
            floor[case].append(_run(FLOOR, case, number, sink, file))
            sample = _run(ENGINE, case, number, sink, file)
            samples[case].append(sample)
            file.unlink()  # and with it what it holds of the page cache
            settings.say(f"round {number} of {settings.runs}: {case.name:18} {sample.text()}")
    able = [case for case in cases if case in samples]
    return {case: replace(case, samples=samples[case], floor=floor[case]) for case in able}


def size_table(cases: Sequence[Case]) -> Table:
    columns = [
        Column("size", "file"),
        Column("chunks", "chunks"),
        *FIGURES,
    ]
    rows = [{"size": shown(case.size), "chunks": case.chunks, **_figures(case)} for case in cases]
    notes = [SPARSE, ONCE] if any(case.size == LARGE for case in cases) else [SPARSE]
    return Table("Size of the file, in 10 MiB chunks, 8 lanes", columns, rows, notes)


def chunk_table(cases: Sequence[Case]) -> Table:
    columns = [
        Column("chunk_size", "chunk"),
        Column("chunks", "chunks"),
        *FIGURES,
        Column("each", "CPU ms a chunk more", 2),
    ]
    rows: list[Mapping[str, Cell]] = [
        {
            "chunk_size": shown(case.chunk_size),
            "chunks": case.chunks,
            **_figures(case),
            "each": _each(case, cases[0]),
        }
        for case in cases
    ]
    note = f"The last column: what a chunk costs beside its bytes: CPU time beyond that of {cases[0].name}."
    return Table(f"Number of chunks: {shown(cases[0].size)}, 8 lanes", columns, rows, [note])


def plots(sizes: Sequence[Case], chunks: Sequence[Case]) -> list[Lines]:
    panels = []
    if sizes:
        cpu = _cpu_lines(sizes, [case.size / GIB for case in sizes])
        panels.append(Lines("CPU against the file's size", "GiB", "CPU s/GiB", cpu))
        peaks = [(case.size / GIB, memory) for case in sizes if (memory := case.summary.memory) is not None]
        if peaks:
            memories = [Series("pk-upload", peaks, marked=True)]
            panels.append(Lines("Memory against the file's size", "GiB", "peak RSS MiB", memories))
    if chunks:
        cpu = _cpu_lines(chunks, [case.chunks for case in chunks])
        title = f"CPU against the number of chunks, {shown(chunks[0].size)}"
        panels.append(Lines(title, "chunks", "CPU s/GiB", cpu))
    return panels


def _cpu_lines(cases: Sequence[Case], places: Sequence[float]) -> list[Series]:
    ours = [case.summary.cpu for case in cases]
    floor = [Summary.of(case.floor).cpu for case in cases]
    return [
        Series("pk-upload", list(zip(places, ours, strict=True)), marked=True),
        Series("raw sockets", list(zip(places, floor, strict=True))),
    ]


def _run(client: Client, case: Case, number: int, sink: str, file: Path) -> Sample:
    sample = run(client, number, sink, file, case.chunk_size)
    return replace(sample, row=f"{client.name}: {case.name}")


def _figures(case: Case) -> dict[str, Cell]:
    ours, floor = case.samples, case.floor
    return {
        "speed": case.summary.speed,
        "cpu": case.summary.cpu,
        "memory": case.summary.memory,
        "speed_ratio": ratio([each.speed for each in ours], [each.speed for each in floor]),
        "cpu_ratio": ratio([each.cpu_seconds for each in ours], [each.cpu_seconds for each in floor]),
    }


def _each(case: Case, fewest: Case) -> float | None:
    more = case.chunks - fewest.chunks
    if not more:
        return None
    cpu, least = (median(sample.cpu_seconds for sample in each.samples) for each in (case, fewest))
    return (cpu - least) / more * 1000
