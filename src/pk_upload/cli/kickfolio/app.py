"""`pk-upload kickfolio app`: the apps of the account."""

from __future__ import annotations

import click

from pk_upload.cli.command import Command, Group
from pk_upload.cli.deletion import deleted, require_yes, yes_option
from pk_upload.cli.errand import Answer, Desk, Errand
from pk_upload.cli.options import call_options, global_options, kickfolio_options
from pk_upload.cli.settings import Settings
from pk_upload.cli.values import IDS, NAME, TEXT

__all__ = ["app", "create", "delete", "list_", "show", "update"]

EPILOG = """\
\b
Examples:
  pk-upload kickfolio app create --name "My game"
  pk-upload kickfolio app show ABCD123 --json
  pk-upload kickfolio app delete ABCD123 --yes
"""
HERE = "pk_upload.cli.kickfolio.app"


@click.command(
    cls=Group,
    places={
        "list": f"{HERE}:list_",
        "show": f"{HERE}:show",
        "create": f"{HERE}:create",
        "update": f"{HERE}:update",
        "delete": f"{HERE}:delete",
    },
    epilog=EPILOG,
    short_help="List, show, make, rename and delete apps.",
)
@kickfolio_options
@global_options
def app() -> None:
    """Lists, shows, makes, renames and deletes apps."""


@click.command("list", cls=Command, short_help="List the account's apps.")
@click.option(
    "--ids", metavar="ID,ID", multiple=True, type=IDS, help="Only those with these UUIDs; may be repeated."
)
@kickfolio_options
@call_options
@global_options
@click.pass_obj
def list_(settings: Settings, ids: tuple[tuple[str, ...], ...]) -> Errand:
    """Lists the account's apps."""
    settings.require_kickfolio()
    wanted = [each for given in ids for each in given] or None

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected_kickfolio
        from pk_upload.cli.tables import table

        async with connected_kickfolio(settings, desk.emit) as kickfolio:
            apps = await kickfolio.apps(ids=wanted)
        rows = [
            [each.id, each.public_key or "-", each.name, each.bundle or "-", str(len(each.versions))]
            for each in apps
        ]
        return Answer(apps, table(("ID", "PUBLIC KEY", "NAME", "BUNDLE", "VERSIONS"), rows))

    return Errand(work, settings.timeout)


@click.command(cls=Command, short_help="Show an app.")
@click.argument("identifier", metavar="ID", type=TEXT)
@kickfolio_options
@call_options
@global_options
@click.pass_obj
def show(settings: Settings, identifier: str) -> Errand:
    """Shows the app with this UUID or public key."""
    settings.require_kickfolio()

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected_kickfolio
        from pk_upload.cli.tables import fields

        async with connected_kickfolio(settings, desk.emit) as kickfolio:
            found = await kickfolio.app(identifier)
        return Answer(found, fields(found))

    return Errand(work, settings.timeout)


@click.command(cls=Command, short_help="Make an app.")
@click.option("--name", required=True, metavar="TEXT", type=NAME, help="What it is called.")
@kickfolio_options
@call_options
@global_options
@click.pass_obj
def create(settings: Settings, name: str) -> Errand:
    """Makes an app and shows it."""
    settings.require_kickfolio()

    async def work(desk: Desk) -> Answer:
        from pk_upload.bundles import make_app
        from pk_upload.cli.client import connected_kickfolio
        from pk_upload.cli.tables import fields

        async with connected_kickfolio(settings, desk.emit) as kickfolio:
            made = await make_app(kickfolio, desk.emit, name)
        return Answer(made, fields(made))

    return Errand(work, settings.timeout)


@click.command(cls=Command, short_help="Rename an app.")
@click.argument("identifier", metavar="ID", type=TEXT)
@click.option("--name", required=True, metavar="TEXT", type=NAME, help="What it is to be called.")
@kickfolio_options
@call_options
@global_options
@click.pass_obj
def update(settings: Settings, identifier: str, name: str) -> Errand:
    """Renames the app with this UUID or public key and shows it."""
    settings.require_kickfolio()

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected_kickfolio
        from pk_upload.cli.tables import fields

        async with connected_kickfolio(settings, desk.emit) as kickfolio:
            changed = await kickfolio.update_app(identifier, name=name)
        return Answer(changed, fields(changed))

    return Errand(work, settings.timeout)


@click.command(cls=Command, short_help="Delete an app.")
@click.argument("identifier", metavar="ID", type=TEXT)
@yes_option
@kickfolio_options
@call_options
@global_options
@click.pass_obj
def delete(settings: Settings, identifier: str, yes: bool) -> Errand:
    """Deletes the app with this UUID or public key, for good."""
    require_yes(yes, f"app {identifier}")
    settings.require_kickfolio()

    async def work(desk: Desk) -> Answer:
        from pk_upload.bundles import delete_app
        from pk_upload.cli.client import connected_kickfolio

        async with connected_kickfolio(settings, desk.emit) as kickfolio:
            gone = await delete_app(kickfolio, desk.emit, identifier)
        return deleted("app", gone.id)

    return Errand(work, settings.timeout)
