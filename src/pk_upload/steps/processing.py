"""The bytes delivered, the service's work on them awaited, and what it found judged."""

from __future__ import annotations

from pk_upload.errors import BadRequest, NotFound, ProcessingFailed, UploadFailed
from pk_upload.events import Message, Progress
from pk_upload.patchkit import Job, ProcessingMessage, Version
from pk_upload.polling import poll_until
from pk_upload.steps.draft import mark
from pk_upload.steps.run import Run
from pk_upload.transfer import Upload, deliver
from pk_upload.transfer.records import Checked, JobAsked, JobStarted, UploadDropped

__all__ = ["check", "process"]

UPLOAD_AGAIN = "Run the same command again: it uploads the build anew."


async def process(run: Run, version: Version) -> bool:
    """Whether processing has ended well; false only where it goes on and is not to be waited for."""
    guid = run.journal.state.job_guid
    job = None if guid is None else await _known_job(run, guid)
    await _leave_publishing_to_the_service(run, version)
    if guid is None or job is None:
        guid = await _start_job(run, version)
        if not run.wishes.wait:
            return False
    elif not (run.wishes.wait or job.finished):
        return False
    run.begin("processing", f"job {guid}")
    await _finish_job(run, guid)
    return True


async def check(run: Run, version_id: int) -> Version:
    """The version, once nothing bars it from being published; warnings are told and let pass.

    Raises `ProcessingFailed` for an error among the messages, or for `has_processing_error`.
    """
    run.begin("checks", f"version {version_id}")
    version = await run.patchkit.version(run.wishes.app, version_id)
    run.messages = [_message(each) for each in version.processing_messages or ()]
    for message in run.messages:
        run.emit(message)
    errors = [message.message for message in run.messages if message.severity == "error"]
    if errors or version.has_processing_error:
        await run.journal.record(UploadDropped())
        reason = "; ".join(errors) or "the service does not say why"
        again = "Uploading it again usually helps." if not errors else "Mend the build and push it again."
        raise ProcessingFailed(f"the service cannot use the build: {reason}", hint=again)
    await run.journal.record(Checked(mark(version)))
    return version


async def _leave_publishing_to_the_service(run: Run, version: Version) -> None:
    """Where this run is to publish and will not see the end, and never where it is not to publish."""
    asked = bool(version.publish_when_processed)
    if run.wishes.publish and not run.wishes.wait and not asked:
        await run.patchkit.update_version(run.wishes.app, version.id, publish_when_processed=True)
    elif asked and not run.wishes.publish:
        run.warn(f"version {version.id} was to be published when processed; it is not, without --publish")
        await run.patchkit.update_version(run.wishes.app, version.id, publish_when_processed=False)


async def _known_job(run: Run, guid: str) -> Job | None:
    """The job an earlier run started, for which all bytes were delivered."""
    try:
        job = await run.patchkit.job(guid)
    except NotFound:
        run.warn(f"the service does not know job {guid}; processing is asked for again")
        return None
    size = run.source.size
    run.upload = Upload(run.journal.state.upload_id or 0, size, 0, size)
    return job


async def _start_job(run: Run, version: Version) -> str:
    for again in (True, False):
        run.stage = "upload"
        run.upload = await deliver(
            run.patchkit, run.source, run.journal, config=run.config, emit=run.emit, tally=run.tally
        )
        await run.journal.record(JobAsked())
        try:
            guid = await run.patchkit.set_content_file(run.wishes.app, version.id, run.upload.upload_id)
        except NotFound:
            # If it is the app or the version that is gone, this says so; otherwise it is the upload.
            await run.patchkit.version(run.wishes.app, version.id)
            await run.journal.record(UploadDropped())
            if again:
                run.warn(f"the service lost upload {run.upload.upload_id}; it starts over")
        except BadRequest as error:
            if error.status != 400:  # what is refused is a value, and not the upload
                raise
            await run.journal.record(UploadDropped())  # or every later run would resume the failure
            raise UploadFailed(
                f"the service does not take the upload: {error.message}", hint=UPLOAD_AGAIN
            ) from error
        else:
            await run.journal.record(JobStarted(guid))
            return guid
    raise UploadFailed(
        "the service loses what is uploaded", hint="Check that --upload-url and --api-url belong together."
    )


async def _finish_job(run: Run, guid: str) -> None:
    def over(job: Job) -> bool:
        run.emit(Progress("processing", job.progress or 0.0, job.status_message or ""))
        return job.finished

    job = await poll_until(
        over,
        lambda: run.patchkit.job(guid),
        what=f"processing (job {guid})",
        timeout=run.wishes.processing_timeout,
        flag="--processing-timeout",
    )
    if job.status:
        await run.journal.record(UploadDropped())  # or every later run would resume the failure
        raise ProcessingFailed(
            f"processing failed: {job.status_message or f'status {job.status}'}",
            hint=UPLOAD_AGAIN,
        )


def _message(message: ProcessingMessage) -> Message:
    match message.severity:
        case "error" | "warning" as severity:
            return Message(severity, message.message)
        case _:
            return Message("info", message.message)
