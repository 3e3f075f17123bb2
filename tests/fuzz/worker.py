"""One target under the fuzzer, in a process of its own: it ends at the first finding or in time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pk_upload.archive"]):
    from fuzz.targets import TARGETS

from fuzz.mutation import mutated

LONGEST = 16 * 1024  # bytes of an input
MEMORY = 1024  # MiB of the process, far above what any input may need
PATIENCE = 10  # seconds for one input


def _mutate(data: bytes, most: int, seed: int) -> bytes:
    return mutated(data, seed, most, atheris.Mutate)


def main(arguments: Sequence[str]) -> None:
    """Target, folder of the corpus, folder of the findings, seconds."""
    target, corpus, findings, seconds = arguments
    settings = {
        "artifact_prefix": f"{Path(findings) / target}-",
        "max_total_time": seconds,
        "max_len": LONGEST,
        "rss_limit_mb": MEMORY,
        "timeout": PATIENCE,
        "use_value_profile": 1,
        "print_final_stats": 1,
    }
    given = [sys.argv[0], *(f"-{name}={value}" for name, value in settings.items()), corpus]
    if target == "preflight":
        atheris.Setup(given, TARGETS[target], custom_mutator=_mutate)
    else:
        atheris.Setup(given, TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
