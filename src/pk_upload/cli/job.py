"""`pk-upload job`: work that the service does in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pk_upload.cli.command import Command
from pk_upload.cli.errand import Answer, Desk, Errand
from pk_upload.cli.options import call_options, global_options
from pk_upload.cli.settings import Settings
from pk_upload.cli.values import DAY
from pk_upload.errors import DeadlineExceeded, GaveUpWaiting, PkUploadError, ProcessingFailed
from pk_upload.events import Progress, Stage

if TYPE_CHECKING:
    from pk_upload.patchkit import Job, PatchKit

__all__ = ["job"]

EPILOG = """\
\b
Examples:
  pk-upload job 5776de94-56dc-4e8a-8992-1c1d9da1410c
  pk-upload job 5776de94-56dc-4e8a-8992-1c1d9da1410c --wait --timeout 2h

Ends with 6 if the job failed, and with 12 if --wait ran out of time.
"""


@click.command(cls=Command, epilog=EPILOG, short_help="Show or await a background job.")
@click.argument("guid")
@click.option("--wait", is_flag=True, help="Wait until the job has ended, a day unless --timeout is given.")
@call_options
@global_options
@click.pass_obj
def job(settings: Settings, guid: str, wait: bool) -> Errand:
    """Shows the job with this GUID, or waits for its end; needs no key."""

    async def work(desk: Desk) -> Answer:
        from pk_upload.cli.client import connected
        from pk_upload.cli.tables import fields

        async with connected(settings, desk.emit) as patchkit:
            found = await (_ended(patchkit, guid, desk) if wait else patchkit.job(guid))
        if found.finished and found.status:
            raise ProcessingFailed(
                f"processing failed: {found.status_message or f'status {found.status}'}",
                hint="Push the build again.",
            )
        return Answer(found, fields(found))

    def too_late(timeout: float) -> PkUploadError:
        message = f"job {guid} has not ended within the {timeout:g} s of --timeout"
        return GaveUpWaiting(message) if wait else DeadlineExceeded(message)

    return Errand(work, settings.timeout, too_late, resumable=wait)


async def _ended(patchkit: PatchKit, guid: str, desk: Desk) -> Job:
    from pk_upload.polling import poll_until

    desk.emit(Stage("processing", f"job {guid}"))

    def over(now: Job) -> bool:
        desk.emit(Progress("processing", now.progress or 0.0, now.status_message or ""))
        return now.finished

    return await poll_until(
        over, lambda: patchkit.job(guid), what=f"processing (job {guid})", timeout=DAY, flag="--timeout"
    )
