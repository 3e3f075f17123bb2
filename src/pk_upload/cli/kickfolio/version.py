"""`pk-upload kickfolio version`: the versions of an app, or of them all."""

from __future__ import annotations

import click

from pk_upload.cli.command import Command, Group
from pk_upload.cli.deletion import deleted, require_yes, yes_option
from pk_upload.cli.errand import Answer, Desk, Errand
from pk_upload.cli.kickfolio.waiting import Waiting, wait_option
from pk_upload.cli.options import call_options, global_options, kickfolio_options, waiting_option
from pk_upload.cli.settings import Settings
from pk_upload.cli.values import IDS, NAME, TEXT
from pk_upload.errors import UsageError

__all__ = ["create", "delete", "list_", "show", "update", "version"]

EPILOG = """\
\b
Examples:
  pk-upload kickfolio version list --app ABCD123
  pk-upload kickfolio version create --app ABCD123 --bundle-url https://example.com/game.zip --wait
  pk-upload kickfolio version show c541ce63-2851-44c2-835f-10c9e55390f3 --json
"""
HERE = "pk_upload.cli.kickfolio.version"
SCOPE = "Only within this app: its UUID or public key."


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
    short_help="List, show, make, change and delete versions.",
)
@kickfolio_options
@global_options
def version() -> None:
    """Lists, shows, makes, changes and deletes versions."""


@click.command("list", cls=Command, short_help="List versions.")
@click.option("--app", metavar="ID", type=TEXT, help=SCOPE)
@click.option(
    "--ids", metavar="ID,ID", multiple=True, type=IDS, help="Only those with these UUIDs; may be repeated."
)
@kickfolio_options
@call_options
@global_options
@click.pass_obj
def list_(settings: Settings, app: str | None, ids: tuple[tuple[str, ...], ...]) -> Errand:
    """Lists the versions of an app, or of the account."""
    settings.require_kickfolio()
    wanted = [each for given in ids for each in given] or None

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected_kickfolio
        from pk_upload.cli.tables import table

        async with connected_kickfolio(settings, desk.emit) as kickfolio:
            versions = await kickfolio.versions(app=app, ids=wanted)
        rows = [
            [each.id, each.app_id, each.state, each.version_string or "-", each.bundle_url or "-"]
            for each in versions
        ]
        return Answer(versions, table(("ID", "APP", "STATE", "VERSION", "BUNDLE"), rows))

    return Errand(work, settings.timeout)


@click.command(cls=Command, short_help="Show a version.")
@click.argument("vid", metavar="ID", type=TEXT)
@click.option("--app", metavar="ID", type=TEXT, help=SCOPE)
@wait_option
@waiting_option("processing")
@kickfolio_options
@call_options
@global_options
@click.pass_obj
def show(settings: Settings, vid: str, app: str | None, wait: bool, processing_timeout: float) -> Errand:
    """Shows the version with this UUID, with --wait once it is ready."""
    settings.require_kickfolio()
    waiting = Waiting()

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected_kickfolio
        from pk_upload.cli.tables import fields

        async with connected_kickfolio(settings, desk.emit) as kickfolio:
            found = await kickfolio.version(vid, app=app)
            if wait:
                found = await waiting.until_ready(kickfolio, found, processing_timeout, desk.emit)
        return Answer(found, fields(found))

    return Errand(work, settings.timeout, waiting.too_late, resumable=wait)


@click.command(cls=Command, short_help="Make a version.")
@click.option("--app", required=True, metavar="ID", type=NAME, help="The app's UUID or public key.")
@click.option(
    "--bundle-url",
    required=True,
    metavar="URL",
    type=NAME,
    help="Where the service gets the ZIP that holds the .app bundle.",
)
@click.option(
    "--version-string", metavar="TEXT", type=TEXT, help="What the version is called, such as 1.2.4."
)
@wait_option
@waiting_option("processing")
@kickfolio_options
@call_options
@global_options
@click.pass_obj
def create(
    settings: Settings,
    app: str,
    bundle_url: str,
    version_string: str | None,
    wait: bool,
    processing_timeout: float,
) -> Errand:
    """Makes a version and shows it: pending, or with --wait ready.

    Each call makes one; `pk-upload kickfolio publish` goes on with one that is pending.
    """
    settings.require_kickfolio()
    waiting = Waiting()

    async def work(desk: Desk) -> Answer:
        from pk_upload.bundles import make_version
        from pk_upload.cli.client import connected_kickfolio
        from pk_upload.cli.tables import fields

        async with connected_kickfolio(settings, desk.emit) as kickfolio:
            made = await make_version(kickfolio, desk.emit, app, bundle_url, version_string)
            if wait:
                made = await waiting.until_ready(kickfolio, made, processing_timeout, desk.emit)
        return Answer(made, fields(made))

    return Errand(work, settings.timeout, waiting.too_late)


@click.command(cls=Command, short_help="Change a version.")
@click.argument("vid", metavar="ID", type=TEXT)
@click.option("--app", metavar="ID", type=TEXT, help=SCOPE)
@click.option("--bundle-url", metavar="URL", type=NAME, help="Where the service is to get the bundle anew.")
@click.option("--version-string", metavar="TEXT", type=TEXT, help="What the version is to be called.")
@wait_option
@waiting_option("processing")
@kickfolio_options
@call_options
@global_options
@click.pass_obj
def update(
    settings: Settings,
    vid: str,
    app: str | None,
    bundle_url: str | None,
    version_string: str | None,
    wait: bool,
    processing_timeout: float,
) -> Errand:
    """Changes the version with this UUID and shows it, with --wait once it is ready."""
    settings.require_kickfolio()
    waiting = Waiting()
    if bundle_url is None and version_string is None:
        raise UsageError("nothing to change", hint="Give --bundle-url, --version-string, or both.")

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected_kickfolio
        from pk_upload.cli.tables import fields

        async with connected_kickfolio(settings, desk.emit) as kickfolio:
            before = await kickfolio.version(vid, app=app)  # for the service wants all of it said again
            changed = await kickfolio.update_version(
                vid,
                app=_said(app or before.app_id, "--app"),
                bundle_url=_said(bundle_url or before.bundle_url, "--bundle-url"),
                version_string=version_string,
                scoped=app is not None,
            )
            if wait:
                changed = await waiting.until_ready(kickfolio, changed, processing_timeout, desk.emit)
        return Answer(changed, fields(changed))

    return Errand(work, settings.timeout, waiting.too_late)


def _said(value: str | None, flag: str) -> str:
    """What the service wants said again, as it is or as it is to be."""
    if not value:
        raise UsageError(f"the service does not tell what to repeat of {flag}", hint=f"Give {flag}.")
    return value


@click.command(cls=Command, short_help="Delete a version.")
@click.argument("vid", metavar="ID", type=TEXT)
@yes_option
@kickfolio_options
@call_options
@global_options
@click.pass_obj
def delete(settings: Settings, vid: str, yes: bool) -> Errand:
    """Deletes the version with this UUID, for good."""
    require_yes(yes, f"version {vid}")
    settings.require_kickfolio()

    async def work(desk: Desk) -> Answer:
        from pk_upload.bundles import delete_version
        from pk_upload.cli.client import connected_kickfolio

        async with connected_kickfolio(settings, desk.emit) as kickfolio:
            gone = await delete_version(kickfolio, desk.emit, vid)
        return deleted("version", gone.id)

    return Errand(work, settings.timeout)
