"""`pk-upload patchwork patch`: patches, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from pk_upload.cli.errand import Errand
from pk_upload.cli.patchwork.calling import (
    ID,
    changed,
    command,
    downloaded,
    exclusive,
    given,
    group,
    shown,
    to_option,
)
from pk_upload.cli.patchwork.filters import (
    any_of,
    between,
    by_message,
    by_project,
    by_submitter,
    by_words,
    whether,
)
from pk_upload.cli.patchwork.listing import Column, called, list_options, listed, of_project
from pk_upload.cli.settings import Settings
from pk_upload.cli.values import NAME, SERIES

if TYPE_CHECKING:
    from pk_upload.patchwork import Patch

__all__ = ["download", "list_", "patch", "show", "update"]

EPILOG = """\
\b
Examples:
  pk-upload patchwork patch list --state new --state under-review --order -date --limit 20
  pk-upload patchwork patch show 40 --json
  pk-upload patchwork patch update 40 --state accepted --commit-ref 0123abcd --no-delegate
  pk-upload patchwork patch download 40 --to 40.mbox --series '*'
"""
COLUMNS: tuple[Column[Patch], ...] = (
    Column("id", lambda patch: patch.id, "ID"),
    Column("date", lambda patch: patch.date, "DATE"),
    Column("state", lambda patch: patch.state, "STATE"),
    Column("check", lambda patch: patch.check, "CHECK"),
    Column("submitter", lambda patch: called(patch.submitter), "SUBMITTER"),
    Column("name", lambda patch: patch.name, "NAME"),
    Column("submitter_email", lambda patch: patch.submitter and patch.submitter.email),
    Column("delegate", lambda patch: called(patch.delegate)),
    Column("project", lambda patch: of_project(patch.project)),
    Column("archived", lambda patch: patch.archived),
    Column("series", lambda patch: tuple(series.id for series in patch.series)),
    Column("commit_ref", lambda patch: patch.commit_ref),
    Column("pull_url", lambda patch: patch.pull_url),
    Column("hash", lambda patch: patch.hash),
    Column("msgid", lambda patch: patch.msgid),
    Column("web_url", lambda patch: patch.web_url),
    Column("url", lambda patch: patch.url),
)
STATES = (
    "new",
    "under-review",
    "accepted",
    "rejected",
    "rfc",
    "not-applicable",
    "changes-requested",
    "awaiting-upstream",
    "superseded",
    "deferred",
)
ORDERS = ("id", "name", "project", "date", "state", "archived", "submitter", "check")
REMOVABLE: dict[str, object] = {"delegate": None, "commit_ref": None, "pull_url": None, "related": ()}


@group(
    __name__,
    "list",
    "show",
    "update",
    "download",
    epilog=EPILOG,
    short_help="List, show, change and download patches.",
)
def patch() -> None:
    """Lists, shows, changes and downloads patches."""


@command("list", short_help="List patches.")
@by_project
@any_of("--series", "ID", ID, "Of this series")
@by_submitter
@any_of("--delegate", "ID|USER", NAME, "Delegated to this user, by id or user name")
@any_of("--state", "STATE", NAME, "In this state, such as new or under-review")
@whether("--archived/--no-archived", "Archived, or not archived")
@click.option("--hash", metavar="HASH", type=NAME, help="With this hash of its diff.")
@by_message
@between
@by_words
@list_options(*ORDERS)
def list_(settings: Settings, **flags: Any) -> Errand:
    """Lists patches."""
    return listed(
        settings, COLUMNS, lambda patchwork, filters: patchwork.patches(**filters), flags, _strange_state
    )


def _strange_state(filters: dict[str, Any]) -> str:
    """What is said of a state that most sites have not: the service has no patch in it, and no objection."""
    strange = [state for state in filters.get("state", ()) if state.lower() not in STATES]
    return f"this site may have no state {strange[0]!r}; most have {', '.join(STATES)}" if strange else ""


@command(short_help="Show a patch.")
@click.argument("patch_id", metavar="ID", type=ID)
def show(settings: Settings, patch_id: int) -> Errand:
    """Shows the patch with this id, with its e-mail."""
    return shown(settings, lambda patchwork, _: patchwork.patch(patch_id))


@command(short_help="Change a patch.")
@click.argument("patch_id", metavar="ID", type=ID)
@click.option("--state", metavar="STATE", type=NAME, help="The state it is to be in, such as accepted.")
@click.option("--archived/--no-archived", default=None, help="Whether it is archived.")
@click.option(
    "--delegate", metavar="ID|USER", type=NAME, help="The maintainer who is to look after it, by id or name."
)
@click.option("--no-delegate", is_flag=True, help="Nobody is to look after it.")
@click.option("--commit-ref", metavar="TEXT", type=NAME, help="The commit that it became.")
@click.option("--no-commit-ref", is_flag=True, help="It became none.")
@click.option("--pull-url", metavar="URL", type=NAME, help="Where it can be pulled from.")
@click.option("--no-pull-url", is_flag=True, help="It can be pulled from nowhere.")
@any_of("--related", "ID", ID, "A patch it is related to, beside those it is related to already")
@click.option("--no-related", is_flag=True, help="It is related to none.")
def update(settings: Settings, patch_id: int, **flags: Any) -> Errand:
    """Changes the patch with this id and shows it."""
    changes = _changes(flags)
    return shown(settings, lambda patchwork, _: patchwork.update_patch(patch_id, **changes), writing=True)


def _changes(flags: dict[str, Any]) -> dict[str, Any]:
    """What is to become what; raises `UsageError` if that is nothing, or two things at once."""
    removed = [name for name in REMOVABLE if flags.pop(f"no_{name}")]
    changes = given(flags)
    for name in removed:
        if name in changes:
            flag = name.replace("_", "-")
            raise exclusive(f"--{flag}", f"--no-{flag}")
        changes[name] = REMOVABLE[name]
    return changes or changed(flags)


@command(short_help="Download a patch.")
@click.argument("patch_id", metavar="ID", type=ID)
@to_option
@click.option(
    "--series",
    metavar="ID|*",
    type=SERIES,
    help="With the patches before it in this series, or with '*' in any.",
)
def download(settings: Settings, patch_id: int, to: str, series: int | Literal["*"] | None) -> Errand:
    """Writes the e-mail of the patch with this id to a file, as an mbox that `git am` takes."""
    return downloaded(
        settings, to, lambda patchwork, place, _: patchwork.download_patch(patch_id, place, series=series)
    )
