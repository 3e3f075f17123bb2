"""What a sandbox knows of what was done to it: its request log, its database, its files."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pk_upload.sandbox.places import Places
from pk_upload.sandbox.processing import CONTENT, CONTENT_SUMMARY, ContentSummary, decrypt
from pk_upload.sandbox.ranges import Span

__all__ = ["Request", "files_of", "held", "hold", "requests", "rows"]

_LINE = re.compile(
    rb"DEBUG pk_upload\.sandbox\.server: (\w+) (\S+)(?: bytes (\d+)-(\d+)/\d+)?"
    rb" (arrives|is cut off|is carried out|\d+)\n"
)
_CHUNK = re.compile(r"/1/uploads/(\d+)/chunk")


@dataclass(frozen=True, slots=True)
class Request:
    """A line of the log: `at` is the byte it begins at, `fate` what became of the request.

    A request with a range "arrives"; then any one is answered with a status, or "is cut off" after it
    "is carried out" or not.
    """

    at: int
    what: str
    span: Span | None
    fate: str

    @property
    def upload_id(self) -> int | None:
        """The upload, for a chunk."""
        found = _CHUNK.search(self.what)
        return int(found[1]) if found else None

    @property
    def done(self) -> bool:
        """Whether it was carried out, answered or not."""
        return self.fate == "is carried out" or self.fate.startswith("2")


def requests(log: Path) -> Iterator[Request]:
    """All requests in the log of a sandbox with `--verbose`, in the order of their fates."""
    for found in _LINE.finditer(log.read_bytes()):
        verb, path, first, last, fate = found.groups()
        span = None if first is None else Span(int(first), int(last) + 1)
        yield Request(found.start(), f"{verb.decode()} {path.decode()}", span, fate.decode())


def rows(data_dir: Path, table: str) -> list[dict[str, Any]]:
    """A table of a sandbox that has ended."""
    path = Places(data_dir).database
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(f"SELECT * FROM {table}")]


def hold(data_dir: Path, upload_id: int) -> None:
    """Sees to it that the bytes of this upload are there when the sandbox has no more use for them."""
    with suppress(FileExistsError, FileNotFoundError):  # it is held, or processed already
        held(data_dir, upload_id).hardlink_to(Places(data_dir).upload(upload_id))


def held(data_dir: Path, upload_id: int) -> Path:
    """Where they are."""
    return data_dir / f"held-{upload_id}"


def files_of(data_dir: Path, version: dict[str, Any]) -> dict[str, str]:
    """The SHA-256 of each file that players of this version get, by its path."""
    [key] = [app["content_key"] for app in rows(data_dir, "app") if app["id"] == version["app_id"]]
    made = Places(data_dir).output(version["app_id"], version["id"])
    summary = msgspec.json.decode((made / CONTENT_SUMMARY).read_bytes(), type=ContentSummary)
    plain = memoryview(b"".join(decrypt(made / CONTENT, key)))
    return {
        file.path: hashlib.sha256(plain[file.offset : file.offset + file.size]).hexdigest()
        for file in summary.files
    }
