"""The steps a diff is made of, and how they are written.

A step makes the next bytes of a file. In the plain diff it is a header of 29 bytes (kind, offset and
size of the old bytes, size of the new bytes, size of the payload, big-endian) and the payload.
Offsets are those of the plain content of the version before, so a step may take its bytes from any
file of it.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pk_upload.sandbox.processing.container import ContainerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pk_upload.sandbox.processing.container import ContainerReader

__all__ = ["Kind", "Step", "joined", "read_steps"]

_HEADER = struct.Struct(">BQQQI")


class Kind(enum.IntEnum):
    """Where the new bytes come from."""

    COPY = 0
    """The old bytes as they are; no payload."""
    PATCH = 1
    """The payload is an hdiffpatch delta to the old bytes."""
    PACKED = 2
    """The payload is the bytes, compressed with zlib."""
    PLAIN = 3
    """The payload is the bytes."""


_KINDS = frozenset(map(int, Kind))


@dataclass(frozen=True, slots=True)
class Step:
    kind: Kind
    old_offset: int
    old_size: int
    new_size: int
    payload: bytes = b""

    def encoded(self) -> bytes:
        header = _HEADER.pack(self.kind, self.old_offset, self.old_size, self.new_size, len(self.payload))
        return header + self.payload


def joined(steps: Iterable[Step]) -> Iterator[Step]:
    """The same steps, with copies of neighbouring ranges made into one."""
    held: Step | None = None
    for step in steps:
        if held is not None and _continues(held, step):
            size = held.old_size + step.old_size
            held = Step(Kind.COPY, held.old_offset, size, size)
            continue
        if held is not None:
            yield held
        held = step
    if held is not None:
        yield held


def _continues(first: Step, second: Step) -> bool:
    both = first.kind is Kind.COPY and second.kind is Kind.COPY
    return both and first.old_offset + first.old_size == second.old_offset


def read_steps(diff: ContainerReader, offset: int, length: int) -> Iterator[Step]:
    """The steps in `length` bytes of a diff from `offset` on; raises ContainerError."""
    end = offset + length
    while offset < end:
        kind, old_offset, old_size, new_size, size = _HEADER.unpack(diff.read(offset, _HEADER.size))
        offset += _HEADER.size
        if kind not in _KINDS or offset + size > end:
            raise ContainerError("the diff has a step that is not known")
        yield Step(Kind(kind), old_offset, old_size, new_size, diff.read(offset, size))
        offset += size
