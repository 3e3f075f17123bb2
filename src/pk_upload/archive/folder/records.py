"""The records of the ZIP that is made of a folder: the same for the same tree, wherever and whenever it is
made.

Every date is the format's first, times being no part of a build; permissions are the files' own.
"""

from __future__ import annotations

import stat
import struct

from pk_upload.archive.folder.tree import Member
from pk_upload.archive.format import (
    CENTRAL,
    CENTRAL_MAGIC,
    END,
    END64,
    END64_MAGIC,
    END_MAGIC,
    FULL16,
    FULL32,
    LOCAL,
    LOCAL_MAGIC,
    LOCATOR,
    LOCATOR_MAGIC,
    UNIX,
    UTF8,
    ZIP64,
)

__all__ = ["central_header", "central_header_size", "end_records", "local_header", "local_header_size"]

TIME, DATE = 0, 0x0021  # midnight on the first of January 1980
NEEDED, NEEDED64 = 20, 45  # versions of the specification: 2.0 for folders and DEFLATE, 4.5 for ZIP64
DIRECTORY = 0x10  # the attribute of a folder in MS-DOS, which some tools go by


def local_header(member: Member, method: int, crc: int, packed: int) -> bytes:
    """What stands before the content, which has `packed` bytes in the archive."""
    name, size = member.name.encode(), member.size
    extra, needed = b"", NEEDED
    if max(packed, size) >= FULL32:
        extra, needed = struct.pack("<2H2Q", ZIP64, 16, size, packed), NEEDED64
        packed = size = FULL32
    flags = 0 if name.isascii() else UTF8
    fields = (needed, flags, method, TIME, DATE, crc, packed, size, len(name), len(extra))
    return LOCAL.pack(LOCAL_MAGIC, *fields) + name + extra


def local_header_size(member: Member, packed: int) -> int:
    return LOCAL.size + len(member.name.encode()) + (20 if max(packed, member.size) >= FULL32 else 0)


def central_header(member: Member, method: int, crc: int, packed: int, offset: int) -> bytes:
    """What the directory says of the member, whose local header is at `offset`."""
    name, size = member.name.encode(), member.size
    extra, needed = _wide(size, packed, offset), NEEDED
    if extra:
        needed = NEEDED64
        size, packed, offset = (min(field, FULL32) for field in (size, packed, offset))
    flags = 0 if name.isascii() else UTF8
    fields = (UNIX << 8 | needed, needed, flags, method, TIME, DATE, crc, packed, size, len(name), len(extra))
    return CENTRAL.pack(CENTRAL_MAGIC, *fields, 0, 0, 0, _attributes(member), offset) + name + extra


def central_header_size(member: Member, packed: int, offset: int) -> int:
    return CENTRAL.size + len(member.name.encode()) + len(_wide(member.size, packed, offset))


def end_records(count: int, size: int, offset: int) -> bytes:
    """What closes the archive, after a directory of `count` entries and `size` bytes at `offset`."""
    wide = b""
    if count >= FULL16 or max(size, offset) >= FULL32:
        versions = (UNIX << 8 | NEEDED64, NEEDED64)
        wide = END64.pack(END64_MAGIC, END64.size - 12, *versions, 0, 0, count, count, size, offset)
        wide += LOCATOR.pack(LOCATOR_MAGIC, 0, offset + size, 1)
        count, size, offset = min(count, FULL16), min(size, FULL32), min(offset, FULL32)
    return wide + END.pack(END_MAGIC, 0, 0, count, count, size, offset, 0)


def _wide(*fields: int) -> bytes:
    """The ZIP64 field for those that do not fit into 32 bits."""
    wide = [field for field in fields if field >= FULL32]
    return struct.pack(f"<2H{len(wide)}Q", ZIP64, 8 * len(wide), *wide) if wide else b""


def _attributes(member: Member) -> int:
    kind = stat.S_IFMT(member.mode)
    return (kind | member.mode & 0o777) << 16 | (DIRECTORY if kind == stat.S_IFDIR else 0)
