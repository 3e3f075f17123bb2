"""`pk-upload app`: the apps of the account."""

from __future__ import annotations

import click

from pk_upload.cli.command import Command, Group
from pk_upload.cli.errand import Answer, Desk, Errand
from pk_upload.cli.options import app_option, call_options, global_options
from pk_upload.cli.settings import Settings
from pk_upload.errors import UsageError

__all__ = ["app", "create", "list_", "show"]

# The client's list, repeated because the client is slow to import; a test compares the two.
PLATFORMS = (
    "windows_x86",
    "windows_x86_64",
    "mac_x86",
    "mac_x86_64",
    "mac_arm64",
    "linux_x86",
    "linux_x86_64",
    "other",
)
EPILOG = """\
\b
Examples:
  pk-upload app create --name "My game" --platform windows_x86_64
  pk-upload app list --json
"""
HERE = "pk_upload.cli.app"


@click.command(
    cls=Group,
    places={"list": f"{HERE}:list_", "show": f"{HERE}:show", "create": f"{HERE}:create"},
    epilog=EPILOG,
    short_help="List, show and make apps.",
)
@global_options
def app() -> None:
    """Lists, shows and makes apps."""


@click.command("list", cls=Command, short_help="List the account's apps.")
@call_options
@global_options
@click.pass_obj
def list_(settings: Settings) -> Errand:
    """Lists the account's apps."""
    settings.require_key()

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected
        from pk_upload.cli.tables import table

        async with connected(settings, desk.emit) as patchkit:
            apps = await patchkit.apps()
        rows = [[each.secret, each.name, each.platform, str(each.current_version or "-")] for each in apps]
        return Answer(apps, table(("SECRET", "NAME", "PLATFORM", "VERSION"), rows))

    return Errand(work, settings.timeout)


@click.command(cls=Command, short_help="Show an app.")
@click.argument("secret", required=False)
@app_option
@call_options
@global_options
@click.pass_obj
def show(settings: Settings, secret: str | None) -> Errand:
    """Shows the app with this SECRET, or that of --app; needs no key."""
    flag = settings.given.get("app")
    if secret and flag and secret != flag:
        raise UsageError("the app is given twice", hint="Give its secret as the argument or with --app.")
    chosen = secret or settings.require_app()

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected
        from pk_upload.cli.tables import fields

        async with connected(settings, desk.emit) as patchkit:
            found = await patchkit.app(chosen)
        return Answer(found, fields(found))

    return Errand(work, settings.timeout)


@click.command(cls=Command, short_help="Make an app.")
@click.option("--name", required=True, metavar="TEXT", help="The app's name on your account.")
@click.option("--platform", required=True, type=click.Choice(PLATFORMS), help="What it runs on.")
@call_options
@global_options
@click.pass_obj
def create(settings: Settings, name: str, platform: str) -> Errand:
    """Makes an app and shows it, with the secret that every other command asks for."""
    settings.require_key()

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected
        from pk_upload.cli.tables import fields
        from pk_upload.steps import make_app

        async with connected(settings, desk.emit) as patchkit:
            made = await make_app(patchkit, desk.emit, name, platform)
        return Answer(made, fields(made))

    return Errand(work, settings.timeout)
