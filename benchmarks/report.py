"""What a benchmark found: tables, plots and raw samples; written as Markdown, JSON and SVG.

A benchmark returns a `Report` of plain values; nothing here measures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Self

from benchmarks.machine import Machine

__all__ = ["Bars", "Cell", "Column", "Lines", "Report", "Series", "Spread", "Table", "write"]


@dataclass(frozen=True, slots=True)
class Spread:
    """Several samples of one quantity: the middle one, and how far they lie apart."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Self:
        return cls(median(samples), min(samples), max(samples))

    def text(self, digits: int) -> str:
        low, middle, high = (f"{value:.{digits}f}" for value in (self.low, self.median, self.high))
        return middle if low == high else f"{middle} ({low}–{high})"  # noqa: RUF001 - a range is written so


Cell = str | int | float | Spread | None


@dataclass(frozen=True, slots=True)
class Column:
    """`key` names it in JSON, `heading` in Markdown; numbers are shown with that many `digits`."""

    key: str
    heading: str
    digits: int = 0

    def text(self, cell: Cell) -> str:
        match cell:
            case None:
                return ""
            case Spread():
                return cell.text(self.digits)
            case float():
                return f"{cell:.{self.digits}f}"
        return str(cell)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by the columns' keys; a missing cell is empty. Columns after the first are aligned right."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Cell]]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        lines = [
            _line(column.heading for column in self.columns),
            _line("---" if column is self.columns[0] else "---:" for column in self.columns),
            *(_line(column.text(row.get(column.key)) for column in self.columns) for row in self.rows),
        ]
        notes = [f"- {note}" for note in self.notes]
        return "\n".join([f"## {self.title}", "", *lines, *([""] if notes else []), *notes])


@dataclass(frozen=True, slots=True)
class Bars:
    """A panel of horizontal bars, the first on top; those in `marked` stand out."""

    title: str
    bars: Sequence[tuple[str, Spread]]
    marked: frozenset[str] = frozenset()
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Series:
    """One line; `points` are (x, y). With `level` it is a horizontal line at its only point's height."""

    name: str
    points: Sequence[tuple[float, Spread]]
    level: bool = False
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """A panel of lines over x, spaced by powers of two; y begins at 0."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]


@dataclass(frozen=True, slots=True)
class Report:
    """`name` is the files' name, `command` reproduces it, `samples` are the raw measurements."""

    name: str
    title: str
    command: str
    about: str
    tables: Sequence[Table]
    samples: Sequence[Mapping[str, object]]
    panels: Sequence[Bars | Lines] = ()
    machine: Machine = field(default_factory=Machine.here)
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d"))


def write(report: Report, out: Path) -> list[str]:
    """Writes the report's files below `out`; what to tell the user about it, a sentence a line."""
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{report.name}.json").write_text(json.dumps(_document(report), indent=1) + "\n", encoding="utf-8")
    told = _plot(report, out / f"{report.name}.svg")
    (out / f"{report.name}.md").write_text(_markdown(report, plotted=not told), encoding="utf-8")
    return [f"{report.name}: written to {out / report.name}.md", *told]


def _plot(report: Report, path: Path) -> list[str]:
    try:
        from benchmarks import plots
    except ImportError:
        path.unlink(missing_ok=True)  # an older one would not belong to these tables
        return ['No plots: matplotlib is missing; `pip install -e ".[benchmark]"` brings it.']
    plots.draw(report.panels, path)
    return []


def _markdown(report: Report, *, plotted: bool) -> str:
    image = [f"![{report.title}]({report.name}.svg)"] if plotted and report.panels else []
    facts = [f"- {fact}" for fact in report.machine.lines()]
    made = f"Made on {report.date} by\n\n```sh\n{report.command}\n```\n\non\n\n" + "\n".join(facts)
    tables = [table.markdown() for table in report.tables]
    return "\n\n".join([f"# {report.title}", report.about, *image, *tables, made]) + "\n"


def _document(report: Report) -> dict[str, object]:
    whole = asdict(report)
    del whole["panels"]  # nothing but the tables once more
    return whole


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
