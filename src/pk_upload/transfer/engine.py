"""An upload from beginning to end: source, journal, plan, lanes."""

from __future__ import annotations

import os
from dataclasses import dataclass

import anyio

from pk_upload.archive import Packing
from pk_upload.errors import ChunkRefused, DeadlineExceeded, Forbidden, NotFound, UploadFailed
from pk_upload.events import OnEvent, Stage, Warned, emitter
from pk_upload.patchkit import PatchKit
from pk_upload.transfer.config import TransferConfig
from pk_upload.transfer.journal import Journal
from pk_upload.transfer.lanes import Crew
from pk_upload.transfer.opening import opened
from pk_upload.transfer.plan import Plan
from pk_upload.transfer.rates import remember_rate
from pk_upload.transfer.records import UploadDropped, UploadMade
from pk_upload.transfer.schedule import Schedule
from pk_upload.transfer.source import Source
from pk_upload.transfer.tally import Tally

__all__ = ["Upload", "deliver", "out_of_time", "upload"]


@dataclass(frozen=True, slots=True)
class Upload:
    """A complete upload. Sizes are bytes; `bytes_resumed` is what an earlier run had delivered."""

    upload_id: int
    bytes_total: int
    bytes_sent: int
    bytes_resumed: int


async def upload(
    patchkit: PatchKit,
    source: str | os.PathLike[str],
    *,
    packing: Packing | None = None,
    timeout: float | None = None,
    config: TransferConfig | None = None,
    on_event: OnEvent | None = None,
) -> Upload:
    """Delivers the bytes of `source` within `timeout` seconds; what to do with the upload is the caller's.

    A folder is delivered as a ZIP, made as `packing` says. Resumes by itself what an earlier run of the same
    source left. Raises `SourceUnreadable`, `SourceChanged`, `PreflightFailed` for a folder that makes no good
    ZIP, `UploadFailed`, `StateError`, and what `PatchKit` raises.
    """
    config, emit = config or TransferConfig(), emitter(on_event)
    patchkit = patchkit.listening(emit, retries=config.retries)
    with anyio.move_on_after(timeout):
        async with opened(patchkit, source, config=config, emit=emit, packing=packing) as (build, journal):
            tally = Tally(emit, build.size)
            done = await deliver(patchkit, build, journal, config=config, emit=emit, tally=tally)
            await journal.finish()
            return done
    raise out_of_time(timeout)


def out_of_time(timeout: float | None) -> UploadFailed:
    """The error for an upload that the time for the whole run did not suffice for."""
    return UploadFailed(
        f"the bytes were not delivered within {timeout:g} s", hint=DeadlineExceeded.default_hint
    )


async def deliver(
    patchkit: PatchKit,
    source: Source,
    journal: Journal,
    *,
    config: TransferConfig,
    emit: OnEvent,
    tally: Tally,
) -> Upload:
    """The upload of the journal, complete. One that the service no longer takes is begun again, once."""
    resuming = journal.state.upload_id is not None
    for again in (True, False):
        if journal.state.upload_id is None:
            upload_id = await patchkit.create_upload(source.size)
            await journal.record(UploadMade(upload_id, config.chunk_size))
        try:
            return await _deliver(patchkit, source, journal, config, emit, tally)
        except (NotFound, ChunkRefused, Forbidden) as error:
            # What another run began may be closed or belong to another key; what this one began may not.
            if not (isinstance(error, NotFound) or (resuming and again)):
                raise
            if again:
                emit(Warned(f"upload {journal.state.upload_id} starts over: {error.message}"))
            await journal.record(UploadDropped())
    raise UploadFailed(
        f"{patchkit.upload_url} does not know the uploads made at {patchkit.api_url}",
        hint="Check that --upload-url and --api-url belong together.",
    )


async def _deliver(
    patchkit: PatchKit,
    source: Source,
    journal: Journal,
    config: TransferConfig,
    emit: OnEvent,
    tally: Tally,
) -> Upload:
    state = journal.state
    if state.upload_id is None:
        raise RuntimeError("there is no upload to deliver to")
    plan = Plan(source.size, state.chunk_size)
    resumed = plan.size_of(state.chunks)
    emit(Stage("upload", f"upload {state.upload_id}"))
    tally.begin(resumed)
    crew = Crew(
        patchkit,
        source,
        state.upload_id,
        schedule=Schedule(plan, state.chunks),
        chunk_size=plan.chunk_size,
        journal=journal,
        tally=tally,
        config=config,
        emit=emit,
    )
    began = anyio.current_time()
    await crew.run()
    if journal.directory is not None and config.limit_rate is None:
        sent = source.size - resumed, anyio.current_time() - began
        await anyio.to_thread.run_sync(remember_rate, journal.directory, patchkit.upload_url, *sent)
    await source.check_unchanged()
    return Upload(state.upload_id, source.size, source.size - resumed, resumed)
