"""Where a ZIP's directory lies, and a digest of it: two builds never share one, for it holds every CRC."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from pk_upload.archive.format import (
    CENTRAL_MAGIC,
    END,
    END64,
    END64_MAGIC,
    END_MAGIC,
    FULL16,
    FULL32,
    LOCAL_MAGIC,
    LOCATOR,
    LOCATOR_MAGIC,
    OTHERS,
    SPANNED_MAGIC,
)
from pk_upload.archive.problems import DAMAGED_DIRECTORY, NOT_A_ZIP, SEVERAL_DISKS, TRAILING_BYTES, TRUNCATED

__all__ = ["Directory", "Fault", "Read", "directory_digest", "find_directory"]

Read = Callable[[int, int], bytes]
"""The bytes from an offset, at most so many, fewer only where the archive ends."""

LONGEST_COMMENT = 65535
PIECE = 1024 * 1024


class Fault(NamedTuple):
    """A problem's code, and what there is to say about it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Directory:
    """The central directory as the end records tell of it, and what is wrong with those.

    It takes `size` bytes from `offset`; `shift` bytes that the records do not know of precede the archive.
    """

    offset: int
    size: int
    entries: int
    shift: int
    faults: tuple[Fault, ...] = ()


class _End(NamedTuple):
    """What an end record says, of either kind."""

    disks: tuple[int, int]
    here: int  # entries on this disk
    entries: int
    size: int
    offset: int


def find_directory(read: Read, size: int, *, comment: int = LONGEST_COMMENT) -> Directory | Fault:
    """The directory of a ZIP of `size` bytes, or why there is none to be found. Raises what `read` raises.

    The archive's own comment may have that many bytes.

    After the ZIP's public specification; a program in front of the archive shifts the recorded offset.
    """
    start = max(0, size - END.size - comment - LOCATOR.size)
    tail = read(start, size - start)
    at, faults = _last_record(tail)
    if at < 0:
        return _no_end(read(0, 6), tail)
    _, *numbers, _ = END.unpack_from(tail, at)
    end, place = _End((numbers[0], numbers[1]), *numbers[2:]), start + at
    if at >= LOCATOR.size and tail.startswith(LOCATOR_MAGIC, at - LOCATOR.size):
        larger = _end64(read, tail[at - LOCATOR.size : at], place - LOCATOR.size)
        if isinstance(larger, Fault):
            return larger
        faults += larger[2] + _disagreements(end, larger[0])
        end, place = larger[:2]
    return _described(end, place, faults, read)


def _described(end: _End, place: int, faults: tuple[Fault, ...], read: Read) -> Directory | Fault:
    """The directory that ends at `place`, where its end record begins."""
    if any(end.disks) or end.here != end.entries:
        faults += (Fault(SEVERAL_DISKS, "it is one part of an archive that was split"),)
    if end.size > place:
        return Fault(DAMAGED_DIRECTORY, "the directory is said to be larger than the archive")
    found = Directory(place - end.size, end.size, end.entries, place - end.size - end.offset, faults)
    if found.shift < 0:
        message = f"the directory is said to begin at {end.offset:,}, {-found.shift:,} bytes too far"
        return replace(found, shift=0, faults=(*faults, Fault(DAMAGED_DIRECTORY, message)))
    if found.shift and read(end.offset, 4) == CENTRAL_MAGIC:
        message = f"the directory does not take the {end.size:,} bytes it is said to"
        return replace(found, faults=(*faults, Fault(DAMAGED_DIRECTORY, message)))
    if found.shift and read(0, 4) == LOCAL_MAGIC:
        # A ZIP that was cut inside a ZIP stored in it looks like the inner one after some foreign bytes.
        message = f"it begins with {found.shift:,} bytes of another archive"
        return replace(found, faults=(*faults, Fault(TRUNCATED, message)))
    return found


