"""From a path to an open source, and to the journal of what is done with it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio

from pk_upload.archive import (
    Build,
    BuildFile,
    Inspect,
    Known,
    Packed,
    Packing,
    StoredFolder,
    inspected,
    literally,
    open_file,
    open_folder,
)
from pk_upload.errors import StateError, UsageError
from pk_upload.events import OnEvent, Warned
from pk_upload.patchkit import PatchKit
from pk_upload.transfer.config import TransferConfig
from pk_upload.transfer.journal import Journal, open_journal
from pk_upload.transfer.lock import held
from pk_upload.transfer.rates import expected_rate
from pk_upload.transfer.records import FORMAT, Begun, Damaged, RunName
from pk_upload.transfer.source import Source
from pk_upload.transfer.state_dir import default_state_dir, journal_path, read
from pk_upload.transfer.sums import keep_sums, kept_sums
from pk_upload.transfer.takeover import take_over

__all__ = ["opened", "state_dir"]


@asynccontextmanager
async def opened(
    patchkit: PatchKit,
    path: str | os.PathLike[str],
    *,
    config: TransferConfig,
    emit: OnEvent,
    packing: Packing | None = None,
    inspect: Inspect | None = None,
    app: str = "",
    label: str = "",
) -> AsyncIterator[tuple[Source, Journal]]:
    """The ZIP or the folder under `path`, and the journal of its upload, taken over from another path if
    asked.

    `inspect` sees the build before more of it is read than names and sizes, and may refuse it; a folder that
    is no good ZIP is refused in any case. Raises what it raises, `SourceUnreadable`, `SourceChanged`,
    `PreflightFailed` for what is empty, `StateLocked` while another run is at work on it, and `StateError` if
    there is nothing to take over.
    """
    directory = state_dir(config, emit) if config.resume else None
    run = RunName(await anyio.to_thread.run_sync(_named, path), patchkit.api_url, app, label)
    former = None
    if directory is not None and config.resume_from is not None:
        former = await anyio.to_thread.run_sync(_named, config.resume_from)
    place = None if directory is None else journal_path(directory, run)
    build: Build
    if await anyio.to_thread.run_sync(os.path.isdir, path, abandon_on_cancel=True):
        if place is not None:
            await anyio.to_thread.run_sync(_require_free, place)  # before all cores are put to work
        known = await anyio.to_thread.run_sync(_known, config, patchkit.upload_url, directory, run, former)
        look = inspect or partial(inspected, emit=emit)
        packing = await anyio.to_thread.run_sync(_without, packing or Packing(), Path(path), directory)
        build = await open_folder(Path(path), packing, known, emit=emit, inspect=look)
    else:
        build = await _file(Path(path), packing, inspect)
    async with Source(build) as source:
        about = Begun(FORMAT, run.source, build.fingerprint, *run[1:], compression=build.compression)
        if directory is not None and former is not None:
            await take_over(directory, former, about, source, emit)
        async with open_journal(about, emit, state_dir=directory) as journal:
            if place is not None and isinstance(build, StoredFolder):
                await anyio.to_thread.run_sync(keep_sums, place, build.tree, build.checksums)
            yield source, journal


def state_dir(config: TransferConfig, emit: OnEvent) -> Path | None:
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


async def _file(path: Path, packing: Packing | None, inspect: Inspect | None) -> BuildFile:
    build = await anyio.to_thread.run_sync(open_file, path, packing)
    try:
        if inspect is not None:
            await inspect(build)
    except BaseException:
        build.close()
        raise
    return build


def _require_free(journal: Path) -> None:
    """Raises `StateLocked` while another run is at work on it."""
    with suppress(OSError), held(journal):  # a directory that is not there is made later, or told of
        pass


def _without(packing: Packing, folder: Path, directory: Path | None) -> Packing:
    """Leaves the state directory out where it lies in the folder: it changes with every chunk."""
    if directory is None:
        return packing
    inside, outside = directory.resolve(), folder.resolve()
    if inside == outside:
        raise UsageError(f"{folder} is the state directory", hint="Name another one with --state-dir.")
    if not inside.is_relative_to(outside):
        return packing
    return replace(packing, ignore=(*packing.ignore, literally(inside.relative_to(outside).as_posix())))


def _known(
    config: TransferConfig, server: str, directory: Path | None, run: RunName, former: str | None
) -> Known:
    """What there is to know before a folder is looked at: from the settings, and from earlier runs."""
    rate = expected_rate(config.limit_rate, directory, server)
    if directory is None:
        return Known(rate)
    journals = [journal_path(directory, run)]
    if former is not None:
        journals.append(journal_path(directory, run._replace(source=former)))
    begun = (_compression(journal) for journal in journals)
    return Known(
        rate,
        compression=next(filter(None, begun), None),
        checksums=partial(kept_sums, journals[0]),
    )


def _compression(journal: Path) -> Packed | None:
    """How the folder was packed whose upload an earlier run began."""
    with suppress(OSError, Damaged):
        state, _ = read(journal)
        if state.begun is not None and state.upload_id is not None:
            return state.begun.compression or None
    return None
