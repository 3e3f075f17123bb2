"""`pk-upload patchwork project`: projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pk_upload.cli.errand import Errand
from pk_upload.cli.patchwork.calling import changed, command, group, shown
from pk_upload.cli.patchwork.listing import Column, list_options, listed
from pk_upload.cli.settings import Settings
from pk_upload.cli.values import NAME, TEXT

if TYPE_CHECKING:
    from pk_upload.patchwork import Project

__all__ = ["list_", "project", "show", "update"]

EPILOG = """\
\b
Examples:
  pk-upload patchwork project list
  pk-upload patchwork project show game --json
  pk-upload patchwork project update game --web-url https://game.example.com

A project is named by its id or its link name.
"""
COLUMNS: tuple[Column[Project], ...] = (
    Column("id", lambda project: project.id, "ID"),
    Column("link_name", lambda project: project.link_name, "LINK NAME"),
    Column("list_email", lambda project: project.list_email, "LIST"),
    Column("name", lambda project: project.name, "NAME"),
    Column("list_id", lambda project: project.list_id),
    Column("web_url", lambda project: project.web_url),
    Column("scm_url", lambda project: project.scm_url),
    Column("webscm_url", lambda project: project.webscm_url),
    Column("list_archive_url", lambda project: project.list_archive_url),
    Column("maintainers", lambda project: tuple(user.username for user in project.maintainers or ())),
    Column("url", lambda project: project.url),
)


@group(__name__, "list", "show", "update", epilog=EPILOG, short_help="List, show and change projects.")
def project() -> None:
    """Lists, shows and changes projects."""


@command("list", short_help="List projects.")
@list_options()
def list_(settings: Settings, **flags: Any) -> Errand:
    """Lists the site's projects."""
    return listed(settings, COLUMNS, lambda patchwork, filters: patchwork.projects(**filters), flags)


@command(short_help="Show a project.")
@click.argument("identifier", metavar="PROJECT", type=NAME)
def show(settings: Settings, identifier: str) -> Errand:
    """Shows the project with this id or link name, with its maintainers."""
    return shown(settings, lambda patchwork, _: patchwork.project(identifier))


@command(short_help="Change a project.")
@click.argument("identifier", metavar="PROJECT", type=NAME)
@click.option("--web-url", metavar="URL", type=TEXT, help="Where its pages are.")
@click.option("--scm-url", metavar="URL", type=TEXT, help="Where its repository is.")
@click.option("--webscm-url", metavar="URL", type=TEXT, help="Where its repository can be browsed.")
@click.option("--list-archive-url", metavar="URL", type=TEXT, help="Where its list's archive is.")
@click.option(
    "--list-archive-url-format",
    metavar="URL",
    type=TEXT,
    help="Where an e-mail is in that archive: {} stands for its Message-ID.",
)
@click.option(
    "--commit-url-format", metavar="URL", type=TEXT, help="Where a commit is: {} stands for its hash."
)
@click.option(
    "--show-dependencies/--no-show-dependencies",
    default=None,
    help="Whether it tells which series need which.",
)
def update(settings: Settings, identifier: str, **flags: Any) -> Errand:
    """Changes the project with this id or link name and shows it; its maintainers may do that."""
    changes = changed(flags)
    return shown(settings, lambda patchwork, _: patchwork.update_project(identifier, **changes), writing=True)
