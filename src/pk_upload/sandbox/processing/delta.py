"""Making the diff from the version before: what became of each file, and the steps to make the new ones.

Only files that are neither the same as before under their own name nor under another are looked into.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pk_upload.sandbox.processing.container import ContainerWriter
from pk_upload.sandbox.processing.formats import ContentFile, DiffFile, DiffSummary, encryption_of
from pk_upload.sandbox.processing.meter import ITEM
from pk_upload.sandbox.processing.steps import Kind, Step, joined
from pk_upload.sandbox.processing.windows import steps_for_added, steps_for_changed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pk_upload.sandbox.processing.meter import Meter
    from pk_upload.sandbox.processing.version import Version

__all__ = ["write_delta"]


def write_delta(old: Version, new: Version, target: Path, key: bytes, meter: Meter) -> DiffSummary:
    """Writes the encrypted diff from `old` to `new` to `target` and returns its summary."""
    search = _Search(old)
    added: list[DiffFile] = []
    modified: list[DiffFile] = []
    unchanged: list[str] = []
    with target.open("wb") as file:
        diff = ContainerWriter(file, key)
        for wanted in new.summary.files:
            meter.advance(ITEM)
            if search.unchanged(wanted):
                meter.advance(wanted.size)
                unchanged.append(wanted.path)
                continue
            offset = diff.size
            for step in joined(_metered(search.steps(new, wanted), meter)):
                diff.write(step.encoded())
            made = DiffFile(wanted.path, wanted.size, offset, diff.size - offset)
            (modified if wanted.path in search.paths else added).append(made)
        diff.finish()
    kept = {wanted.path for wanted in new.summary.files}
    return DiffSummary(
        base_hash_code=old.summary.hash_code,
        content_hash_code=new.summary.hash_code,
        size=diff.size,
        file_size=diff.file_size,
        hash_code=diff.file_hash,
        encryption=encryption_of(diff),
        added_files=tuple(added),
        modified_files=tuple(modified),
        removed_files=tuple(path for path in search.paths if path not in kept),
        unchanged_files=tuple(unchanged),
    )


class _Search:
    """The files of the version before, by path and by what is in them."""

    def __init__(self, old: Version) -> None:
        self._old = old
        self.paths = {file.path: file for file in old.summary.files}
        self._contents = {file.hash: file for file in old.summary.files}

    def unchanged(self, wanted: ContentFile) -> bool:
        same = self.paths.get(wanted.path)
        return same is not None and same.hash == wanted.hash

    def steps(self, new: Version, wanted: ContentFile) -> Iterator[Step]:
        if wanted.hash in self._contents:
            yield from _copied(self._contents[wanted.hash])
        elif wanted.path in self.paths:
            yield from steps_for_changed(self._old.view(self.paths[wanted.path]), new.view(wanted))
        else:
            yield from steps_for_added(new.view(wanted))


def _copied(file: ContentFile) -> Iterator[Step]:
    if file.size:
        yield Step(Kind.COPY, file.offset, file.size, file.size)


def _metered(steps: Iterator[Step], meter: Meter) -> Iterator[Step]:
    for step in steps:
        yield step
        meter.advance(step.new_size)
