"""Whether a folder is still what was found in it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pk_upload.archive.build import unreadable
from pk_upload.archive.folder.tree import Member, Tree, changed, same, walk
from pk_upload.errors import PreflightFailed, SourceUnreadable, UsageError

__all__ = ["compare"]


def compare(tree: Tree, ignore: tuple[str, ...], *, thoroughly: bool) -> None:
    """Raises `SourceChanged`, naming what it is about, if a member of `tree` was changed or removed.

    If it is to look `thoroughly` it walks the folder again, for what was added and for where links point.
    Raises `SourceUnreadable` when the system fails.
    """
    if thoroughly:
        _walk_again(tree, ignore)
        return
    for member in tree.members:
        path = tree.path(member).removesuffix("/")  # with it, a link in a folder's place would be followed
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            raise changed(path, "was removed") from None
        except OSError as error:
            raise unreadable(Path(path), error) from None
        if not _unchanged(status, member):
            raise changed(path)


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
    root = str(tree.root)
    try:
        tree.root.stat()
        now = walk(tree.root, ignore).members
    except FileNotFoundError:
        raise changed(root, "was removed") from None
    except OSError as error:
        raise unreadable(tree.root, error) from None
    except SourceUnreadable:
        raise
    except (PreflightFailed, UsageError) as error:  # it was in order when the folder was walked before
        raise changed(root, f"changed ({error.message})") from None
    if now == tree.members:
        return
    found = {member.name: member for member in now}
    for member in tree.members:
        if found.pop(member.name, None) != member:
            raise changed(tree.path(member), "changed or was removed")
    raise changed(tree.path(found.popitem()[1]), "was added")
