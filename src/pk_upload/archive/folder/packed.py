"""A folder as a ZIP in a temporary file without a name: whatever ends the program, nothing is left behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal

import anyio

from pk_upload.archive.build import Fingerprint, unreadable
from pk_upload.archive.folder.fingerprint import fingerprint
from pk_upload.archive.folder.packing import pack
from pk_upload.archive.folder.tree import Tree
from pk_upload.archive.folder.watching import compare
from pk_upload.archive.folder.writing import Archive
from pk_upload.archive.positioned import read_at
from pk_upload.errors import UsageError

__all__ = ["PackedFolder", "room"]


class PackedFolder:
    """The ZIP of `tree` that `file` holds: a `Build`. Raises `SourceUnreadable` if the folder is gone."""

    def __init__(self, tree: Tree, file: BinaryIO, archive: Archive, ignore: tuple[str, ...] = ()) -> None:
        self.tree = tree
        self.fingerprint: Fingerprint = fingerprint(tree, archive.size, archive.directory)
        self._file, self._ignore = file, ignore

    @classmethod
    async def packed(
        cls, tree: Tree, ignore: tuple[str, ...] = (), *, on_progress: Callable[[int, int], None]
    ) -> PackedFolder:
        """Packs the folder, into the system's directory for temporary files; `TMPDIR` names another.

        `on_progress` hears how many bytes of the folder have been packed, and of how many. Raises what
        `pack` raises.
        """
        file = await anyio.to_thread.run_sync(_temporary)
        try:
            archive = await pack(tree, file, on_progress=on_progress)
            return await anyio.to_thread.run_sync(cls, tree, file, archive, ignore)
        except BaseException:
            _close(file)
            raise

    @property
    def path(self) -> Path:
        return self.tree.root

    @property
    def compression(self) -> Literal["deflate"]:
        return "deflate"

    @property
    def size(self) -> int:
        return self.fingerprint.size

    def read_into(self, view: memoryview, offset: int) -> int:
        try:
            return read_at(self._file.fileno(), view, offset)
        except OSError as error:
            raise unreadable(self.path, error) from None

    def advise(self, offset: int) -> None:
        """What was just written is mostly still in memory."""

    def compare(self, *, thoroughly: bool) -> None:
        compare(self.tree, self._ignore, thoroughly=thoroughly)

    def close(self) -> None:
        _close(self._file)


def room() -> int | None:
    """The bytes that are free where the folder would be packed; `None` if the system does not tell."""
    try:
        return shutil.disk_usage(tempfile.gettempdir()).free
    except OSError:
        return None


def _temporary() -> BinaryIO:
    try:
        return tempfile.TemporaryFile(prefix="pk-upload-", buffering=0)
    except OSError as error:
        raise UsageError(
            f"no temporary file can be made to pack the folder into: {error.strerror or error}",
            hint="Name a directory that takes files in TMPDIR, or do without: --compression store.",
        ) from None


def _close(file: BinaryIO) -> None:
    with suppress(OSError):  # of a disk that is full: nobody will read it any more
        file.close()
