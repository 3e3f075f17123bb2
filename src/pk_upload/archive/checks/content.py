"""The beginning of an entry's content: of a program, to see what it is; of a link, to see where it leads."""

from __future__ import annotations

import zlib

from pk_upload.archive.build import Build, read
from pk_upload.archive.checks.entries import Entry
from pk_upload.archive.checks.local import content_offset
from pk_upload.archive.checks.packing import SECRET
from pk_upload.archive.checks.window import Window
from pk_upload.archive.format import DEFLATE, STORE

__all__ = ["beginning"]


def beginning(build: Build, entry: Entry, size: int) -> bytes:
    """The first `size` bytes of the content, fewer where it is shorter; none where it cannot be unpacked.

    Reads and makes hardly more than that, whatever the entry claims. Raises what the build raises.
    """
    offset = content_offset(Window(build), entry)
    if offset < 0 or entry.flags & SECRET or entry.method not in (STORE, DEFLATE):
        return b""
    size = min(size, entry.size)
    # What DEFLATE cannot make smaller takes a little more, in tables and the heads of blocks.
    packed = read(build, offset, min(entry.packed, size + size // 8 + 4096)) if offset < build.size else b""
    if entry.method == STORE:
        return packed[:size]
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size) if size else b""
    except zlib.error:
        return b""
