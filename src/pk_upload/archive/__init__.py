"""What goes in: a ZIP, or a folder seen as one, and whether the service will take it."""

from pk_upload.archive.build import Build, Fingerprint, Inspect, fill, read
from pk_upload.archive.checks import Problem, Report, refuse
from pk_upload.archive.file import BuildFile
from pk_upload.archive.folder.choosing import Rate
from pk_upload.archive.folder.config import Packing
from pk_upload.archive.folder.ignoring import literally
from pk_upload.archive.folder.opening import Known, Packed, open_folder
from pk_upload.archive.folder.stored import StoredFolder
from pk_upload.archive.folder.tree import Tree
from pk_upload.archive.inspecting import inspected, open_file, preflighted, read_through, surveyed, warn

__all__ = [
    "Build",
    "BuildFile",
    "Fingerprint",
    "Inspect",
    "Known",
    "Packed",
    "Packing",
    "Problem",
    "Rate",
    "Report",
    "StoredFolder",
    "Tree",
    "fill",
    "inspected",
    "literally",
    "open_file",
    "open_folder",
    "preflighted",
    "read",
    "read_through",
    "refuse",
    "surveyed",
    "warn",
]
