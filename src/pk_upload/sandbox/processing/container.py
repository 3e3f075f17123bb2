"""A file of encrypted segments: written in one pass, read from any place, tampering noticed.

Layout: a header of 24 bytes (magic, version, segment size, nonce prefix, big-endian), then the
plain bytes in segments, each encrypted with AES-256-GCM and followed by its tag of 16 bytes. All
segments but the last are full; there is always a last one, empty only if there are no bytes at all.
The nonce of a segment is the random prefix and the segment's number, and the header, the number and
whether it is the last one are authenticated with it (the STREAM construction), so that segments
cannot be reordered, dropped, or taken from another file.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import TYPE_CHECKING, BinaryIO, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

__all__ = ["SEGMENT", "VERSION", "ContainerError", "ContainerReader", "ContainerWriter", "decrypt"]

SEGMENT = 256 << 10
VERSION = 1

_MAGIC = b"\x89PKENC\r\n"
_HEADER = struct.Struct(">8sII8s")
_BOUND = struct.Struct(">IB")
_TAG = 16
_SEGMENT_LIMIT = 16 << 20
_COUNT_LIMIT = 1 << 32


class ContainerError(Exception):
    """The file is no container, was made with another key, or is not as it was written."""


class _Sealing:
    """The cipher of one container: how segment number so-and-so is sealed."""

    def __init__(self, header: bytes, prefix: bytes, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError("the key must have 32 bytes")
        self._cipher = AESGCM(key)
        self._header = header
        self._prefix = prefix

    def seal(self, data: memoryview, index: int, *, last: bool) -> bytes:
        return self._cipher.encrypt(self._nonce(index), data, self._bound(index, last=last))

    def open(self, data: bytes, index: int, *, last: bool) -> bytes:
        try:
            return self._cipher.decrypt(self._nonce(index), data, self._bound(index, last=last))
        except InvalidTag:
            raise ContainerError(
                f"segment {index} cannot be decrypted: wrong key, or the file was changed"
            ) from None

    def _nonce(self, index: int) -> bytes:
        return self._prefix + index.to_bytes(4, "big")

    def _bound(self, index: int, *, last: bool) -> bytes:
        return self._header + _BOUND.pack(index, last)


class ContainerWriter:
    """Encrypts what is written to it into `file`; `finish` ends it. It does not close the file.

    `size` counts the plain bytes, `file_size` those of the container, and `file_hash` is the SHA-256
    of the container so far, in hex.
    """

    def __init__(self, file: BinaryIO, key: bytes, *, segment_size: int = SEGMENT) -> None:
        self.prefix = os.urandom(8)
        self.segment_size = segment_size
        self.size = 0
        self.file_size = 0
        header = _HEADER.pack(_MAGIC, VERSION, segment_size, self.prefix)
        self._sealing = _Sealing(header, self.prefix, key)
        self._file = file
        self._hash = hashlib.sha256()
        self._segment = memoryview(bytearray(segment_size))  # one buffer for all: fresh memory is slow
        self._filled = 0
        self._index = 0
        self._emit(header)

    @property
    def file_hash(self) -> str:
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """Takes any number of bytes; holds back at most one segment, which may be the last."""
        self.size += len(data)
        rest = memoryview(data)
        while rest:
            if self._filled == self.segment_size:
                self._seal(last=False)
            taken = rest[: self.segment_size - self._filled]
            self._segment[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            rest = rest[len(taken) :]

    def finish(self) -> None:
        """Seals the last segment; without it the container is unreadable."""
        self._seal(last=True)

    def _seal(self, *, last: bool) -> None:
        if self._index >= _COUNT_LIMIT:
            raise OverflowError("more segments than a container can number")
        self._emit(self._sealing.seal(self._segment[: self._filled], self._index, last=last))
        self._index += 1
        self._filled = 0

    def _emit(self, data: bytes) -> None:
        self._hash.update(data)
        self._file.write(data)
        self.file_size += len(data)


class ContainerReader:
    """Reads plain bytes from any place of a container; `size` is how many there are.

    Opening it decrypts the last segment, so that a container that was cut off or extended is refused
    before anything is read of it. Every method may raise ContainerError.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self._file = path.open("rb")
        try:
            self._sealing, self._segment_size = self._opened(key)
            self._count, self.size = self._measured()
            self._cached = (-1, b"")
            self._segment(self._count - 1)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes from `offset` on; ContainerError when they are not all there."""
        pieces = list(self.stream(offset, size))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def stream(self, offset: int, size: int) -> Iterator[bytes]:
        """The same, in pieces of at most one segment."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise ContainerError(f"there are no {size} bytes at {offset}: the container holds {self.size}")
        end = offset + size
        while offset < end:
            index, within = divmod(offset, self._segment_size)
            piece = self._segment(index)[within : within + end - offset]
            offset += len(piece)
            yield piece

    def _opened(self, key: bytes) -> tuple[_Sealing, int]:
        header = self._file.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(_MAGIC):
            raise ContainerError("the file is not an encrypted container")
        _, version, segment_size, prefix = _HEADER.unpack(header)
        if version != VERSION or not 0 < segment_size <= _SEGMENT_LIMIT:
            raise ContainerError("the container is of a kind that is not known")
        return _Sealing(header, prefix, key), segment_size

    def _measured(self) -> tuple[int, int]:
        """The number of segments and of plain bytes, by the length of the file."""
        body = self._file.seek(0, os.SEEK_END) - _HEADER.size
        count = max(1, -(-body // (self._segment_size + _TAG)))
        last = body - (count - 1) * (self._segment_size + _TAG)
        if last < _TAG or (last == _TAG and count > 1):
            raise ContainerError("the container is cut off")
        return count, body - count * _TAG

    def _segment(self, index: int) -> bytes:
        if self._cached[0] != index:
            self._file.seek(_HEADER.size + index * (self._segment_size + _TAG))
            sealed = self._file.read(self._segment_size + _TAG)
            self._cached = (index, self._sealing.open(sealed, index, last=index == self._count - 1))
        return self._cached[1]


def decrypt(path: Path, key: bytes) -> Iterator[bytes]:
    """The plain bytes of a container in pieces of at most one segment.

    Raises ContainerError when the key is wrong or the file is not as it was written.
    """
    with ContainerReader(path, key) as reader:
        yield from reader.stream(0, reader.size)
