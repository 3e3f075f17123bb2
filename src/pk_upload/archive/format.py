"""The records of a ZIP as its public specification (APPNOTE 6.3) lays them out, to read and to write."""

from __future__ import annotations

import struct

__all__ = [
    "CENTRAL",
    "CENTRAL_MAGIC",
    "DEFLATE",
    "DEFLATE64",
    "DESCRIBED",
    "DESCRIPTORS",
    "DESCRIPTOR_MAGIC",
    "ENCRYPTED",
    "END",
    "END64",
    "END64_MAGIC",
    "END_MAGIC",
    "FIELD",
    "FULL16",
    "FULL32",
    "LOCAL",
    "LOCAL_MAGIC",
    "LOCATOR",
    "LOCATOR_MAGIC",
    "METHODS",
    "OTHERS",
    "SPANNED_MAGIC",
    "STORE",
    "STRONGLY_ENCRYPTED",
    "UNIX",
    "UNIX_MAKERS",
    "UTF8",
    "ZIP64",
]

LOCAL_MAGIC = b"PK\x03\x04"
CENTRAL_MAGIC = b"PK\x01\x02"
END_MAGIC = b"PK\x05\x06"
END64_MAGIC = b"PK\x06\x06"
LOCATOR_MAGIC = b"PK\x06\x07"
DESCRIPTOR_MAGIC = SPANNED_MAGIC = b"PK\x07\x08"  # after an entry's data, or where a split archive begins

# magic, version needed, flags, method, time, date, CRC-32, packed size, size, lengths of name and extra
LOCAL = struct.Struct("<4s5H3L2H")
# magic, version made by, then as above; then lengths of name, extra and comment, disk, internal and external
# attributes, offset of the local header
CENTRAL = struct.Struct("<4s6H3L5H2L")
# magic, disk, disk of the directory, entries on this disk, entries, directory's size and offset, length of
# the comment
END = struct.Struct("<4s4H2LH")
# magic, disk of the ZIP64 end, its offset, number of disks
LOCATOR = struct.Struct("<4sLQL")
# magic, size of the rest, versions made by and needed, disk, disk of the directory, entries on this disk,
# entries, directory's size and offset
END64 = struct.Struct("<4sQ2H2L4Q")

# CRC-32, packed size, size: in 64 bits or in 32
DESCRIPTORS = (struct.Struct("<L2Q"), struct.Struct("<3L"))
FIELD = struct.Struct("<2H")  # an extra field: number, length of its content

STORE, DEFLATE, DEFLATE64 = 0, 8, 9
METHODS = {
    1: "SHRINK", 6: "IMPLODE", 9: "DEFLATE64", 12: "BZIP2", 14: "LZMA", 93: "ZSTD", 95: "XZ", 96: "JPEG",
    97: "WAVPACK", 98: "PPMD", 99: "AES",
}  # fmt: skip
"""Those that this service does not take, by their number."""

OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive", b"Rar!\x1a\x07": "a RAR archive", b"\x1f\x8b": "a gzip file",
    b"\xfd7zXZ\0": "an xz file", b"BZh": "a bzip2 file", b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"MZ": "a program", b"\x7fELF": "a program",
}  # fmt: skip
"""What is given in a ZIP's place, by its first bytes."""

ENCRYPTED, DESCRIBED, STRONGLY_ENCRYPTED, UTF8 = 1 << 0, 1 << 3, 1 << 6, 1 << 11  # flags of an entry
UNIX, MACOS = 3, 19  # the upper byte of "version made by"
UNIX_MAKERS = {UNIX, MACOS}
"""Whose external attributes hold a Unix mode."""
ZIP64 = 0x0001  # the extra field that holds what does not fit into 32 bits
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF  # what stands where the ZIP64 field or record tells
