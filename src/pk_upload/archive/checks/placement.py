"""Where the entries lie: within the archive, apart from each other, each behind the local header that its
record in the directory tells of."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from pk_upload.archive.build import Build
from pk_upload.archive.checks.entries import Entry
from pk_upload.archive.checks.findings import KEPT, Findings, printable
from pk_upload.archive.checks.local import compare, usual_end
from pk_upload.archive.checks.window import Window
from pk_upload.archive.directory import Directory
from pk_upload.archive.problems import (
    DAMAGED_DIRECTORY,
    LEADING_BYTES,
    OUT_OF_FILE,
    OVERLAP,
    TOO_MANY_ENTRIES,
    UNUSED_BYTES,
)

__all__ = ["Placement"]


class Placement:
    """Takes the entries one after another, then tells which overlap and what lies between them."""

    def __init__(self, build: Build, directory: Directory, findings: Findings) -> None:
        self._window = Window(build)
        self._limit = directory.offset
        self._findings = findings
        self._starts = array("q")
        self._ends = array("q")
        self._reached = 0  # where the furthest entry so far ends
        self._unused = 0
        self._is_sorted = True
        self._is_sound = True

    def see(self, entry: Entry) -> None:
        """Looks at the local header. Raises what the build raises."""
        end = usual_end(self._window, entry)
        if end < 0:
            end = self._compare(entry)
        if end > self._limit:
            self._findings.add(OUT_OF_FILE, entry.text, "it reaches beyond where the directory begins")
            end = -1
        self._place(entry.offset, end)

    def report(self, entries: Iterable[Entry]) -> None:
        """Tells of overlaps and gaps; `entries` are the same once more, read if need be."""
        pairs, count = ([], 0) if self._is_sorted else self._sort()
        if pairs:
            self._name(pairs, entries)
            self._findings.add_more(OVERLAP, count - len(pairs))
        elif self._is_sound and not self._findings.has(DAMAGED_DIRECTORY, TOO_MANY_ENTRIES):
            leading = min(self._starts, default=self._limit)
            if leading:
                self._findings.add(LEADING_BYTES, None, f"{leading:,} bytes precede the first entry")
            if unused := self._unused + self._limit - self._reached - leading:
                self._findings.add(UNUSED_BYTES, None, f"{unused:,} bytes between the entries belong to none")

    def _compare(self, entry: Entry) -> int:
        end, faults = compare(self._window, entry)
        for fault in faults:
            self._findings.add(fault.code, entry.text, fault.message)
        return end

    def _place(self, start: int, end: int) -> None:
        if end < 0:
            self._is_sound = False
            start = end = 0
        elif start < self._reached:
            self._is_sorted = False
        else:
            self._unused += start - self._reached
            self._reached = end
        self._starts.append(start)
        self._ends.append(end)

    def _sort(self) -> tuple[list[tuple[int, int]], int]:
        """Pairs of the first entries that overlap, by their place in the directory; how many there are."""
        pairs: list[tuple[int, int]] = []
        count = last = 0
        self._reached = self._unused = 0
        for number in sorted(range(len(self._starts)), key=self._starts.__getitem__):
            start, end = self._starts[number], self._ends[number]
            if start < self._reached and end:
                count += 1
                if count <= KEPT:
                    pairs.append((number, last))
            self._unused += max(0, start - self._reached)
            if end > self._reached:
                self._reached, last = end, number
        return pairs, count

    def _name(self, pairs: list[tuple[int, int]], entries: Iterable[Entry]) -> None:
        wanted = {number for pair in pairs for number in pair}
        names = {number: entry.text for number, entry in enumerate(entries) if number in wanted}
        for one, other in pairs:
            self._findings.add(OVERLAP, names[one], f"it overlaps {printable(names[other])} in the archive")
