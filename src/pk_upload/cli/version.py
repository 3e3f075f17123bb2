"""`pk-upload version`: the versions of an app. `version publish` has a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pk_upload.cli.changelog import read_changelog
from pk_upload.cli.command import Command, Group
from pk_upload.cli.errand import Answer, Desk, Errand
from pk_upload.cli.options import app_option, call_options, global_options
from pk_upload.cli.settings import Settings
from pk_upload.cli.values import TEXT, VERSION, WHEN
from pk_upload.errors import UsageError

if TYPE_CHECKING:
    from pk_upload.patchkit import Version

__all__ = ["create", "list_", "show", "update", "version"]

EPILOG = """\
\b
Examples:
  pk-upload version list --app SECRET
  pk-upload version show latest --app SECRET --json
  pk-upload version update 7 --app SECRET --publish-time 2030-01-31T18:00+01:00
  pk-upload version publish 7 --app SECRET
"""
HERE = "pk_upload.cli.version"


@click.command(
    cls=Group,
    places={
        "list": f"{HERE}:list_",
        "show": f"{HERE}:show",
        "create": f"{HERE}:create",
        "update": f"{HERE}:update",
        "publish": "pk_upload.cli.publish:publish",
    },
    epilog=EPILOG,
    short_help="List, show, make, change and publish versions.",
)
@global_options
def version() -> None:
    """Lists, shows, makes, changes and publishes versions."""


@click.command("list", cls=Command, short_help="List the app's versions.")
@app_option
@call_options
@global_options
@click.pass_obj
def list_(settings: Settings) -> Errand:
    """Lists the app's versions; drafts only with the owner's key."""
    app = settings.require_app()

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected
        from pk_upload.cli.tables import table

        async with connected(settings, desk.emit) as patchkit:
            versions = await patchkit.versions(app)
        rows = [[str(each.id), each.label, _state(each), _date(each)] for each in versions]
        return Answer(versions, table(("ID", "LABEL", "STATE", "PUBLISHED"), rows))

    return Errand(work, settings.timeout)


@click.command(cls=Command, short_help="Show a version.")
@click.argument("vid", type=VERSION)
@app_option
@call_options
@global_options
@click.pass_obj
def show(settings: Settings, vid: int | str) -> Errand:
    """Shows the version with this id, or the `latest`.

    That is the newest one published. No key is needed for what is published.
    """
    app = settings.require_app()

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected
        from pk_upload.cli.tables import fields

        async with connected(settings, desk.emit) as patchkit:
            found = await (
                patchkit.version(app, vid) if isinstance(vid, int) else patchkit.latest_version(app)
            )
        return Answer(found, fields(found))

    return Errand(work, settings.timeout)


@click.command(cls=Command, short_help="Make a draft.")
@app_option
@click.option(
    "--label", required=True, metavar="TEXT", type=TEXT, help="What players see the version called."
)
@click.option("--changelog", metavar="TEXT|@FILE", type=TEXT, help="What is new, or the file that says it.")
@call_options
@global_options
@click.pass_obj
def create(settings: Settings, label: str, changelog: str | None) -> Errand:
    """Makes a draft and shows it; an app has one at a time."""
    settings.require_key()
    app, text = settings.require_app(), read_changelog(changelog)

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected
        from pk_upload.cli.tables import fields
        from pk_upload.steps import make_draft

        async with connected(settings, desk.emit) as patchkit:
            made = await make_draft(patchkit, desk.emit, app, label, text)
        return Answer(made, fields(made))

    return Errand(work, settings.timeout)


@click.command(cls=Command, short_help="Change a version.")
@click.argument("vid", type=click.IntRange(min=1))
@app_option
@click.option("--label", metavar="TEXT", type=TEXT, help="What players see the version called.")
@click.option("--changelog", metavar="TEXT|@FILE", type=TEXT, help="What is new, or the file that says it.")
@click.option(
    "--publish-when-processed/--no-publish-when-processed",
    default=None,
    help="Whether the service publishes it by itself once it is processed.",
)
@click.option(
    "--publish-time",
    metavar="WHEN",
    type=WHEN,
    help="When it is to appear once it is published: ISO 8601 with a time zone, or Unix seconds; "
    "0 for at once.",
)
@call_options
@global_options
@click.pass_obj
def update(
    settings: Settings,
    vid: int,
    label: str | None,
    changelog: str | None,
    publish_when_processed: bool | None,
    publish_time: int | None,
) -> Errand:
    """Changes the version with this id and shows it."""
    settings.require_key()
    app, text = settings.require_app(), read_changelog(changelog)
    if all(each is None for each in (label, text, publish_when_processed, publish_time)):
        raise UsageError("nothing to change", hint="`pk-upload version update --help` lists what can be.")

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected
        from pk_upload.cli.tables import fields

        async with connected(settings, desk.emit) as patchkit:
            changed = await patchkit.update_version(
                app,
                vid,
                label=label,
                changelog=text,
                publish_when_processed=publish_when_processed,
                publish_time=publish_time,
            )
        return Answer(changed, fields(changed))

    return Errand(work, settings.timeout)


def _state(version: Version) -> str:
    if version.published:
        return "published"
    if version.pending_publish:
        return "scheduled" if version.publish_time else "publishing"
    if version.has_processing_error:
        return "failed"
    return "draft" if version.draft else "-"


def _date(version: Version) -> str:
    from pk_upload.answers import moment

    return moment(version.publish_date) if version.published and version.publish_date else "-"
