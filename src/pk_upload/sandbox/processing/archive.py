"""Reading the directory of an uploaded ZIP and judging what it lists.

The archive may be hostile: whatever is wrong with it becomes a finding, never an exception.
The service's documentation says: one ZIP, "using STORE or DEFLATE algorithms", "DEFLATE64 is not
supported".
"""

from __future__ import annotations

import errno
import io
import stat
import struct
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO

from pk_upload.sandbox.processing.findings import Findings, quoted
from pk_upload.sandbox.processing.names import collision_key, fault_of, path_of, printable_ascii

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["DEFLATE", "STORE", "Entry", "read_directory"]

STORE = 0
DEFLATE = 8

DIRECTORY_LIMIT = 64 << 20
"""Bytes of central directory that are read into memory: about half a million entries."""

_METHODS = {
    1: "SHRINK",
    2: "REDUCE",
    3: "REDUCE",
    4: "REDUCE",
    5: "REDUCE",
    6: "IMPLODE",
    9: "DEFLATE64",
    12: "BZIP2",
    14: "LZMA",
    18: "TERSE",
    19: "LZ77",
    20: "ZSTD",
    93: "ZSTD",
    94: "MP3",
    95: "XZ",
    96: "JPEG",
    97: "WAVPACK",
    98: "PPMD",
    99: "AES",
}
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # plain, strong, and masked local headers
_PATCHED = 0x20
_UTF8 = 0x800
_UNIX_MAKERS = {3, 19}
_LOCAL_HEADER = 30
_END_RECORD = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_LOCAL_SIGNATURE = b"PK\x03\x04"
_ENDS_ELSEWHERE = 0xFFFF  # the count stands in the ZIP64 record

_UNREADABLE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    LookupError,
    EOFError,
    OSError,
    struct.error,
)
"""What zipfile raises for directories that are not as they should be."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the archive: sizes and offset in bytes, `mode` the Unix mode or 0 when unknown."""

    path: str
    raw_name: bytes
    method: int
    size: int
    packed: int
    crc: int
    offset: int
    mode: int

    @property
    def executable(self) -> bool:
        """Whether the maker marked it as a program; a symbolic link is none, whatever its bits."""
        return stat.S_IFMT(self.mode) in {0, stat.S_IFREG} and bool(self.mode & 0o111)


