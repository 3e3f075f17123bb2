"""Making a version's content of the version before and the diff."""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

import hdiffpatch

from pk_upload.sandbox.processing.container import ContainerReader
from pk_upload.sandbox.processing.formats import (
    CONTENT,
    CONTENT_SUMMARY,
    DIFF,
    DIFF_SUMMARY,
    ContentSummary,
    DiffSummary,
    load,
)
from pk_upload.sandbox.processing.steps import Kind, Step, read_steps
from pk_upload.sandbox.processing.version import Version, open_version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pk_upload.sandbox.processing.formats import ContentFile

__all__ = ["PatchError", "apply_diff"]


class PatchError(Exception):
    """The diff does not lead from the one version to the other."""


def apply_diff(previous: Path, out: Path, *, key: bytes) -> Iterator[bytes]:
    """The plain content of the version in `out`, in pieces of at most 1 MiB.

    It is made of the content in `previous` and the diff in `out`; the content in `out` is not read,
    only its summary, by which every file is checked. Raises PatchError when a file does not come out
    as it should, ContainerError when what is read was changed.
    """
    summary = load(out / CONTENT_SUMMARY, ContentSummary)
    described = load(out / DIFF_SUMMARY, DiffSummary)
    with (
        open_version(previous / CONTENT_SUMMARY, previous / CONTENT, key) as old,
        ContainerReader(out / DIFF, key) as diff,
    ):
        if (described.base_hash_code, described.content_hash_code) != (
            old.summary.hash_code,
            summary.hash_code,
        ):
            raise PatchError("the diff belongs to other versions")
        patch = _Patch(old, diff, described)
        for file in summary.files:
            yield from _checked(file, patch.pieces(file.path))


class _Patch:
    """An open diff, and the version it applies to."""

    def __init__(self, old: Version, diff: ContainerReader, described: DiffSummary) -> None:
        self._old = old
        self._diff = diff
        self._made = {file.path: file for file in (*described.added_files, *described.modified_files)}
        self._kept = set(described.unchanged_files)
        self._files = {file.path: file for file in old.summary.files}

    def pieces(self, path: str) -> Iterator[bytes]:
        if path in self._made:
            made = self._made[path]
            for step in read_steps(self._diff, made.offset, made.length):
                yield from self._result(step)
        elif path in self._kept and path in self._files:
            kept = self._files[path]
            yield from self._old.content.stream(kept.offset, kept.size)
        else:
            raise PatchError(f"the diff says nothing of {path}")

    def _result(self, step: Step) -> Iterator[bytes]:
        if step.kind is Kind.COPY:
            yield from self._old.content.stream(step.old_offset, step.old_size)
        elif step.kind is Kind.PATCH:
            yield hdiffpatch.apply(self._old.content.read(step.old_offset, step.old_size), step.payload)
        elif step.kind is Kind.PACKED:
            yield zlib.decompress(step.payload)
        else:
            yield step.payload


def _checked(file: ContentFile, pieces: Iterator[bytes]) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
        yield piece
    if digest.hexdigest() != file.hash:
        raise PatchError(f"{file.path} does not come out as the summary says")
