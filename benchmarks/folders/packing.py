"""How fast a folder is packed, and how small it becomes, beside Python's zipfile."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks import payload
from benchmarks.folders import trees
from benchmarks.measure import interleaved, memory, ratio
from benchmarks.processes import output, python
from benchmarks.report import Bars, Cell, Column, Spread, Table
from benchmarks.settings import MIB, Settings

__all__ = ["Packed", "bars", "measure", "table"]

SIZE, QUICK_SIZE = 400 * MIB, 20 * MIB
ALL, ONE, ZIPFILE = "pk-upload, all cores", "pk-upload, one core", "zipfile, level 6"
PACKERS: Mapping[str, Sequence[str]] = {ALL: (), ONE: ("--threads", "1"), ZIPFILE: ("--zipfile",)}
RECIPE = (
    "Half of the folder are this Python's modules, extension modules and shared library, over and over in the"
    " order of their names; the other half is the same, joined in files of 64 MiB. Nothing in it is random,"
    " and all of it is in memory."
)


@dataclass(frozen=True, slots=True)
class Packed:
    """One packing: of `size` bytes to `packed`."""

    packer: str
    round: int
    size: int
    packed: int
    seconds: float
    cpu_seconds: float
    peak_rss: int | None

    @property
    def speed(self) -> float:
        return self.size / MIB / self.seconds


def measure(settings: Settings) -> list[Packed]:
    folder, archive = settings.folder / "software", settings.folder / "software.zip"
    size = QUICK_SIZE if settings.quick else SIZE
    payload.make_room(settings.folder, 2 * size)
    trees.make_software(folder, size)
    payload.settle()
    size, found = trees.size_of(folder), []
    for number, packer in interleaved([*PACKERS], settings.runs):
        for path in folder.rglob("*.*"):
            payload.warm(path)
        found_out = json.loads(output(python("folders.packer", folder, archive, *PACKERS[packer]), packer))
        archive.unlink()
        packed = Packed(packer, number, size, **found_out)
        found.append(packed)
        told = f"{packed.speed:5.0f} MiB/s to {packed.packed / size:.1%}"
        settings.say(f"round {number} of {settings.runs}: {packer:20} {told}")
        payload.settle()
    return found


def table(found: Sequence[Packed]) -> Table:
    columns = [
        Column("packer", "packer"),
        Column("size", "MiB"),
        Column("packed", "MiB packed", 1),
        Column("speed", "MiB/s"),
        Column("cpu", "CPU s", 2),
        Column("memory", "peak RSS MiB"),
        Column("speed_ratio", "MiB/s ÷ zipfile", 2),
        Column("size_ratio", "size ÷ zipfile", 3),
    ]
    rows: list[Mapping[str, Cell]] = []
    base = [packed for packed in found if packed.packer == ZIPFILE]
    for packer in PACKERS:
        mine = [packed for packed in found if packed.packer == packer]
        row: dict[str, Cell] = {
            "packer": packer,
            "size": mine[0].size // MIB,
            "packed": Spread.of([packed.packed / MIB for packed in mine]),
            "speed": _speed(mine),
            "cpu": Spread.of([packed.cpu_seconds for packed in mine]),
            "memory": memory([packed.peak_rss for packed in mine]),
        }
        if packer != ZIPFILE:
            row["speed_ratio"] = ratio([each.speed for each in mine], [each.speed for each in base])
            row["size_ratio"] = ratio([each.packed for each in mine], [each.packed for each in base])
        rows.append(row)
    return Table("Packing", columns, rows, [RECIPE])


def bars(found: Sequence[Packed]) -> Bars:
    rows = [(packer, _speed([each for each in found if each.packer == packer])) for packer in PACKERS]
    return Bars("Packing: MiB/s, more is better", rows, frozenset((ALL, ONE)))


def _speed(found: Sequence[Packed]) -> Spread:
    return Spread.of([packed.speed for packed in found])
