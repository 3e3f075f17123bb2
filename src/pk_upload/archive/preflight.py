"""What the service would refuse after hours of uploading, found out before a byte is sent."""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from pk_upload.errors import PreflightFailed

__all__ = ["Preflight", "preflight"]

ENCRYPTED = 0x1
METHODS = {
    1: "SHRINK", 6: "IMPLODE", 9: "DEFLATE64", 12: "BZIP2", 14: "LZMA", 93: "ZSTD", 95: "XZ", 98: "PPMD",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Preflight:
    """A ZIP the service can process: the number of files in it and their size in bytes, unpacked."""

    files: int
    unpacked: int


def preflight(path: Path) -> Preflight:
    """Reads the ZIP's directory; raises `PreflightFailed` with what is wrong, `OSError` if it cannot read.

    The service's documentation asks for one ZIP with the methods STORE or DEFLATE.
    """
    entries = _entries(path)
    files = [entry for entry in entries if not entry.is_dir()]
    if not files:
        raise PreflightFailed(f"{path} holds no files")
    problems = [problem for entry in files if (problem := _problem(entry))]
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise PreflightFailed(f"{path}: {problems[0]}{more}")
    return Preflight(len(files), sum(entry.file_size for entry in files))


def _entries(path: Path) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except OSError:
        raise
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        struct.error,
        zlib.error,
        ValueError,
        EOFError,
    ) as error:
        raise PreflightFailed(f"{path} is no good ZIP: {error}") from None
    except (NotImplementedError, OverflowError, UnicodeError, IndexError) as error:
        raise PreflightFailed(f"{path} is a ZIP that cannot be read: {error}") from None


def _problem(entry: zipfile.ZipInfo) -> str | None:
    if entry.flag_bits & ENCRYPTED:
        return f"{entry.filename!r} is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = METHODS.get(entry.compress_type, f"number {entry.compress_type}")
        return f"{entry.filename!r} is packed with the method {method}; the service takes STORE and DEFLATE"
    return None
