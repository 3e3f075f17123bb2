"""One run of a client against the sink, and rounds of runs."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from benchmarks import account
from benchmarks.processes import output, python
from benchmarks.report import Spread
from benchmarks.settings import GIB, MIB

__all__ = ["Client", "Sample", "Summary", "interleaved", "memory", "ratio", "run"]

T = TypeVar("T")
SEED = 20260101  # the same order of rows on every machine


@dataclass(frozen=True, slots=True)
class Client:
    """A contender with its options; `name` is what `--only` takes.

    `libraries` are what its module imports, `programs` what it starts.
    """

    name: str
    label: str
    module: str
    options: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()

    def with_parts(self, parts: Path) -> Client:
        """The same client told where the file's chunks lie as files, if it wants to know."""
        return replace(self, options=tuple(option.format(parts=parts) for option in self.options))

    def missing(self) -> list[str]:
        """What it needs and this machine has not."""
        libraries = [name for name in self.libraries if importlib.util.find_spec(name) is None]
        return libraries + [name for name in self.programs if shutil.which(name) is None]


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: seconds, CPU seconds of client and sink, and the client's peak memory in bytes, if known."""

    row: str
    round: int
    size: int
    seconds: float
    cpu_seconds: float
    peak_rss: int | None
    sink_cpu_seconds: float

    @property
    def speed(self) -> float:
        return self.size / MIB / self.seconds

    @property
    def cpu_per_gib(self) -> float:
        return self.cpu_seconds / (self.size / GIB)

    def text(self) -> str:
        """One line of progress."""
        memory = "" if self.peak_rss is None else f" {self.peak_rss / MIB:4.0f} MiB"
        return f"{self.speed:6.0f} MiB/s {self.cpu_per_gib:5.2f} CPU s/GiB{memory}"


@dataclass(frozen=True, slots=True)
class Summary:
    """What the samples of one row add up to, in MiB/s, CPU seconds a GiB and MiB."""

    speed: Spread
    cpu: Spread
    memory: Spread | None

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Summary:
        return cls(
            Spread.of([sample.speed for sample in samples]),
            Spread.of([sample.cpu_per_gib for sample in samples]),
            memory([sample.peak_rss for sample in samples]),
        )


def run(client: Client, number: int, sink: str, file: Path, chunk_size: int) -> Sample:
    """One run in a process of its own. Raises `Failure` when it did not deliver the file exactly once."""
    account.reset(sink)
    command = python(
        f"contenders.{client.module}",
        *("--url", sink, "--file", file, "--chunk-size", chunk_size),
        *client.options,
    )
    told = json.loads(output(command, client.label))
    size, ledger = file.stat().st_size, account.read(sink)
    account.check(ledger, size, client.label)
    return Sample(
        row=client.name,
        round=number,
        size=size,
        seconds=told["seconds"],
        cpu_seconds=told["cpu_seconds"],
        peak_rss=told["peak_rss"],
        sink_cpu_seconds=ledger.cpu_seconds,
    )


def memory(peaks: Sequence[int | None]) -> Spread | None:
    """Peaks of memory in MiB, of those runs where it is known."""
    known = [peak / MIB for peak in peaks if peak is not None]
    return Spread.of(known) if known else None


def interleaved(rows: Sequence[T], runs: int) -> Iterator[tuple[int, T]]:
    """Every row once a round, in another order each round: what drifts meanwhile meets them all alike."""
    order = random.Random(SEED)
    for number in range(1, runs + 1):
        for row in order.sample(rows, len(rows)):
            yield number, row


def ratio(ones: Sequence[float], others: Sequence[float]) -> Spread:
    """One row's figures to another's, round by round, so that what drifts from round to round cancels."""
    return Spread.of([one / other for one, other in zip(ones, others, strict=True)])
