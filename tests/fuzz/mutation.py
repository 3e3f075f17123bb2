"""Changes to a ZIP that a fuzzer would hardly come to by changing bytes: each makes few things wrong."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

from fuzz.layout import CRC, DISK, EXTERNAL, FLAGS, MADE_BY, METHOD, PACKED, SIZE, Layout, Piece, dissect

__all__ = ["Scramble", "mutated"]

Scramble = Callable[[bytes, int], bytes]
"""Changes some bytes of a string and makes it no longer than that."""

NUMBERS = [0, 1, 2, 8, 9, 20, 45, 0x21, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0x80000000, 2**32 - 2, 2**32 - 1]
WORDS = [b"/", b"..", b".", b"\\", b":", b"\0", b"\xff", b"\xcc\x81", b"\xc3\xa9", b"con", b" ", b".app/"]
NAMES = [b"", b"/", b"//", b"../a", b"a/../b", b"C:a", b"a" * 300, b"__MACOSX/._a", b"x.exe", b"./a"]
TARGETS = [b"..", b"/etc", b"a", b"./a/..", b"x/../..", b"C:", b"\\", b"", b"a\0b", b"\xff", b"a" * 5000]
MODES = [0, 0o100644, 0o100755, 0o120777, 0o040755, 0o010644, 0o060644, 0o140644, 0o170000, 0xFFFF]
FLAGGED = [0, 1, 8, 0x20, 0x40, 0x800, 0x2000, 0x808, 0xFFFF]


def mutated(data: bytes, seed: int, most: int, scramble: Scramble) -> bytes:
    """Another input that `data` leads to, of `most` bytes. The same for the same `seed` and `scramble`."""
    chance = random.Random(seed)
    layout = dissect(data) if chance.random() < 0.7 else None
    if layout is None:
        return scramble(data, most)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        if layout.pieces and chance.random() < 0.8:
            chance.choice(OF_PIECES)(chance.choice(layout.pieces), chance, scramble)
        else:
            chance.choice(OF_ALL)(layout, chance, scramble)
    made = layout.assemble()
    return made if len(made) <= most else scramble(data, most)


def _number(chance: random.Random) -> int:
    return chance.choice(NUMBERS) if chance.random() < 0.7 else chance.getrandbits(chance.choice((8, 16, 32)))


def _numbers(piece: Piece, chance: random.Random, _: Scramble) -> None:
    place = chance.randrange(SIZE + 1)
    number = _number(chance) if chance.random() < 0.7 else piece.numbers[0][place] + chance.choice((-1, 1))
    number &= 0xFFFFFFFF
    for numbers in chance.choice((piece.numbers, piece.numbers[:1], piece.numbers[1:])):
        numbers[place] = number


def _flags(piece: Piece, chance: random.Random, _: Scramble) -> None:
    flags = chance.choice(FLAGGED)
    for numbers in piece.numbers:
        numbers[FLAGS] = flags
    if chance.random() < 0.7:
        piece.descriptor = bytes(chance.choice((0, 12, 16, 20, 24)))
        piece.settle()


def _method(piece: Piece, chance: random.Random, _: Scramble) -> None:
    for numbers in piece.numbers:
        numbers[METHOD] = chance.choice((0, 8)) if chance.random() < 0.8 else _number(chance)
    if chance.random() < 0.7:
        piece.numbers[0][METHOD] = piece.numbers[1][METHOD]
        piece.settle(piece.content[:4000])


def _traits(piece: Piece, chance: random.Random, _: Scramble) -> None:
    piece.traits[EXTERNAL] = chance.choice(MODES) << 16
    piece.traits[MADE_BY] = chance.choice((0x031E, 0x0014, 0x131E, _number(chance)))
    if chance.random() < 0.2:
        piece.traits[DISK] = _number(chance)


def _name(piece: Piece, chance: random.Random, scramble: Scramble) -> None:
    name = piece.names[1]
    name = chance.choice(
        [
            chance.choice(NAMES),
            name.swapcase(),
            name + b"/",
            name.rstrip(b"/") + b"/x",
            name + chance.choice(WORDS),
            chance.choice(WORDS) + name,
            scramble(name, 100),
        ]
    )
    piece.names = [name, name] if chance.random() < 0.8 else [name, piece.names[1]]


def _extras(piece: Piece, chance: random.Random, scramble: Scramble) -> None:
    """A ZIP64 field that may be wanted or not, and any other."""
    wide = [piece.numbers[1][SIZE], piece.numbers[1][PACKED], chance.choice((0, 10, 2**63))]
    wide = wide[: chance.randrange(4)]
    extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide)
    if chance.random() < 0.3:
        name = piece.names[1] + chance.choice((b"", b"x"))
        told = struct.pack("<HHBL", 0x7075, 5 + len(name), 1, zlib.crc32(piece.names[1])) + name
        extra = chance.choice((extra + told, told, scramble(extra, 64)))
    for side in chance.choice(((0, 1), (0,), (1,))):
        piece.extras[side] = extra
        if chance.random() < 0.7:
            for place in (SIZE, PACKED)[: len(wide)]:
                piece.numbers[side][place] = 0xFFFFFFFF
    if chance.random() < 0.3:
        piece.offset = 0xFFFFFFFF


def _content(piece: Piece, chance: random.Random, scramble: Scramble) -> None:
    if chance.random() < 0.5:
        piece.content = scramble(piece.content, 4000)
    else:
        zeros = bytes(chance.randrange(70_000))
        piece.settle(chance.choice((b"", b"x", zeros, scramble(piece.content, 4000))))
    if chance.random() < 0.5:
        piece.settle()


def _descriptor(piece: Piece, chance: random.Random, scramble: Scramble) -> None:
    piece.descriptor = chance.choice((b"", scramble(piece.descriptor, 24), piece.descriptor[:-1], bytes(16)))


def _link(piece: Piece, chance: random.Random, scramble: Scramble) -> None:
    piece.traits[MADE_BY], piece.traits[EXTERNAL] = 0x031E, 0o120777 << 16
    piece.settle(chance.choice([*TARGETS, scramble(piece.content, 50)]))


def _offset(piece: Piece, chance: random.Random, _: Scramble) -> None:
    piece.offset = chance.choice((0, 1, 30, 60, _number(chance), None))


def _crc(piece: Piece, chance: random.Random, _: Scramble) -> None:
    for numbers in piece.numbers:
        numbers[CRC] ^= 1 << chance.randrange(32)


def _settle(piece: Piece, _: random.Random, __: Scramble) -> None:
    piece.settle()


OF_PIECES = [
    _numbers, _flags, _method, _traits, _name, _name, _extras, _content, _descriptor, _link, _offset, _crc,
    _settle,
]  # fmt: skip


def _doubled(layout: Layout, chance: random.Random, _: Scramble) -> None:
    if layout.pieces and len(layout.pieces) < 40:
        piece = chance.choice(layout.pieces)
        numbers = (list(piece.numbers[0]), list(piece.numbers[1]))
        again = Piece(list(piece.names), numbers, list(piece.extras), list(piece.traits))
        again.content, again.descriptor = piece.content, piece.descriptor
        layout.pieces.insert(chance.randrange(len(layout.pieces) + 1), again)


def _dropped(layout: Layout, chance: random.Random, _: Scramble) -> None:
    if layout.pieces:
        layout.pieces.pop(chance.randrange(len(layout.pieces)))


def _shuffled(layout: Layout, chance: random.Random, _: Scramble) -> None:
    chance.shuffle(layout.pieces)


def _around(layout: Layout, chance: random.Random, scramble: Scramble) -> None:
    noise = chance.choice((b"", b"MZ", b"PK\5\6" + bytes(18), b"PK\3\4", b"PK\1\2" + bytes(42), bytes(100)))
    place = chance.choice(("prefix", "gap", "comment", "tail"))
    setattr(layout, place, noise if chance.random() < 0.6 else scramble(getattr(layout, place), 100))


def _end(layout: Layout, chance: random.Random, _: Scramble) -> None:
    layout.end[chance.randrange(6)] = chance.choice((0, 1, 2, _number(chance)))


def _wide(layout: Layout, _: random.Random, __: Scramble) -> None:
    layout.wide = not layout.wide


OF_ALL = [_doubled, _dropped, _shuffled, _around, _around, _end, _wide]
