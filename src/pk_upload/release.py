"""A release from the build to its publication: version, upload, processing, checks, publishing."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from typing import Any

import anyio

from pk_upload.answers import moment
from pk_upload.archive import Packing
from pk_upload.errors import DeadlineExceeded, GaveUpWaiting, PkUploadError
from pk_upload.events import Message, OnEvent, Stage, emitter
from pk_upload.patchkit import PatchKit, Version
from pk_upload.polling import DAY
from pk_upload.steps import (
    Inspection,
    Run,
    Wishes,
    check,
    find_or_make_draft,
    process,
    publish,
    scheduled_for,
)
from pk_upload.transfer import Tally, TransferConfig, opened, out_of_time

__all__ = ["Release", "release"]


@dataclass(frozen=True, slots=True)
class Release:
    """How a release ended. Sizes are bytes, `elapsed` seconds, `publish_time` Unix seconds.

    `published` is false with a `publish_time` when the service will publish by itself then; `bytes_resumed`
    is what this run did not have to send.
    """

    app: str
    version_id: int
    label: str
    upload_id: int | None
    job_guid: str | None
    published: bool
    publish_time: int | None
    bytes_total: int
    bytes_sent: int
    bytes_resumed: int
    messages: tuple[Message, ...]
    elapsed: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, under the same names."""
        return {**asdict(self), "messages": [asdict(each) for each in self.messages]}


async def release(
    patchkit: PatchKit,
    source: str | os.PathLike[str],
    *,
    app: str,
    label: str,
    changelog: str | None = None,
    publish: bool = False,
    wait: bool = True,
    overwrite_draft: bool = False,
    strict: bool = False,
    packing: Packing | None = None,
    processing_timeout: float = DAY,
    publishing_timeout: float = DAY,
    timeout: float | None = None,
    config: TransferConfig | None = None,
    on_event: OnEvent | None = None,
) -> Release:
    """Makes `source`, a ZIP or a folder, a version of `app`, and publishes it if `publish`.

    A build with errors is refused before a byte is sent, with `strict` one with warnings too; `packing` says
    how a folder becomes a ZIP. With `wait` false it returns as soon as the service has accepted the upload
    for processing; with `publish` the service then publishes by itself. `overwrite_draft` puts the build into
    a draft that exists. The timeouts are seconds; `timeout` bounds the whole run. Called again with the same
    source, app and label it goes on where it was interrupted.

    Raises `SourceUnreadable`, `PreflightFailed`, `DraftExists`, `UploadFailed`, `ProcessingFailed`,
    `PublishingFailed`, `GaveUpWaiting`, `StateError`, and what `PatchKit` raises.
    """
    began = time.monotonic()
    wishes = Wishes(
        app=app,
        label=label,
        changelog=changelog,
        publish=publish,
        wait=wait,
        overwrite_draft=overwrite_draft,
        processing_timeout=processing_timeout,
        publishing_timeout=publishing_timeout,
    )
    config, emit = config or TransferConfig(), emitter(on_event)
    patchkit = patchkit.listening(emit, retries=config.retries)
    run: Run | None = None
    with anyio.move_on_after(timeout):
        inspection = Inspection(patchkit, app, emit, strict=strict)
        async with opened(
            patchkit,
            source,
            packing=packing,
            inspect=inspection.look,
            config=config,
            emit=emit,
            app=app,
            label=label,
        ) as (build, journal):
            run = Run(patchkit, build, journal, wishes, config, emit, Tally(emit, build.size))
            version = await _steps(run)
            return await _done(run, version, began)
    raise _out_of_time(run, timeout)


async def _steps(run: Run) -> Version:
    """The version as the last step left it."""
    version = await find_or_make_draft(run)
    if not (version.published or version.pending_publish):
        if not await process(run, version):
            return version
        version = await check(run, version.id)
    if run.wishes.publish:
        version = await publish(run, version)
    return version


async def _done(run: Run, version: Version, began: float) -> Release:
    state, size = run.journal.state, run.source.size
    publish_time = scheduled_for(version, time.time()) if run.wishes.publish else None
    if publish_time is not None:
        run.emit(Stage("scheduled", f"version {version.id} will be published at {moment(publish_time)}"))
    run.emit(Stage("done", f"version {version.id}"))
    done = Release(
        app=run.wishes.app,
        version_id=version.id,
        label=version.label,
        upload_id=state.upload_id,
        job_guid=state.job_guid,
        published=version.published,
        publish_time=publish_time,
        bytes_total=size,
        bytes_sent=run.upload.bytes_sent if run.upload else 0,
        bytes_resumed=run.upload.bytes_resumed if run.upload else size,
        messages=tuple(run.messages),
        elapsed=round(time.monotonic() - began, 3),
    )
    if done.published:
        await run.journal.finish()  # whatever is still to be published is kept in mind for a later run
    return done


def _out_of_time(run: Run | None, timeout: float | None) -> PkUploadError:
    if run is None:
        return DeadlineExceeded(f"the time of {timeout:g} s was over before the source was looked through")
    if run.stage in {"processing", "checks", "publishing"}:
        return GaveUpWaiting(f"{run.stage} has not ended within the {timeout:g} s of --timeout")
    if run.stage == "upload":
        return out_of_time(timeout)
    return DeadlineExceeded(f"the time of {timeout:g} s was over in the step {run.stage!r}")
