"""`pk-upload patchwork` itself: its commands, and what its help says."""

from __future__ import annotations

from pk_upload.cli.command import Group
from pk_upload.cli.patchwork.calling import command

__all__ = ["patchwork"]

EPILOG = """\
\b
Examples:
  pk-upload patchwork patch list --project game --state new --since 2030-01-31
  pk-upload patchwork patch list --submitter dev@example.com --csv > patches.csv
  pk-upload patchwork series download 25 --to series.mbox
  pk-upload patchwork check create 40 --state success --context build
  pk-upload patchwork patch update 40 --state accepted --commit-ref 0123abcd

Lists are complete, over all pages, unless --limit says otherwise: a table, with --json an array, with --csv
comma-separated values. A token is needed for whatever changes something, and to see users and people.
"""
HERE = "pk_upload.cli.patchwork"
NOUNS = (
    "patch",
    "series",
    "cover",
    "check",
    "comment",
    "bundle",
    "event",
    "project",
    "user",
    "person",
)


@command(
    cls=Group,
    places={noun: f"{HERE}.{noun}:{noun}" for noun in NOUNS},
    epilog=EPILOG,
    short_help="Patches, series, checks and bundles on Patchwork.",
)
def patchwork() -> None:
    """Lists, shows, downloads and changes what is on a Patchwork site."""
