"""Reading a property list that may be hostile, with the standard library's reader.

That reader believes the offsets of a binary list: a few kilobytes in which thousands of objects share the
same bytes would become gigabytes. In an honest list every object has bytes of its own, so the sizes of all
objects together say beforehand whether it may be read.
"""

from __future__ import annotations

import plistlib
import struct
from typing import Any

__all__ = ["UnreadablePlist", "read_plist"]

_BINARY = b"bplist00"
_TRAILER = struct.Struct(">6xBBQQQ")
_INTEGER = 0x1
_WIDTHS = {0x4: 1, 0x5: 1, 0x6: 2}
"""Bytes a unit of data, ASCII and UTF-16 takes."""
_COLLECTIONS = {0xA: 1, 0xC: 1, 0xD: 2}
"""References a member of an array, set and dictionary takes."""
_LENGTH_FOLLOWS = 0xF


class UnreadablePlist(Exception):
    """The data are no property list that could be read."""


def read_plist(data: bytes) -> dict[str, Any]:
    """The dictionary at the list's top. Raises UnreadablePlist."""
    try:
        if data.startswith(_BINARY):
            _judge(data)
        found = plistlib.loads(data)
    except Exception as error:  # the readers of XML and of binary lists raise whatever comes up
        raise UnreadablePlist from error
    if not isinstance(found, dict):
        raise UnreadablePlist
    return found


def _judge(data: bytes) -> None:
    """UnreadablePlist if the objects take more bytes than there are, each counted by itself."""
    offset_size, ref_size, count, _, table = _TRAILER.unpack(data[-_TRAILER.size :])
    if not 0 < offset_size <= 8 or not 0 < ref_size <= 8 or table + count * offset_size > len(data):
        raise UnreadablePlist
    left = len(data)
    for at in range(table, table + count * offset_size, offset_size):
        left -= _size(data, int.from_bytes(data[at : at + offset_size], "big"), ref_size)
        if left < 0:
            raise UnreadablePlist


def _size(data: bytes, at: int, ref_size: int) -> int:
    """The bytes of the object that begins here, its marker among them."""
    kind, length = divmod(data[at], 16)
    if kind == _INTEGER:
        return 1 + (1 << length)
    width = _WIDTHS.get(kind, _COLLECTIONS.get(kind, 0) * ref_size)
    if width == 0:
        return 1
    if length == _LENGTH_FOLLOWS:
        digits = 1 << (data[at + 1] & 0x3)
        length = int.from_bytes(data[at + 2 : at + 2 + digits], "big")
    return 1 + length * width
