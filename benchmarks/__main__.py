"""`python -m benchmarks`, run from the repository's root: measures and writes what it found."""

from __future__ import annotations

import shlex
import signal
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Protocol, cast

import click

from benchmarks import report
from benchmarks.settings import Defaults, Failure, Settings, shown
from pk_upload.cli.values import SIZE

BENCHMARKS = ("throughput", "link", "scale", "folder")  # modules beside this one, in the order they run


class Benchmark(Protocol):
    """What the module of a benchmark has; it is imported when its turn comes."""

    DEFAULTS: Defaults

    def measure(self, settings: Settings) -> report.Report: ...


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("what", type=click.Choice([*BENCHMARKS, "all"]), default="all")
@click.option(
    "--runs", type=click.IntRange(1), help="Rounds.  [default: folder and throughput 5, link and scale 3]"
)
@click.option(
    "--size",
    type=SIZE,
    help="Of the file that is sent, for throughput or link.  [default: throughput 2GiB, link 512MiB]",
)
@click.option(
    "--only",
    default="",
    metavar="NAME,...",
    help="These rows alone, of one benchmark; engine* is a pattern, and a name that is none lists them all.",
)
@click.option("--quick", is_flag=True, help="A look: one round, and small unless --runs and --size say more.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(__file__).parent / "results",
    help="Where the results go.  [default: benchmarks/results]",
)
@click.option(
    "--dir",
    "scratch",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Where files are made to be sent, and removed.  [default: the system's temporary folder]",
)
def main(
    what: str, runs: int | None, size: int | None, only: str, quick: bool, out: Path, scratch: Path | None
) -> None:
    """Measures this engine beside other clients, over links, and over file sizes, or only one of these."""
    if what == "all" and (only or size is not None):
        raise click.UsageError("--only and --size are for one benchmark: name it.")
    rows = frozenset(name.strip() for name in only.split(",") if name.strip())
    for name in BENCHMARKS if what == "all" else (what,):
        benchmark = cast(Benchmark, import_module(f"benchmarks.{name}"))
        rounds, largest = _effective(name, benchmark.DEFAULTS, runs, size, quick=quick)
        command = _command(name, rounds, largest, only, quick=quick)
        with tempfile.TemporaryDirectory(prefix="benchmark-", dir=scratch) as folder:
            settings = Settings(rounds, largest or 0, Path(folder), command, _say, rows, quick)
            for line in report.write(benchmark.measure(settings), out):
                _say(line)


def _effective(
    name: str, defaults: Defaults, runs: int | None, size: int | None, *, quick: bool
) -> tuple[int, int | None]:
    """The rounds and the size that count: what was given, else what the benchmark has by default."""
    if size is not None and defaults.size is None:
        raise click.UsageError(f"{name} has sizes of its own: --size is not for it.")
    if size == 0:
        raise click.UsageError("--size has to be more than 0.")
    if size is None:
        size = defaults.quick_size if quick else defaults.size
    return runs or (1 if quick else defaults.runs), size


def _command(name: str, runs: int, size: int | None, only: str, *, quick: bool) -> str:
    """What a reader types to have the same measured."""
    words = ["python", "-m", "benchmarks", name, "--runs", str(runs)]
    words += ["--size", shown(size).replace(" ", "")] if size else []
    words += ["--only", shlex.quote(only)] if only else []
    return " ".join([*words, *(["--quick"] if quick else [])])


def _say(line: str) -> None:
    click.echo(line, err=True)


def _terminated(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)  # and the children are ended on the way out


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
