"""A report's panels as one SVG, for light and dark pages, and the same file for the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.report import Bars, Lines, Series, Spread

__all__ = ["draw"]

WIDTH = 9.0  # inches
INK, FAINT, OTHERS, OURS = "#24292f", "#d0d7de", "#8c959f", "#0969da"
COLOURS = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#6e7781")
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "pk-upload",  # else every drawing has other ids
    "svg.fonttype": "none",  # text stays text
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Geneva", "sans-serif"],
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": OTHERS,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
}


def draw(panels: Sequence[Bars | Lines], path: Path) -> None:
    """Draws the panels two abreast; bars that stand beside each other share their labels."""
    if not panels:
        return
    pairs = [panels[start : start + 2] for start in range(0, len(panels), 2)]
    heights = [max(map(_height, pair)) for pair in pairs]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained", facecolor="white")
        rows = figure.subfigures(len(pairs), 1, height_ratios=heights, squeeze=False)
        for (row,), pair in zip(rows, pairs, strict=True):
            axes = row.subplots(1, len(pair), squeeze=False)[0]
            for place, panel in enumerate(pair):
                _panel(axes[place], panel, labelled=place == 0 or not _alike(pair))
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _height(panel: Bars | Lines) -> float:
    return 0.7 + 0.27 * len(panel.bars) if isinstance(panel, Bars) else 3.2


def _alike(pair: Sequence[Bars | Lines]) -> bool:
    labels = [[label for label, _ in panel.bars] for panel in pair if isinstance(panel, Bars)]
    return len(labels) == len(pair) and all(each == labels[0] for each in labels)


def _panel(axes: Axes, panel: Bars | Lines, *, labelled: bool) -> None:
    axes.set_title(panel.title)
    if isinstance(panel, Bars):
        _bars(axes, panel, labelled=labelled)
    else:
        _lines(axes, panel)


def _bars(axes: Axes, panel: Bars, *, labelled: bool) -> None:
    places = range(len(panel.bars))
    values = [spread.median for _, spread in panel.bars]
    colours = [OURS if label in panel.marked else OTHERS for label, _ in panel.bars]
    axes.barh(
        places,
        values,
        height=0.66,
        color=colours,
        xerr=_errors([spread for _, spread in panel.bars]),
        error_kw={"ecolor": INK, "elinewidth": 0.8},
    )
    for place, (_, spread) in enumerate(panel.bars):
        axes.annotate(
            f"{spread.median:.{panel.digits}f}",
            (spread.high, place),
            (4, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(places, [label for label, _ in panel.bars] if labelled else [""] * len(values))
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, max(spread.high for _, spread in panel.bars) * 1.14)
    axes.grid(visible=True, axis="x")


def _lines(axes: Axes, panel: Lines) -> None:
    for number, series in enumerate(panel.series):
        _line(axes, series, COLOURS[number % len(COLOURS)])
    ticks = sorted({x for series in panel.series if not series.level for x, _ in series.points})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.minorticks_off()
    highest = max(spread.high for series in panel.series for _, spread in series.points)
    axes.set_ylim(0, highest * 1.12)
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    axes.grid(visible=True)
    if len(panel.series) > 1:
        axes.legend(frameon=False, loc="best")


def _line(axes: Axes, series: Series, colour: str) -> None:
    spreads = [spread for _, spread in series.points]
    width = 2.4 if series.marked else 1.4
    if series.level:
        axes.axhline(spreads[0].median, color=colour, linewidth=width, linestyle="--", label=series.name)
        return
    axes.errorbar(
        [x for x, _ in series.points],
        [spread.median for spread in spreads],
        yerr=_errors(spreads),
        color=colour,
        linewidth=width,
        marker="o",
        markersize=4,
        elinewidth=0.8,
        label=series.name,
    )


def _errors(spreads: Sequence[Spread]) -> list[list[float]]:
    return [
        [spread.median - spread.low for spread in spreads],
        [spread.high - spread.median for spread in spreads],
    ]
