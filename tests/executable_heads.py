"""The first bytes of programs and libraries, made by hand."""

from __future__ import annotations

import struct
from collections.abc import Sequence

__all__ = ["elf", "fat", "mach_o", "pe"]


def pe(machine: int, *, traits: int = 0x0022, start: int = 0x80) -> bytes:
    """A file of Windows: its `traits` tell a program (0x0002) and a library (0x2000)."""
    stub = struct.pack("<2s58xI", b"MZ", start).ljust(start, b"\0")
    return stub + struct.pack("<4sHHIIIHH", b"PE\0\0", machine, 3, 0, 0, 0, 240, traits) + bytes(240)


def elf(
    machine: int,
    *,
    bits: int = 64,
    order: str = "<",
    kind: int = 2,
    segments: Sequence[int] = (6, 3, 1),
    table: int | None = None,
) -> bytes:
    """A file of Linux: a program (`kind` 2), a shared object (3); `segments` are the types of its headers."""
    wide = bits == 64
    words, step, size = ("QQQ", 56, 64) if wide else ("III", 32, 52)
    table = size if table is None else table
    ident = b"\x7fELF" + bytes([1 + wide, 1 + (order == ">"), 1]) + bytes(9)
    rest = struct.pack(f"{order}HHI{words}I", kind, machine, 1, 0x1040, table, 0, 0)
    rest += struct.pack(order + "6H", size, step, len(segments), 64, 0, 0)
    return ident + rest + b"".join(struct.pack(order + "I", each).ljust(step, b"\0") for each in segments)


def mach_o(cpu: int, *, order: str = "<", kind: int = 2) -> bytes:
    """A file of macOS: a program (`kind` 2), a library (6), a bundle of code (8)."""
    return struct.pack(order + "7I", 0xFEEDFACE | bool(cpu & 0x0100_0000), cpu, 3, kind, 0, 0, 0) + bytes(64)


def fat(cpus: Sequence[int], *, order: str = ">", wide: bool = False) -> bytes:
    """A file of macOS that holds one for each of several processors."""
    fields = "IIQQII" if wide else "IIIII"
    rest = (14, 0) if wide else (14,)
    slices = b"".join(struct.pack(order + fields, cpu, 3, 0x4000, 0x1000, *rest) for cpu in cpus)
    return struct.pack(order + "II", 0xCAFEBABE | wide, len(cpus)) + slices + bytes(64)
