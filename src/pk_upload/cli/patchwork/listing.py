"""What the commands have in common that list: how much, in which order, and as what."""

from __future__ import annotations

import csv
import io
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click

from pk_upload.cli.errand import Answer, Clean, Desk, Errand
from pk_upload.cli.options import csv_option
from pk_upload.cli.patchwork.calling import exclusive, given
from pk_upload.cli.settings import Settings
from pk_upload.events import Warned

if TYPE_CHECKING:
    from pk_upload.patchwork import Listing, Patchwork, Person, Project, User

__all__ = ["Column", "called", "list_options", "listed", "of_project"]

NAMED = ("project", "submitter", "delegate", "owner", "user")
CALCULATED = ("=", "+", "-", "@")
F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """What CSV has of an item under `name`, and tables under `title`, if any; their last may be long."""

    name: str
    read: Callable[[T], object]
    title: str = ""


def list_options(*orders: str) -> Callable[[F], F]:
    """The options of a list that can be had in these `orders`, or in its own alone."""

    def add(function: F) -> F:
        function = csv_option(function)
        function = click.option(
            "--limit", metavar="N", type=click.IntRange(min=1), help="At most so many.  [default: all]"
        )(function)
        if not orders:
            return function
        return click.option(
            "--order",
            metavar="FIELD",
            type=click.Choice([*orders, *(f"-{order}" for order in orders)]),
            help=f"By {', '.join(orders)}; with a - before it the other way round.",
        )(function)

    return add


def listed(
    settings: Settings,
    columns: Sequence[Column[T]],
    ask: Callable[[Patchwork, dict[str, Any]], Listing[Any]],
    flags: dict[str, Any],
    doubt: Callable[[dict[str, Any]], str] | None = None,
) -> Errand:
    """Lists all that `ask` returns for those `flags` that were given.

    Where that is nothing, `doubt` may say what of them is the likely cause; otherwise those are told of whose
    values the site may simply not know.
    """
    if settings.csv and settings.given.get("json"):
        raise exclusive("--csv", "--json")
    settings.require_patchwork()

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected_patchwork

        async with connected_patchwork(settings, desk.emit) as patchwork:
            items = await ask(patchwork, given(flags)).all()
        if not items and (warning := (doubt and doubt(given(flags))) or _doubt(given(flags))):
            desk.emit(Warned(warning))
        text = _csv if settings.csv else _table
        return Answer(items, lambda clean: text(columns, items, clean), quoted=True)

    return Errand(work, settings.timeout)


def _doubt(filters: dict[str, Any]) -> str:
    """What is said of names: a site does not tell that it does not know one."""
    named = [f"--{name} {value}" for name in NAMED for value in filters.get(name, ())]
    return f"nothing is found; this site may not know {' or '.join(named)}" if named else ""


def called(who: Person | User | None) -> str | None:
    """What to call somebody: by the name, or else by the address."""
    if who is None:
        return None
    name = getattr(who, "username", "") or getattr(who, "name", "")
    return name or who.email


def of_project(project: Project | None) -> str | None:
    """The project's link name."""
    return None if project is None else project.link_name


def _csv(columns: Sequence[Column[T]], items: Sequence[T], clean: Clean) -> str:
    """One record a line, as in RFC 4180, but for the end of the last line.

    Anybody can send an e-mail: a text that a spreadsheet would calculate has an apostrophe in front.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(column.name for column in columns)
    for item in items:
        cells = [clean(_exact(column.read(item))) for column in columns]
        writer.writerow(f"'{cell}" if cell.startswith(CALCULATED) else cell for cell in cells)
    return text.getvalue().removesuffix("\n")


def _table(columns: Sequence[Column[T]], items: Sequence[T], clean: Clean) -> str:
    from pk_upload.cli.tables import table

    visible = [column for column in columns if column.title]
    rows = [[clean(_brief(column.read(item))) for column in visible] for item in items]
    terminal = sys.stdout is not None and sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    return table([column.title for column in visible], rows, width=width)


def _exact(value: object) -> str:
    """A value for a program to read."""
    from msgspec import UNSET

    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case tuple():
            return " ".join(map(_exact, value))
        case _:
            return "" if value is UNSET else str(value)


def _brief(value: object) -> str:
    """A value for people to read."""
    match value:
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
        case _:
            return _exact(value) or "-"
