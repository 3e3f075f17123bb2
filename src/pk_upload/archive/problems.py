"""What can be wrong with a build: each problem with its code, its severity, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

__all__ = ["RULES", "Problem", "Rule", "Severity", "problem"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. `entry` is the name of the entry it is about, `None` where it is about the whole build."""

    code: str
    severity: Severity
    entry: str | None
    message: str
    hint: str

    def __str__(self) -> str:
        return self.message if self.entry is None else f"{self.entry}: {self.message}"


class Rule(NamedTuple):
    """What is the same for every problem of one code."""

    severity: Severity
    hint: str


RULES: dict[str, Rule] = {}
"""By code, all there are."""


def problem(code: str, entry: str | None, message: str) -> Problem:
    """The problem of that code, one of `RULES`."""
    rule = RULES[code]
    return Problem(code, rule.severity, entry, message, rule.hint)


def _error(code: str, hint: str) -> str:
    RULES[code] = Rule("error", hint)
    return code


def _warning(code: str, hint: str) -> str:
    RULES[code] = Rule("warning", hint)
    return code


PACK_AGAIN = "Pack the build again; if the file was copied or downloaded, compare it with the original."
RENAME = "Rename it in the build and pack it again."

# The archive as a whole.
NOT_A_ZIP = _error("not-a-zip", "Pack the build as a ZIP, or give its folder instead.")
TRUNCATED = _error("truncated", PACK_AGAIN)
SEVERAL_DISKS = _error("several-disks", "Join the parts: zip -s 0 build.zip --out whole.zip")
DAMAGED_DIRECTORY = _error("damaged-directory", PACK_AGAIN)
TOO_MANY_ENTRIES = _error("too-many-entries", "Put many small files into few large ones.")
NO_FILES = _error("no-files", "Check what was packed: the archive holds no file at all.")
LEADING_BYTES = _warning("leading-bytes", "Give a plain ZIP; a self-extractor's program is of no use here.")
TRAILING_BYTES = _warning("trailing-bytes", PACK_AGAIN)
UNUSED_BYTES = _warning(
    "unused-bytes", "Pack the build again; what no entry tells of is uploaded for nothing."
)
HIGH_RATIO = _warning(
    "high-ratio", "Check that this is meant: archives made to exhaust a disk look like this."
)

# Where an entry lies and how it is packed.
OUT_OF_FILE = _error("out-of-file", PACK_AGAIN)
OVERLAP = _error("overlap", PACK_AGAIN)
LOCAL_HEADER = _error("local-header", PACK_AGAIN)
DAMAGED_ENTRY = _error("damaged-entry", PACK_AGAIN)
METHOD = _error("method", "Pack it with DEFLATE (zip, 7z -tzip -mm=Deflate) or STORE.")
VERSION = _error("version", "Pack it with DEFLATE or STORE in a common tool.")
ENCRYPTED = _error("encrypted", "Pack the build without a password.")
IMPOSSIBLE_SIZE = _error("impossible-size", PACK_AGAIN)
TIMESTAMP = _warning(
    "timestamp", "Set the file's date to 1980 or later; a ZIP cannot tell of an earlier one."
)
FOLDER_WITH_CONTENT = _error("folder-with-content", "Rename it, so that its name does not end in a slash.")
SPECIAL_FILE = _warning("special-file", "Leave devices, pipes and sockets out of the build.")

# What an entry is called.
EMPTY_NAME = _error("empty-name", RENAME)
NAME_TOO_LONG = _error("name-too-long", "Shorten the path: no system takes one beyond 4096 bytes.")
ABSOLUTE_PATH = _error("absolute-path", "Pack from inside the build's folder, with relative paths.")
DRIVE_LETTER = _error("drive-letter", "Pack from inside the build's folder, with relative paths.")
PARENT_PATH = _error("parent-path", "Pack from inside the build's folder, without `..` in a path.")
BACKSLASH = _error("backslash", "Pack with a tool that separates folders with `/`, as a ZIP must.")
CONTROL_CHARACTER = _error("control-character", RENAME)
INVALID_UTF8 = _error("invalid-utf8", RENAME)
UNCLEAN_PATH = _warning(
    "unclean-path", "Pack the build again with a tool that leaves `.` and empty parts out."
)
NON_ASCII = _warning("non-ascii", "Prefer names of printable ASCII; not every player's system shows others.")
WINDOWS_NAME = _warning("windows-name", "Rename it: Windows cannot make a file of this name.")
LONG_PATH = _warning("long-path", "Shorten the path: many Windows programs take no more than 260 characters.")
MACOS_JUNK = _warning("macos-junk", 'Leave it out: zip -r build.zip . -x "__MACOSX/*" -x "*.DS_Store"')

# Names beside each other.
DUPLICATE_NAME = _error("duplicate-name", "Pack the build again, each file once.")
CASE_COLLISION = _error("case-collision", "Rename one: on Windows and macOS one replaces the other.")
UNICODE_COLLISION = _error("unicode-collision", "Rename one: on macOS one replaces the other.")
FILE_AND_FOLDER = _error("file-and-folder", "Rename one: no system can have both.")
LINK_LEAVES = _error(
    "link-leaves", "Let the link point to something in the build, or pack what it points to."
)
DANGLING_LINK = _warning("dangling-link", "Pack what the link points to as well, or leave the link out.")
DAMAGED_LINK = _error("damaged-link", PACK_AGAIN)
TOO_MANY_LINKS = _error("too-many-links", "Pack the files that the links point to instead of the links.")

# What reading the whole content shows.
DAMAGED_DATA = _error("damaged-data", PACK_AGAIN)
WRONG_SIZE = _error("wrong-size", PACK_AGAIN)
WRONG_CRC = _error("wrong-crc", PACK_AGAIN)

# What is to be started.
NO_EXECUTABLE = _warning("no-executable", "Put the program, or the .app bundle, at the ZIP's top level.")
SEVERAL_EXECUTABLES = _warning(
    "several-executables",
    "Leave only the game there: put the others into a folder, or leave them out.",
)
SINGLE_FOLDER = _warning("single-folder", "Pack what is in that folder, without the folder itself.")
WRONG_PLATFORM = _warning("wrong-platform", "Check that this is the build for the app's platform.")
WRONG_ARCHITECTURE = _warning(
    "wrong-architecture",
    "Build it for the app's platform, or push it to an app of the right one.",
)
NOT_EXECUTABLE = _warning(
    "not-executable",
    "Mark it (chmod +x) and zip it on Linux or macOS, or push the build's folder.",
)
