"""`pk-upload state`: what interrupted runs left behind, to be gone on with or forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pk_upload.cli.command import Command, Group
from pk_upload.cli.errand import Answer, Desk, Errand
from pk_upload.cli.options import global_options, state_option
from pk_upload.cli.settings import Settings
from pk_upload.errors import StateError, UsageError

if TYPE_CHECKING:
    from pk_upload.transfer import Kept

__all__ = ["forget", "list_", "show", "state"]

EPILOG = """\
\b
Examples:
  pk-upload state list
  pk-upload state forget 3f2a
  pk-upload state forget --all

A run that ends well leaves nothing, but for a draft that is still to be published. What nobody goes on with
for 90 days is removed by a later run.
"""
HERE = "pk_upload.cli.state"


@click.command(
    cls=Group,
    places={"list": f"{HERE}:list_", "show": f"{HERE}:show", "forget": f"{HERE}:forget"},
    epilog=EPILOG,
    short_help="List, show and forget what can be resumed.",
)
@global_options
def state() -> None:
    """Lists, shows and forgets what can be resumed: the same command with the same source goes on with it."""


@click.command("list", cls=Command, short_help="List what can be resumed.")
@state_option
@global_options
@click.pass_obj
def list_(settings: Settings) -> Errand:
    """Lists what can be resumed, the newest first."""

    async def work(_desk: Desk) -> Answer:
        from pk_upload.cli.tables import table

        found = await _kept(settings)
        if not found:
            return Answer(found, f"nothing in {_directory(settings)} waits to be resumed")
        return Answer(found, table(("ID", "STEP", "DELIVERED", "LABEL", "SOURCE"), [*map(_row, found)]))

    return Errand(work)


@click.command(cls=Command, short_help="Show one of them.")
@click.argument("id_", metavar="ID")
@state_option
@global_options
@click.pass_obj
def show(settings: Settings, id_: str) -> Errand:
    """Shows what is kept under ID, or under the only one that begins so."""

    async def work(_desk: Desk) -> Answer:
        from pk_upload.cli.tables import fields

        found = _named(id_, await _kept(settings))
        return Answer(found, fields(found))

    return Errand(work)


@click.command(cls=Command, short_help="Forget some of them, or all.")
@click.argument("ids", metavar="ID", nargs=-1)
@click.option("--all", "all_", is_flag=True, help="Forget everything that no run is at work on.")
@state_option
@global_options
@click.pass_obj
def forget(settings: Settings, ids: tuple[str, ...], all_: bool) -> Errand:
    """Forgets what is kept under each ID. What the service holds stays there; the next run begins anew."""
    if all_ == bool(ids):
        raise UsageError(
            "nothing to forget" if not ids else "both ids and --all are given",
            hint="Name what to forget by its ID, as `pk-upload state list` shows it, or give --all.",
        )

    async def work(_desk: Desk) -> Answer:
        import anyio

        from pk_upload.transfer import forget as remove

        found = await _kept(settings)
        at_work = [each.id for each in found if each.held_by is not None] if all_ else []
        chosen = [each.id for each in (found if all_ else [_named(id_, found) for id_ in ids])]
        gone = [id_ for id_ in chosen if id_ not in at_work]
        for id_ in gone:
            await anyio.to_thread.run_sync(remove, _directory(settings), id_)
        text = f"forgotten: {', '.join(gone) or 'nothing'}"
        if at_work:
            text += f"\nkept, for a run is at work on it: {', '.join(at_work)}"
        return Answer({"forgotten": gone}, text)

    return Errand(work)


def _directory(settings: Settings) -> Path:
    from pk_upload.transfer import default_state_dir

    return settings.state_dir or default_state_dir()


async def _kept(settings: Settings) -> list[Kept]:
    import anyio

    from pk_upload.transfer import kept

    return await anyio.to_thread.run_sync(kept, _directory(settings))


def _named(beginning: str, found: Sequence[Kept]) -> Kept:
    """The one whose id begins so; raises `StateError` if there is none, or more than one."""
    matches = [each for each in found if beginning and each.id.startswith(beginning)]
    if len(matches) != 1:
        raise StateError(
            f"{'several' if matches else 'none'} of what is kept has an id that begins with {beginning!r}",
            hint="`pk-upload state list` shows the ids.",
        )
    return matches[0]


def _row(each: Kept) -> list[str]:
    from pk_upload.units import amounts

    if each.damage is not None:
        return [each.id[:8], "damaged", each.damage, "", ""]
    step = each.step
    if each.held_by is not None:
        step += f" (process {each.held_by})" if each.held_by else " (another process)"
    return [each.id[:8], step, amounts(each.bytes_confirmed, each.bytes_total), each.label, each.source]
