"""`pk-upload version publish`: publishing asked for and watched to its end, as a push does it."""

from __future__ import annotations

import click

from pk_upload.cli.command import Command
from pk_upload.cli.errand import Answer, Desk, Errand
from pk_upload.cli.options import app_option, call_options, global_options, waiting_option
from pk_upload.cli.settings import Settings
from pk_upload.errors import DeadlineExceeded, GaveUpWaiting, PkUploadError
from pk_upload.events import Stage

__all__ = ["publish"]


@click.command(cls=Command, short_help="Publish a version.")
@click.argument("vid", type=click.IntRange(min=1))
@app_option
@click.option("--wait/--no-wait", default=True, help="See it published, or leave at once.  [default: wait]")
@waiting_option("publishing")
@call_options
@global_options
@click.pass_obj
def publish(settings: Settings, vid: int, wait: bool, publishing_timeout: float) -> Errand:
    """Publishes the version with this id.

    A version that is published already stays so.
    """
    settings.require_key()
    app = settings.require_app()
    asked = False

    async def work(desk: Desk) -> Answer:
        nonlocal asked
        from pk_upload.cli.client import connected
        from pk_upload.steps import publish_version

        async with connected(settings, desk.emit) as patchkit:
            version = await patchkit.version(app, vid)
            desk.emit(Stage("publishing", f"version {vid}"))
            asked = True
            version = await publish_version(
                patchkit, app, version, wait=wait, timeout=publishing_timeout, emit=desk.emit
            )
            if not wait:
                version = await patchkit.version(app, vid)  # it was read before publishing was asked for
        return Answer(version, _outcome(vid, version.label, version.published, version.publish_time))

    def too_late(timeout: float) -> PkUploadError:
        message = f"publishing has not ended within the {timeout:g} s of --timeout"
        return GaveUpWaiting(message) if asked and wait else DeadlineExceeded(message)

    return Errand(work, settings.timeout, too_late, resumable=wait)


def _outcome(vid: int, label: str, published: bool, publish_time: int | None) -> str:
    from pk_upload.answers import moment

    if published:
        return f"version {vid} ({label}) is published"
    if publish_time:
        return f"version {vid} ({label}) will be published at {moment(publish_time)}"
    return f"version {vid} ({label}) is being published"
