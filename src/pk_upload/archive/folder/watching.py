"""Whether a folder is still what was found in it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pk_upload.archive.build import unreadable
from pk_upload.archive.folder.tree import Member, Tree, same, walk
from pk_upload.errors import PreflightFailed, SourceChanged

__all__ = ["compare"]


def compare(tree: Tree, ignore: tuple[str, ...], *, thoroughly: bool) -> None:
    """Raises `SourceChanged`, naming what it is about, if a member of `tree` was changed or removed.

    If it is to look `thoroughly` it walks the folder again, for what was added and for where links point.
    Raises `SourceUnreadable` when the system fails.
    """
    for member in tree.members:
        path = tree.path(member).rstrip("/")  # with the slash of a folder's name a link would be followed
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            raise _changed(path, "was removed") from None
        except OSError as error:
            raise unreadable(Path(path), error) from None
        if not _unchanged(status, member):
            raise _changed(path, "changed")
    if thoroughly:
        _walk_again(tree, ignore)


def _unchanged(status: os.stat_result, member: Member) -> bool:
    if member.is_file:
        return same(status, member)
    if member.link is None:  # a folder's time tells of what was put into it and is gone again
        return status.st_mode == member.mode
    # Not every file system tells a link's size as the length of its target.
    return (status.st_mtime_ns, status.st_ino) == (member.mtime_ns, member.inode) and stat.S_ISLNK(
        status.st_mode
    )


def _walk_again(tree: Tree, ignore: tuple[str, ...]) -> None:
    try:
        now = walk(tree.root, ignore).members
    except PreflightFailed as error:  # it was not there when the folder was walked before
        raise SourceChanged(f"{tree.root} changed while it was being uploaded: {error.message}") from None
    if now == tree.members:
        return
    before = set(tree.members)
    for member in now:
        if member not in before:
            raise _changed(tree.path(member), "was added or changed")
    raise _changed(tree.root, "changed")


def _changed(path: Path | str, how: str) -> SourceChanged:
    return SourceChanged(f"{path} {how} while it was being uploaded")
