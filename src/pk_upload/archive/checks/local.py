"""An entry's local header, and the descriptor that may follow its content, against the directory."""

from __future__ import annotations

from pk_upload.archive.checks.entries import Entry, zip64_numbers
from pk_upload.archive.checks.packing import SECRET
from pk_upload.archive.checks.window import Window
from pk_upload.archive.directory import Fault
from pk_upload.archive.format import (
    DESCRIBED,
    DESCRIPTOR_MAGIC,
    DESCRIPTORS,
    FULL32,
    LOCAL,
    LOCAL_MAGIC,
    UTF8,
)
from pk_upload.archive.problems import LOCAL_HEADER, OUT_OF_FILE

__all__ = ["compare", "content_offset", "usual_end"]

NO_SIZES = bytes(12)  # what stands in the place of checksum and sizes if a descriptor has them


def content_offset(window: Window, entry: Entry) -> int:
    """Where an entry's content begins, -1 if its local header is not there. Raises what the build raises."""
    at = window.reach(entry.offset, LOCAL.size)
    if at < 0 or not window.data.startswith(LOCAL_MAGIC, at):
        return -1
    *_, named, extras = LOCAL.unpack_from(window.data, at)
    return int(entry.offset + LOCAL.size + named + extras)


def usual_end(window: Window, entry: Entry) -> int:
    """Where the entry ends if its headers agree to the letter, -1 if not: `compare` tells more. Quick."""
    raw, header = entry.raw, entry.header
    size = 30 + len(raw)
    at = window.reach(entry.offset, size)
    data = window.data
    if at < 0 or entry.large or not (data.startswith(raw, at + 30) and data.startswith(LOCAL_MAGIC, at)):
        return -1
    end = entry.offset + size + data[at + 28] + data[at + 29] * 256 + entry.packed
    if not entry.flags & DESCRIBED:
        return end if data.startswith(header, at + 4) else -1
    if not (entry.size and data.startswith(header[:10] + NO_SIZES + header[22:], at + 4)):
        return -1
    at = window.reach(end, 16)
    return end + 16 if at >= 0 and window.data.startswith(DESCRIPTOR_MAGIC + header[10:22], at) else -1


def compare(window: Window, entry: Entry) -> tuple[int, list[Fault]]:
    """Where the entry ends, -1 if it is not there, and where its two headers are at odds.

    Their versions, dates and hints on the compression may differ: some tools write them so, and nobody reads
    the local ones. Raises what the build raises.
    """
    at = window.reach(entry.offset, LOCAL.size)
    if at < 0:
        return -1, [Fault(OUT_OF_FILE, "its local header is said to be where the archive is over")]
    if not window.data.startswith(LOCAL_MAGIC, at):
        return -1, [Fault(LOCAL_HEADER, "there is no local header where it is said to be")]
    _, _, flags, method, _, _, crc, packed, size, named, extras = LOCAL.unpack_from(window.data, at)
    rest = window.bytes(entry.offset + LOCAL.size, named + extras)
    faults = []
    if rest[:named] != entry.raw:
        faults.append(_at_odds("names"))
    if (flags ^ entry.flags) & (SECRET if entry.raw.isascii() else SECRET | UTF8):
        faults.append(_at_odds("flags"))
    if method != entry.method:
        faults.append(_at_odds("methods"))
    told, real = (crc, *_resolved(packed, size, rest[named:])), (entry.crc, entry.packed, entry.size)
    end = entry.offset + LOCAL.size + named + extras + entry.packed
    if flags & DESCRIBED and (length := _descriptor(window, entry, end)):
        end += length
        if any(a not in (0, b) for a, b in zip(told, real, strict=True)):
            faults.append(_at_odds("sizes or checksums"))
    elif told != real:
        faults.append(_at_odds("sizes or checksums"))
    return end, faults


def _at_odds(what: str) -> Fault:
    return Fault(LOCAL_HEADER, f"its local header and the directory have different {what}")


def _resolved(packed: int, size: int, extra: bytes) -> tuple[int, int]:
    """With the numbers of the ZIP64 field in place of those that refer to it."""
    numbers = zip64_numbers(extra, (size == FULL32) + (packed == FULL32))
    if numbers and size == FULL32:
        size = numbers.pop(0)
    if numbers and packed == FULL32:
        packed = numbers.pop(0)
    return packed, size


def _descriptor(window: Window, entry: Entry, offset: int) -> int:
    """The length in bytes of the descriptor there that fits the entry, 0 if none does.

    It comes with a magic number or without, its sizes in 64 bits or in 32.
    """
    for magic in (DESCRIPTOR_MAGIC, b""):
        for layout in DESCRIPTORS:
            length = len(magic) + layout.size
            content = window.bytes(offset, length)
            if len(content) < length or not content.startswith(magic):
                continue
            if layout.unpack_from(content, len(magic)) == (entry.crc, entry.packed, entry.size):
                return length
    return 0
