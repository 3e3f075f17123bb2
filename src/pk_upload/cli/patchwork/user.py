"""`pk-upload patchwork user`: who has an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pk_upload.cli.errand import Errand
from pk_upload.cli.patchwork.calling import ID, changed, command, given, group, shown
from pk_upload.cli.patchwork.filters import by_name
from pk_upload.cli.patchwork.listing import Column, list_options, listed
from pk_upload.cli.settings import Settings
from pk_upload.cli.values import TEXT

if TYPE_CHECKING:
    from pk_upload.patchwork import Patchwork, User

__all__ = ["list_", "show", "update", "user"]

EPILOG = """\
\b
Examples:
  pk-upload patchwork user list --query mary
  pk-upload patchwork user show 2 --json
  pk-upload patchwork user update 2 --last-name Maintainer

All of this asks for a token.
"""
COLUMNS: tuple[Column[User], ...] = (
    Column("id", lambda user: user.id, "ID"),
    Column("username", lambda user: user.username, "USER"),
    Column("first_name", lambda user: user.first_name, "FIRST NAME"),
    Column("last_name", lambda user: user.last_name, "LAST NAME"),
    Column("email", lambda user: user.email, "EMAIL"),
    Column("url", lambda user: user.url),
)


@group(__name__, "list", "show", "update", epilog=EPILOG, short_help="List and show users, change yourself.")
def user() -> None:
    """Lists and shows users, who have accounts, and changes your own."""


@command("list", short_help="List users.")
@by_name
@list_options("id", "username", "email")
def list_(settings: Settings, **flags: Any) -> Errand:
    """Lists users."""
    return listed(settings, COLUMNS, lambda patchwork, filters: patchwork.users(**filters), flags)


@command(short_help="Show a user.")
@click.argument("user_id", metavar="ID", type=ID)
def show(settings: Settings, user_id: int) -> Errand:
    """Shows the user with this id; of yourself it shows the settings as well."""
    return shown(settings, lambda patchwork, _: patchwork.user(user_id))


@command(short_help="Change yourself.")
@click.argument("user_id", metavar="ID", type=ID)
@click.option("--first-name", metavar="TEXT", type=TEXT, help="The first name that others are to see.")
@click.option("--last-name", metavar="TEXT", type=TEXT, help="The last name that others are to see.")
@click.option("--send-email/--no-send-email", default=None, help="Whether the site sends you e-mails.")
@click.option("--items-per-page", metavar="N", type=ID, help="How long the site's pages are.")
@click.option("--show-ids/--no-show-ids", default=None, help="Whether the site's pages show ids.")
def update(
    settings: Settings, user_id: int, first_name: str | None, last_name: str | None, **flags: Any
) -> Errand:
    """Changes the user with this id, which has to be you, and shows it."""
    changed({**flags, "first_name": first_name, "last_name": last_name})

    async def change(patchwork: Patchwork, _: object) -> User:
        from pk_upload.patchwork import UserSettings

        changes = given({"first_name": first_name, "last_name": last_name})
        if own := given(flags):
            changes["settings"] = UserSettings(**own)
        return await patchwork.update_user(user_id, **changes)

    return shown(settings, change, writing=True)
