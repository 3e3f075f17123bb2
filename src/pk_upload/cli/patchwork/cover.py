"""`pk-upload patchwork cover`: cover letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pk_upload.cli.errand import Errand
from pk_upload.cli.patchwork.calling import ID, command, downloaded, group, shown, to_option
from pk_upload.cli.patchwork.filters import between, by_message, by_project, by_submitter, by_words
from pk_upload.cli.patchwork.listing import Column, called, list_options, listed, of_project
from pk_upload.cli.settings import Settings

if TYPE_CHECKING:
    from pk_upload.patchwork import Cover

__all__ = ["cover", "download", "list_", "show"]

EPILOG = """\
\b
Examples:
  pk-upload patchwork cover list --project game --order -date --limit 20
  pk-upload patchwork cover show 20
  pk-upload patchwork cover download 20 --to cover.mbox
"""
COLUMNS: tuple[Column[Cover], ...] = (
    Column("id", lambda cover: cover.id, "ID"),
    Column("date", lambda cover: cover.date, "DATE"),
    Column("submitter", lambda cover: called(cover.submitter), "SUBMITTER"),
    Column("name", lambda cover: cover.name, "NAME"),
    Column("submitter_email", lambda cover: cover.submitter and cover.submitter.email),
    Column("project", lambda cover: of_project(cover.project)),
    Column("series", lambda cover: tuple(series.id for series in cover.series)),
    Column("msgid", lambda cover: cover.msgid),
    Column("web_url", lambda cover: cover.web_url),
    Column("url", lambda cover: cover.url),
)
ORDERS = ("id", "name", "date", "submitter")


@group(
    __name__, "list", "show", "download", epilog=EPILOG, short_help="List, show and download cover letters."
)
def cover() -> None:
    """Lists, shows and downloads cover letters."""


@command("list", short_help="List cover letters.")
@by_project
@by_submitter
@by_message
@between
@by_words
@list_options(*ORDERS)
def list_(settings: Settings, **flags: Any) -> Errand:
    """Lists cover letters."""
    return listed(settings, COLUMNS, lambda patchwork, filters: patchwork.covers(**filters), flags)


@command(short_help="Show a cover letter.")
@click.argument("cover_id", metavar="ID", type=ID)
def show(settings: Settings, cover_id: int) -> Errand:
    """Shows the cover letter with this id, with its e-mail."""
    return shown(settings, lambda patchwork, _: patchwork.cover(cover_id))


@command(short_help="Download a cover letter.")
@click.argument("cover_id", metavar="ID", type=ID)
@to_option
def download(settings: Settings, cover_id: int, to: str) -> Errand:
    """Writes the e-mail of the cover letter with this id to a file, as an mbox."""
    return downloaded(settings, to, lambda patchwork, place, _: patchwork.download_cover(cover_id, place))
