"""What every contender is told, and what it reports.

The clock runs from the first call to the last answer: connections are included, an interpreter's start and
imports are not. Nothing but the standard library is imported here, so that no contender's memory grows by it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

__all__ = ["MIB", "Chunk", "Task", "arguments", "peak_rss", "report"]

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of the file, from byte `first` to byte `last`, both included."""

    first: int
    last: int
    total: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    @property
    def content_range(self) -> str:
        return f"bytes {self.first}-{self.last}/{self.total}"


@dataclass(frozen=True, slots=True)
class Task:
    """Which file to send in which chunks to the sink at `url`."""

    url: str
    file: Path
    chunk_size: int

    @property
    def chunk_url(self) -> str:
        return f"{self.url}/1/uploads/1/chunk"

    @property
    def address(self) -> SplitResult:
        return urlsplit(self.chunk_url)

    def chunks(self) -> Iterator[Chunk]:
        total = self.file.stat().st_size
        for first in range(0, total, self.chunk_size):
            yield Chunk(first, min(first + self.chunk_size, total) - 1, total)


def arguments(about: str) -> argparse.ArgumentParser:
    """A parser of what all contenders take; `Task(...)` comes from its result by `report`."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--url", required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--chunk-size", type=int, default=10 * MIB)
    return parser


def report(given: argparse.Namespace, transfer: Callable[[Task], None], *, in_children: bool = False) -> None:
    """Runs `transfer` and prints what it cost as one line of JSON.

    Where the work is done `in_children` there is no peak of memory: theirs is not told for all together.
    """
    task = Task(given.url, given.file, given.chunk_size)
    cpu, start = _cpu(), time.perf_counter()
    transfer(task)
    seconds = time.perf_counter() - start
    memory = None if in_children else peak_rss()
    print(json.dumps({"seconds": seconds, "cpu_seconds": _cpu() - cpu, "peak_rss": memory}))


def _cpu() -> float:
    """The seconds of processor time, user and system, of this process and of its children that have ended."""
    times = os.times()
    if sys.platform == "win32":
        return times.user + times.system
    import resource

    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def peak_rss() -> int | None:
    """The most bytes of memory that this process has held, where the platform tells."""
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return _own_peak_rss() or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _own_peak_rss() -> int:
    # On Linux ru_maxrss starts with the memory of the process that started this one.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
