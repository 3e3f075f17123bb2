"""What a benchmark is told, and the one error that a user sees."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

__all__ = ["GIB", "KIB", "MIB", "TIB", "Defaults", "Failure", "Settings", "shown"]

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB
UNITS = {"TiB": TIB, "GiB": GIB, "MiB": MIB, "KiB": KIB}


class Failure(Exception):
    """Why a benchmark ended, in a sentence for its user."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a benchmark does unless it is told otherwise: rounds, and the bytes of the file to send.

    `size` is `None` for one that has sizes of its own.
    """

    runs: int
    size: int | None = None
    quick_size: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """One run of a benchmark, as the command line has it.

    `runs` are rounds, `size` the bytes of the file to send (0 for a benchmark with sizes of its own),
    `folder` a scratch folder that the command line removes, `only` the rows wanted (none for all), `command`
    what reproduces the run, and `say` takes a line about progress. `quick` asks for a look instead of a
    measurement.
    """

    runs: int
    size: int
    folder: Path
    command: str
    say: Callable[[str], None]
    only: frozenset[str] = frozenset()
    quick: bool = False

    def wants(self, name: str) -> bool:
        """Whether the row of this name is wanted; `only` may hold patterns such as `engine*`."""
        return not self.only or any(fnmatch(name, pattern) for pattern in self.only)

    def check_only(self, known: Collection[str]) -> None:
        """Raises `Failure` when `only` asks for a row that there is not."""
        for pattern in sorted(self.only):
            if not any(fnmatch(name, pattern) for name in known):
                raise Failure(f"No row is called {pattern}; there are {', '.join(known)}.")


def shown(size: int) -> str:
    """`size` without loss, in the largest unit that has it whole: 10 MiB."""
    name, unit = next(((name, unit) for name, unit in UNITS.items() if size % unit == 0), ("B", 1))
    return f"{size // unit} {name}"
