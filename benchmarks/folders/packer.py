"""One packing of a folder, as a process of its own: prints what it took as one line of JSON."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio

from benchmarks.contenders.task import peak_rss
from benchmarks.contenders.zip_first import make_zip
from pk_upload.archive.folder.packing import pack
from pk_upload.archive.folder.tree import walk


def deflate(folder: Path, archive: Path, threads: int | None) -> None:
    with archive.open("wb", buffering=0) as file:
        anyio.run(partial(pack, walk(folder), file, on_progress=lambda *_: None, threads=threads))


def report(work: Callable[[], None], archive: Path) -> None:
    cpu, start = time.process_time(), time.perf_counter()
    work()
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    told = {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_rss": peak_rss()}
    print(json.dumps({**told, "packed": archive.stat().st_size}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--zipfile", action="store_true", help="as Python does it, at level 6")
    parser.add_argument("--threads", type=int, help="all cores by default")
    given = parser.parse_args()
    if given.zipfile:
        report(lambda: make_zip(given.folder, given.archive), given.archive)
    else:
        report(lambda: deflate(given.folder, given.archive, given.threads), given.archive)
