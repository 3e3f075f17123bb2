"""What is wrong with an entry's name, by itself: a path as a whole, and each file's or folder's own name."""

from __future__ import annotations

from collections.abc import Iterator

from pk_upload.archive.directory import Fault
from pk_upload.archive.problems import (
    ABSOLUTE_PATH,
    BACKSLASH,
    CONTROL_CHARACTER,
    DRIVE_LETTER,
    EMPTY_NAME,
    LONG_PATH,
    MACOS_JUNK,
    NAME_TOO_LONG,
    NON_ASCII,
    PARENT_PATH,
    UNCLEAN_PATH,
    WINDOWS_NAME,
)

__all__ = ["LONGEST_NAME", "LONGEST_PATH", "is_plain", "is_plain_folder", "part_faults", "path_faults"]

LONGEST_NAME = 4096  # bytes, of a whole path: longer ones no Unix takes
LONGEST_PATH = 260  # characters, as Windows counts them
LONGEST_PART = 255  # bytes, of a file's or a folder's own name

FORBIDDEN = b'<>:"|?*'
_PLAIN = bytes(c for c in range(0x20, 0x7F) if c not in FORBIDDEN + b"\\")
_NO_CONTROLS = bytes(c for c in range(0x20, 0x100) if c != 0x7F)
_ALLOWED = bytes(c for c in range(0x100) if c not in FORBIDDEN)
_DEVICES = {b"CON", b"PRN", b"AUX", b"NUL", b"CONIN$", b"CONOUT$"} | {
    port + number.encode() for port in (b"COM", b"LPT") for number in "123456789¹²³"
}
_JUNK = {b"__MACOSX", b".DS_Store"}
# What the names above begin with: a name is looked at closely only if it does, too.
_BEGINNINGS = {name[:3].upper() for name in _DEVICES | _JUNK}


def is_plain(part: bytes) -> bool:
    """Whether a file's or folder's own name needs no closer look; quick."""
    return not (
        part.translate(None, _PLAIN)
        or part[:3].upper() in _BEGINNINGS
        or part.endswith((b".", b" "))
        or len(part) > LONGEST_PART
    )


def is_plain_folder(folder: bytes) -> bool:
    """Whether a path below `folder`, which ends in a slash or is empty, needs no closer look for its sake."""
    return not folder or not (
        folder.startswith((b"/", b"./"))
        or b"//" in folder
        or b":" in folder
        or b"/." in folder
        or b".." in folder
    )


def part_faults(part: bytes) -> Iterator[Fault]:
    """What is wrong with a file's or folder's own name, in UTF-8."""
    if b"\\" in part:
        yield Fault(BACKSLASH, "its name holds a backslash")
    if controls := part.translate(None, _NO_CONTROLS):
        yield Fault(CONTROL_CHARACTER, f"its name holds a control character: {controls[0]:#04x}")
    if not part.isascii():
        yield Fault(NON_ASCII, "its name holds characters outside of ASCII")
    if part in _JUNK:
        yield Fault(MACOS_JUNK, f"{part.decode()} is of use to macOS alone")
    if part not in (b".", b".."):
        yield from _windows_faults(part)


def _windows_faults(part: bytes) -> Iterator[Fault]:
    if forbidden := part.translate(None, _ALLOWED).decode():
        yield Fault(WINDOWS_NAME, f"its name holds {forbidden[0]}, which Windows does not allow")
    if part.endswith((b".", b" ")):
        yield Fault(WINDOWS_NAME, "its name ends in a dot or a space, which Windows drops")
    if part.split(b".")[0].rstrip(b" ").upper() in _DEVICES:
        yield Fault(WINDOWS_NAME, "its name is that of a device on Windows")
    if len(part) > LONGEST_PART:
        yield Fault(LONG_PATH, f"its name has {len(part)} bytes; most file systems take {LONGEST_PART}")


def path_faults(name: bytes) -> Iterator[Fault]:
    """What is wrong with the path as a whole, in UTF-8."""
    if not name:
        yield Fault(EMPTY_NAME, "it has no name")
    if len(name) > LONGEST_NAME:
        yield Fault(NAME_TOO_LONG, f"its path has {len(name):,} bytes")
    elif (length := _characters(name)) > LONGEST_PATH:
        yield Fault(LONG_PATH, f"its path has {length} characters")
    if name.startswith(b"/"):
        yield Fault(ABSOLUTE_PATH, "its path begins at the root")
    if name[1:2] == b":" and name[:1].isalpha():
        yield Fault(DRIVE_LETTER, "its path begins with a drive letter")
    parts = name.removesuffix(b"/").removeprefix(b"/").split(b"/")
    if b".." in parts:
        yield Fault(PARENT_PATH, "its path holds `..`")
    if name and (b"." in parts or b"" in parts):
        yield Fault(UNCLEAN_PATH, "its path holds an empty part or `.`")


def _characters(name: bytes) -> int:
    """As Windows counts them: in UTF-16."""
    return len(name) if name.isascii() else len(name.decode().encode("utf-16-le")) // 2
