"""What would be started of a build: picked while its entries stream past, then read at the head."""

from __future__ import annotations

import io
import re
import stat
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from pk_upload.archive.checks.executables import HEAD, Executable, recognise
from pk_upload.archive.checks.findings import printable

__all__ = ["Bundle", "Launch", "Launching", "Program"]

# How many files are remembered and read, and how many bundles; nobody's build has so many, an attacker's may.
FILES, BUNDLES = 1000, 16
# Bytes of a property list. A binary one can claim lists as long as the square of its size.
XML_LIST, BINARY_LIST = 256 * 1024, 4096

_NO_PROGRAM = re.compile(
    r"""\.(?: dll | so(\.\d+)* | dylib | bundle | debug | pdb | pak | pck | dat | data | assets? | bank | bnk
    | wem | txt | md | pdf | rtf | html? | css | js | json | xml | ya?ml | toml | ini | cfg | conf | config
    | log | csv | png | jpe?g | bmp | gif | ico | icns | svg | dds | tga | ttf | otf | wav | ogg | mp3 | mp4
    | webm | bik | zip | 7z | gz | rar | lnk | url | desktop | plist | DS_Store )$""",
    re.IGNORECASE | re.VERBOSE,
)
"""Names that are never a program's: none of their content has to be read."""

_JUNK = re.compile(r"__MACOSX/|\.DS_Store$|\._|thumbs\.db$|desktop\.ini$", re.IGNORECASE)

Entry = TypeVar("Entry")
Content = Callable[[Entry, int], bytes]
"""The first bytes of an entry, at most so many; none where they cannot be had."""


@dataclass(frozen=True, slots=True)
class Program:
    """A file that can be started, or one named like it: then `executable` is `None`.

    `mode` is the entry's Unix mode, `None` where it has none.
    """

    name: str
    executable: Executable | None
    mode: int | None


@dataclass(frozen=True, slots=True)
class Bundle:
    """An .app bundle and the program in it, or what is wrong with that; neither where it cannot be told."""

    name: str
    program: Program | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """What lies at the top level. If all lies in one `folder`, what lies in that.

    Not `complete` if there may be more, for something could not be read or there was too much of it.
    """

    programs: tuple[Program, ...] = ()
    bundles: tuple[Bundle, ...] = ()
    folder: str | None = None
    complete: bool = True


class _Seen(NamedTuple, Generic[Entry]):
    name: str
    size: int
    mode: int | None
    entry: Entry


class _Bundled(Generic[Entry]):
    def __init__(self) -> None:
        self.list: _Seen[Entry] | None = None
        self.files: list[_Seen[Entry]] = []


