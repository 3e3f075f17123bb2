"""Uploads over emulated links: each a client process of its own, and what it tells."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from subprocess import PIPE, Popen

from benchmarks import account
from benchmarks.emulation.parameters import LinkSettings
from benchmarks.lanes.scenarios import AUTO, CHUNK, Row
from benchmarks.processes import python, running, server
from benchmarks.settings import MIB, Failure
from pk_upload import PatchKit, TransferConfig, upload
from pk_upload.events import ChunkRetry, Event, Lanes

__all__ = ["Sample", "run"]

PATIENCE = 1800.0  # seconds for one upload


@dataclass(frozen=True, slots=True)
class LaneChange:
    """So many lanes from this second on."""

    at: float
    lanes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: what was sent in bytes, how long it took in seconds, and what happened meanwhile."""

    row: str
    round: int
    size: int
    seconds: float
    retries: int
    changes: list[LaneChange]

    @property
    def speed(self) -> float:
        """MiB/s, from the first call to the last answer."""
        return self.size / MIB / self.seconds


def run(rows: Sequence[Row], number: int, folder: Path) -> list[Sample]:
    """One run of each row, all at the same time; each has a link of its own, with other losses each round.

    Raises `Failure` when one does not deliver its file.
    """
    with ExitStack() as stack:
        clients = [stack.enter_context(_client(row, number, folder)) for row in rows]
        return [_sample(row, number, *client) for row, client in zip(rows, clients, strict=True)]


@contextmanager
def _client(row: Row, number: int, folder: Path) -> Iterator[tuple[str, Popen[str]]]:
    """A client at work, and the address of the link that it sends over."""
    with server("emulation", *_flags(row.scenario.link), "--seed", number) as url:
        command = python("lanes.run", "--url", url, "--file", folder / str(row.size), "--lanes", row.lanes)
        with running(command, stderr=PIPE) as process:
            yield url, process


def _sample(row: Row, number: int, url: str, client: Popen[str]) -> Sample:
    printed, complaint = client.communicate()
    if client.returncode:
        raise Failure(f"{row.name} failed with exit code {client.returncode}:\n{complaint.strip()}")
    if (delivered := account.distinct(url)) != row.size:
        raise Failure(f"{row.name} is not comparable: of {row.size} bytes it delivered {delivered}.")
    told = json.loads(printed)
    changes = [LaneChange(**change) for change in told.pop("changes")]
    return Sample(row=row.name, round=number, size=row.size, changes=changes, **told)


def _flags(link: LinkSettings) -> list[str]:
    """The command line that makes `benchmarks.emulation` this link; what is as usual need not be said."""
    flags = []
    for each in fields(link):
        value = getattr(link, each.name)
        if value != each.default:
            flags += [f"--{each.name.replace('_', '-')}", f"{value:.10g}"]
    return flags


@dataclass(slots=True)
class Listener:
    """What the engine tells that is of interest here."""

    began: float = field(default_factory=time.perf_counter)
    retries: int = 0
    changes: list[LaneChange] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        match event:
            case ChunkRetry():
                self.retries += 1
            case Lanes(lanes, reason):
                self.changes.append(LaneChange(time.perf_counter() - self.began, lanes, reason))


async def transfer(url: str, file: Path, config: TransferConfig, listener: Listener) -> None:
    async with PatchKit("benchmark", api_url=url) as patchkit:
        await upload(patchkit, file, timeout=PATIENCE, config=config, on_event=listener)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--lanes", required=True)
    given = parser.parse_args()
    config = TransferConfig(
        chunk_size=CHUNK, concurrency="auto" if given.lanes == AUTO else int(given.lanes), resume=False
    )
    listener = Listener()
    asyncio.run(transfer(given.url, given.file, config, listener))
    seconds = time.perf_counter() - listener.began
    changes = [asdict(change) for change in listener.changes]
    print(json.dumps({"seconds": seconds, "retries": listener.retries, "changes": changes}))


if __name__ == "__main__":
    main()
