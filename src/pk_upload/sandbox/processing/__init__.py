"""What the sandbox makes of an uploaded archive.

The service's documentation says that processing converts the files of the uploaded ZIP "to a format
required for the distribution process", which "includes creating an encrypted content file and delta
(diff) file". It leaves the formats open: those here are the sandbox's own, and `decrypt` and
`apply_diff` read them back.
"""

from __future__ import annotations

from pk_upload.sandbox.processing.container import ContainerError, decrypt
from pk_upload.sandbox.processing.findings import Finding, Outcome
from pk_upload.sandbox.processing.formats import (
    CONTENT,
    CONTENT_SUMMARY,
    DIFF,
    DIFF_SUMMARY,
    ContentSummary,
    DiffSummary,
)
from pk_upload.sandbox.processing.patching import PatchError, apply_diff
from pk_upload.sandbox.processing.pipeline import process

__all__ = [
    "CONTENT",
    "CONTENT_SUMMARY",
    "DIFF",
    "DIFF_SUMMARY",
    "ContainerError",
    "ContentSummary",
    "DiffSummary",
    "Finding",
    "Outcome",
    "PatchError",
    "apply_diff",
    "decrypt",
    "process",
]
