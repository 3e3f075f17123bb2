"""`pk-upload patchwork person`: who sent e-mails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pk_upload.cli.errand import Errand
from pk_upload.cli.patchwork.calling import ID, command, group, shown
from pk_upload.cli.patchwork.filters import by_name
from pk_upload.cli.patchwork.listing import Column, called, list_options, listed
from pk_upload.cli.settings import Settings

if TYPE_CHECKING:
    from pk_upload.patchwork import Person

__all__ = ["list_", "person", "show"]

EPILOG = """\
\b
Examples:
  pk-upload patchwork person list --query dev@example.com
  pk-upload patchwork person show 5 --json

All of this asks for a token.
"""
COLUMNS: tuple[Column[Person], ...] = (
    Column("id", lambda person: person.id, "ID"),
    Column("email", lambda person: person.email, "EMAIL"),
    Column("user", lambda person: called(person.user or None), "USER"),
    Column("name", lambda person: person.name, "NAME"),
    Column("url", lambda person: person.url),
)


@group(__name__, "list", "show", epilog=EPILOG, short_help="List and show people.")
def person() -> None:
    """Lists and shows people: who sent e-mails to the list of a project, with or without an account."""


@command("list", short_help="List people.")
@by_name
@list_options("id", "name", "email")
def list_(settings: Settings, **flags: Any) -> Errand:
    """Lists people."""
    return listed(settings, COLUMNS, lambda patchwork, filters: patchwork.people(**filters), flags)


@command(short_help="Show a person.")
@click.argument("person_id", metavar="ID", type=ID)
def show(settings: Settings, person_id: int) -> Errand:
    """Shows the person with this id."""
    return shown(settings, lambda patchwork, _: patchwork.person(person_id))
