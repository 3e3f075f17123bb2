"""The Patchwork API, versions 1.0 to 1.4: typed coroutines, one an endpoint, and no workflow."""

from pk_upload.patchwork.client import Patchwork
from pk_upload.patchwork.listing import Listing
from pk_upload.patchwork.resources import (
    Bundle,
    Check,
    CheckState,
    Comment,
    Cover,
    CoverDetail,
    Event,
    EventCategory,
    Index,
    Patch,
    PatchDetail,
    Payload,
    Person,
    Project,
    Series,
    SeriesSummary,
    Submission,
    User,
    UserSettings,
)
from pk_upload.patchwork.versions import VERSIONS, Version

__all__ = [
    "VERSIONS",
    "Bundle",
    "Check",
    "CheckState",
    "Comment",
    "Cover",
    "CoverDetail",
    "Event",
    "EventCategory",
    "Index",
    "Listing",
    "Patch",
    "PatchDetail",
    "Patchwork",
    "Payload",
    "Person",
    "Project",
    "Series",
    "SeriesSummary",
    "Submission",
    "User",
    "UserSettings",
    "Version",
]
