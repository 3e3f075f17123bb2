"""What a folder holds, in the order it goes into a ZIP."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pk_upload.archive.build import unreadable
from pk_upload.archive.folder.ignoring import IGNORE_FILE, Ignoring
from pk_upload.archive.positioned import read_at
from pk_upload.errors import PreflightFailed, SourceChanged

__all__ = ["Member", "Tree", "changed", "same", "walk"]

READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True)
class Member:
    """A file, a link, or an empty folder, whose name ends in a slash. `size` is that of its content in bytes.

    `link` is where a link points to; `mode` is the file system's, its kind included. `ctime_ns` tells of a
    change that left `mtime_ns` as it was, or set it back.
    """

    name: str
    mode: int
    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int = 0
    link: str | None = None

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)


@dataclass(slots=True)
class Tree:
    """The `members` under `root`, sorted by name, and what was left out of them.

    `special` are sockets, devices and the like, which no ZIP holds; `version_control` the folders that are
    left out unless asked for; `ignored` counts what the user's patterns name, a folder with all in it as one.
    """

    root: Path
    members: list[Member] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    version_control: list[str] = field(default_factory=list)
    ignored: int = 0

    def path(self, member: Member) -> str:
        return os.path.join(self.root, member.name)  # noqa: PTH118 - called for every piece of every file

    def read_into(self, member: Member, view: memoryview, offset: int) -> None:
        """Fills `view` with what is at `offset` in the member's file.

        Raises `SourceChanged` if that is no longer what was found, `SourceUnreadable` if the system fails.
        """
        path, done = self.path(member), 0
        try:
            fd = os.open(path, READ)
            try:
                if not same(os.fstat(fd), member):
                    raise changed(path)
                while done < len(view):
                    count = read_at(fd, view[done:], offset + done)
                    if not count:
                        raise changed(path, "became shorter")
                    done += count
            finally:
                os.close(fd)
        except FileNotFoundError:
            raise changed(path, "was removed") from None
        except OSError as error:
            raise unreadable(Path(path), error) from None

    def read(self, member: Member, offset: int, size: int) -> bytearray:
        """So many bytes of the member's file. Raises what `read_into` raises."""
        content = bytearray(size)
        self.read_into(member, memoryview(content), offset)
        return content


def same(status: os.stat_result, member: Member) -> bool:
    """Whether `status` is that of the file the member was made from."""
    now = (status.st_size, status.st_mode, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return now == (member.size, member.mode, member.mtime_ns, member.ctime_ns, member.inode)


def changed(path: str, how: str = "changed") -> SourceChanged:
    """The error for what is no longer what the run began with."""
    return SourceChanged(f"{path} {how} while this run was under way")


def walk(root: Path, ignore: Iterable[str] = ()) -> Tree:
    """What is in `root` but for what `.pkignore` and the patterns of `ignore` name. No link is followed.

    A folder of which nothing goes in stays as an empty one.

    Raises `SourceUnreadable` for what cannot be read, `PreflightFailed` for a name that is no text,
    `UsageError` for a pattern that means nothing.
    """
    ignoring, tree = Ignoring(root, ignore), Tree(root)
    folders = [""]
    try:
        while folders:
            folder = folders.pop()
            with os.scandir(root / folder) as entries:
                goes_in = [_place(entry, folder, tree, folders, ignoring) for entry in entries]
            if folder and not any(goes_in):
                tree.members.append(Member(folder, (root / folder).stat().st_mode, 0, 0, 0))
    except OSError as error:
        raise unreadable(Path(error.filename or root), error) from None
    tree.members.sort(key=lambda member: member.name.encode())
    return tree


def _place(entry: os.DirEntry[str], folder: str, tree: Tree, folders: list[str], ignoring: Ignoring) -> bool:
    """Finds the place of one entry of `folder`; whether it goes into the ZIP, by itself or what is in it."""
    name = folder + entry.name
    # On Windows an entry knows neither its inode nor, while it is open elsewhere, its size.
    status = entry.stat(follow_symlinks=False) if os.name == "posix" else os.lstat(entry.path)
    # What Windows calls a junction is a folder by its mode, and leads elsewhere.
    is_folder = stat.S_ISDIR(status.st_mode) and not getattr(status, "st_reparse_tag", 0)
    if ignoring(f"{name}/" if is_folder else name):
        if ignoring.by_default(name):
            tree.version_control.append(name)
        elif name != IGNORE_FILE:
            tree.ignored += 1
        return False
    _require_text(entry)
    if is_folder:
        folders.append(f"{name}/")
    elif stat.S_ISLNK(status.st_mode):
        link = os.readlink(entry.path).replace(os.sep, "/")  # noqa: PTH115 - a path would normalise it
        tree.members.append(_member(name, status, len(os.fsencode(link)), link))
    elif stat.S_ISREG(status.st_mode) and not getattr(status, "st_reparse_tag", 0):
        tree.members.append(_member(name, status, status.st_size))
    else:
        tree.special.append(name)
        return False
    return True


def _member(name: str, status: os.stat_result, size: int, link: str | None = None) -> Member:
    times = status.st_mtime_ns, status.st_ino, status.st_ctime_ns
    return Member(name, status.st_mode, size, *times, link)


def _require_text(entry: os.DirEntry[str]) -> None:
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        raise PreflightFailed(
            f"the name of {os.fsencode(entry.path)!r} is no text",
            hint="Rename it, or leave it out with --ignore.",
        ) from None
