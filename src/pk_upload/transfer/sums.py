"""The checksums of a folder, kept beside its journal: going on does not read again what has been read."""

from __future__ import annotations

import hashlib
from array import array
from contextlib import suppress
from pathlib import Path

from pk_upload.archive import Tree
from pk_upload.transfer.private import open_private
from pk_upload.transfer.state_dir import prepare

__all__ = ["keep_sums", "kept_sums"]

MARK = b"pk-upload sums 1\n"


def keep_sums(journal: Path, tree: Tree, sums: array[int]) -> None:
    """Keeps the CRC-32 of each member of `tree`. Where that cannot be, they are made anew next time."""
    path = journal.with_suffix(".sums")
    draft = path.with_suffix(".new")
    content = b"".join(crc.to_bytes(4, "little") for crc in sums)
    with suppress(OSError):
        prepare(path.parent)
        try:
            with open(draft, "wb", opener=open_private) as file:
                file.write(MARK + _digest(tree, content) + content)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def kept_sums(journal: Path, tree: Tree) -> array[int] | None:
    """What was kept of the very same tree: the same members, none of them touched since."""
    length = 4 * len(tree.members)
    try:
        with open(journal.with_suffix(".sums"), "rb", opener=open_private) as file:
            kept = file.read(len(MARK) + 32 + length + 1)
    except OSError:
        return None
    head, content = kept[: len(MARK) + 32], kept[len(MARK) + 32 :]
    if len(content) != length or head != MARK + _digest(tree, content):
        return None
    return array("I", (int.from_bytes(content[at : at + 4], "little") for at in range(0, length, 4)))


def _digest(tree: Tree, content: bytes) -> bytes:
    """Of the sums, and of all that tells whether a member is still what it was."""
    digest = hashlib.sha256(content)
    for member in tree.members:
        digest.update(repr(member).encode())
    return digest.digest()
