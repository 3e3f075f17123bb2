"""What a file is to an operating system, told by its first bytes: a program, a library, or neither."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

__all__ = ["HEAD", "Executable", "Format", "recognise"]

# Parsers such as LIEF and pyelftools want the whole file, and here it is packed and may have gigabytes. These
# are a few fields at fixed places, read from bytes that may be hostile; nothing is followed out of them.

Format = Literal["PE", "ELF", "Mach-O", "script"]

HEAD = 4096
"""Bytes from a file's start that `recognise` wants."""


@dataclass(frozen=True, slots=True)
class Executable:
    """Code of one `format`.

    `architectures` has the names that platforms use (x86, x86_64, arm64), the number of any other machine,
    and nothing for a script or where the head does not tell. `runnable` is false for libraries, drivers and
    object files.
    """

    format: Format
    architectures: frozenset[str]
    runnable: bool


def recognise(head: bytes) -> Executable | None:
    """What the file that begins with `head` is, `None` for data. Never raises, whatever the bytes."""
    try:
        if head.startswith(b"#!"):
            return Executable("script", frozenset(), runnable=True)
        if head.startswith(b"MZ"):
            return _pe(head)
        if head.startswith(b"\x7fELF"):
            return _elf(head)
        return _mach_o(head)
    except struct.error:  # the head ends before the header does
        return None


_PE_MACHINES = {
    0x014C: "x86", 0x8664: "x86_64", 0xAA64: "arm64", 0xA641: "arm64", 0xA64E: "arm64", 0x01C4: "arm",
}  # fmt: skip
_PE_RUNS, _PE_SYSTEM, _PE_LIBRARY = 0x0002, 0x1000, 0x2000


def _pe(head: bytes) -> Executable | None:
    (start,) = struct.unpack_from("<I", head, 0x3C)
    if start > len(head) - 24:
        # Some packers put much before it; a program for DOS has anything there.
        told = 24 <= start < 0x1000_0000 and len(head) >= HEAD
        return Executable("PE", frozenset(), runnable=True) if told else None
    if not head.startswith(b"PE\0\0", start):
        return None
    (machine,) = struct.unpack_from("<H", head, start + 4)
    (traits,) = struct.unpack_from("<H", head, start + 22)
    runnable = traits & (_PE_RUNS | _PE_SYSTEM | _PE_LIBRARY) == _PE_RUNS
    return Executable("PE", frozenset({_PE_MACHINES.get(machine, _number(machine))}), runnable)


_ELF_MACHINES = {3: "x86", 6: "x86", 40: "arm", 62: "x86_64", 183: "arm64"}
_ET_EXEC, _ET_DYN, _PT_INTERP = 2, 3, 3


def _elf(head: bytes) -> Executable | None:
    bits, order = head[4:5], {1: "<", 2: ">"}.get(head[5] if len(head) > 5 else 0)
    if order is None or bits not in (b"\1", b"\2"):
        return None
    # type, machine, version, entry point, offset of the program headers; then their size and number
    fields, sizes = ("HHIII", 42) if bits == b"\1" else ("HHIQQ", 54)
    kind, machine, _, entry, table = struct.unpack_from(order + fields, head, 16)
    step, number = struct.unpack_from(order + "HH", head, sizes)
    runnable = kind == _ET_EXEC
    if kind == _ET_DYN:
        runnable = _is_started(head, order, entry, (table, step, number))
    return Executable("ELF", frozenset({_ELF_MACHINES.get(machine, _number(machine))}), runnable)


def _is_started(head: bytes, order: str, entry: int, headers: tuple[int, int, int]) -> bool:
    """Whether a shared object is a program: it then names the interpreter that is to load it."""
    table, step, number = headers
    if number == 0 or step < 4:
        return False
    if table > len(head) - 4:  # some tools move the table to the end of the file
        return entry != 0 and len(head) >= HEAD
    places = range(table, min(table + step * number, len(head) - 3), step)
    return any(struct.unpack_from(order + "I", head, place)[0] == _PT_INTERP for place in places)


_CPUS = {7: "x86", 12: "arm", 0x0100_0007: "x86_64", 0x0100_000C: "arm64"}
_MH_EXECUTE = 2
_THIN = {
    b"\xce\xfa\xed\xfe": "<",
    b"\xcf\xfa\xed\xfe": "<",
    b"\xfe\xed\xfa\xce": ">",
    b"\xfe\xed\xfa\xcf": ">",
}
# byte order, and the size of what tells of one slice
_FAT = {
    b"\xca\xfe\xba\xbe": (">", 20),
    b"\xca\xfe\xba\xbf": (">", 32),
    b"\xbe\xba\xfe\xca": ("<", 20),
    b"\xbf\xba\xfe\xca": ("<", 32),
}
# A class file of Java begins as a fat file does; where that has the number of slices, it has a version, which
# is 45 at least.
_MOST_SLICES = 44


def _mach_o(head: bytes) -> Executable | None:
    magic = head[:4]
    if magic in _THIN:
        cpu, _, kind = struct.unpack_from(_THIN[magic] + "III", head, 4)
        return Executable("Mach-O", frozenset({_CPUS.get(cpu, _number(cpu))}), runnable=kind == _MH_EXECUTE)
    if magic not in _FAT:
        return None
    order, step = _FAT[magic]
    (slices,) = struct.unpack_from(order + "I", head, 4)
    if not 1 <= slices <= _MOST_SLICES:
        return None
    cpus = [struct.unpack_from(order + "I", head, 8 + step * each)[0] for each in range(slices)]
    if not any(cpu in _CPUS for cpu in cpus):
        return None
    # Whether it is a program stands in the slices, and the first of them lies beyond the head.
    return Executable("Mach-O", frozenset(_CPUS.get(cpu, _number(cpu)) for cpu in cpus), runnable=True)


def _number(machine: int) -> str:
    return f"machine {machine:#x}"
