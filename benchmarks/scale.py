"""What grows with the file and with the number of its chunks, and how soon the first chunk goes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from benchmarks.report import Bars, Lines, Report, Table
from benchmarks.scaling import growth, resuming, starting
from benchmarks.settings import Defaults, Settings

__all__ = ["DEFAULTS", "measure"]

PARTS = ("size", "chunks", "resume", "start")
DEFAULTS = Defaults(runs=3)  # the large files take long, and what is to be seen here is large
ABOUT = """\
What this engine costs against the size of the file and the number of its chunks, how long it takes to go on
with what an earlier run had delivered, and how soon the command line is at work. Figures are medians, with
the least and the most in brackets."""


def measure(settings: Settings) -> Report:
    settings.check_only(PARTS)
    tables: list[Table] = []
    panels: list[Bars | Lines] = []
    samples: list[Mapping[str, object]] = []
    by_size, by_chunk = growth.by_file_size(settings), growth.by_chunk_size(settings)
    # A case that both tables have is measured once.
    grown = growth.measure(settings, list(dict.fromkeys((*by_size, *by_chunk))))
    sizes, chunks = ([grown[case] for case in cases if case in grown] for cases in (by_size, by_chunk))
    tables += [growth.size_table(sizes)] if sizes else []
    tables += [growth.chunk_table(chunks)] if chunks else []
    panels += growth.plots(sizes, chunks)
    samples += [asdict(sample) for case in grown.values() for sample in (*case.samples, *case.floor)]
    if settings.wants("resume"):
        resumed = resuming.measure(settings)
        tables.append(resuming.table(resumed))
        samples += map(asdict, resumed)
    if settings.wants("start"):
        started = starting.measure(settings)
        tables.append(starting.table(started))
        panels.append(starting.bars(started))
        samples += map(asdict, started)
    return Report("scale", "Scale", settings.command, ABOUT, tables, samples, panels)
