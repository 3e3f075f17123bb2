"""The archive as it is written down: members in their order, then their directory."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from zlib_ng import zlib_ng

from pk_upload.archive.folder.deflating import CODEC
from pk_upload.archive.folder.pieces import Entry, PackedBatch, PackedBlock
from pk_upload.archive.folder.records import (
    central_header,
    end_records,
    local_header,
    local_header_size,
)
from pk_upload.errors import UsageError

__all__ = ["Archive", "Writer"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Archive:
    """A ZIP that was written: its size in bytes, and a digest of its directory and of how it was packed."""

    size: int
    directory: str


class Writer:
    """Writes to `file`, from its beginning. The methods block, and raise `UsageError` if it takes no more."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._offset = 0
        self._directory, self._count = bytearray(), 0
        self._start, self._crc = 0, 0  # of the large file that is being written

    def write(self, pieces: Sequence[PackedBatch | PackedBlock]) -> None:
        with _explained():
            for piece in pieces:
                if isinstance(piece, PackedBatch):
                    self._batch(piece)
                else:
                    self._block(piece)

    def finish(self) -> Archive:
        """Writes the directory."""
        start, size = self._offset, len(self._directory)
        self._directory += end_records(self._count, size, start)
        with _explained():
            self._append(self._directory)
            self._file.flush()
        digest = hashlib.sha256(self._directory)
        digest.update(CODEC.encode())
        return Archive(self._offset, digest.hexdigest())

    def _batch(self, batch: PackedBatch) -> None:
        offset = self._offset
        for entry in batch.entries:
            self._enter(entry, offset)
            offset += local_header_size(entry.member, entry.packed) + entry.packed
        self._append(batch.data)

    def _block(self, piece: PackedBlock) -> None:
        member = piece.block.member
        header = local_header_size(member, member.size)
        if piece.block.first:
            self._start, self._crc = self._offset, 0
            self._append(bytes(header))  # what it will say is known at the end
        self._append(piece.data)
        self._crc = zlib_ng.crc32_combine(self._crc, piece.crc, piece.block.size)
        if piece.block.last:
            packed = self._offset - self._start - header
            entry = Entry(member, piece.block.method, self._crc, packed)
            self._file.seek(self._start)
            self._put(local_header(*entry))
            self._file.seek(self._offset)
            self._enter(entry, self._start)

    def _enter(self, entry: Entry, offset: int) -> None:
        self._directory += central_header(*entry, offset)
        self._count += 1

    def _append(self, data: bytes | bytearray) -> None:
        self._put(data)
        self._offset += len(data)

    def _put(self, data: bytes | bytearray) -> None:
        view = memoryview(data)
        while view:  # a file without a buffer may take a part
            view = view[self._file.write(view) :]


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = (
            "has no room for it" if error.errno in FULL else f"cannot be written: {error.strerror or error}"
        )
        raise UsageError(
            f"the temporary file to pack the folder into {what}",
            hint="Name a directory with more room in TMPDIR, or do without the file: --compression store.",
        ) from None
