"""`pk-upload patchwork bundle`: patches that a user has put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pk_upload.cli.deletion import deleted, require_yes, yes_option
from pk_upload.cli.errand import Answer, Desk, Errand
from pk_upload.cli.patchwork.calling import ID, changed, command, downloaded, group, shown, to_option
from pk_upload.cli.patchwork.filters import any_of, by_project, by_words, whether
from pk_upload.cli.patchwork.listing import Column, called, list_options, listed, of_project
from pk_upload.cli.settings import Settings
from pk_upload.cli.values import NAME
from pk_upload.events import OnEvent

if TYPE_CHECKING:
    from pk_upload.patchwork import Bundle, Patchwork

__all__ = ["bundle", "create", "delete", "download", "list_", "show", "update"]

EPILOG = """\
\b
Examples:
  pk-upload patchwork bundle list --owner maint --public
  pk-upload patchwork bundle create --name for-next --patch 40 --patch 41
  pk-upload patchwork bundle download 4 --to for-next.mbox
  pk-upload patchwork bundle delete 4 --yes
"""
COLUMNS: tuple[Column[Bundle], ...] = (
    Column("id", lambda bundle: bundle.id, "ID"),
    Column("owner", lambda bundle: called(bundle.owner), "OWNER"),
    Column("project", lambda bundle: of_project(bundle.project), "PROJECT"),
    Column("public", lambda bundle: bundle.public, "PUBLIC"),
    Column("patch_count", lambda bundle: len(bundle.patches), "PATCHES"),
    Column("name", lambda bundle: bundle.name, "NAME"),
    Column("patches", lambda bundle: tuple(patch.id for patch in bundle.patches)),
    Column("web_url", lambda bundle: bundle.web_url),
    Column("url", lambda bundle: bundle.url),
)
ORDERS = ("id", "name", "owner")


@group(
    __name__,
    "list",
    "show",
    "create",
    "update",
    "delete",
    "download",
    epilog=EPILOG,
    short_help="List, show, make, change, delete and download bundles.",
)
def bundle() -> None:
    """Lists, shows, makes, changes, deletes and downloads bundles: patches that a user has put together."""


@command("list", short_help="List bundles.")
@by_project
@any_of("--owner", "ID|USER", NAME, "Of this user, by id or user name")
@whether("--public/--private", "For everybody to see, or for their owner alone")
@by_words
@list_options(*ORDERS)
def list_(settings: Settings, **flags: Any) -> Errand:
    """Lists the public bundles and, with a token, your own."""
    if flags.get("public") is False:
        settings.require_patchwork(writing=True)  # who asks is shown private ones, or nobody is
    return listed(settings, COLUMNS, lambda patchwork, filters: patchwork.bundles(**filters), flags)


@command(short_help="Show a bundle.")
@click.argument("bundle_id", metavar="ID", type=ID)
def show(settings: Settings, bundle_id: int) -> Errand:
    """Shows the bundle with this id, with its patches."""
    return shown(settings, lambda patchwork, _: patchwork.bundle(bundle_id))


@command(short_help="Make a bundle.")
@click.option("--name", required=True, metavar="TEXT", type=NAME, help="What it is called.")
@any_of("--patch", "ID", ID, "A patch in it, of the project of the others", required=True)
@click.option("--public/--private", default=False, help="Who sees it.  [default: private]")
def create(settings: Settings, name: str, patch: tuple[int, ...], public: bool) -> Errand:
    """Makes a bundle of these patches and shows it."""

    async def make(patchwork: Patchwork, emit: OnEvent) -> Bundle:
        from pk_upload.reviews import make_bundle

        return await make_bundle(patchwork, emit, name, patch, public)

    return shown(settings, make, writing=True)


@command(short_help="Change a bundle.")
@click.argument("bundle_id", metavar="ID", type=ID)
@click.option("--name", metavar="TEXT", type=NAME, help="What it is to be called.")
@any_of("--patch", "ID", ID, "A patch that is to be in it, in place of those it has")
@click.option("--public/--private", default=None, help="Who is to see it.")
def update(settings: Settings, bundle_id: int, patch: tuple[int, ...], **flags: Any) -> Errand:
    """Changes the bundle with this id and shows it."""
    changes = changed({**flags, "patches": patch})

    async def change(patchwork: Patchwork, emit: OnEvent) -> Bundle:
        from pk_upload.reviews import change_bundle

        return await change_bundle(patchwork, emit, bundle_id, **changes)

    return shown(settings, change, writing=True)


@command(short_help="Delete a bundle.")
@click.argument("bundle_id", metavar="ID", type=ID)
@yes_option
def delete(settings: Settings, bundle_id: int, yes: bool) -> Errand:
    """Deletes the bundle with this id, for good; its patches stay."""
    require_yes(yes, f"bundle {bundle_id}")
    settings.require_patchwork(writing=True)

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected_patchwork
        from pk_upload.reviews import delete_bundle

        async with connected_patchwork(settings, desk.emit) as patchwork:
            gone = await delete_bundle(patchwork, desk.emit, bundle_id)
        return deleted("bundle", gone.id)

    return Errand(work, settings.timeout)


@command(short_help="Download a bundle.")
@click.argument("bundle_id", metavar="ID", type=ID)
@to_option
def download(settings: Settings, bundle_id: int, to: str) -> Errand:
    """Writes the patches of the bundle with this id to a file, as an mbox that `git am` takes."""
    return downloaded(settings, to, lambda patchwork, place, _: patchwork.download_bundle(bundle_id, place))
