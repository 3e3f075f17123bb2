"""The central directory, entry by entry: read in pieces and never held as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from pk_upload.archive.build import Build, read
from pk_upload.archive.directory import Directory
from pk_upload.archive.format import CENTRAL, CENTRAL_MAGIC, FIELD, FULL16, FULL32, UNIX_MAKERS, UTF8, ZIP64
from pk_upload.archive.problems import DAMAGED_DIRECTORY, DAMAGED_ENTRY, TOO_MANY_ENTRIES

__all__ = [
    "MOST_BYTES",
    "MOST_ENTRIES",
    "Entry",
    "Listing",
    "Report",
    "extra_fields",
    "extra_fits",
    "zip64_numbers",
]

MOST_ENTRIES = 2_000_000  # more than any build has; every entry costs some memory
MOST_BYTES = 512 * 1024 * 1024  # of a directory: names of some 200 bytes for each of them
PIECE = 1024 * 1024


class Entry(NamedTuple):
    """What the directory says of one entry, with its ZIP64 field's numbers and offsets into the build."""

    raw: bytes  # the name as it stands there
    name: bytes  # the name in UTF-8, whatever its encoding was
    made_by: int
    flags: int
    method: int
    date: int  # as DOS has it
    crc: int
    packed: int
    size: int
    attributes: int
    offset: int  # of the local header
    header: bytes  # what the local header should hold from "version needed" to the name's length
    extra: bytes
    large: bool  # some number stands in a ZIP64 field

    @property
    def text(self) -> str:
        """The name; what is no valid UTF-8 in it is escaped."""
        return self.name.decode()

    @property
    def mode(self) -> int | None:
        """The Unix mode, `None` where the archive's maker had none."""
        return self.attributes >> 16 if self.made_by >> 8 in UNIX_MAKERS else None

    @property
    def is_folder(self) -> bool:
        return self.name.endswith(b"/")


Report = Callable[[str, str | None, str], None]
"""Takes a problem's code, the name of the entry it is about, and a message."""


class Listing:
    """Iterates over the entries of a directory, in its order, and reports what is wrong with the directory.

    Iterating raises what `build` raises. It ends where the directory can be read no further.
    """

    def __init__(self, build: Build, directory: Directory, report: Report) -> None:
        self._build = build
        self._directory = directory
        self._report = report
        self.count = 0

    def __iter__(self) -> Iterator[Entry]:
        self.count = 0
        self._broken = False
        for entry in islice(self._entries(), MOST_ENTRIES):
            self.count += 1
            yield entry
        told = self._directory.entries
        if self.count == MOST_ENTRIES < told:
            message = f"it has {told:,} entries; at most {MOST_ENTRIES:,} are taken"
            self._report(TOO_MANY_ENTRIES, None, message)
        elif self._broken:
            self._report(DAMAGED_DIRECTORY, None, f"after {self.count:,} entries comes something else")
        elif self.count != told:
            message = f"it has {self.count:,} entries, but its end record tells of {told:,}"
            self._report(DAMAGED_DIRECTORY, None, message)

    def _entries(self) -> Iterator[Entry]:
        offset, left = self._directory.offset, self._directory.size
        block, at, shift = b"", 0, self._directory.shift
        unpack, fixed = CENTRAL.unpack_from, CENTRAL.size
        while left or at < len(block):
            # Here are at least the fixed fields, or all that is left of the directory.
            if len(block) - at < fixed and left:
                block, at, offset, left = self._more(block, at, offset, left)
            if len(block) - at < fixed or not block.startswith(CENTRAL_MAGIC, at):
                self._broken = True
                return
            (
                _,
                made_by,
                _,
                flags,
                method,
                _,
                date,
                crc,
                packed,
                size,
                named,
                extras,
                comment,
                disk,
                _,
                attributes,
                start,
            ) = unpack(block, at)
            while len(block) - at < fixed + named + extras + comment:
                if not left:
                    self._broken = True
                    return
                block, at, offset, left = self._more(block, at, offset, left)
            after = at + fixed
            raw = block[after : after + named]
            entry = Entry(
                raw,
                raw if raw.isascii() else _utf8(raw, flags, made_by),
                made_by,
                flags,
                method,
                date,
                crc,
                packed,
                size,
                attributes,
                start + shift,
                block[at + 6 : at + 30],
                block[after + named : after + named + extras],
                False,
            )
            if disk or packed == FULL32 or size == FULL32 or start == FULL32:
                entry = self._resolved(entry, start, disk)
            at = after + named + extras + comment
            yield entry

    def _more(self, block: bytes, at: int, offset: int, left: int) -> tuple[bytes, int, int, int]:
        """The rest of the block with the next piece after it, where it now begins, and what is to come."""
        piece = read(self._build, offset, min(PIECE, left))
        return block[at:] + piece, 0, offset + len(piece), left - len(piece)

    def _resolved(self, entry: Entry, start: int, disk: int) -> Entry:
        """With the numbers from the ZIP64 field in place of those that refer to it."""
        told = (entry.size, entry.packed, start)
        numbers = zip64_numbers(entry.extra, told.count(FULL32))
        if numbers is None:
            self._report(DAMAGED_ENTRY, entry.text, "its ZIP64 field is missing or too short")
            return entry
        if disk not in (0, FULL16):
            self._report(DAMAGED_ENTRY, entry.text, f"it is said to be on disk {disk}")
        size, packed, start = (numbers.pop(0) if number == FULL32 else number for number in told)
        offset = start + self._directory.shift
        return entry._replace(size=size, packed=packed, offset=offset, large=FULL32 in told[:2])


def extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Each extra field's number and content; what is too short to be one at the end is left out."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = FIELD.unpack_from(extra, at)
        yield kind, extra[at + 4 : at + 4 + length]
        at += 4 + length


def extra_fits(extra: bytes) -> bool:
    """Whether no extra field claims more bytes than there are; quick."""
    at, end = 0, len(extra)
    while at + 4 <= end:
        at += 4 + extra[at + 2] + extra[at + 3] * 256
    return at <= end


def zip64_numbers(extra: bytes, count: int) -> list[int] | None:
    """The first `count` numbers of the ZIP64 field among the extra fields, `None` if they are not there."""
    content = next((content for kind, content in extra_fields(extra) if kind == ZIP64), b"")
    if len(content) < 8 * count:
        return None
    return [int.from_bytes(content[at : at + 8], "little") for at in range(0, 8 * count, 8)]


def _utf8(raw: bytes, flags: int, made_by: int) -> bytes:
    if not flags & UTF8:
        if made_by >> 8 in UNIX_MAKERS:
            with suppress(UnicodeDecodeError):  # Info-ZIP writes names as they are, and does not say so
                return raw.decode().encode()
        return raw.decode("cp437").encode()
    return raw.decode("utf-8", "backslashreplace").encode()
