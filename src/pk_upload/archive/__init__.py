"""What goes in: the ZIP as its directory describes it."""

from pk_upload.archive.directory import directory_digest
from pk_upload.archive.preflight import Preflight, preflight

__all__ = ["Preflight", "directory_digest", "preflight"]
