"""Preflight: what the service would refuse, found out before a byte is sent."""

from pk_upload.archive.checks.contents import deep
from pk_upload.archive.checks.preflight import preflight
from pk_upload.archive.checks.report import Report, refuse
from pk_upload.archive.problems import Problem

__all__ = ["Problem", "Report", "deep", "preflight", "refuse"]
