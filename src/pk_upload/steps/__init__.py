"""The steps of a release, one a file, each safe to repeat.

What was done is in the journal; what may have been done although its answer was lost is read from the
service before anything is asked for again.
"""

from pk_upload.steps.creating import make_app, make_draft
from pk_upload.steps.draft import find_or_make_draft
from pk_upload.steps.preflight import Inspection
from pk_upload.steps.processing import check, process
from pk_upload.steps.publishing import publish, publish_version, scheduled_for
from pk_upload.steps.run import Run, Wishes

__all__ = [
    "Inspection",
    "Run",
    "Wishes",
    "check",
    "find_or_make_draft",
    "make_app",
    "make_draft",
    "process",
    "publish",
    "publish_version",
    "scheduled_for",
]
