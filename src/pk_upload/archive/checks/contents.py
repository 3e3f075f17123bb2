"""Every entry unpacked and compared with its size and its CRC-32: on all cores, a piece at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import anyio
import anyio.from_thread
import anyio.to_thread
from zlib_ng import zlib_ng

from pk_upload.archive.build import Build, fill, read
from pk_upload.archive.checks.entries import Entry, Listing
from pk_upload.archive.checks.findings import Findings
from pk_upload.archive.checks.local import content_offset
from pk_upload.archive.checks.packing import SECRET, TAKEN
from pk_upload.archive.checks.report import Report
from pk_upload.archive.checks.window import Window
from pk_upload.archive.directory import Directory, Fault, find_directory
from pk_upload.archive.format import STORE
from pk_upload.archive.problems import (
    DAMAGED_DATA,
    DAMAGED_DIRECTORY,
    OVERLAP,
    SEVERAL_DISKS,
    TOO_MANY_ENTRIES,
    TRUNCATED,
    WRONG_CRC,
    WRONG_SIZE,
)
from pk_upload.errors import first_cause

__all__ = ["deep"]

PIECE = 1024 * 1024  # bytes that are read, or made of what was read, at once
FED = 64 * 1024  # bytes that are given to be inflated at once; what is left over of them is copied
BATCH_SIZE, BATCH_COUNT = PIECE, 256  # what one thread takes on: so many bytes or entries

BROKEN = cast("type[Exception]", zlib_ng.error)  # the stub takes the class for an instance

# What makes a reading of the content pointless or, where entries overlap, endless.
PREVENTING = {DAMAGED_DIRECTORY, OVERLAP, SEVERAL_DISKS, TOO_MANY_ENTRIES, TRUNCATED}


async def deep(build: Build, report: Report, *, on_progress: Callable[[float], None]) -> Report:
    """What `preflight` found in the build and what unpacking all of it shows besides.

    Nothing is kept of what is unpacked. Where the entries' places are in doubt nothing is, and the report is
    as it was. `on_progress` gets the part that is done, from 0 to 1, in the event loop. Can be cancelled
    between pieces. Raises `SourceUnreadable` and `SourceChanged`.
    """
    directory = await anyio.to_thread.run_sync(find_directory, partial(read, build), build.size)
    if isinstance(directory, Fault) or any(problem.code in PREVENTING for problem in report.problems):
        return report
    findings = Findings(strict=report.strict)
    work = _Work(build, directory, findings, on_progress)
    workers = os.cpu_count() or 1
    limiter = anyio.CapacityLimiter(workers)
    with first_cause():
        async with anyio.create_task_group() as group:
            for _ in range(workers):
                group.start_soon(partial(anyio.to_thread.run_sync, work.run, limiter=limiter))
    on_progress(1.0)
    return report.with_problems(findings)


class _Work:
    """What the threads share: the entries still to be read, the problems found, the bytes done."""

    def __init__(
        self, build: Build, directory: Directory, findings: Findings, on_progress: Callable[[float], None]
    ) -> None:
        self._build = build
        self._findings = findings
        self._on_progress = on_progress
        self._limit = directory.offset
        self._done = 0
        self._lock = threading.Lock()
        self._batches = _batches(Listing(build, directory, lambda *_: None))

    def run(self) -> None:
        """Takes batch after batch until there are none, in a worker thread of anyio."""
        window, buffer = Window(self._build, wide=PIECE), bytearray(PIECE)
        while batch := self._next():
            for entry in batch:
                if fault := self._read(entry, window, buffer):
                    with self._lock:
                        self._findings.add(fault.code, entry.text, fault.message)
            self._advance(sum(entry.packed for entry in batch if entry.packed <= FED))

    def _next(self) -> list[Entry] | None:
        with self._lock:
            return next(self._batches, None)

    def _advance(self, count: int) -> None:
        """So many packed bytes are done. Ends the thread if the run was cancelled."""
        with self._lock:
            self._done += count
        anyio.from_thread.check_cancelled()
        anyio.from_thread.run_sync(self._tell)

    def _tell(self) -> None:
        self._on_progress(min(1.0, self._done / max(1, self._limit)))

    def _read(self, entry: Entry, window: Window, buffer: bytearray) -> Fault | None:
        if entry.flags & SECRET or entry.method not in TAKEN:
            return None  # which is a problem already
        offset = content_offset(window, entry)
        if offset < 0 or offset + entry.packed > self._limit:
            return None
        check = _Check(entry)
        if entry.packed <= FED:
            return check.feed(window.bytes(offset, entry.packed)) or check.end()
        left = entry.packed
        while left:
            view = memoryview(buffer)[: min(left, PIECE)]
            fill(self._build, view, offset)
            for start in range(0, len(view), FED):
                anyio.from_thread.check_cancelled()
                if fault := check.feed(view[start : start + FED]):
                    return fault
            offset, left = offset + len(view), left - len(view)
            self._advance(len(view))
        return check.end()


def _batches(entries: Listing) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += entry.packed
        if size >= BATCH_SIZE or len(batch) == BATCH_COUNT:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Check:
    """Takes an entry's packed bytes in pieces. Makes of it what the directory tells and a byte at most."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._crc = self._size = 0
        self._inflater = None if entry.method == STORE else zlib_ng.decompressobj(-zlib_ng.MAX_WBITS)

    def feed(self, data: bytes | memoryview) -> Fault | None:
        inflater = self._inflater
        if inflater is None:
            self._take(data)
            return None
        is_full = False  # what was made may not be all that can be made of what was taken in
        while (data or is_full) and not inflater.eof:
            most = min(PIECE, self._entry.size - self._size + 1)
            try:
                made = inflater.decompress(data, most)
            except BROKEN as error:
                return Fault(DAMAGED_DATA, f"it cannot be unpacked: {error}")
            self._take(made)
            if self._size > self._entry.size:
                return Fault(
                    WRONG_SIZE, f"it has more than {self._entry.size:,} bytes, which the directory tells"
                )
            data, is_full = inflater.unconsumed_tail, len(made) == most
        if data or inflater.unused_data:
            return Fault(DAMAGED_DATA, "its content ends before its packed bytes do")
        return None

    def end(self) -> Fault | None:
        entry = self._entry
        if self._inflater is not None and not self._inflater.eof and entry.packed:
            return Fault(DAMAGED_DATA, "its packed bytes end before its content does")
        if self._size != entry.size:
            return Fault(WRONG_SIZE, f"it has {self._size:,} bytes, the directory tells {entry.size:,}")
        if self._crc != entry.crc:
            return Fault(WRONG_CRC, "its content is not what was packed: the checksums differ")
        return None

    def _take(self, data: bytes | memoryview) -> None:
        self._size += len(data)
        self._crc = zlib_ng.crc32(data, self._crc)
