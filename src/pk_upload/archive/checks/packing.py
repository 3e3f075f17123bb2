"""How an entry is packed, and what else its record in the directory says that cannot be or is not taken."""

from __future__ import annotations

from collections.abc import Iterator

from pk_upload.archive.checks.entries import Entry, extra_fields, extra_fits
from pk_upload.archive.directory import Fault
from pk_upload.archive.format import DEFLATE, ENCRYPTED, METHODS, STORE, STRONGLY_ENCRYPTED, UNIX_MAKERS
from pk_upload.archive.problems import (
    DAMAGED_ENTRY,
    FOLDER_WITH_CONTENT,
    HIGH_RATIO,
    IMPOSSIBLE_SIZE,
    METHOD,
    SPECIAL_FILE,
    TIMESTAMP,
    VERSION,
)
from pk_upload.archive.problems import (
    ENCRYPTED as ENCRYPTED_ENTRY,
)

__all__ = ["LINK", "SECRET", "TAKEN", "Packing"]

TAKEN = (STORE, DEFLATE)
SECRET = ENCRYPTED | STRONGLY_ENCRYPTED | 1 << 13  # the last: the directory itself is
PATCH = 1 << 5  # a flag: the content is what changed in another file
LINK = 0xA  # the upper four bits of a Unix mode
NEWEST = 63  # the specification's last version, ten times; readers refuse what asks for a later one
KINDS = {0x1: "a pipe", 0x2: "a device", 0x6: "a device", 0xC: "a socket"}

HIGHEST_RATIO = 1032  # DEFLATE's: 258 bytes from two bits
HIGH, HIGH_FROM = 200, 10 * 1024 * 1024

FIRST_DATE = 1 << 5 | 1  # 1980-01-01, which is also what stands there for anything earlier
FIRST_SECOND = 315_532_800 - 86_400  # the same since 1970, wherever on earth
TIMES, UNIX_TIMES = 0x000A, 0x5455  # extra fields: NTFS's times and Unix's


class Packing:
    """Looks at each record. Remembers the dates that were good, of which there are few."""

    def __init__(self) -> None:
        self._dates: set[int] = set()

    def is_plain(self, entry: Entry) -> bool:
        """Whether the record of a file needs no closer look; quick."""
        if entry.flags & (SECRET | PATCH) or entry.date not in self._dates or entry.header[0] > NEWEST:
            return False
        if entry.extra and not extra_fits(entry.extra):
            return False
        if entry.made_by >> 8 in UNIX_MAKERS and entry.attributes >> 28 not in (8, 0):
            return False
        if entry.method == STORE:
            return entry.size == entry.packed
        return entry.method == DEFLATE and entry.size <= HIGH * entry.packed

    def faults(self, entry: Entry) -> Iterator[Fault]:
        """What is wrong with the record."""
        if entry.flags & SECRET:
            yield Fault(ENCRYPTED_ENTRY, "it is encrypted")
        elif fault := _size_fault(entry):
            yield fault
        if entry.method not in TAKEN:
            method = METHODS.get(entry.method, f"number {entry.method}")
            yield Fault(METHOD, f"it is packed with the method {method}; the service takes STORE and DEFLATE")
        elif entry.flags & PATCH:
            yield Fault(METHOD, "it is packed as a patch of another file; the service takes whole ones")
        if (version := entry.header[0]) > NEWEST:
            yield Fault(VERSION, f"it asks for version {version // 10}.{version % 10} of the ZIP format")
        if not extra_fits(entry.extra):
            yield Fault(DAMAGED_ENTRY, "its extra fields are longer than the room for them")
        if entry.is_folder and entry.size:
            yield Fault(
                FOLDER_WITH_CONTENT,
                f"it is a folder by its name, but has {entry.size:,} bytes of content",
            )
        if entry.mode is not None and (kind := KINDS.get(entry.mode >> 12)):
            yield Fault(SPECIAL_FILE, f"it is {kind} and no file")
        if fault := self._date_fault(entry):
            yield fault

    def _date_fault(self, entry: Entry) -> Fault | None:
        day, month = entry.date & 0x1F, entry.date >> 5 & 0xF
        if not (day and 1 <= month <= 12):
            return Fault(TIMESTAMP, "it has no date, or one that is none")
        if entry.date > FIRST_DATE:
            self._dates.add(entry.date)
        elif any(second < FIRST_SECOND for second in _seconds(entry.extra)):
            return Fault(TIMESTAMP, "it is from before 1980")
        return None


def _size_fault(entry: Entry) -> Fault | None:
    packed, size = entry.packed, entry.size
    if entry.method == STORE and packed != size:
        return Fault(IMPOSSIBLE_SIZE, f"it is stored, but takes {packed:,} bytes for {size:,}")
    if entry.method == DEFLATE and size > HIGHEST_RATIO * packed:
        return Fault(IMPOSSIBLE_SIZE, f"{packed:,} bytes cannot hold {size:,}, whatever they are")
    if entry.method == DEFLATE and size > HIGH_FROM and size > HIGH * packed:
        return Fault(HIGH_RATIO, f"{packed:,} bytes become {size:,}, {size // packed} times as many")
    return None


def _seconds(extra: bytes) -> Iterator[int]:
    """The times of the last change that the extra fields tell, in seconds since 1970."""
    for kind, content in extra_fields(extra):
        if kind == UNIX_TIMES and len(content) >= 5 and content[0] & 1:
            yield int.from_bytes(content[1:5], "little", signed=True)
        elif kind == TIMES and len(content) >= 16 and content[4:8] == b"\x01\0\x18\0":
            yield int.from_bytes(content[8:16], "little") // 10_000_000 - 11_644_473_600
