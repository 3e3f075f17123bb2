"""A processed version, open for reading."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pk_upload.sandbox.processing.container import ContainerError, ContainerReader
from pk_upload.sandbox.processing.formats import ContentFile, ContentSummary, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["FileView", "Version", "open_version"]


@dataclass(frozen=True, slots=True)
class FileView:
    """One file's bytes within the content: `offset` and `size` in bytes."""

    content: ContainerReader
    offset: int
    size: int

    def read(self, start: int, size: int) -> bytes:
        """At most `size` bytes from `start` on, both counted within the file."""
        return self.content.read(self.offset + start, min(size, self.size - start))


@dataclass(frozen=True, slots=True)
class Version:
    """The summary of a version and its content."""

    summary: ContentSummary
    content: ContainerReader

    def view(self, file: ContentFile) -> FileView:
        return FileView(self.content, file.offset, file.size)


@contextmanager
def open_version(summary: Path, content: Path, key: bytes) -> Iterator[Version]:
    """Raises ContainerError when the content cannot be read with the key or is not the summary's."""
    described = load(summary, ContentSummary)
    with ContainerReader(content, key) as reader:
        if reader.size != described.size:
            raise ContainerError("the content has another size than its summary says")
        yield Version(described, reader)
