"""What tells one state of a folder from another, whichever way it becomes a ZIP."""

from __future__ import annotations

import hashlib

from pk_upload.archive.build import Fingerprint, unreadable
from pk_upload.archive.folder.tree import Tree

__all__ = ["fingerprint"]


def fingerprint(tree: Tree, size: int, directory_digest: str) -> Fingerprint:
    """That of a ZIP of `size` bytes, whose directory has the digest, made of `tree`.

    A copy of the folder shares size and digest with it, but neither inode nor time: the latter stands for
    those of all members. Raises `SourceUnreadable` if the folder is gone.
    """
    try:
        inode = tree.root.stat().st_ino
    except OSError as error:
        raise unreadable(tree.root, error) from None
    return Fingerprint(size, _times(tree), inode, directory_digest)


def _times(tree: Tree) -> int:
    """A digest of 63 bits of every member's name, time of change, and inode."""
    digest = hashlib.sha256()
    for member in tree.members:
        digest.update(f"{member.name}\0{member.mtime_ns}\0{member.inode}\0".encode())
    return int.from_bytes(digest.digest()[:8]) >> 1
