"""ZIPs made byte by byte, with whatever is to be wrong with them, and a build of bytes in memory."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pk_upload.archive.build import Fingerprint

LOCAL = "<4s5H3L2H"
CENTRAL = "<4s6H3L5H2L"
FULL = 0xFFFFFFFF
DATE = 45 << 9 | 6 << 5 | 15  # 2025-06-15


@dataclass
class Member:
    """One entry. What is `None` is as it should be; `local` overrides fields of the local header."""

    name: bytes = b"game.exe"
    content: bytes = b"content"
    method: int = 0
    flags: int = 0
    made_by: int = 20
    version: int = 20
    mode: int = 0
    date: int = DATE
    crc: int | None = None
    packed: int | None = None
    size: int | None = None
    offset: int | None = None
    disk: int = 0
    extra: bytes = b""
    local: dict[str, Any] = field(default_factory=dict)
    after: bytes = b""  # a descriptor, or a gap
    raw: bytes | None = None  # what stands in the place of the packed content

    def data(self) -> bytes:
        if self.raw is not None:
            return self.raw
        if self.method == 8:
            deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
            return deflater.compress(self.content) + deflater.flush()
        return self.content

    def values(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "flags": self.flags,
            "method": self.method,
            "time": 0,
            "date": self.date,
            "crc": zlib.crc32(self.content) if self.crc is None else self.crc,
            "packed": len(self.data()) if self.packed is None else self.packed,
            "size": len(self.content) if self.size is None else self.size,
            "extra": b"",
        }


def unix(name: bytes, content: bytes = b"content", mode: int = 0o100644, **others: Any) -> Member:
    return Member(name, content, made_by=3 << 8 | 20, mode=mode, **others)


def link(name: bytes, target: bytes, **others: Any) -> Member:
    return unix(name, target, 0o120777, **others)


def numbers_of(values: dict[str, Any]) -> tuple[int, ...]:
    """Those that both headers hold, one after the other."""
    names = ("flags", "method", "time", "date", "crc", "packed", "size")
    return tuple(values[name] for name in names)


def local_header(member: Member) -> bytes:
    values = member.values() | member.local
    name, extra = bytes(values["name"]), bytes(values["extra"])
    fields = (b"PK\3\4", member.version, *numbers_of(values), len(name), len(extra))
    return struct.pack(LOCAL, *fields) + name + extra


def record(member: Member, offset: int) -> bytes:
    head = (b"PK\1\2", member.made_by, member.version, *numbers_of(member.values()))
    tail = (len(member.name), len(member.extra), 0, member.disk, 0, member.mode << 16, offset)
    return struct.pack(CENTRAL, *head, *tail) + member.name + member.extra


def craft(
    *members: Member,
    prefix: bytes = b"",
    comment: bytes = b"",
    zip64: bool = False,
    gap: bytes = b"",
    **end: int,
) -> bytes:
    """A ZIP of the members; `end` overrides fields of the last record, `gap` precedes the directory."""
    body, directory = bytearray(), bytearray()
    for member in members:
        offset = len(body) if member.offset is None else member.offset
        body += local_header(member) + member.data() + member.after
        directory += record(member, offset)
    body += gap
    values = {"disk": 0, "entries": len(members), "size": len(directory), "offset": len(body)} | end
    here = values.get("here", values["entries"])
    numbers = (values["disk"], values["disk"], here, values["entries"], values["size"], values["offset"])
    ends = b""
    if zip64:
        ends = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, *numbers)
        ends += struct.pack(
            "<4sLQL", b"PK\6\7", 0, values.get("locator", len(body) + len(directory)), end.get("disks", 1)
        )
        numbers = (0, 0, 0xFFFF, 0xFFFF, FULL, FULL)
    last = struct.pack("<4s4H2LH", b"PK\5\6", *numbers, end.get("comment", len(comment)))
    return prefix + bytes(body) + directory + ends + last + comment


class BuildInMemory:
    """A `Build` of these bytes; counts those that are read."""

    def __init__(self, content: bytes, name: str = "build.zip") -> None:
        self.path = Path(name)
        self.content = memoryview(content)
        self.bytes_read = 0

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def compression(self) -> Literal[""]:
        return ""

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(self.size, 0, 0, "")

    def read_into(self, view: memoryview, offset: int) -> int:
        piece = self.content[offset : offset + len(view)]
        view[: len(piece)] = piece
        self.bytes_read += len(piece)
        return len(piece)

    def advise(self, offset: int) -> None:
        """Memory needs no advice."""

    def compare(self, *, thoroughly: bool) -> None:
        """It never changes."""

    def close(self) -> None:
        """There is nothing to close."""
