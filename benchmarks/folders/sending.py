"""How long a folder takes to be delivered: against a ZIP that is ready, and against zipping it first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import account, payload
from benchmarks.folders import trees
from benchmarks.measure import interleaved, memory, ratio
from benchmarks.processes import output, python, server
from benchmarks.report import Bars, Cell, Column, Spread, Table
from benchmarks.settings import GIB, MIB, Settings

__all__ = ["Sent", "bars", "measure_ready", "measure_zipping", "table_ready", "table_zipping"]

CHUNK = 10 * MIB
READY_SIZE, ZIPPING_SIZE, QUICK_SIZE = GIB, 300 * MIB, 40 * MIB
READY, FOLDER = "pk-upload, a ready ZIP", "pk-upload, the folder"
ZIPPED = "zipfile level 6, then chunk by chunk"
CLIENTS = (READY, FOLDER, ZIPPED)


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery of `size` bytes of content."""

    client: str
    round: int
    size: int
    seconds: float
    cpu_seconds: float
    peak_rss: int | None


@dataclass(frozen=True, slots=True)
class Way:
    """One way to deliver a folder: the command's module and arguments, and the file that arrives."""

    client: str
    module: str
    arguments: Sequence[object]
    arriving: Path


def measure_ready(settings: Settings) -> list[Sent]:
    folder, archive = settings.folder / "ready", settings.folder / "ready.zip"
    size = QUICK_SIZE if settings.quick else READY_SIZE
    payload.make_room(settings.folder, 2 * size)
    trees.make_noise(folder, size)
    trees.make_stored(folder, archive)
    payload.settle()
    ways = [
        Way(READY, "contenders.engine", ("--file", archive), archive),
        Way(FOLDER, "contenders.folder", ("--file", folder, "--compression", "store"), archive),
    ]
    return _measure(settings, ways, folder, size)


def measure_zipping(settings: Settings) -> list[Sent]:
    folder, stored, deflated = (settings.folder / name for name in ("noise", "noise.zip", "zipped.zip"))
    size = QUICK_SIZE if settings.quick else ZIPPING_SIZE
    payload.make_room(settings.folder, 3 * size)
    trees.make_noise(folder, size)
    trees.make_stored(folder, stored)
    payload.settle()
    ways = [
        Way(ZIPPED, "contenders.zip_first", ("--file", folder, "--archive", deflated), deflated),
        Way(FOLDER, "contenders.folder", ("--file", folder), stored),
    ]
    return _measure(settings, ways, folder, size)


def _measure(settings: Settings, ways: Sequence[Way], folder: Path, size: int) -> list[Sent]:
    found = []
    with server("sink") as sink:
        for number, way in interleaved(ways, settings.runs):
            for path in [*folder.rglob("*.bin"), way.arriving]:
                if path.exists():
                    payload.warm(path)
            sent = _run(way, number, sink, size)
            found.append(sent)
            settings.say(f"round {number} of {settings.runs}: {sent.client:36} {sent.seconds:6.2f} s")
            payload.settle()
    return found


def _run(way: Way, number: int, sink: str, size: int) -> Sent:
    account.reset(sink)
    command = python(way.module, "--url", sink, "--chunk-size", CHUNK, *way.arguments)
    told = json.loads(output(command, way.client))
    account.check(account.read(sink), way.arriving.stat().st_size, way.client)
    return Sent(way.client, number, size, told["seconds"], told["cpu_seconds"], told["peak_rss"])


def table_ready(found: Sequence[Sent]) -> Table:
    note = (
        "Random bytes in files of 64 KiB to 32 MiB. The ZIP holds the very bytes that the folder is sent as;"
        " both are in memory. The folder's time includes finding its files and their checksums."
    )
    return _table("A folder and a ready ZIP", found, READY, f"time ÷ {READY}", note)


def table_zipping(found: Sequence[Sent]) -> Table:
    note = (
        "Random bytes in files of 64 KiB to 32 MiB. By hand, the folder is zipped on one core, and the ZIP"
        " sent over one connection. pk-upload is given the folder and no options."
    )
    return _table("Instead of zipping first", found, FOLDER, "time ÷ pk-upload", note)


def bars(title: str, found: Sequence[Sent]) -> Bars:
    rows = [(client, Spread.of([sent.seconds for sent in _by(client, found)])) for client in _clients(found)]
    return Bars(f"{title}: seconds, less is better", rows, frozenset((FOLDER,)), digits=2)


def _clients(found: Sequence[Sent]) -> list[str]:
    return [client for client in CLIENTS if _by(client, found)]


def _by(client: str, found: Sequence[Sent]) -> list[Sent]:
    return [sent for sent in found if sent.client == client]


def _table(title: str, found: Sequence[Sent], base: str, heading: str, note: str) -> Table:
    columns = [
        Column("client", "client"),
        Column("size", "MiB"),
        Column("seconds", "seconds", 2),
        Column("speed", "MiB/s"),
        Column("cpu", "CPU s", 2),
        Column("memory", "peak RSS MiB"),
        Column("ratio", heading, 2),
    ]
    rows: list[Mapping[str, Cell]] = []
    seconds = [sent.seconds for sent in _by(base, found)]
    for client in _clients(found):
        mine = _by(client, found)
        row: dict[str, Cell] = {
            "client": client,
            "size": mine[0].size // MIB,
            "seconds": Spread.of([sent.seconds for sent in mine]),
            "speed": Spread.of([sent.size / MIB / sent.seconds for sent in mine]),
            "cpu": Spread.of([sent.cpu_seconds for sent in mine]),
            "memory": memory([sent.peak_rss for sent in mine]),
        }
        if client != base:
            row["ratio"] = ratio([sent.seconds for sent in mine], seconds)
        rows.append(row)
    return Table(title, columns, rows, [note])
