"""The filters that several lists of `pk-upload patchwork` have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pk_upload.cli.values import MOMENT, NAME

__all__ = ["any_of", "between", "by_message", "by_name", "by_project", "by_submitter", "by_words", "whether"]

F = TypeVar("F", bound=Callable[..., Any])


def any_of(flag: str, metavar: str, of: Any, what: str, *, required: bool = False) -> Callable[[F], F]:
    """An option that takes several values; as a filter, of which one has to match."""
    return click.option(
        flag, metavar=metavar, multiple=True, type=of, required=required, help=f"{what}; may be repeated."
    )


def whether(flags: str, what: str) -> Callable[[F], F]:
    """A filter for what is so, or is not."""
    return click.option(flags, default=None, help=f"{what}.")


by_project = any_of("--project", "ID|NAME", NAME, "Of this project, by id or link name")
by_submitter = any_of("--submitter", "ID|EMAIL", NAME, "From this person, by id or exact address")
by_message = click.option("--msgid", metavar="ID", type=NAME, help="With this Message-ID.")
by_words = click.option(
    "-q", "--query", "q", metavar="TEXT", type=NAME, help="With each of its words in the name."
)
by_name = click.option(
    "-q", "--query", "q", metavar="TEXT", type=NAME, help="With each of its words in the name or the address."
)


def between(function: F) -> F:
    """The filters for when something was."""
    function = click.option(
        "--before", metavar="WHEN", type=MOMENT, help="Earlier than this moment, as with --since."
    )(function)
    return click.option(
        "--since",
        metavar="WHEN",
        type=MOMENT,
        help="Not earlier than this: 2030-01-31 or 2030-01-31T18:00+01:00, in UTC without a time zone.",
    )(function)
