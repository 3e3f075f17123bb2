"""What the service would refuse after hours of uploading, found out in a second: the directory and the local
headers are read, and hardly more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from pk_upload.archive.build import Build, read
from pk_upload.archive.checks.collisions import MOST_FOLDERS, Collisions
from pk_upload.archive.checks.content import beginning
from pk_upload.archive.checks.entries import MOST_BYTES, Entry, Listing
from pk_upload.archive.checks.findings import Findings
from pk_upload.archive.checks.launching import Launching
from pk_upload.archive.checks.names import (
    LONGEST_NAME,
    LONGEST_PATH,
    is_plain,
    is_plain_folder,
    part_faults,
    path_faults,
)
from pk_upload.archive.checks.packing import Packing
from pk_upload.archive.checks.placement import Placement
from pk_upload.archive.checks.report import Report
from pk_upload.archive.checks.symlinks import Symlinks
from pk_upload.archive.directory import LONGEST_COMMENT, Directory, Fault, find_directory
from pk_upload.archive.format import UTF8
from pk_upload.archive.problems import (
    HIGH_RATIO,
    INVALID_UTF8,
    NO_FILES,
    NOT_A_ZIP,
    SEVERAL_DISKS,
    TOO_MANY_ENTRIES,
    TRUNCATED,
)

__all__ = ["preflight"]

HIGH, HIGH_FROM = 200, 1024 * 1024 * 1024


def preflight(build: Build, *, platform: str | None = None, strict: bool = False) -> Report:
    """All that is wrong with a build, and with starting it on `platform` if that is given.

    `strict` makes errors of warnings. Raises `SourceUnreadable` and `SourceChanged`, nothing else.
    """
    findings = Findings(strict=strict)
    # What a folder's ZIP ends with has no comment; before it lies what would have to be read from files.
    comment = 0 if build.compression else LONGEST_COMMENT
    found = find_directory(partial(read, build), build.size, comment=comment)
    faults = (found,) if isinstance(found, Fault) else found.faults
    for fault in faults:
        findings.add(fault.code, None, fault.message)
    kind = None if findings.has(NOT_A_ZIP) else "folder" if build.compression else "zip"
    report = Report(str(build.path), kind, 0, build.size, strict=strict)
    # Of a part of an archive everything else would be wrong, too.
    if isinstance(found, Fault) or findings.has(SEVERAL_DISKS, TRUNCATED):
        return report.with_problems(findings)
    if found.size > MOST_BYTES:
        message = f"its directory takes {found.size:,} bytes; at most {MOST_BYTES:,} are read"
        findings.add(TOO_MANY_ENTRIES, None, message)
        return report.with_problems(findings)
    return _Inspection(build, found, findings).report(report).meant_for(platform)


class _Inspection:
    """One pass over the entries, and what can be told only at its end."""

    def __init__(self, build: Build, directory: Directory, findings: Findings) -> None:
        self._build = build
        self._findings = findings
        self._listing = Listing(build, directory, findings.add)
        self._again = Listing(build, directory, lambda *_: None)
        self._collisions = Collisions()
        self._packing = Packing()
        # The headers of a folder are made up while they are read: every file would be opened for them.
        self._placement = None if build.compression else Placement(build, directory, findings)
        self._launching = Launching[Entry]()
        self._links = Symlinks(build)
        self._files = self._unpacked = 0
        self._folder = b""
        self._is_plain_folder = True

    def report(self, report: Report) -> Report:
        for entry in self._listing:
            self._see(entry)
        findings = self._findings
        if not self._files and not findings.has(TOO_MANY_ENTRIES):
            findings.add(NO_FILES, None, "it holds no files")
        if self._unpacked > HIGH_FROM and self._unpacked > HIGH * self._build.size:
            times = self._unpacked // self._build.size
            message = f"it unpacks to {self._unpacked:,} bytes, {times} times its size"
            findings.add(HIGH_RATIO, None, message)
        if self._collisions.too_many_folders:
            message = f"it has more than {MOST_FOLDERS:,} folders"
            findings.add(TOO_MANY_ENTRIES, None, message)
        if self._placement is not None:
            self._placement.report(self._again)
        self._collisions.report((entry.name for entry in self._again), findings.add)
        self._links.report((entry.name for entry in self._again), findings.add)
        launch = self._launching.look(partial(beginning, self._build))
        return replace(
            report, entries=self._listing.count, files=self._files, unpacked=self._unpacked, launch=launch
        ).with_problems(findings)

    def _see(self, entry: Entry) -> None:
        name = entry.name
        start = name.rfind(b"/") + 1
        base = name[start:]
        if len(name) <= LONGEST_NAME:
            if name[:start] != self._folder:
                self._enter(name[:start])
            self._collisions.see(base)
        if not (self._is_plain_folder and is_plain(base)) or len(name) > LONGEST_PATH or not name:
            self._add(entry, path_faults(name))
            self._add(entry, _encoding_faults(entry))
            if len(name) <= LONGEST_NAME:
                self._add(entry, part_faults(base))
        if not (base and self._packing.is_plain(entry)):
            self._add(entry, self._packing.faults(entry))
            self._links.see(entry)
        if self._placement is not None:
            self._placement.see(entry)
        if base:
            self._files += 1
            self._unpacked += entry.size
            self._launching.see(name.decode(), entry.size, entry.mode, entry)

    def _enter(self, folder: bytes) -> None:
        """What is wrong with a folder's own name is told once, whatever lies in it."""
        self._folder = folder
        self._is_plain_folder = is_plain_folder(folder)
        for path in self._collisions.enter(folder):
            part = path[:-1].rpartition(b"/")[2]
            if not is_plain(part):
                for fault in part_faults(part):
                    self._findings.add(fault.code, path.decode(), fault.message)

    def _add(self, entry: Entry, faults: Iterable[Fault]) -> None:
        for fault in faults:
            self._findings.add(fault.code, entry.text, fault.message)


def _encoding_faults(entry: Entry) -> Iterator[Fault]:
    if entry.flags & UTF8 and entry.raw != entry.name:
        yield Fault(INVALID_UTF8, "its name is marked as UTF-8, but is not")
