"""An upload from beginning to end: source, journal, plan, lanes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from pk_upload.errors import ChunkRefused, DeadlineExceeded, Forbidden, NotFound, StateError, UploadFailed
from pk_upload.events import OnEvent, Stage, Warned, emitter
from pk_upload.patchkit import PatchKit
from pk_upload.transfer.config import TransferConfig
from pk_upload.transfer.journal import Journal, open_journal
from pk_upload.transfer.lanes import Crew
from pk_upload.transfer.plan import Plan
from pk_upload.transfer.records import FORMAT, Begun, UploadDropped, UploadMade
from pk_upload.transfer.schedule import Schedule
from pk_upload.transfer.source import Source
from pk_upload.transfer.state_dir import default_state_dir
from pk_upload.transfer.takeover import take_over
from pk_upload.transfer.tally import Tally

__all__ = ["Upload", "deliver", "journal_of", "out_of_time", "upload"]


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
    timeout: float | None = None,
    config: TransferConfig | None = None,
    on_event: OnEvent | None = None,
) -> Upload:
    """Delivers the bytes of `source` within `timeout` seconds; what to do with the upload is the caller's.

    Resumes by itself what an earlier run of the same source left. Raises `SourceUnreadable`,
    `SourceChanged`, `UploadFailed`, `StateError`, and what `PatchKit` raises.
    """
    config, emit = config or TransferConfig(), emitter(on_event)
    patchkit = patchkit.listening(emit, retries=config.retries)
    with anyio.move_on_after(timeout):
        async with (
            Source(Path(source)) as opened,
            journal_of(opened, patchkit, config=config, emit=emit) as journal,
        ):
            tally = Tally(emit, opened.size)
            done = await deliver(patchkit, opened, journal, config=config, emit=emit, tally=tally)
            await journal.finish()
            return done
    raise out_of_time(timeout)


def out_of_time(timeout: float | None) -> UploadFailed:
    """The error for an upload that the time for the whole run did not suffice for."""
    return UploadFailed(
        f"the bytes were not delivered within {timeout:g} s", hint=DeadlineExceeded.default_hint
    )


@asynccontextmanager
async def journal_of(
    source: Source,
    patchkit: PatchKit,
    *,
    config: TransferConfig,
    emit: OnEvent,
    app: str = "",
    label: str = "",
) -> AsyncIterator[Journal]:
    """The journal of what is being done with `source`, taken over from another path if that is asked for.

    Raises `StateLocked` while another run holds it, `StateError` if there is nothing to take over.
    """
    path = await anyio.to_thread.run_sync(_named, source.path)
    about = Begun(FORMAT, path, source.fingerprint, patchkit.api_url, app, label)
    directory = _state_dir(config, emit) if config.resume else None
    if directory is not None and config.resume_from is not None:
        former = await anyio.to_thread.run_sync(_named, config.resume_from)
        await take_over(directory, former, about, source, emit)
    async with open_journal(about, emit, state_dir=directory) as journal:
        yield journal


def _state_dir(config: TransferConfig, emit: OnEvent) -> Path | None:
    """Where the journal lives; `None`, with a warning, for a user who has no place for it."""
    if config.state_dir is not None:
        return Path(config.state_dir)
    try:
        return default_state_dir()
    except StateError as error:
        emit(Warned(f"this run cannot be resumed: {error.message}"))
        return None


def _named(path: str | os.PathLike[str]) -> str:
    """The path from the root on. A name that is no text still has to fit into JSON."""
    return os.fsencode(os.path.realpath(path)).decode("utf-8", "backslashreplace")


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
    await crew.run()
    await source.check_unchanged()
    return Upload(state.upload_id, source.size, source.size - resumed, resumed)