def _last_record(tail: bytes) -> tuple[int, tuple[Fault, ...]]:
    """Where in `tail` the end record lies, -1 if nowhere: the last whose comment leads exactly to the end.

    Where there is none such, the last that is whole. A second record that could be meant is a fault: other
    programs would read another directory.
    """
    fitting, whole, cut = [], -1, False
    at = last = tail.rfind(END_MAGIC)
    while at >= 0:
        left = len(tail) - at - END.size
        length = END.unpack_from(tail, at)[-1] if left >= 0 else 0
        if left == length:
            fitting.append(at)
        elif whole < 0:
            whole, cut = (at if left >= 0 else -1), cut or length > left
        at = tail.rfind(END_MAGIC, 0, at)
    if not fitting:
        if whole < 0:
            return -1, ()
        left = len(tail) - whole - END.size
        if cut:
            return whole, (Fault(TRUNCATED, "its end is missing: the archive's comment is cut off"),)
        extra = left - END.unpack_from(tail, whole)[-1]
        return whole, (Fault(TRAILING_BYTES, f"{extra:,} bytes follow the archive's last record"),)
    if len(fitting) > 1 or last > fitting[0]:
        return fitting[0], (Fault(DAMAGED_DIRECTORY, "two records claim to be the archive's end"),)
    return fitting[0], ()


def _no_end(head: bytes, tail: bytes) -> Fault:
    if head.startswith(SPANNED_MAGIC):
        return Fault(SEVERAL_DISKS, "it is the first part of an archive that was split")
    if head.startswith(LOCAL_MAGIC) or END_MAGIC in tail:
        return Fault(TRUNCATED, "its end is missing, and with it the directory")
    kind = next((kind for magic, kind in OTHERS.items() if head.startswith(magic)), None)
    return Fault(NOT_A_ZIP, f"it is {kind} and no ZIP" if kind else "it is no ZIP: it has no directory")


def _end64(read: Read, locator: bytes, before: int) -> tuple[_End, int, tuple[Fault, ...]] | Fault:
    """What the ZIP64 end record says, where it begins, and its faults; `before` is where the locator lies."""
    _, disk, recorded, disks = LOCATOR.unpack(locator)
    faults: tuple[Fault, ...] = ()
    if disk or disks > 1:
        faults = (Fault(SEVERAL_DISKS, f"it is one of {disks} parts"),)
    # Right before the locator, as nearly all write it; elsewhere if it is longer than usual.
    for place in (before - END64.size, recorded):
        record = read(place, END64.size) if 0 <= place <= before - END64.size else b""
        if len(record) == END64.size and record.startswith(END64_MAGIC):
            _, length, _, _, *numbers = END64.unpack(record)
            if place + 12 + length != before:
                faults += (Fault(DAMAGED_DIRECTORY, "the ZIP64 end record has not the length it tells"),)
            if recorded > place:
                faults += (Fault(DAMAGED_DIRECTORY, "the ZIP64 end record is not where it is said to be"),)
            return _End((numbers[0], numbers[1]), *numbers[2:]), place, faults
    return Fault(DAMAGED_DIRECTORY, "the ZIP64 end record is missing")


def _disagreements(end: _End, larger: _End) -> tuple[Fault, ...]:
    """Each number of the end record is that of the ZIP64 one, or refers to it."""
    small = zip((*end.disks, *end[1:3]), (*larger.disks, *larger[1:3]), strict=True)
    large = zip(end[3:], larger[3:], strict=True)
    if all(a in (b, FULL16) for a, b in small) and all(a in (b, FULL32) for a, b in large):
        return ()
    return (Fault(DAMAGED_DIRECTORY, "the end record and the ZIP64 end record disagree"),)


def directory_digest(read: Read, size: int) -> str:
    """The SHA-256, in hex, of the directory of a ZIP of `size` bytes and of what follows it.

    Of any other file, that of the last 64 KiB. Raises what `read` raises.
    """
    digest = hashlib.sha256()
    found = find_directory(read, size)
    offset = max(0, size - LONGEST_COMMENT) if isinstance(found, Fault) else found.offset
    while piece := read(offset, min(PIECE, size - offset)):
        digest.update(piece)
        offset += len(piece)
    return digest.hexdigest()
