"""A ZIP taken apart into what its records say, and put together again with lengths and offsets that fit.

So a fuzzer can change one thing and get an archive that is wrong in that one thing. The format is told here
once more, for what is tested must not help to test it.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from itertools import pairwise

__all__ = [
    "CRC",
    "DATE",
    "DISK",
    "EXTERNAL",
    "FLAGS",
    "MADE_BY",
    "METHOD",
    "PACKED",
    "SIZE",
    "Layout",
    "Piece",
    "dissect",
]

_LOCAL, _LOCAL_MAGIC = struct.Struct("<4s5H3L2H"), b"PK\3\4"
_CENTRAL, _CENTRAL_MAGIC = struct.Struct("<4s6H3L5H2L"), b"PK\1\2"
_END, _END_MAGIC = struct.Struct("<4s4H2LH"), b"PK\5\6"
_END64, _LOCATOR = struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")

# Places in `Piece.numbers`.
VERSION, FLAGS, METHOD, TIME, DATE, CRC, PACKED, SIZE = range(8)
# Places in `Piece.traits`.
MADE_BY, DISK, INTERNAL, EXTERNAL = range(4)

MOST = 64  # entries taken apart; more would only make it slow


@dataclass
class Piece:
    """One entry. Pairs have what the local header says, and what the directory does."""

    names: list[bytes]
    numbers: tuple[list[int], list[int]]
    extras: list[bytes] = field(default_factory=lambda: [b"", b""])
    traits: list[int] = field(default_factory=lambda: [0x031E, 0, 0, 0o100644 << 16])
    comment: bytes = b""
    content: bytes = b""
    descriptor: bytes = b""
    offset: int | None = None  # what the directory says, if it is not where the local header is

    def settle(self, plain: bytes | None = None) -> None:
        """Makes CRC and sizes fit the content, or the content fit `plain`."""
        if plain is not None:
            self.content = plain
            if self.numbers[1][METHOD] == 8:
                packer = zlib.compressobj(6, zlib.DEFLATED, -15)
                self.content = packer.compress(plain) + packer.flush()
        elif self.numbers[1][METHOD] == 8:
            plain = _inflated(self.content)
        told = [zlib.crc32(plain or b"") if plain is not None else 0, len(self.content), len(plain or b"")]
        if self.numbers[1][METHOD] == 0:
            told = [zlib.crc32(self.content), len(self.content), len(self.content)]
        described = bool(self.numbers[1][FLAGS] & 8)
        for numbers in self.numbers:
            numbers[CRC : SIZE + 1] = [0, 0, 0] if described and numbers is self.numbers[0] else told
        if described:
            start = b"PK\7\x08" if len(self.descriptor) in (0, 16, 24) else b""
            form = "<L2Q" if len(self.descriptor) in (20, 24) else "<3L"
            self.descriptor = start + struct.pack(form, *told)
        else:
            self.descriptor = b""

    def local(self) -> bytes:
        name, extra = self.names[0], self.extras[0]
        numbers = _clipped(self.numbers[0])
        return _LOCAL.pack(_LOCAL_MAGIC, *numbers, len(name), len(extra)) + name + extra

    def central(self, offset: int) -> bytes:
        name, extra = self.names[1], self.extras[1]
        made_by, disk, internal, external = self.traits
        lengths = (len(name), len(extra), len(self.comment))
        record = _CENTRAL.pack(
            _CENTRAL_MAGIC, made_by & 0xFFFF, *_clipped(self.numbers[1]), *lengths, disk & 0xFFFF,
            internal & 0xFFFF, external & 0xFFFFFFFF, min(offset, 0xFFFFFFFF),
        )  # fmt: skip
        return record + name + extra + self.comment


@dataclass
class Layout:
    """A ZIP. `end` has what the end record says where that is not what fits; `wide` means ZIP64."""

    pieces: list[Piece]
    prefix: bytes = b""
    gap: bytes = b""
    comment: bytes = b""
    tail: bytes = b""
    wide: bool = False
    end: dict[int, int] = field(default_factory=dict)

    def assemble(self) -> bytes:
        out, directory = bytearray(self.prefix), bytearray()
        for piece in self.pieces:
            directory += piece.central(len(out) if piece.offset is None else piece.offset)
            out += piece.local() + piece.content + piece.descriptor
        out += self.gap
        count, size, offset = len(self.pieces), len(directory), len(out)
        out += directory
        told = [0, 0, count, count, size, offset]
        for place, number in self.end.items():
            told[place] = number
        if self.wide:
            place = len(out)
            disks = (number & 0xFFFFFFFF for number in told[:2])
            out += _END64.pack(b"PK\6\6", 44, 45, 45, *disks, *told[2:])
            out += _LOCATOR.pack(b"PK\6\7", 0, place, 1)
            told = [0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF]
        short = (min(number, 0xFFFF) for number in told[:4])
        long = (min(number, 0xFFFFFFFF) for number in told[4:])
        out += _END.pack(_END_MAGIC, *short, *long, len(self.comment)) + self.comment + self.tail
        return bytes(out)


def dissect(data: bytes) -> Layout | None:
    """The ZIP that the bytes are, as far as it can be told; `None` where nothing can."""
    end = _end(data)
    if end < 0:
        return None
    *_, length = _END.unpack_from(data, end)
    start = data.find(_CENTRAL_MAGIC)
    layout = Layout([], wide=data[max(0, end - 20) : end].startswith(b"PK\6\7"))
    layout.comment = data[end + _END.size : end + _END.size + length]
    layout.tail = data[end + _END.size + length :]
    at = start
    while 0 <= at <= end - _CENTRAL.size and data.startswith(_CENTRAL_MAGIC, at):
        if len(layout.pieces) == MOST:
            break
        piece, at = _piece(data, at, start)
        layout.pieces.append(piece)
    if start > 0:
        first = data.find(_LOCAL_MAGIC)
        layout.prefix = data[: first if 0 <= first < start else start]
    return layout


def _end(data: bytes) -> int:
    """Where the end record is, -1 if nowhere: the last whose comment ends with the data, or else the last."""
    last = -1
    at = data.rfind(_END_MAGIC)
    while at >= 0:
        left = len(data) - at - _END.size
        if left >= 0 and _END.unpack_from(data, at)[-1] == left:
            return at
        last = max(last, at) if left >= 0 else last
        at = data.rfind(_END_MAGIC, 0, at)
    return last


def _piece(data: bytes, at: int, end: int) -> tuple[Piece, int]:
    """The entry that the directory tells of at `at`, and where it tells of the next."""
    _, made_by, *rest = _CENTRAL.unpack_from(data, at)
    numbers, (named, extras, comment, disk, internal, external, offset) = rest[:8], rest[8:]
    cuts = [at + _CENTRAL.size]
    for length in (named, extras, comment):
        cuts.append(cuts[-1] + length)
    name, extra, remark = (data[a:b] for a, b in pairwise(cuts))
    piece = Piece([name, name], (list(numbers), list(numbers)), [extra, extra], comment=remark)
    piece.traits = [made_by, disk, internal, external]
    if data.startswith(_LOCAL_MAGIC, offset) and offset + _LOCAL.size <= len(data):
        _, *local, named, extras = _LOCAL.unpack_from(data, offset)
        middle = offset + _LOCAL.size + named
        piece.names[0], piece.extras[0] = data[middle - named : middle], data[middle : middle + extras]
        piece.numbers = (local, list(numbers))
        after = data.find(_LOCAL_MAGIC, middle)
        after = after if 0 <= after < end else end
        content = data[middle + extras : after]
        packed = min(numbers[PACKED], len(content)) if numbers[FLAGS] & 8 else len(content)
        piece.content, piece.descriptor = content[:packed], content[packed:]
    else:
        piece.offset = offset
    return piece, cuts[-1]


def _inflated(content: bytes) -> bytes | None:
    try:
        return zlib.decompressobj(-15).decompress(content, 1 << 20)
    except zlib.error:
        return None


def _clipped(numbers: list[int]) -> list[int]:
    return [number & (0xFFFF if place < CRC else 0xFFFFFFFF) for place, number in enumerate(numbers)]
