"""Which entry names are safe, and which path they stand for."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["collision_key", "fault_of", "path_of", "printable_ascii"]

LONGEST = 4096
"""Characters a path may have: no system takes longer ones, and comparing them takes its time."""

_DRIVE = re.compile(r"[A-Za-z]:")


def fault_of(name: str) -> str | None:
    """Why a name cannot be accepted, as the end of a sentence; None for a good one."""
    if not name:
        return "has an empty name"
    if len(name) > LONGEST:
        return f"has a path of more than {LONGEST} characters"
    if "\0" in name:
        return "has a NUL character in its name"
    if "\\" in name:
        return "has a backslash in its name: the separator in a ZIP is the slash"
    if name.startswith("/"):
        return "has an absolute path"
    if _DRIVE.match(name):
        return "has a drive letter in its path"
    if ".." in name.split("/"):
        return 'leaves the folder: its path has a ".."'
    return None


def path_of(name: str) -> str:
    """The relative path of a good name, without the empty and "." parts some makers write."""
    return "/".join(part for part in name.split("/") if part not in {"", "."})


def printable_ascii(name: str) -> bool:
    """Whether the service's own upload page would take the name."""
    return all(" " <= char <= "~" for char in name)


def collision_key(path: str) -> str:
    """Equal for paths that are one file on Windows and macOS, whose file systems ignore case."""
    return path.casefold() if path.isascii() else unicodedata.normalize("NFC", path).casefold()
