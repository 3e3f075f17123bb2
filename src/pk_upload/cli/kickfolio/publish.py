"""`pk-upload kickfolio publish`: a bundle, from its address to a version that is ready."""

from __future__ import annotations

import click

from pk_upload.cli.command import Command
from pk_upload.cli.errand import Answer, Desk, Errand
from pk_upload.cli.kickfolio.waiting import Waiting
from pk_upload.cli.options import call_options, global_options, kickfolio_options, waiting_option
from pk_upload.cli.settings import Settings
from pk_upload.cli.values import NAME, TEXT
from pk_upload.errors import UsageError
from pk_upload.events import Event, Stage

__all__ = ["publish"]

EPILOG = """\
\b
Examples:
  pk-upload kickfolio publish https://example.com/game.zip --name "My game" --version-string 1.2.4
  pk-upload kickfolio publish https://example.com/game.zip --app ABCD123 --json

Interrupted, the same command goes on with the version that is pending, and with a --version-string takes
one that is ready. Ends with 6 if the service cannot use the bundle, and with 12 if it was not ready in time.
"""


@click.command(cls=Command, epilog=EPILOG, short_help="Publish a bundle.")
@click.argument("bundle_url", type=NAME)
@click.option("--app", metavar="ID", type=NAME, help="The app's UUID or public key.")
@click.option("--name", metavar="TEXT", type=NAME, help="The app's name; it is made unless there is one.")
@click.option(
    "--version-string", metavar="TEXT", type=TEXT, help="What the version is called, such as 1.2.4."
)
@waiting_option("processing")
@kickfolio_options
@call_options
@global_options
@click.pass_obj
def publish(
    settings: Settings,
    bundle_url: str,
    app: str | None,
    name: str | None,
    version_string: str | None,
    processing_timeout: float,
) -> Errand:
    """Makes a version of the ZIP at BUNDLE_URL and shows it once it is ready."""
    settings.require_kickfolio()
    if (app is None) == (name is None):
        raise UsageError("either an app or the name of one is needed", hint="Give one of --app and --name.")
    waiting = Waiting()

    async def work(desk: Desk) -> Answer:
        from pk_upload.bundles import publish_bundle
        from pk_upload.cli.client import connected_kickfolio
        from pk_upload.cli.tables import fields

        def tell(event: Event) -> None:
            if isinstance(event, Stage) and event.stage == "processing":
                waiting.version = event.detail.removeprefix("version ")
            desk.emit(event)

        async with connected_kickfolio(settings, desk.emit) as kickfolio:
            done = await publish_bundle(
                kickfolio,
                bundle_url,
                app=app,
                name=name,
                version_string=version_string,
                timeout=processing_timeout,
                on_event=tell,
            )
        return Answer(done, fields(done))

    return Errand(work, settings.timeout, waiting.too_late, resumable=True)
