"""What the commands of `pk-upload patchwork` have in common, but for those that list."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pk_upload.cli.command import Command, Group
from pk_upload.cli.errand import Answer, Desk, Errand
from pk_upload.cli.options import call_options, global_options, patchwork_options
from pk_upload.cli.settings import Settings
from pk_upload.cli.values import ID, SOURCE
from pk_upload.errors import UsageError
from pk_upload.events import OnEvent
from pk_upload.redaction import plain

if TYPE_CHECKING:
    from pk_upload.patchwork import Patchwork

__all__ = ["ID", "changed", "command", "downloaded", "exclusive", "given", "group", "shown", "to_option"]

F = TypeVar("F", bound=Callable[..., Any])

to_option = click.option(
    "--to",
    required=True,
    metavar="FILE|-",
    type=SOURCE,
    help="Where to; a file that is there is replaced, and - is stdout.",
)


def group(module: str, *names: str, **how: Any) -> Callable[[F], click.Command]:
    """A group of the commands `names` in `module`, where `list` has an underscore behind it."""
    places = {name: f"{module}:{'list_' if name == 'list' else name}" for name in names}
    return command(cls=Group, places=places, **how)


def command(name: str | None = None, **how: Any) -> Callable[[F], click.Command]:
    """A command with what all of them take; one that is no group gets the settings as well."""

    def make(function: F) -> click.Command:
        cls: type[click.Command] = how.pop("cls", Command)
        ready: Any = global_options(function if cls is Group else click.pass_obj(function))
        return click.command(name, cls=cls, **how)(
            patchwork_options(ready if cls is Group else call_options(ready))
        )

    return make


def shown(
    settings: Settings, ask: Callable[[Patchwork, OnEvent], Awaitable[Any]], *, writing: bool = False
) -> Errand:
    """Shows what `ask` returns, field by field. For `writing` there has to be a token."""
    settings.require_patchwork(writing=writing)

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected_patchwork
        from pk_upload.cli.tables import fields

        async with connected_patchwork(settings, desk.emit) as patchwork:
            found = await ask(patchwork, desk.emit)
        return Answer(found, fields(found), quoted=True)

    return Errand(work, settings.timeout)


def downloaded(
    settings: Settings, to: str, ask: Callable[[Patchwork, str, OnEvent], Awaitable[int]]
) -> Errand:
    """Tells of the file `to`, whose size `ask` returns once it is there; "-" sends it to stdout."""
    settings.require_patchwork()
    if to == "-" and settings.given.get("json"):
        raise exclusive("--to -", "--json")
    if _is_stdout(to):  # by another name: to replace the file would lose what else goes there
        if settings.given.get("json"):
            raise UsageError(f"{to} is where the result goes", hint="Write to another file.")
        to = "-"

    async def work(desk: Desk) -> Answer | None:
        from pk_upload.cli.client import connected_patchwork

        async with connected_patchwork(settings, desk.emit) as patchwork:
            if to != "-":
                size = await ask(patchwork, to, desk.emit)
                return Answer({"file": to, "bytes": size}, f"{plain(to)}: {size} bytes")
            with tempfile.TemporaryDirectory(prefix="pk-upload-") as folder:  # a retry begins at the start
                place = Path(folder, "mbox")
                await ask(patchwork, str(place), desk.emit)
                desk.answer(Answer(None, "", file=place))
        return None

    return Errand(work, settings.timeout)


def _is_stdout(to: str) -> bool:
    try:
        return Path(to).is_file() and os.path.samestat(Path(to).stat(), os.fstat(1))
    except (OSError, ValueError):
        return False


def given(flags: dict[str, Any]) -> dict[str, Any]:
    """Those of `flags` that the user gave."""
    return {name: value for name, value in flags.items() if value is not None and value != ()}


def changed(flags: dict[str, Any]) -> dict[str, Any]:
    """The same for what is to be changed; raises `UsageError` if the user gave none."""
    wanted = given(flags)
    if not wanted:
        raise UsageError("nothing to change", hint="--help lists what can be changed.")
    return wanted


def exclusive(*flags: str) -> UsageError:
    """The error for more than one of `flags`."""
    return UsageError(f"{' and '.join(flags)} exclude each other", hint="Give one of them.")