class Launching(Generic[Entry]):
    """Picks what may be a program out of all entries. Holds few of them, however many there are."""

    def __init__(self) -> None:
        self._folder = "/"  # which holds all so far and ends in a slash, or nothing; no name begins with "/"
        self._begun = False
        self._forget()

    def _forget(self) -> None:
        self._likely: list[_Seen[Entry]] = []
        self._others: list[_Seen[Entry]] = []
        self._bundles: dict[str, _Bundled[Entry]] = {}
        self._room = FILES
        self._complete = True

    def see(self, name: str, size: int, mode: int | None, entry: Entry) -> None:
        """Takes notice of a file or link with `size` bytes of content; `entry` is what `look` gives back."""
        name = name.removeprefix("./")
        if not name.startswith(self._folder) and not self._moves(name):
            return
        depth = name.count("/") - (self._folder != "")
        if depth == 1 or depth > 3 or not size:
            return
        seen = _Seen(name, size, mode or None, entry)
        if depth == 0:
            self._see_file(seen)
        else:
            self._see_bundled(seen, name[len(self._folder) :])

    def _moves(self, name: str) -> bool:
        """The first entry tells the folder, and one that lies elsewhere, that there is no such folder."""
        if _JUNK.match(name):
            return False
        folder, inside, _ = name.partition("/")
        one = not self._begun and inside and not folder.lower().endswith(".app")
        self._begun, self._folder = True, f"{folder}/" if one else ""
        self._forget()
        return True

    def _see_file(self, seen: _Seen[Entry]) -> None:
        if _NO_PROGRAM.search(seen.name) or (seen.mode and stat.S_ISLNK(seen.mode)):
            return
        likely = _is_exe(seen.name) or (seen.mode or 0) & 0o111
        kept = self._likely if likely else self._others
        if len(kept) < FILES:
            kept.append(seen)
        else:
            self._complete = False

    def _see_bundled(self, seen: _Seen[Entry], path: str) -> None:
        name, _, inside = path.partition("/")
        is_list = inside == "Contents/Info.plist"
        if not name.lower().endswith(".app") or not (is_list or inside.startswith("Contents/MacOS/")):
            return
        if self._room == 0 or (len(self._bundles) == BUNDLES and name not in self._bundles):
            self._complete = False
            return
        self._room -= 1
        bundled = self._bundles.setdefault(name, _Bundled())
        if is_list:
            bundled.list = seen
        else:
            bundled.files.append(seen)

    def look(self, content: Content[Entry]) -> Launch:
        """Reads the heads of what was picked, through `content`. Raises what that raises."""
        likely = [*self._likely, *self._others]
        complete = self._complete and len(likely) <= FILES
        programs = []
        for seen in likely[:FILES]:
            head = content(seen.entry, HEAD)
            complete = complete and head != b""
            programs += _programs(seen, head)
        bundles = tuple(
            _bundle(self._folder + name, bundled, content) for name, bundled in self._bundles.items()
        )
        folder = self._folder.rstrip("/") or None
        return Launch(tuple(programs), bundles, folder, complete)


def _is_exe(name: str) -> bool:
    return name.lower().endswith(".exe")


def _programs(seen: _Seen[Entry], head: bytes) -> list[Program]:
    """The file if it is a program or is named like one. Windows starts no file that is not."""
    executable = recognise(head)
    if executable is None:
        return [Program(seen.name, None, seen.mode)] if head and _is_exe(seen.name) else []
    if not executable.runnable or (executable.format == "PE" and not _is_exe(seen.name)):
        return []
    return [Program(seen.name, executable, seen.mode)]


def _bundle(name: str, bundled: _Bundled[Entry], content: Content[Entry]) -> Bundle:
    wanted = None
    if bundled.list and bundled.list.size <= XML_LIST:
        wanted = _executable_of(content(bundled.list.entry, XML_LIST))
    files = bundled.files
    if wanted is not None:
        files = [file for file in files if _same(file.name.rpartition("/")[2], wanted)]
        if not files:
            return Bundle(name, fault=f"names {printable(wanted)}, which is not in its Contents/MacOS")
    if not files:
        return Bundle(name, fault="has no program in its Contents/MacOS")
    if len(files) > 1 or (files[0].mode and stat.S_ISLNK(files[0].mode)):
        return Bundle(name)
    head = content(files[0].entry, HEAD)
    executable = recognise(head)
    if executable and executable.runnable:
        return Bundle(name, Program(files[0].name, executable, files[0].mode))
    return Bundle(name, fault=f"starts {printable(files[0].name)}, which is no program" if head else None)


def _executable_of(data: bytes) -> str | None:
    """The name that an Info.plist gives the bundle's program, `None` if that is not to be had."""
    import plistlib  # only those who have a bundle wait for it

    binary = data.startswith(b"bplist")
    if binary and len(data) > BINARY_LIST:
        return None
    try:
        described = plistlib.load(io.BytesIO(data), fmt=plistlib.FMT_BINARY if binary else plistlib.FMT_XML)
        wanted = described.get("CFBundleExecutable")
    except Exception:  # there is no end to what a hostile list has the parser raise
        return None
    return wanted if isinstance(wanted, str) and wanted and "/" not in wanted else None


def _same(name: str, wanted: str) -> bool:
    """As macOS compares names, whose file system ignores case and how an accent is put."""
    return unicodedata.normalize("NFC", name).casefold() == unicodedata.normalize("NFC", wanted).casefold()
