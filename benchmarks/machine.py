"""What was measured on: the machine and the versions, and nothing that tells whose machine it is."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Self

from benchmarks.settings import GIB

__all__ = ["Machine"]

LIBRARIES = (
    "pk-upload",
    "aiohttp",
    "aiofiles",
    "anyio",
    "zlib-ng",
    "requests",
    "requests-toolbelt",
    "urllib3",
    "httpx",
    "matplotlib",
)


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine, as a report names it."""

    processor: str
    cores: int
    memory_gib: int
    system: str
    python: str
    versions: dict[str, str]

    @classmethod
    def here(cls) -> Self:
        # Without what a distributor or a provider adds to the kernel's number.
        release = re.match(r"[\d.]*", platform.release()) or [""]
        system = f"{platform.system()} {release[0]}"
        python = f"{platform.python_implementation()} {platform.python_version()}"
        return cls(_processor(), _cores(), _memory(), system, python, dict(_versions()))

    def lines(self) -> list[str]:
        memory = f", {self.memory_gib} GiB of memory" if self.memory_gib else ""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return [
            f"{self.processor}, {self.cores} cores{memory}",
            f"{self.system}, {self.python}",
            versions,
        ]


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return (
        _said("sysctl", "-n", "machdep.cpu.brand_string")  # macOS
        or platform.processor()
        or platform.machine()
    )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))  # those this process may use
    return os.cpu_count() or 1


def _memory() -> int:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB)
    except (AttributeError, ValueError, OSError):
        return 0


def _versions() -> Iterator[tuple[str, str]]:
    for name in LIBRARIES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if found := re.match(r"curl (\S+)", _said("curl", "--version")):
        yield "curl", found[1]


def _said(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
