"""Reading the data of one entry, in bounded memory, believing nothing the archive says."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO

from pk_upload.sandbox.processing.archive import STORE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from pk_upload.sandbox.processing.archive import Entry

__all__ = ["PIECE", "DamagedEntry", "read_entry"]

PIECE = 256 << 10
"""Bytes handed on at a time: large enough to hash and encrypt with the interpreter lock released."""

_PACKED_PIECE = 256 << 10
_LOCAL = struct.Struct("<4sHHHHHLLLHH")
_SIGNATURE = b"PK\x03\x04"
_SIZES_FOLLOW = 0x8  # the local header was written before the data were known
_IN_ZIP64 = 0xFFFFFFFF


class DamagedEntry(Exception):
    """The data of an entry are not what the directory says; the text ends a sentence about the entry."""


def read_entry(file: BinaryIO, entry: Entry) -> Generator[bytes, None, None]:
    """The content of an entry in pieces of at most `PIECE` bytes.

    Raises DamagedEntry, possibly after some pieces: what was read before counts for nothing then.
    """
    start = _data_start(file, entry)
    size, crc = 0, 0
    stored = entry.method == STORE
    for piece in _raw(file, start, entry.packed, PIECE) if stored else _inflated(file, start, entry):
        size += len(piece)
        if size > entry.size:
            raise DamagedEntry(f"holds more than the {entry.size} bytes it declares")
        crc = zlib.crc32(piece, crc)
        yield piece
    if size < entry.size:
        raise DamagedEntry(f"holds {size} bytes but declares {entry.size}")
    if crc != entry.crc:
        raise DamagedEntry("is damaged: its checksum (CRC-32) does not match")


def _data_start(file: BinaryIO, entry: Entry) -> int:
    """Where the data begin, having checked the local header against the directory."""
    file.seek(entry.offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(_SIGNATURE):
        raise DamagedEntry("is damaged: its local header is missing")
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(header)
    if file.read(name_length) != entry.raw_name:
        raise DamagedEntry("is damaged: its local header names another entry")
    if method != entry.method:
        raise DamagedEntry("is damaged: its local header gives another compression method")
    if not _agree(entry, flags, crc, packed, size):
        raise DamagedEntry("is damaged: its local header gives another size or checksum")
    return entry.offset + _LOCAL.size + int(name_length) + int(extra_length)


def _agree(entry: Entry, flags: int, crc: int, packed: int, size: int) -> bool:
    """Whether the local header says what the directory says, or that it does not know yet."""
    later = {0} if flags & _SIZES_FOLLOW else set()
    sizes = later | {_IN_ZIP64}
    return crc in {entry.crc} | later and packed in {entry.packed} | sizes and size in {entry.size} | sizes


def _raw(file: BinaryIO, start: int, length: int, piece: int) -> Iterator[bytes]:
    end = start + length
    while start < end:
        file.seek(start)
        data = file.read(min(piece, end - start))
        if not data:
            raise DamagedEntry("is cut off: the ZIP ends inside it")
        start += len(data)
        yield data


def _inflated(file: BinaryIO, start: int, entry: Entry) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    packed = _raw(file, start, entry.packed, _PACKED_PIECE)
    try:
        while not inflater.eof:
            source = inflater.unconsumed_tail or next(packed, b"")
            piece = inflater.decompress(source, PIECE)
            if not source and not piece and not inflater.eof:
                raise DamagedEntry("is cut off: its compressed data have no end")
            yield piece
    except zlib.error:
        raise DamagedEntry("is damaged: its compressed data cannot be read") from None
    if inflater.unused_data or next(packed, b""):
        raise DamagedEntry("is damaged: more follows the end of its compressed data")
