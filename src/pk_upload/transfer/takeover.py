"""Going on with an upload under another path: the journal of a file that was moved, copied or touched.

Only if asked, and only for the very same content: every chunk that was delivered is read again and compared
with the MD5 that was written down when it was.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

import anyio

from pk_upload.errors import StateError, first_cause
from pk_upload.events import OnEvent, Stage, Warned
from pk_upload.transfer.lock import held
from pk_upload.transfer.plan import Plan
from pk_upload.transfer.private import open_private
from pk_upload.transfer.records import Begun, Damaged, State, encode, retold
from pk_upload.transfer.source import THREADS, Source
from pk_upload.transfer.state_dir import journal_path, read

__all__ = ["take_over"]

START_OVER = "Leave --resume-from out: the upload then starts over."


async def take_over(directory: Path, former: str, begun: Begun, source: Source, emit: OnEvent) -> None:
    """Makes the journal that an upload of the path `former` left in `directory` the one of `begun`.

    Where `former` is the source's own path, another content or no journal is no mistake: the upload then
    starts over, as it would have. Otherwise raises `StateError` if there is neither a journal of `former` nor
    one of `begun`, which an earlier run has taken over, and for another content. Raises `StateLocked` while a
    run holds either.
    """
    old = journal_path(directory, begun.run._replace(source=former))
    new = journal_path(directory, begun.run)
    try:
        locks = await anyio.to_thread.run_sync(_locked, {old, new})
        try:
            await _take_over(old, new, former, begun, source, emit)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(locks.close)
    except (OSError, Damaged) as error:
        if old != new:
            reason = (error.strerror if isinstance(error, OSError) else None) or error
            raise StateError(
                f"the upload of {former} cannot be gone on with: {reason}", hint=START_OVER
            ) from None
    except _AnotherContent as difference:
        if old != new:
            raise StateError(str(difference), hint=START_OVER) from None


class _AnotherContent(Exception):
    """What is to be gone on with is not what was begun; the message says so."""


async def _take_over(old: Path, new: Path, former: str, begun: Begun, source: Source, emit: OnEvent) -> None:
    state, own = await anyio.to_thread.run_sync(_found, old, new)
    if state is None:
        if own is None and old != new:
            raise StateError(
                f"no upload of {former} is known that could be gone on with",
                hint="`pk-upload state list` shows what there is; app, label and addresses must be the same.",
            )
        return
    if own is not None and _same(own, state):
        await anyio.to_thread.run_sync(old.unlink)  # taken over by a run that did not come to this
    elif own is not None:
        emit(Warned(f"{begun.source} has an upload of its own: that is gone on with, not {former}'s"))
    elif old != new or state.begun != begun:
        digests = await _compared(state, former, begun, source, emit)
        await anyio.to_thread.run_sync(_write, old, new, map(encode, retold(state, begun, digests)))


def _same(one: State, other: State) -> bool:
    """Whether both are about one upload, or one version."""
    ids = (one.upload_id, one.version_id)
    return ids == (other.upload_id, other.version_id) != (None, None)


def _locked(journals: set[Path]) -> ExitStack:
    with ExitStack() as stack:
        for journal in sorted(journals):
            stack.enter_context(held(journal))
        return stack.pop_all()


def _found(old: Path, new: Path) -> tuple[State | None, State | None]:
    """What the former path's journal holds, and what the source's own if it has anything to go on with."""
    state = own = None
    with suppress(FileNotFoundError):
        state, _ = read(old, digests=True)
    if old != new:
        with suppress(FileNotFoundError, Damaged):
            own, _ = read(new)
    if own is not None and own.worthless:
        own = None
    return state, own


async def _compared(state: State, former: str, begun: Begun, source: Source, emit: OnEvent) -> dict[int, str]:
    """The chunks that were delivered and are the same here, with their MD5."""
    now = begun.fingerprint
    was = now if state.begun is None else state.begun.fingerprint
    if (was.size, was.directory) != (now.size, now.directory):
        raise _AnotherContent(f"{begun.source} is not what was uploaded from {former}")
    digests = {index: md5 for index, md5 in (state.digests or {}).items() if md5}
    if len(digests) < len(state.chunks):
        emit(Warned("what was uploaded without checksums cannot be compared and is sent again"))
    if digests:
        emit(Stage("upload", f"comparing {len(digests)} chunks with those delivered from {former}"))
    todo = iter(digests.items())
    plan = Plan(now.size, state.chunk_size)

    async def compare() -> None:
        for index, md5 in todo:
            chunk = plan[index]
            if await source.digest(chunk.offset, chunk.size) != md5:
                raise _AnotherContent(
                    f"{begun.source} is not what was uploaded from {former}: chunk {index} differs"
                )

    with first_cause():
        async with anyio.create_task_group() as group:
            for _ in range(THREADS):
                group.start_soon(compare)
    return digests


def _write(old: Path, new: Path, lines: Iterable[bytes]) -> None:
    """Puts the new journal in place in one step; interrupted, one of both is whole or both are."""
    draft = new.with_suffix(".new")
    draft.unlink(missing_ok=True)
    try:
        with open(draft, "xb", opener=open_private) as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(new)
    finally:
        draft.unlink(missing_ok=True)
    if old != new:
        old.unlink()
        old.with_suffix(".sums").unlink(missing_ok=True)
