"""How fast a file goes to a sink that is never in the way: this engine beside other clients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks import payload
from benchmarks.contenders.curl import split
from benchmarks.contenders.task import Task
from benchmarks.measure import Client, Sample, Summary, interleaved, ratio, run
from benchmarks.processes import server
from benchmarks.report import Bars, Cell, Column, Report, Table
from benchmarks.settings import GIB, MIB, Defaults, Failure, Settings, shown

__all__ = ["DEFAULTS", "measure"]

DEFAULTS = Defaults(runs=5, size=2 * GIB, quick_size=256 * MIB)
CHUNK = 10 * MIB
CURL = ("sh", "split", "curl")
PARTS = "{parts}"  # among a client's options: it sends the chunks as files


@dataclass(frozen=True, slots=True)
class Group:
    """Clients under the same conditions; the first one that is this project's is compared with all others."""

    title: str
    clients: Sequence[Client]
    cold: bool = False
    notes: Sequence[str] = ()

    @property
    def engine(self) -> Client | None:
        return next((client for client in self.clients if client.module == "engine"), None)


ABOUT = """\
A file of random bytes goes in 10 MiB chunks, each a multipart form with its MD5, over loopback to a sink that
reads and drops them. Every run is a process of its own and is checked to have delivered every byte once.
Figures are medians, with the least and the most in brackets; ratios are taken round by round, and their
median is shown."""
NOTES = (
    """\
Time runs from the first call to the last answer: connections are in it, an interpreter's start and its
imports are not. With curl, a process a chunk is part of the way, and its start is in the time. CPU is the
client's, user and system, its child processes included.""",
    "Peak memory is that of the process, interpreter and imports included; curl is many processes.",
    "Raw sockets: a floor to compare with, the least that reading, hashing and sending can cost in Python.",
    "The naive aiohttp and httpx hash in the event loop, and meanwhile nothing else moves there.",
)
COLD_NOTE = """\
Before each run the file is dropped from this system's page cache (`POSIX_FADV_DONTNEED`). What a disk or a
hypervisor keeps for itself is beyond reach."""
LANES = ("--concurrency", "8")
WARM = Group(
    "Warm file",
    (
        Client("engine", "pk-upload, 8 lanes", "engine", LANES),
        Client("engine-auto", "pk-upload, auto", "engine"),
        Client("raw", "raw sockets, 4 threads", "raw"),
        Client("http-client", "http.client, 10 threads", "http_client"),
        Client("aiohttp-thread", "aiohttp, MD5 in a thread, 8 at once", "aiohttp", ("--thread",)),
        Client("aiohttp", "aiohttp, naive, 8 at once", "aiohttp"),
        Client("httpx-thread", "httpx, MD5 in a thread, 8 at once", "httpx", ("--thread",), ("httpx",)),
        Client("httpx", "httpx, naive, 8 at once", "httpx", (), ("httpx",)),
        Client("httpx-sync", "httpx, one at a time", "httpx", ("--sequential",), ("httpx",)),
        Client("requests", "requests, one at a time", "requests", (), ("requests", "requests_toolbelt")),
        Client("curl", "curl as documented, split beforehand", "curl", ("--parts", PARTS), (), CURL),
        Client("curl-split", "curl as documented, with splitting", "curl", (), (), CURL),
    ),
    notes=NOTES,
)
COLD = Group(
    "Cold file",
    (
        Client("engine-cold", "pk-upload, 8 lanes", "engine", LANES),
        Client("raw-cold", "raw sockets, 4 threads", "raw"),
        Client("http-client-cold", "http.client, 10 threads", "http_client"),
    ),
    cold=True,
    notes=(COLD_NOTE,),
)
BARE = Group(
    "Without MD5",
    (
        Client("engine-no-md5", "pk-upload, 8 lanes", "engine", (*LANES, "--no-checksum")),
        Client("raw-no-md5", "raw sockets, 4 threads", "raw", ("--no-checksum",)),
    ),
)
GROUPS = (WARM, COLD, BARE)


