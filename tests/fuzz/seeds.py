"""Small inputs to begin with: ZIPs of every kind there is, heads of programs, and maps of links."""

from __future__ import annotations

import io
import random
import stat
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from executable_heads import elf, fat, mach_o, pe
from fuzz.layout import DATE, EXTERNAL, FLAGS, METHOD, Layout, Piece

__all__ = ["SEEDS", "entry", "layouts"]

PLAIN = b"the same line again\n" * 6
INFO = b"<plist><dict><key>CFBundleExecutable</key><string>G</string></dict></plist>"


def entry(
    name: bytes, plain: bytes = PLAIN, *, method: int = 8, flags: int = 0, mode: int = 0o100644
) -> Piece:
    """A good entry; with the flag 8, one with a descriptor."""
    numbers = [20, flags, method, 0x6000, 0x5A21, 0, 0, 0]
    piece = Piece([name, name], (numbers, list(numbers)))
    piece.traits[EXTERNAL] = mode << 16
    piece.settle(plain)
    return piece


def link(name: bytes, target: bytes) -> Piece:
    return entry(name, target, method=0, mode=stat.S_IFLNK | 0o777)


def layouts() -> Iterator[Layout]:
    """Good archives, and some that are wrong in one thing."""
    yield Layout([entry(b"game.exe", pe(0x8664)), entry(b"data/level0", method=0)])
    folder = entry(b"b/", b"", method=0, mode=0o40755)
    yield Layout([entry(b"a", b"", method=0), folder, entry(b"b/c", flags=8)])
    yield Layout([entry("gr\u00fc\u00df.txt".encode(), flags=0x800), entry(b"\x81\x9f", flags=0)])
    yield Layout([entry(b"a", flags=8), entry(b"b", method=0, flags=8)], wide=True)
    yield Layout([entry(b"a")], prefix=b"MZ and more")
    yield Layout([entry(b"a")], comment=b"a comment with PK\5\6 in it and some bytes behind that")
    yield Layout([entry(b"a")], tail=b"\0\0\0")
    yield Layout([entry(b"a")], gap=b"unused")
    yield Layout([])
    yield Layout([link(b"l", b"d/f"), link(b"d/up", b".."), entry(b"d/f"), link(b"out", b"d/up/../..")])
    yield Layout([entry(b"x"), entry(b"X"), entry(b"x/y"), entry(b"x")])
    yield Layout([entry(name) for name in (b"/a", b"../b", b"C:\\c", b"con.txt", b"e. ", b"a\0b")])
    yield Layout([entry(name) for name in (b"a//b", b"./d", b".DS_Store", b"a" * 300)])
    yield Layout([entry(b"f", flags=1), entry(b"g", flags=0x2000), entry(b"h", method=0, flags=0x40)])
    yield Layout([entry(b"zeros", bytes(100_000)), entry(b"f/", b"content", method=0)])
    yield Layout(
        [
            entry(b"Game.app/Contents/Info.plist", INFO),
            entry(b"Game.app/Contents/MacOS/G", mach_o(0x01000007), mode=0o100755),
            entry(b"__MACOSX/._Game.app"),
        ]
    )
    yield Layout([entry(b"game", elf(62, kind=3), mode=0o100755), entry(b"tool", fat((7, 0x0100000C)))])
    yield Layout([entry(b"G.app/Contents/Info.plist", INFO), entry(b"G.app/Contents/MacOS/H", pe(0x14C))])
    yield Layout([entry("\u00e9".encode(), flags=0x800), entry("e\u0301".encode(), flags=0x800)])
    yield Layout([_dated(struct.pack("<HHBL", 0x5455, 5, 1, 0))])
    yield Layout([_dated(struct.pack("<HHLHHQ", 0x000A, 16, 0, 1, 24, 10**17))])
    yield Layout([entry(b"random", random.Random(0).randbytes(2000), flags=8), entry(b"other")])
    for method in (1, 9, 12, 14, 93):
        odd = entry(b"m")
        for numbers in odd.numbers:
            numbers[METHOD] = method
        yield Layout([odd])
    unnamed = entry("\u2713".encode(), flags=0x800)
    unnamed.numbers[0][FLAGS] = 0
    yield Layout([unnamed])


def _dated(extra: bytes) -> Piece:
    """An entry of the first day there is, with a time in an extra field."""
    piece = entry(b"old")
    piece.extras = [extra, extra]
    for numbers in piece.numbers:
        numbers[DATE] = 0x21
    return piece


def zips() -> Iterator[bytes]:
    yield from (layout.assemble() for layout in layouts())
    yield _written(lambda target: zipfile.ZipFile(target, "w"))
    yield _written(lambda target: zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED), wide=True)
    yield _written(lambda target: zipfile.ZipFile(_Stream(target), "w", zipfile.ZIP_DEFLATED))
    yield _written(lambda target: zipfile.ZipFile(_Stream(target), "w"), wide=True)
    yield b""
    yield b"PK\5\6" + bytes(18)
    yield b"PK\7\x08PK\3\4" + bytes(60)
    yield bytes(100)


class _Stream(io.RawIOBase):
    """Cannot be sought in, so that entries get descriptors."""

    def __init__(self, target: io.BytesIO) -> None:
        self._target = target

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._target.write(data)


def _written(make: Callable[[io.BytesIO], zipfile.ZipFile], *, wide: bool = False) -> bytes:
    target = io.BytesIO()
    with make(target) as archive:
        for name in ("game.exe", "Data/one", "Data/two"):
            with archive.open(name, "w", force_zip64=wide) as file:
                file.write(PLAIN)
    return target.getvalue()


def programs() -> Iterator[bytes]:
    for order in "<>":
        yield mach_o(0x0100000C, order=order)
        yield fat((7, 0x01000007), order=order)
        yield fat((7, 0x0100000C), order=order, wide=True)
        for bits in (32, 64):
            yield elf(62, bits=bits, order=order, kind=3)
            yield elf(3, bits=bits, order=order)
    yield pe(0x8664)
    yield pe(0x14C, traits=0x2022, start=0x100)
    yield b"#!/bin/sh\n"
    yield b"\xca\xfe\xba\xbe\0\0\0\x34"


def maps() -> Iterable[bytes]:
    return (
        b"a\0b",
        b"a/s\0.\na/out\0s/s/../..",
        b"a\0b\nb\0a",
        b"d\0a/b\nd/l\0../../..",
        b"l\0..\\..\\x\nm\0/etc\nn\0C:/x",
        b"\n".join(b"l%d\0l%d" % (number, number + 1) for number in range(45)),
    )


def builds() -> Iterator[bytes]:
    yield b"Game.exe\0" + pe(0x8664)
    yield b"Game\0" + elf(62)
    yield b"G.app/Contents/Info.plist\0" + INFO
    yield b"G.app/Contents/Info.plist\0bplist00\xd1\1\2\x51a\x51b\x08\x0b\x0d" + bytes(20)
    yield b"X/G.app/Contents/MacOS/G\0" + mach_o(7)


SEEDS: dict[str, Callable[[], Iterable[bytes]]] = {
    "preflight": zips,
    "executables": programs,
    "links": maps,
    "launching": builds,
}
