"""The files that processing makes, and the JSON that describes them. Sizes and offsets are bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from pk_upload.sandbox.processing.container import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from pk_upload.sandbox.processing.container import ContainerWriter

__all__ = [
    "CONTENT",
    "CONTENT_SUMMARY",
    "DIFF",
    "DIFF_SUMMARY",
    "ContentFile",
    "ContentSummary",
    "DiffFile",
    "DiffSummary",
    "Encryption",
    "encryption_of",
    "load",
    "save",
]

CONTENT = "content.pkenc"
CONTENT_SUMMARY = "content_summary.json"
DIFF = "diff.pkenc"
DIFF_SUMMARY = "diff_summary.json"

FORMAT = 1


class Encryption(msgspec.Struct, frozen=True):
    """How a container is encrypted: all but the key. `nonce_prefix` is hex."""

    method: str
    version: int
    segment_size: int
    nonce_prefix: str


class ContentFile(msgspec.Struct, frozen=True):
    """A file of a version: where its bytes begin in the plain content, and their SHA-256 in hex."""

    path: str
    hash: str
    size: int
    offset: int


class ContentSummary(msgspec.Struct, frozen=True, kw_only=True):
    """`size` is that of all files together; `file_size` and `hash_code` are those of the content file."""

    format_version: int = FORMAT
    size: int
    file_size: int
    hash_code: str
    hashing_method: str = "sha256"
    encryption: Encryption
    files: tuple[ContentFile, ...]


class DiffFile(msgspec.Struct, frozen=True):
    """A file the diff makes: `offset` and `length` are those of its steps in the plain diff."""

    path: str
    size: int
    offset: int
    length: int


class DiffSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of every file since the version whose content file has the hash `base_hash_code`.

    `size` is that of the plain diff; `file_size` and `hash_code` are those of the diff file.
    `content_hash_code` is the hash of the content file of the version the diff leads to.
    """

    format_version: int = FORMAT
    base_hash_code: str
    content_hash_code: str
    size: int
    file_size: int
    hash_code: str
    hashing_method: str = "sha256"
    encryption: Encryption
    added_files: tuple[DiffFile, ...]
    modified_files: tuple[DiffFile, ...]
    removed_files: tuple[str, ...]
    unchanged_files: tuple[str, ...]


_Summary = TypeVar("_Summary", ContentSummary, DiffSummary)


def encryption_of(container: ContainerWriter) -> Encryption:
    return Encryption("AES-256-GCM", VERSION, container.segment_size, container.prefix.hex())


def load(path: Path, kind: type[_Summary]) -> _Summary:
    """A summary from its file; raises OSError or msgspec.DecodeError."""
    return msgspec.json.decode(path.read_bytes(), type=kind)


def save(path: Path, summary: ContentSummary | DiffSummary) -> None:
    path.write_bytes(msgspec.json.encode(summary))
