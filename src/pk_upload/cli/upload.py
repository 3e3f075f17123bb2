"""`pk-upload upload`: the bytes, and no version."""

from __future__ import annotations

import click

from pk_upload.cli.command import Command
from pk_upload.cli.errand import Answer, Desk, Errand
from pk_upload.cli.options import folder_options, global_options, transfer_options
from pk_upload.cli.settings import Settings
from pk_upload.cli.values import SOURCE

__all__ = ["upload"]

EPILOG = """\
\b
Examples:
  pk-upload upload build.zip
  pk-upload upload build.zip --concurrency 4 --limit-rate 5MiB/s

Interrupted, the same command goes on where it stopped.
"""


@click.command(cls=Command, epilog=EPILOG, short_help="Upload the bytes alone.")
@click.argument("source", type=SOURCE)
@folder_options
@transfer_options
@global_options
@click.pass_obj
def upload(settings: Settings, source: str) -> Errand:
    """Uploads the bytes of SOURCE, a file, or a folder as a ZIP, and prints the upload's id.

    What to do with it is up to you.
    """
    settings.require_key()

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected
        from pk_upload.transfer import upload as deliver

        async with connected(settings, desk.emit) as patchkit:
            done = await deliver(
                patchkit,
                source,
                packing=settings.packing(),
                timeout=settings.timeout,
                config=settings.transfer(),
                on_event=desk.emit,
            )
        value = {
            "upload_id": done.upload_id,
            "bytes_total": done.bytes_total,
            "bytes_sent": done.bytes_sent,
            "bytes_resumed": done.bytes_resumed,
        }
        return Answer(value, str(done.upload_id))

    return Errand(work, resumable=settings.given.get("resume", True))
