"""The background worker: one job at a time, each safe to run again after a restart."""

from __future__ import annotations

import logging
import time
import uuid
from typing import TYPE_CHECKING, Any

import anyio
from anyio import from_thread, to_thread

from pk_upload.sandbox import processing, publishing
from pk_upload.sandbox.answers import iso_time
from pk_upload.sandbox.faults import PROCESSING
from pk_upload.sandbox.places import reason_of
from pk_upload.sandbox.ranges import described, missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pk_upload.sandbox.call import Server
    from pk_upload.sandbox.processing import Outcome
    from pk_upload.sandbox.records import Job

__all__ = ["recover", "work_forever"]

_log = logging.getLogger(__name__)
_RARELY = 0.05
"""Seconds between two notes of progress."""


class _Failed(Exception):
    """The job fails; the text is its status message, and with `shown` also one of the version's."""

    def __init__(self, message: str, *, shown: bool) -> None:
        super().__init__(message)
        self.shown = shown


def recover(server: Server) -> None:
    """Make good what an earlier run left, before the first request: jobs cut short, files of no use."""
    server.store.requeue_jobs()
    server.places.sweep(server.store.uploads.needed())


async def work_forever(server: Server) -> None:
    """Run all jobs in the order in which they were asked for, as long as the server runs."""
    while True:
        server.jobs_waiting.clear()
        job = server.store.next_job()
        if job is None:
            await server.jobs_waiting.wait()
        else:
            await _run(server, job)


async def _run(server: Server, job: Job) -> None:
    faults = {fault.kind: fault for fault in server.faults.draw(PROCESSING)}
    notes = _Notes(server, job)
    try:
        notes.write(0.0, "starting")
        if "slow-job" in faults:
            await notes.dawdle(faults["slow-job"].value)
        if "fail-job" in faults:
            raise _Failed("This server was told to fail this job.", shown=False)
        outcome = await _process(server, job, notes)
    except _Failed as failure:
        messages = ({"severity": "error", "message": str(failure)},) if failure.shown else ()
        _fail(server, job, str(failure), messages)
    except OSError as error:
        reason = reason_of(error)
        _log.warning("Processing of version %d failed: %s", job.version_id, reason)
        _fail(server, job, f"This server cannot read or write the files of the version: {reason}.", ())
    except Exception as error:
        _log.exception("Processing of version %d ended by an error of the sandbox.", job.version_id)
        _fail(server, job, f"Processing ended by an error of this server ({type(error).__name__}).", ())
    else:
        _finish(server, job, outcome, found_error="error-message" in faults)
    await to_thread.run_sync(server.places.discard_upload, job.upload_id)


async def _process(server: Server, job: Job, notes: _Notes) -> Outcome:
    upload = server.store.uploads.find(job.upload_id)
    if upload is None:
        raise _Failed(f"The upload {job.upload_id} is gone.", shown=True)
    gaps = missing(server.store.uploads.received(upload.id), upload.total)
    if gaps:
        raise _Failed(
            f"The upload is incomplete: of {upload.total} bytes these never arrived: {described(gaps)}.",
            shown=True,
        )
    app = server.store.app_by_id(job.app_id)
    latest = server.store.latest(app.id, before=job.version_id)
    previous = None if latest is None else server.places.output(app.id, latest.id)
    out = server.places.output(app.id, job.version_id)

    def work() -> Outcome:
        archive = server.places.upload(upload.id)
        return processing.process(
            archive,
            out,
            key=app.content_key,
            previous=previous,
            platform=app.platform,
            progress=notes.from_worker,
        )

    return await to_thread.run_sync(work)


class _Notes:
    """The progress of a job and its version, written down now and then; it never goes back."""

    def __init__(self, server: Server, job: Job) -> None:
        self._server = server
        self._job = job
        self._latest = 0.0
        self._message = ""
        self._due = 0.0

    def from_worker(self, progress: float, message: str) -> None:
        """Called by processing in its thread; raises there when the server ends, which ends processing."""
        from_thread.check_cancelled()
        now = time.monotonic()
        if message != self._message or now >= self._due:
            self._due = now + _RARELY
            from_thread.run_sync(self.write, progress, message)

    def write(self, progress: float, message: str) -> None:
        """Note `progress`, 0 to 1."""
        self._latest, self._message = max(self._latest, min(progress, 1.0)), message
        store, job = self._server.store, self._job
        with store.transaction():
            store.update_job(job.guid, pending=False, progress=self._latest, status_message=message)
            store.update_version(job.app_id, job.version_id, processing_progress=self._latest)

    async def dawdle(self, seconds: float) -> None:
        """Take this much longer."""
        begun = anyio.current_time()
        while (left := begun + seconds - anyio.current_time()) > 0:
            self.write(0.0, f"told to wait for {seconds:g} s")
            await anyio.sleep(min(left, 1.0))


def _fail(server: Server, job: Job, message: str, messages: tuple[Mapping[str, str], ...]) -> None:
    _end(server, job, status=1, message=message, has_processing_error=True, processing_messages=messages)


def _finish(server: Server, job: Job, outcome: Outcome, *, found_error: bool) -> None:
    """A job that ran to its end is fine, whatever it found: what it found stands in the version."""
    messages = [{"severity": finding.severity, "message": finding.message} for finding in outcome.findings]
    if found_error:
        messages.append(
            {"severity": "error", "message": "This server was told to find an error in this build."}
        )
    changes: dict[str, Any] = {"has_processing_error": outcome.failed, "processing_messages": messages}
    if not outcome.failed:
        changes["content_guid"] = str(uuid.uuid4())
        changes["diff_guid"] = str(uuid.uuid4()) if outcome.has_diff else None
        changes["main_executable"] = outcome.main_executable
    _end(server, job, status=0, message="finished", **changes)


def _end(server: Server, job: Job, *, status: int, message: str, **changes: Any) -> None:
    now = iso_time(time.time())
    store = server.store
    with store.transaction():
        store.update_job(
            job.guid,
            pending=False,
            finished=True,
            progress=1.0,
            status=status,
            status_message=message,
            time_finished=now,
        )
        version = store.update_version(
            job.app_id, job.version_id, processing_progress=1.0, processing_finished_at=now, **changes
        )
        # With the job's end, so that nobody sees the version between processed and pending.
        if version.publish_when_processed and version.hindrance is None:
            publishing.begin(server, version)
