"""`pk-upload patchwork comment`: replies to a patch or to a cover letter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pk_upload.cli.errand import Errand
from pk_upload.cli.patchwork.calling import ID, command, group, shown
from pk_upload.cli.patchwork.listing import Column, called, list_options, listed
from pk_upload.cli.settings import Settings
from pk_upload.errors import UsageError

if TYPE_CHECKING:
    from pk_upload.patchwork import Comment, Listing, Patchwork

__all__ = ["comment", "list_", "show", "update"]

F = TypeVar("F", bound=Callable[..., Any])
EPILOG = """\
\b
Examples:
  pk-upload patchwork comment list --patch 40
  pk-upload patchwork comment show 13 --patch 40
  pk-upload patchwork comment update 1 --cover 20 --addressed
"""
COLUMNS: tuple[Column[Comment], ...] = (
    Column("id", lambda comment: comment.id, "ID"),
    Column("date", lambda comment: comment.date, "DATE"),
    Column("addressed", lambda comment: comment.addressed, "ADDRESSED"),
    Column("submitter", lambda comment: called(comment.submitter), "SUBMITTER"),
    Column("subject", lambda comment: comment.subject, "SUBJECT"),
    Column("submitter_email", lambda comment: comment.submitter and comment.submitter.email),
    Column("msgid", lambda comment: comment.msgid),
    Column("web_url", lambda comment: comment.web_url),
    Column("url", lambda comment: comment.url),
)


def about(function: F) -> F:
    """The options that say what the comment is on."""
    function = click.option("--cover", metavar="ID", type=ID, help="On the cover letter with this id.")(
        function
    )
    return click.option("--patch", metavar="ID", type=ID, help="On the patch with this id.")(function)


def _one(patch: int | None, cover: int | None) -> tuple[bool, int]:
    """Whether it is a patch that is commented on, and its id or that of the cover letter."""
    if patch is not None and cover is None:
        return True, patch
    if cover is not None and patch is None:
        return False, cover
    raise UsageError("either a patch or a cover letter is needed", hint="Give one of --patch and --cover.")


@group(__name__, "list", "show", "update", epilog=EPILOG, short_help="List, show and mark comments.")
def comment() -> None:
    """Lists, shows and marks replies to a patch or to a cover letter."""


@command("list", short_help="List comments.")
@about
@list_options()
def list_(settings: Settings, patch: int | None, cover: int | None, **flags: Any) -> Errand:
    """Lists the replies to a patch or to a cover letter."""
    on_patch, number = _one(patch, cover)

    def ask(patchwork: Patchwork, filters: dict[str, Any]) -> Listing[Comment]:
        return (patchwork.patch_comments if on_patch else patchwork.cover_comments)(number, **filters)

    return listed(settings, COLUMNS, ask, flags)


@command(short_help="Show a comment.")
@click.argument("comment_id", metavar="COMMENT", type=ID)
@about
def show(settings: Settings, comment_id: int, patch: int | None, cover: int | None) -> Errand:
    """Shows the comment with this id."""
    on_patch, number = _one(patch, cover)

    def ask(patchwork: Patchwork, _: object) -> Awaitable[Comment]:
        return (patchwork.patch_comment if on_patch else patchwork.cover_comment)(number, comment_id)

    return shown(settings, ask)


@command(short_help="Mark a comment.")
@click.argument("comment_id", metavar="COMMENT", type=ID)
@about
@click.option("--addressed/--no-addressed", default=None, help="What it asks for is done, or is to be done.")
@click.option("--unset", is_flag=True, help="Nobody says that it is done or not.")
def update(
    settings: Settings,
    comment_id: int,
    patch: int | None,
    cover: int | None,
    addressed: bool | None,
    unset: bool,
) -> Errand:
    """Marks the comment with this id as addressed or not, and shows it."""
    on_patch, number = _one(patch, cover)
    if unset == (addressed is not None):
        raise UsageError(
            "a comment is marked in one way", hint="Give one of --addressed, --no-addressed and --unset."
        )

    def ask(patchwork: Patchwork, _: object) -> Awaitable[Comment]:
        change = patchwork.update_patch_comment if on_patch else patchwork.update_cover_comment
        return change(number, comment_id, addressed=addressed)

    return shown(settings, ask, writing=True)
