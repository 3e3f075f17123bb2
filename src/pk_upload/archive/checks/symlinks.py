"""The symbolic links of an archive: read as they pass, and followed once all are known."""

from __future__ import annotations

from collections.abc import Iterable

from pk_upload.archive.build import Build
from pk_upload.archive.checks.content import beginning
from pk_upload.archive.checks.entries import Entry, Report
from pk_upload.archive.checks.findings import printable
from pk_upload.archive.checks.links import end_of, leaves
from pk_upload.archive.checks.packing import LINK
from pk_upload.archive.problems import DAMAGED_LINK, DANGLING_LINK, LINK_LEAVES, TOO_MANY_LINKS

__all__ = ["Symlinks"]

LONGEST = 4096  # bytes of a target: no system takes more
ROOM = 4 * 1024 * 1024  # bytes of all names and targets together; following them takes time, too
OWN = 64  # bytes that a link counts for besides
DEEPEST = 512  # folders in a path; no system takes more


class Symlinks:
    """Takes the entries one after another, then tells which links leave the archive."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._targets: dict[str, str] = {}
        self._damaged: list[tuple[str, str]] = []
        self._room = ROOM

    def see(self, entry: Entry) -> None:
        """Reads the target if the entry is a link. Raises what the build raises."""
        if entry.mode is None or entry.mode >> 12 != LINK or self._room < 0:
            return
        self._room -= len(entry.name) + OWN
        if not 0 < entry.size <= LONGEST:
            self._damaged.append((entry.text, f"it is a link, and its target has {entry.size:,} bytes"))
            return
        target = beginning(self._build, entry, LONGEST)
        self._room -= len(target)
        if len(target) != entry.size:
            self._damaged.append((entry.text, "it is a link, and its target cannot be read"))
        else:
            self._targets[entry.text.removesuffix("/")] = target.decode("utf-8", "backslashreplace")

    def report(self, names: Iterable[bytes], report: Report) -> None:
        """Tells what is wrong with the links; `names` are those of all entries, read once more if need be."""
        for name, message in self._damaged:
            report(DAMAGED_LINK, name, message)
        ends: dict[str, str] = {}
        for name, target in self._targets.items():
            if leaves(name, self._targets):
                message = f"it is a link that leads out of the archive, or nowhere: {printable(target)}"
                report(LINK_LEAVES, name, message)
            elif end := end_of(name, self._targets):
                ends[name] = end
        missing = _missing({*ends.values()}, names) if ends else set()
        for name, end in ends.items():
            if end in missing:
                report(DANGLING_LINK, name, f"it is a link to what is not in the archive: {printable(end)}")
        if self._room < 0:
            report(TOO_MANY_LINKS, None, f"of its links only the first {len(self._targets):,} were followed")


def _missing(paths: set[str], names: Iterable[bytes]) -> set[str]:
    """Those of the paths that are neither an entry nor a folder that an entry lies in."""
    missing, folder = paths.copy(), ""
    for name in names:
        path = name.decode().rstrip("/")
        missing.discard(path)
        path = path.rpartition("/")[0]
        if path == folder or path.count("/") > DEEPEST:
            continue
        folder = path
        while path:
            missing.discard(path)
            path = path.rpartition("/")[0]
    return missing
