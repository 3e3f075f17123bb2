"""The way of an uploaded archive: judged, encrypted, compared with the version before."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from pk_upload.sandbox.processing.archive import read_directory
from pk_upload.sandbox.processing.content import write_content
from pk_upload.sandbox.processing.delta import write_delta
from pk_upload.sandbox.processing.executables import find_main_executable
from pk_upload.sandbox.processing.findings import Findings, Outcome
from pk_upload.sandbox.processing.formats import (
    CONTENT,
    CONTENT_SUMMARY,
    DIFF,
    DIFF_SUMMARY,
    ContentSummary,
    save,
)
from pk_upload.sandbox.processing.meter import ITEM, Meter
from pk_upload.sandbox.processing.staging import Staging, staging
from pk_upload.sandbox.processing.version import open_version
from pk_upload.sandbox.processing.windows import WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pk_upload.sandbox.processing.archive import Entry

__all__ = ["process"]

_CONTENT_SHARE = 0.6
"""How much of the progress is the content's when a delta follows."""


def process(
    archive: Path,
    out: Path,
    *,
    key: bytes,
    previous: Path | None,
    platform: str,
    progress: Callable[[float, str], None],
) -> Outcome:
    """Processes the uploaded file `archive` into the directory `out`, and tells what was found.

    `key` has 32 bytes. `previous` is the `out` of the version before, made with the same key; None
    for the first version. `progress` is called with a fraction from 0 to 1 and a message; what it
    raises ends the work, is passed on, and leaves `out` as it was. Bad archives raise nothing: they
    make an outcome that `failed`, and an empty `out`.
    """
    findings = Findings()
    main_executable: str | None = None
    summary: ContentSummary | None = None
    progress(0.0, "checking the archive")
    with staging(out) as stage:
        with archive.open("rb") as file:
            entries = read_directory(archive, findings)
            if not findings.failed:
                share = 1.0 if previous is None else _CONTENT_SHARE
                summary = _content(file, entries, stage, key, _meter(progress, entries, share), findings)
            if summary is not None:
                main_executable = find_main_executable(file, entries, platform, findings)
        if summary is not None and previous is not None:
            _delta(previous, summary, stage, key, progress)
        progress(1.0, "done" if summary is not None else "the archive cannot be processed")
        if summary is None:
            stage.discard()
        stage.commit()
    return Outcome(findings.all(), main_executable, has_diff=summary is not None and previous is not None)


def _meter(progress: Callable[[float, str], None], entries: Sequence[Entry], share: float) -> Meter:
    total = sum(entry.size + ITEM for entry in entries)
    return Meter(progress, "encrypting the content", total, start=0.0, end=share)


def _content(
    file: BinaryIO, entries: Sequence[Entry], stage: Staging, key: bytes, meter: Meter, findings: Findings
) -> ContentSummary | None:
    summary = write_content(file, entries, stage.path(CONTENT), key, meter, findings)
    if summary is not None:
        save(stage.path(CONTENT_SUMMARY), summary)
    return summary


def _delta(
    previous: Path,
    summary: ContentSummary,
    stage: Staging,
    key: bytes,
    progress: Callable[[float, str], None],
) -> None:
    with (
        open_version(previous / CONTENT_SUMMARY, previous / CONTENT, key) as old,
        open_version(stage.path(CONTENT_SUMMARY), stage.path(CONTENT), key) as new,
    ):
        total = sum(file.size + ITEM for file in summary.files)
        meter = Meter(progress, "making the delta", total, start=_CONTENT_SHARE, end=1.0, step=WINDOW)
        save(stage.path(DIFF_SUMMARY), write_delta(old, new, stage.path(DIFF), key, meter))
