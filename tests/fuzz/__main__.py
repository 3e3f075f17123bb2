"""Hostile bytes for as long as one likes: `tox -e fuzz -- --seconds 3600 --target preflight`."""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fuzz.seeds import SEEDS


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 if something was found."""
    parser = argparse.ArgumentParser("fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, metavar="S", help="for each target  [default: 60]")
    parser.add_argument(
        "--target", choices=[*SEEDS], action="append", help="may be given more than once  [default: all]"
    )
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="keeps there what reaches new code")
    parser.add_argument(
        "--findings", type=Path, default=Path("findings"), metavar="DIR", help="keeps there what fails"
    )
    given = parser.parse_args(arguments)
    given.findings.mkdir(parents=True, exist_ok=True)
    before = {*given.findings.iterdir()}
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        failed = [
            target
            for target in given.target or SEEDS
            if not drive(target, (given.corpus or Path(folder)) / target, given.findings, given.seconds)
        ]
    kept = sorted({*given.findings.iterdir()} - before)
    with suppress(OSError):  # of a folder that is not empty
        given.findings.rmdir()
    print(f"failed: {', '.join(failed) or 'nothing'}", *kept, sep="\n", flush=True)
    return 1 if failed else 0


def drive(target: str, corpus: Path, findings: Path, seconds: int) -> bool:
    """Whether the target stands all inputs of so many seconds. Those that it does not are in `findings`."""
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in SEEDS[target]():
        (corpus / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
    command = [sys.executable, "-m", "fuzz.worker", target, str(corpus), str(findings), str(seconds)]
    return subprocess.run(command, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
