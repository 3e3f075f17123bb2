"""What it costs to push a folder instead of a ZIP: sending it, packing it, and checking it beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from benchmarks.folders import checking, packing, sending
from benchmarks.report import Bars, Lines, Report, Table
from benchmarks.settings import Defaults, Settings

__all__ = ["DEFAULTS", "measure"]

PARTS = ("ready", "zipping", "packing", "checking")
DEFAULTS = Defaults(runs=5)
ABOUT = """\
What becomes of a folder: sent over loopback in chunks of 10 MiB to a sink that reads and drops them, packed,
and checked. Every run is a process of its own; unless a table says so, an interpreter's start and its imports
are not in its time. Figures are medians, with the least and the most in brackets; ratios are taken round by
round, and their median is shown."""


def measure(settings: Settings) -> Report:
    settings.check_only(PARTS)
    tables: list[Table] = []
    panels: list[Bars | Lines] = []
    samples: list[Mapping[str, object]] = []
    if settings.wants("ready"):
        ready = sending.measure_ready(settings)
        tables.append(sending.table_ready(ready))
        panels.append(sending.bars("A folder and a ready ZIP", ready))
        samples += map(asdict, ready)
    if settings.wants("zipping"):
        zipping = sending.measure_zipping(settings)
        tables.append(sending.table_zipping(zipping))
        panels.append(sending.bars("Instead of zipping first", zipping))
        samples += map(asdict, zipping)
    if settings.wants("packing"):
        packed = packing.measure(settings)
        tables.append(packing.table(packed))
        panels.append(packing.bars(packed))
        samples += map(asdict, packed)
    if settings.wants("checking"):
        checked = checking.measure(settings)
        tables.append(checking.table(checked))
        samples += map(asdict, checked)
    return Report("folder", "Folders", settings.command, ABOUT, tables, samples, panels)
