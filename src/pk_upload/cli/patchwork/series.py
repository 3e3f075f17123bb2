"""`pk-upload patchwork series`: patches that were sent together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pk_upload.cli.errand import Errand
from pk_upload.cli.patchwork.calling import ID, command, downloaded, group, shown, to_option
from pk_upload.cli.patchwork.filters import between, by_project, by_submitter, by_words
from pk_upload.cli.patchwork.listing import Column, called, list_options, listed, of_project
from pk_upload.cli.settings import Settings
from pk_upload.events import OnEvent, Warned

if TYPE_CHECKING:
    from pk_upload.patchwork import Patchwork, Series

__all__ = ["download", "list_", "series", "show"]

EPILOG = """\
\b
Examples:
  pk-upload patchwork series list --project game --since 2030-01-31
  pk-upload patchwork series show 25
  pk-upload patchwork series download 25 --to series.mbox
"""
COLUMNS: tuple[Column[Series], ...] = (
    Column("id", lambda series: series.id, "ID"),
    Column("date", lambda series: series.date, "DATE"),
    Column("version", lambda series: series.version, "VERSION"),
    Column("received", lambda series: f"{series.received_total}/{series.total}", "RECEIVED"),
    Column("submitter", lambda series: called(series.submitter), "SUBMITTER"),
    Column("name", lambda series: series.name, "NAME"),
    Column("submitter_email", lambda series: series.submitter and series.submitter.email),
    Column("project", lambda series: of_project(series.project)),
    Column("received_total", lambda series: series.received_total),
    Column("total", lambda series: series.total),
    Column("received_all", lambda series: series.received_all),
    Column("cover_letter", lambda series: series.cover_letter and series.cover_letter.id),
    Column("patches", lambda series: tuple(patch.id for patch in series.patches)),
    Column("web_url", lambda series: series.web_url),
    Column("url", lambda series: series.url),
)
ORDERS = ("id", "name", "date", "submitter")


@group(__name__, "list", "show", "download", epilog=EPILOG, short_help="List, show and download series.")
def series() -> None:
    """Lists, shows and downloads series, which are patches that were sent together."""


@command("list", short_help="List series.")
@by_project
@by_submitter
@between
@by_words
@list_options(*ORDERS)
def list_(settings: Settings, **flags: Any) -> Errand:
    """Lists series."""
    return listed(settings, COLUMNS, lambda patchwork, filters: patchwork.series_list(**filters), flags)


@command(short_help="Show a series.")
@click.argument("series_id", metavar="ID", type=ID)
def show(settings: Settings, series_id: int) -> Errand:
    """Shows the series with this id, with its cover letter and its patches."""
    return shown(settings, lambda patchwork, _: patchwork.series(series_id))


@command(short_help="Download a series.")
@click.argument("series_id", metavar="ID", type=ID)
@to_option
def download(settings: Settings, series_id: int, to: str) -> Errand:
    """Writes the patches of the series with this id to a file, as an mbox that `git am` takes."""

    async def ask(patchwork: Patchwork, place: str, emit: OnEvent) -> int:
        found = await patchwork.series(series_id)
        if not found.received_all:
            emit(Warned(f"the series is not complete: {found.received_total} of {found.total} were received"))
        return await patchwork.download_series(series_id, place)

    return downloaded(settings, to, ask)
