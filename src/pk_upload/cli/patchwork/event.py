"""`pk-upload patchwork event`: what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pk_upload.cli.errand import Errand
from pk_upload.cli.patchwork.calling import ID, command, group
from pk_upload.cli.patchwork.filters import any_of, between, by_project
from pk_upload.cli.patchwork.listing import Column, called, list_options, listed, of_project
from pk_upload.cli.settings import Settings

if TYPE_CHECKING:
    from pk_upload.patchwork import Event

__all__ = ["event", "list_"]

# The client's list, repeated because the client is slow to import; a test compares the two.
CATEGORIES = (
    "cover-created",
    "patch-created",
    "patch-completed",
    "patch-state-changed",
    "patch-delegated",
    "patch-relation-changed",
    "check-created",
    "series-created",
    "series-completed",
    "cover-comment-created",
    "patch-comment-created",
)
EPILOG = """\
\b
Examples:
  pk-upload patchwork event list --project game --since 2030-01-31 --order date
  pk-upload patchwork event list --category check-created --patch 40 --json
"""


def _about(event: Event) -> str | None:
    """The name of what it happened to."""
    what = event.payload
    return (what.patch and what.patch.name) or (what.cover and what.cover.name) or _series_name(event)


def _series_name(event: Event) -> str | None:
    return (event.payload.series and event.payload.series.name) or None


COLUMNS: tuple[Column[Event], ...] = (
    Column("id", lambda event: event.id, "ID"),
    Column("date", lambda event: event.date, "DATE"),
    Column("category", lambda event: event.category, "CATEGORY"),
    Column("actor", lambda event: called(event.actor or None), "ACTOR"),
    Column("name", _about, "NAME"),
    Column("project", lambda event: of_project(event.project)),
    Column("patch", lambda event: event.payload.patch and event.payload.patch.id),
    Column("cover", lambda event: event.payload.cover and event.payload.cover.id),
    Column("series", lambda event: event.payload.series and event.payload.series.id),
    Column("check", lambda event: event.payload.check and event.payload.check.id),
    Column("check_state", lambda event: event.payload.check and event.payload.check.state),
    Column("comment", lambda event: event.payload.comment and event.payload.comment.id),
    Column("previous_state", lambda event: event.payload.previous_state),
    Column("current_state", lambda event: event.payload.current_state),
    Column("previous_delegate", lambda event: called(event.payload.previous_delegate or None)),
    Column("current_delegate", lambda event: called(event.payload.current_delegate or None)),
)


@group(__name__, "list", epilog=EPILOG, short_help="List what happened.")
def event() -> None:
    """Lists what happened to patches, cover letters and series."""


@command("list", short_help="List what happened.")
@by_project
@click.option(
    "--category", metavar="CATEGORY", type=click.Choice(CATEGORIES), help=f"One of {', '.join(CATEGORIES)}."
)
@any_of("--series", "ID", ID, "To this series")
@any_of("--patch", "ID", ID, "To this patch")
@any_of("--cover", "ID", ID, "To this cover letter")
@click.option("--actor", metavar="ID", type=ID, help="Done by the user with this id.")
@between
@list_options("date")
def list_(settings: Settings, **flags: Any) -> Errand:
    """Lists what happened, the newest first unless --order is date."""
    return listed(settings, COLUMNS, lambda patchwork, filters: patchwork.events(**filters), flags)