def measure(settings: Settings) -> Report:
    settings.check_only([client.name for group in GROUPS for client in group.clients])
    file, parts = settings.folder / "build", settings.folder / "parts"
    groups = list(_groups(settings))
    curl = any(client.module == "curl" for group in groups for client in group.clients)
    payload.make_room(settings.folder, settings.size * (3 if curl else 1))
    settings.say(f"throughput: making a file of {shown(settings.size)}")
    payload.make(file, settings.size)
    if curl:
        parts.mkdir()
        split(Task("", file, CHUNK), parts)
        payload.settle()
    if any(group.cold for group in groups) and not payload.can_cool(file):
        settings.say("Skipped: the cold file; the page cache cannot be emptied of it here.")
        groups = [group for group in groups if not group.cold]
    if not groups:
        raise Failure("Nothing is left to measure.")
    samples = _samples(settings, groups, file, parts)
    return Report(
        name="throughput",
        title="Throughput",
        command=settings.command,
        about=ABOUT,
        tables=[_table(group, samples) for group in groups],
        samples=[asdict(sample) for row in samples.values() for sample in row],
        panels=[panel for group in groups for panel in _bars(group, samples)],
    )


def _groups(settings: Settings) -> Iterator[Group]:
    """The groups with the rows that are wanted and possible here."""
    for group in GROUPS:
        wanted = [client for client in group.clients if settings.wants(client.name)]
        for client in wanted:
            if missing := client.missing():
                settings.say(f"Skipped: {client.label}; it needs {' and '.join(missing)}.")
        able = [client for client in wanted if not client.missing()]
        if able:
            yield replace(group, clients=able)


def _samples(
    settings: Settings, groups: Sequence[Group], file: Path, parts: Path
) -> Mapping[str, Sequence[Sample]]:
    rows = [(group, client) for group in groups for client in group.clients]
    samples: dict[str, list[Sample]] = defaultdict(list)
    with server("sink") as sink:
        for number, (group, client) in interleaved(rows, settings.runs):
            for each in sorted(parts.iterdir()) if PARTS in client.options else [file]:
                (payload.cool if group.cold else payload.warm)(each)
            sample = run(client.with_parts(parts), number, sink, file, CHUNK)
            samples[client.name].append(sample)
            settings.say(f"round {number} of {settings.runs}: {client.name:18} {sample.text()}")
            if client.module == "curl":
                payload.settle()
    return samples


def _table(group: Group, samples: Mapping[str, Sequence[Sample]]) -> Table:
    engine = group.engine
    columns = [
        Column("client", "client"),
        Column("speed", "MiB/s"),
        Column("cpu", "CPU s/GiB", 2),
        Column("memory", "peak RSS MiB"),
    ]
    if engine is not None and len(group.clients) > 1:
        columns.append(Column("speed_ratio", "MiB/s, pk-upload ÷ this", 2))
        columns.append(Column("cpu_ratio", "CPU, pk-upload ÷ this", 2))
    rows = [_row(client, engine, samples) for client in group.clients]
    ours = [
        sample.sink_cpu_seconds / (sample.size / GIB)
        for client in group.clients
        for sample in samples[client.name]
    ]
    sink = f"The sink used {min(ours):.2f} to {max(ours):.2f} CPU s/GiB beside the client."
    return Table(group.title, columns, rows, [*group.notes, sink])


def _row(client: Client, engine: Client | None, samples: Mapping[str, Sequence[Sample]]) -> dict[str, Cell]:
    mine = samples[client.name]
    summary = Summary.of(mine)
    row: dict[str, Cell] = {
        "client": client.label,
        "speed": summary.speed,
        "cpu": summary.cpu,
        "memory": summary.memory,
    }
    if engine is not None and engine != client:
        ours = samples[engine.name]
        row["speed_ratio"] = ratio([s.speed for s in ours], [s.speed for s in mine])
        row["cpu_ratio"] = ratio([s.cpu_seconds for s in ours], [s.cpu_seconds for s in mine])
    return row


def _bars(group: Group, samples: Mapping[str, Sequence[Sample]]) -> Iterator[Bars]:
    summaries = [(client.label, Summary.of(samples[client.name])) for client in group.clients]
    engines = frozenset(client.label for client in group.clients if client.module == "engine")
    yield Bars(
        f"{group.title}: MiB/s, more is better",
        [(label, each.speed) for label, each in summaries],
        engines,
    )
    yield Bars(
        f"{group.title}: CPU s/GiB, less is better",
        [(label, each.cpu) for label, each in summaries],
        engines,
        digits=2,
    )
