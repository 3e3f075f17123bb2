"""Making the encrypted content file and its summary: one pass over every entry."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, BinaryIO

from pk_upload.sandbox.processing.container import ContainerWriter
from pk_upload.sandbox.processing.entries import DamagedEntry, read_entry
from pk_upload.sandbox.processing.findings import Findings, quoted
from pk_upload.sandbox.processing.formats import ContentFile, ContentSummary, encryption_of
from pk_upload.sandbox.processing.meter import ITEM

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pk_upload.sandbox.processing.archive import Entry
    from pk_upload.sandbox.processing.meter import Meter

__all__ = ["write_content"]


def write_content(
    archive: BinaryIO, entries: Sequence[Entry], target: Path, key: bytes, meter: Meter, findings: Findings
) -> ContentSummary | None:
    """Encrypts the files, in order, into `target`; None when one of them is damaged.

    A damaged entry does not end the pass: all of them are to be named at once.
    """
    files: list[ContentFile] = []
    with target.open("wb") as file:
        content = ContainerWriter(file, key)
        for entry in entries:
            try:
                files.append(_add(archive, entry, content, meter))
            except DamagedEntry as damage:
                findings.error(f"The entry {quoted(entry.path)} {damage}.")
        content.finish()
    if findings.failed:
        return None
    return ContentSummary(
        size=content.size,
        file_size=content.file_size,
        hash_code=content.file_hash,
        encryption=encryption_of(content),
        files=tuple(files),
    )


def _add(archive: BinaryIO, entry: Entry, content: ContainerWriter, meter: Meter) -> ContentFile:
    offset = content.size
    digest = hashlib.sha256()
    meter.advance(ITEM)
    for piece in read_entry(archive, entry):
        digest.update(piece)
        content.write(piece)
        meter.advance(len(piece))
    return ContentFile(entry.path, digest.hexdigest(), content.size - offset, offset)
