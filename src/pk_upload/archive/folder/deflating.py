"""DEFLATE, of a whole file or block by block, so that all cores can work on one file.

A block is compressed by itself, with the bytes before it as its dictionary, and ends on a whole byte; joined,
the blocks are one stream. What comes out depends on nothing but the content and the codec.
"""

from __future__ import annotations

import struct
from typing import Final

from zlib_ng import zlib_ng

__all__ = ["BLOCK", "CODEC", "HISTORY", "deflated", "deflated_block", "most", "shrinks"]

LEVEL: Final = 6
BLOCK: Final = 1024 * 1024  # bytes; measured: smaller ones are no faster and make the archive no smaller
HISTORY: Final = 32 * 1024  # bytes of dictionary: as far back as the format can point
CODEC: Final = f"zlib-ng {zlib_ng.ZLIBNG_RUNTIME_VERSION} {LEVEL} {BLOCK}"
"""Names all that the packed bytes depend on besides the content."""

RAW: Final = -15  # no header, a window of 32 KiB
LARGEST_VERBATIM: Final = 65535
PROBES, PROBE = 8, 4096  # places in a block to look at, and the bytes of each
WORTHWHILE: Final = 0.98  # what has to come out of them, as a share of what went in, or less


def shrinks(data: memoryview) -> bool:
    """Whether DEFLATE is likely to make `data` smaller: judged by a sample, where there is much of it."""
    if len(data) <= 2 * PROBES * PROBE:
        return True  # nobody knows before it is tried, and trying is cheap
    step = (len(data) - PROBE) // (PROBES - 1)
    sample = b"".join(data[start : start + PROBE] for start in range(0, PROBES * step, step))
    return len(zlib_ng.compress(sample, LEVEL, RAW)) <= WORTHWHILE * len(sample)


def deflated(data: memoryview) -> bytes | None:
    """The whole of a file as a stream; `None` if that is no smaller."""
    if not data or not shrinks(data):
        return None
    packed = zlib_ng.compress(data, LEVEL, RAW)
    return packed if len(packed) < len(data) else None


def deflated_block(data: memoryview, history: memoryview, *, last: bool) -> bytes:
    """A block's part of the stream, `history` being up to 32 KiB before it in the file."""
    if not shrinks(data):
        return _verbatim(data, last=last)
    if history:
        codec = zlib_ng.compressobj(LEVEL, zlib_ng.DEFLATED, RAW, zdict=history)
    else:
        codec = zlib_ng.compressobj(LEVEL, zlib_ng.DEFLATED, RAW)
    return codec.compress(data) + codec.flush(zlib_ng.Z_FINISH if last else zlib_ng.Z_SYNC_FLUSH)


def most(size: int) -> int:
    """No file of `size` bytes becomes more than that, whatever is in it."""
    return size + size // 1024 + 1024


def _verbatim(data: memoryview, *, last: bool) -> bytes:
    """The block in the format's stored blocks: a flag for the last one, the length twice, the bytes."""
    parts: list[bytes | memoryview] = []
    for start in range(0, len(data), LARGEST_VERBATIM):
        part = data[start : start + LARGEST_VERBATIM]
        final = last and start + len(part) == len(data)
        parts += [struct.pack("<B2H", final, len(part), len(part) ^ 0xFFFF), part]
    return b"".join(parts)
