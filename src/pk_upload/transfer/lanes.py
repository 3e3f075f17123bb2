"""Lanes: each takes chunk after chunk from the schedule and sees it confirmed."""

from __future__ import annotations

import anyio

from pk_upload.errors import (
    ApiError,
    AuthenticationFailed,
    ChunkMismatch,
    ChunkRefused,
    ConnectionLost,
    Forbidden,
    NotFound,
    PkUploadError,
    Refused,
    ServerError,
    Stalled,
    first_cause,
)
from pk_upload.events import ChunkRetry, Lanes, OnEvent, Warned
from pk_upload.patchkit import PatchKit
from pk_upload.transfer.body import PIECE, Buffers, ChunkBody
from pk_upload.transfer.config import TransferConfig
from pk_upload.transfer.journal import Journal
from pk_upload.transfer.pacing import Pacer
from pk_upload.transfer.plan import Chunk
from pk_upload.transfer.records import ChunkDone
from pk_upload.transfer.schedule import Schedule
from pk_upload.transfer.source import Source
from pk_upload.transfer.stall import StallClock
from pk_upload.transfer.tally import Tally

__all__ = ["LANES", "Crew", "lanes_wanted"]

LANES = 8  # measured: fewer leave the link idle while the service thinks, more gain nothing


def lanes_wanted(config: TransferConfig) -> int:
    """Pure: the number of lanes to run.

    Under a limit, more lanes only mean that more is in flight when the run is interrupted, and lost.
    """
    if config.concurrency != "auto":
        return config.concurrency
    within_ten_seconds = LANES if config.limit_rate is None else 10 * config.limit_rate // config.chunk_size
    return max(1, min(LANES, config.max_concurrency, within_ten_seconds))


class Crew:
    """The lanes of one upload and what they share."""

    def __init__(
        self,
        patchkit: PatchKit,
        source: Source,
        upload_id: int,
        *,
        schedule: Schedule,
        journal: Journal,
        tally: Tally,
        config: TransferConfig,
        emit: OnEvent,
    ) -> None:
        self._patchkit = patchkit
        self._source = source
        self._upload_id = upload_id
        self._schedule = schedule
        self._journal = journal
        self._tally = tally
        self._config = config
        self._emit = emit
        self._pacer = Pacer(config.limit_rate) if config.limit_rate else None

    async def run(self) -> None:
        """Returns when every chunk is confirmed. Raises the first error that no repetition mends."""
        lanes = min(lanes_wanted(self._config), self._schedule.missing)
        if not lanes:
            return
        self._emit(Lanes(lanes, "start"))
        with first_cause():
            async with anyio.create_task_group() as group:
                for _ in range(lanes):
                    group.start_soon(self._lane)
        if self._schedule.missing:
            self._schedule.resume_in_order()
            self._emit(Warned("the service takes chunks in order only; they now go one after the other"))
            self._emit(Lanes(1, "the service insists on order"))
            await self._lane()

    async def _lane(self) -> None:
        spare: list[Buffers] = []
        while (chunk := self._schedule.take()) is not None:
            try:
                md5 = await self._deliver(chunk, spare)
            except ApiError as error:
                if isinstance(error, _THEIR_OWN):
                    raise
                if error.status in _MAY_BE_ORDER and self._schedule.refuse(chunk):
                    continue
                raise ChunkRefused(
                    f"chunk {chunk.index} (from byte {chunk.offset}) was refused: {error.message}"
                ) from error
            # Written down before it is counted: what was told as confirmed is never sent again.
            await self._journal.record(ChunkDone(chunk.index, md5))
            self._schedule.confirm(chunk)
            self._tally.confirm(chunk.size)

    async def _deliver(self, chunk: Chunk, spare: list[Buffers]) -> str:
        """The MD5 of the chunk as it was sent and confirmed, after as many attempts as it takes."""

        async def attempt() -> str:
            buffers = spare.pop() if spare else Buffers(min(PIECE, self._config.chunk_size))
            md5 = await self._attempt(chunk, buffers)
            # Only now: after a failure, a thread may still be writing into them.
            spare.append(buffers)
            return md5

        def tell(count: int, error: PkUploadError, wait: float) -> None:
            self._emit(ChunkRetry(chunk.index, chunk.offset, count, error.message, wait))

        return await self._patchkit.http.retrying(attempt, repeatable=True, on_retry=tell)

    async def _attempt(self, chunk: Chunk, buffers: Buffers) -> str:
        in_flight = 0

        def sent(size: int) -> None:
            nonlocal in_flight
            in_flight += size
            self._tally.send(size, anyio.current_time())

        body = ChunkBody(
            self._source,
            chunk,
            buffers,
            checksum=self._config.checksum,
            pacer=self._pacer,
            on_sent=sent,
        )
        try:
            await self._exchange(chunk, body)
        except BaseException:
            self._tally.lose(in_flight)
            raise
        return body.md5

    async def _exchange(self, chunk: Chunk, body: ChunkBody) -> None:
        try:
            with first_cause():
                async with anyio.create_task_group() as group:
                    group.start_soon(self._watch, body, chunk)
                    await self._patchkit.send_chunk(self._upload_id, chunk.content_range, body)
                    group.cancel_scope.cancel()
        except PkUploadError:
            if body.failure is not None:
                raise body.failure from None
            raise
        if not body.complete:
            raise ConnectionLost(f"chunk {chunk.index} was answered before it was sent")

    async def _watch(self, body: ChunkBody, chunk: Chunk) -> None:
        """Ends the attempt when no byte moves for the stall timeout, an answer that never comes included."""
        timeout = self._config.stall_timeout
        clock = StallClock(timeout)
        while not clock.stalled(body.accepted(), anyio.current_time()):
            await anyio.sleep(min(1.0, timeout / 4))
            if body.paused:
                clock.restart(anyio.current_time())
        raise Stalled(f"no byte of chunk {chunk.index} moved for {timeout:g} s")


# These say by themselves what is wrong and which exit they mean; any other refusal is the chunk's.
_THEIR_OWN = (AuthenticationFailed, Forbidden, NotFound, Refused, ServerError, ChunkMismatch)

# A plain 400 is what is known of services that insist on order; the others would be as good a way to say it.
_MAY_BE_ORDER = {400, 409, 416, 422}
