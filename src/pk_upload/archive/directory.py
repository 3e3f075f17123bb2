"""Where a ZIP's directory lies, and a digest of it: two builds never share one, for it holds every CRC."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import BinaryIO

__all__ = ["directory_digest", "directory_offset"]

END = struct.Struct("<4s4H2LH")  # end of central directory
LOCATOR = struct.Struct("<4sLQL")  # ZIP64 end of central directory locator
END64 = struct.Struct("<4sQ2H2L4Q")  # ZIP64 end of central directory
LONGEST_COMMENT = 65535
PIECE = 1024 * 1024


def directory_offset(file: BinaryIO, size: int) -> int:
    """Where the central directory of a ZIP of `size` bytes begins; raises `ValueError` if that is not told.

    After the ZIP's public specification; a program in front of the archive shifts the recorded offset.
    """
    start = max(0, size - END.size - LONGEST_COMMENT - LOCATOR.size)
    file.seek(start)
    tail = file.read(size - start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < END.size:
        raise ValueError("no end of central directory")
    length, end = END.unpack_from(tail, at)[5], start + at
    if at >= LOCATOR.size and tail.startswith(b"PK\x06\x07", at - LOCATOR.size):
        recorded = LOCATOR.unpack_from(tail, at - LOCATOR.size)[2]
        length, end = _end64(file, end - LOCATOR.size - END64.size, recorded)
    if length > end:
        raise ValueError("the central directory is larger than the archive")
    return int(end - length)


def _end64(file: BinaryIO, *places: int) -> tuple[int, int]:
    """The directory's length and end after the ZIP64 record in the first of `places` that holds one."""
    for place in places:
        file.seek(max(0, place))
        record = file.read(END64.size)
        if len(record) == END64.size and record.startswith(b"PK\x06\x06"):
            return END64.unpack(record)[8], place
    raise ValueError("no ZIP64 end of central directory")


def directory_digest(path: Path) -> str:
    """The SHA-256, in hex, of the ZIP's directory and what follows it; of the last 64 KiB of any other file.

    Raises `OSError`.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        size = file.seek(0, 2)
        try:
            offset = directory_offset(file, size)
        except ValueError:
            offset = max(0, size - LONGEST_COMMENT)
        file.seek(offset)
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
