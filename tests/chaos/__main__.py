"""Releases under chaos, as many as one likes: `tox -e chaos -- --seeds 1000 --jobs 4`."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from chaos.run import Outcome, carry_out

RARELY = 30.0
"""Seconds between two lines of progress."""


class Sum:
    """What all seeds so far have come to."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.done = self.failed = self.runs = self.kills = self.restarts = self.requests = self.repeated = 0

    def add(self, outcome: Outcome) -> None:
        interruptions = [each.what for run in outcome.runs for each in run.interruptions]
        self.done += 1
        self.failed += bool(outcome.complaints)
        self.runs += len(outcome.runs)
        self.restarts += interruptions.count("restart")
        self.kills += len(interruptions) - interruptions.count("restart")
        self.requests += outcome.requests
        self.repeated += outcome.repeated

    def __str__(self) -> str:
        return (
            f"{self.done} of {self.wanted} seeds, {self.failed} failed: {self.runs} runs,"
            f" {self.kills} interrupted, {self.restarts} restarts of the sandbox, {self.requests} requests,"
            f" {self.repeated} chunks sent again for a reason"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 if a seed failed."""
    parser = argparse.ArgumentParser("chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="how many  [default: 100]")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first one  [default: 0]")
    parser.add_argument("--jobs", type=int, default=2, metavar="J", help="how many at once  [default: 2]")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep what failing seeds leave behind there")
    given = parser.parse_args(arguments)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in the background, and runs would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    total, due = Sum(given.seeds), time.monotonic() + RARELY
    with ThreadPoolExecutor(given.jobs) as pool:
        seeds = range(given.first, given.first + given.seeds)
        for future in as_completed([pool.submit(attempt, seed, given.keep) for seed in seeds]):
            outcome = future.result()
            total.add(outcome)
            if outcome.complaints:
                print(outcome, flush=True)
            if time.monotonic() >= due:
                due += RARELY
                print(total, flush=True)
    print(total, flush=True)
    return 1 if total.failed else 0


def attempt(seed: int, keep: Path | None) -> Outcome:
    """The seed in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix=f"chaos-{seed}-") as name:
        folder = Path(name)
        outcome = carry_out(seed, folder)
        if outcome.complaints and keep is not None:
            shutil.copytree(folder, keep / str(seed), dirs_exist_ok=True)
            (keep / str(seed) / "outcome.txt").write_text(f"{outcome}\n")
            for number, run in enumerate(outcome.runs, 1):
                (keep / str(seed) / f"run{number}.log").write_text("".join(run.stderr))
    return outcome


if __name__ == "__main__":
    sys.exit(main())
