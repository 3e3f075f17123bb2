"""Going on with an upload under another path: the journal of a file that was moved, copied or touched.

Only if asked, and only for the very same content: every chunk that was delivered is read again and compared
with the MD5 that was written down when it was.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path

import anyio
import msgspec

from pk_upload.errors import StateError, first_cause
from pk_upload.events import OnEvent, Stage, Warned
from pk_upload.transfer.lock import acquire, release
from pk_upload.transfer.plan import Chunk, Plan
from pk_upload.transfer.records import Begun, Damaged, State, encode, retold
from pk_upload.transfer.source import THREADS, Source
from pk_upload.transfer.state_dir import journal_path, open_private, read

__all__ = ["take_over"]

START_OVER = "Leave --resume-from out: the upload then starts over."


async def take_over(directory: Path, former: str, begun: Begun, source: Source, emit: OnEvent) -> None:
    """Makes the journal that an upload of the path `former` left in `directory` the one of `begun`.

    Where there is none, nothing is done if that of `begun` is there: an earlier run has taken it over.
    Raises `StateError` if there is neither, or for another content; `StateLocked` while a run holds either.
    """
    old, new = (
        journal_path(directory, msgspec.structs.replace(begun, source=former)),
        journal_path(directory, begun),
    )
    if not old.exists():
        if new.exists() or old == new:
            return
        raise StateError(
            f"no upload of {former} is known that could be gone on with",
            hint="`pk-upload state list` shows what there is; app, label and addresses must be the same.",
        )
    locks = await anyio.to_thread.run_sync(_lock, {old, new})
    with locks:
        if old != new and new.exists():
            emit(
                Warned(
                    f"{begun.source} has an upload of its own, which is gone on with; that of {former} stays"
                )
            )
            return
        try:
            state, _ = await anyio.to_thread.run_sync(lambda: read(old, digests=True))
        except (OSError, Damaged) as error:
            raise StateError(f"the journal {old} cannot be used: {error}", hint=START_OVER) from None
        digests = await _compared(state, former, begun, source, emit)
        await anyio.to_thread.run_sync(_write, old, new, [*map(encode, retold(state, begun, digests))])


def _lock(journals: set[Path]) -> ExitStack:
    with ExitStack() as stack:
        for journal in sorted(journals):
            stack.callback(release, acquire(journal), journal)
        return stack.pop_all()


async def _compared(state: State, former: str, begun: Begun, source: Source, emit: OnEvent) -> dict[int, str]:
    """The chunks that were delivered and are the same here, with their MD5."""
    now = begun.fingerprint
    was = now if state.begun is None else state.begun.fingerprint
    if (was.size, was.directory) != (now.size, now.directory):
        raise StateError(f"{begun.source} is not what was uploaded from {former}", hint=START_OVER)
    digests = {index: md5 for index, md5 in (state.digests or {}).items() if md5}
    if len(digests) < len(state.chunks):
        emit(Warned("what was uploaded without checksums cannot be compared and is sent again"))
    if digests:
        emit(Stage("upload", f"comparing {len(digests)} chunks with those delivered from {former}"))
    todo = iter(digests.items())
    plan = Plan(now.size, state.chunk_size)

    async def compare() -> None:
        for index, md5 in todo:
            chunk: Chunk = plan[index]
            if await source.digest(chunk.offset, chunk.size) != md5:
                raise StateError(
                    f"{begun.source} is not what was uploaded from {former}: chunk {index} differs",
                    hint=START_OVER,
                )

    with first_cause():
        async with anyio.create_task_group() as group:
            for _ in range(THREADS):
                group.start_soon(compare)
    return digests


def _write(old: Path, new: Path, lines: list[bytes]) -> None:
    """Puts the new journal in place in one step; whatever interrupts it, one of both is whole."""
    draft = new.with_suffix(".new")
    try:
        with suppress(FileNotFoundError):
            draft.unlink()
        with open(draft, "xb", opener=open_private) as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(new)
        if old != new:
            old.unlink()
    except OSError as error:
        raise StateError(f"the journal {new} cannot be written: {error.strerror or error}") from None