class _Bounded(io.BufferedReader):
    """A file that refuses to be read in one piece larger than a central directory may be."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > DIRECTORY_LIMIT:
            raise zipfile.BadZipFile(f"it is larger than {DIRECTORY_LIMIT >> 20} MiB")
        return super().read(size)


def read_directory(archive: Path, findings: Findings) -> list[Entry]:
    """The files of the archive in the order of their data; complete only if no error was found."""
    with _Bounded(io.FileIO(archive)) as file:
        return _entries(file, findings)


def _entries(file: BinaryIO, findings: Findings) -> list[Entry]:
    ending = _ending(file)
    if ending is None:
        file.seek(0)
        cut = file.read(4) == _LOCAL_SIGNATURE
        findings.error(
            "The ZIP is cut off: its directory, which belongs at the end, is missing."
            if cut
            else "The file is not a ZIP archive."
        )
        return []
    try:
        infos, start = _listed(file)
    except _UNREADABLE as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise  # the disk's fault, not the archive's: only a seek to nowhere is EINVAL
        findings.error(f"The directory of the ZIP is damaged: {_reason(error)}.")
        return []
    if ending != _ENDS_ELSEWHERE and len(infos) & 0xFFFF != ending:
        findings.error(
            f"The directory of the ZIP is damaged: it lists {len(infos)} entries and announces {ending}."
        )
    _judge_layout(infos, start, findings)
    return _judged(infos, findings)


def _ending(file: BinaryIO) -> int | None:
    """The number of entries the end record announces, modulo 65536; None when there is no such record."""
    length = file.seek(0, io.SEEK_END)
    file.seek(max(0, length - _END_RECORD.size - 0xFFFF))
    tail = file.read(_END_RECORD.size + 0xFFFF)
    at = tail.rfind(_END_SIGNATURE)
    if at < 0 or len(tail) - at < _END_RECORD.size:
        return None
    return int(_END_RECORD.unpack_from(tail, at)[4])


def _listed(file: BinaryIO) -> tuple[list[zipfile.ZipInfo], int]:
    """What the central directory lists, in the order of the data, and where the directory begins."""
    with zipfile.ZipFile(file) as archive:
        infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
        return infos, archive.start_dir


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "a name in it is not valid UTF-8"
    if isinstance(error, zipfile.BadZipFile | NotImplementedError) and str(error):
        return str(error).rstrip(".")
    return "its fields contradict each other"


def _judge_layout(infos: Sequence[zipfile.ZipInfo], start: int, findings: Findings) -> None:
    """Entries that share data could make petabytes of a small file."""
    ends = [*(info.header_offset for info in infos[1:]), start]
    for info, end in zip(infos, ends, strict=False):
        if info.header_offset < 0 or info.header_offset + _least_room(info) > end:
            findings.error(
                f"The entry {quoted(info.orig_filename)} overlaps what follows it: the ZIP is damaged."
            )


def _least_room(info: zipfile.ZipInfo) -> int:
    return _LOCAL_HEADER + len(_raw_name(info)) + info.compress_size


def _judged(infos: Iterable[zipfile.ZipInfo], findings: Findings) -> list[Entry]:
    entries: list[Entry] = []
    for info in infos:
        fault = fault_of(info.orig_filename) or _fault(info)
        if fault is not None:
            findings.error(f"The entry {quoted(info.orig_filename)} {fault}.")
        if not printable_ascii(info.orig_filename):
            findings.warning(
                f"The entry {quoted(info.orig_filename)} has characters other than printable ASCII."
            )
        if fault is None and not info.orig_filename.endswith("/"):
            entries.append(_entry(info))
    if not entries and not findings.failed:
        findings.error("The ZIP has no files in it.")
    _judge_collisions(entries, findings)
    return entries


def _fault(info: zipfile.ZipInfo) -> str | None:
    """What is wrong with an entry apart from its name, as the end of a sentence."""
    if info.orig_filename.endswith("/"):
        return f"is a folder with {info.file_size} bytes of data" if info.file_size else None
    if info.flag_bits & _ENCRYPTED or info.compress_type == 99:
        return "is encrypted: encrypted entries cannot be processed"
    if info.flag_bits & _PATCHED:
        return "holds compressed patch data, which cannot be processed"
    if info.compress_type not in {STORE, DEFLATE}:
        method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        return f"is compressed with {method}: only STORE and DEFLATE can be processed"
    if info.compress_type == STORE and info.compress_size != info.file_size:
        return f"is stored in {info.compress_size} bytes but declares {info.file_size}"
    return None


def _judge_collisions(entries: Iterable[Entry], findings: Findings) -> None:
    """No two entries may end up as one file, and none as both a file and a folder."""
    seen: dict[str, str] = {}
    for entry in entries:
        key = collision_key(entry.path)
        if key not in seen:
            seen[key] = entry.path
        else:
            other = seen[key]
            difference = "" if other == entry.path else f", apart from upper and lower case ({quoted(other)})"
            findings.error(f"The entry {quoted(entry.path)} is in the ZIP more than once{difference}.")
    ordered = sorted((key.replace("/", "\0"), path) for key, path in seen.items())
    for (key, path), (following, _) in pairwise(ordered):  # what is in a folder follows it at once
        if following.startswith(key + "\0"):
            findings.error(f"The entry {quoted(path)} is both a file and a folder.")


def _entry(info: zipfile.ZipInfo) -> Entry:
    return Entry(
        path=path_of(info.orig_filename),
        raw_name=_raw_name(info),
        method=info.compress_type,
        size=info.file_size,
        packed=info.compress_size,
        crc=info.CRC,
        offset=info.header_offset,
        mode=info.external_attr >> 16 if info.create_system in _UNIX_MAKERS else 0,
    )


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    """The name as it stands in the archive; `filename` is cut at a NUL and has its backslashes turned."""
    return info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
