"""`pk-upload patchwork check`: what tests of a patch came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pk_upload.cli.errand import Errand
from pk_upload.cli.patchwork.calling import ID, command, group, shown
from pk_upload.cli.patchwork.filters import any_of, between
from pk_upload.cli.patchwork.listing import Column, called, list_options, listed
from pk_upload.cli.settings import Settings
from pk_upload.cli.values import NAME, TEXT
from pk_upload.events import OnEvent

if TYPE_CHECKING:
    from pk_upload.patchwork import Check, CheckState, Patchwork

__all__ = ["check", "create", "list_", "show"]

# The client's list, repeated because the client is slow to import; a test compares the two.
STATES = ("pending", "success", "warning", "fail")
EPILOG = """\
\b
Examples:
  pk-upload patchwork check list 40 --state fail
  pk-upload patchwork check create 40 --state success --context build --target-url https://ci.example.com/1

What is once reported stays; a newer check of the same context stands in its place.
"""
COLUMNS: tuple[Column[Check], ...] = (
    Column("id", lambda check: check.id, "ID"),
    Column("date", lambda check: check.date, "DATE"),
    Column("state", lambda check: check.state, "STATE"),
    Column("context", lambda check: check.context, "CONTEXT"),
    Column("user", lambda check: called(check.user), "USER"),
    Column("description", lambda check: check.description, "DESCRIPTION"),
    Column("target_url", lambda check: check.target_url),
    Column("url", lambda check: check.url),
)


@group(__name__, "list", "show", "create", epilog=EPILOG, short_help="List, show and make checks of a patch.")
def check() -> None:
    """Lists, shows and makes checks: what tests of a patch came to."""


@command("list", short_help="List the checks of a patch.")
@click.argument("patch_id", metavar="PATCH", type=ID)
@any_of("--user", "ID|USER", NAME, "From this user, by id or user name")
@click.option("--state", type=click.Choice(STATES), help="With this result.")
@click.option("--context", metavar="TEXT", type=NAME, help="Of the test with this name.")
@between
@list_options()
def list_(settings: Settings, patch_id: int, **flags: Any) -> Errand:
    """Lists the checks of the patch with this id."""
    return listed(settings, COLUMNS, lambda patchwork, filters: patchwork.checks(patch_id, **filters), flags)


@command(short_help="Show a check.")
@click.argument("patch_id", metavar="PATCH", type=ID)
@click.argument("check_id", metavar="CHECK", type=ID)
def show(settings: Settings, patch_id: int, check_id: int) -> Errand:
    """Shows the check with the id CHECK of the patch with the id PATCH."""
    return shown(settings, lambda patchwork, _: patchwork.check(patch_id, check_id))


@command(short_help="Make a check of a patch.")
@click.argument("patch_id", metavar="PATCH", type=ID)
@click.option("--state", required=True, type=click.Choice(STATES), help="What the test came to.")
@click.option(
    "--context",
    default="default",
    show_default=True,
    metavar="TEXT",
    type=NAME,
    help="The name of the test: letters, digits, underscores and hyphens.",
)
@click.option("--description", metavar="TEXT", type=TEXT, help="What there is to say of it.")
@click.option("--target-url", metavar="URL", type=NAME, help="Where more can be read.")
def create(settings: Settings, patch_id: int, state: CheckState, **flags: Any) -> Errand:
    """Makes a check of the patch with this id and shows it."""

    async def make(patchwork: Patchwork, emit: OnEvent) -> Check:
        from pk_upload.reviews import post_check

        return await post_check(patchwork, emit, patch_id, state, **flags)

    return shown(settings, make, writing=True)
