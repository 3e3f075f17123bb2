"""Lanes: each takes chunk after chunk from the schedule and sees it confirmed."""

from __future__ import annotations

import logging

import anyio
from anyio.abc import TaskGroup

from pk_upload.errors import (
    ApiError,
    AuthenticationFailed,
    ChunkMismatch,
    ChunkRefused,
    Forbidden,
    NotFound,
    Refused,
    ServerError,
    first_cause,
)
from pk_upload.events import Lanes, OnEvent, Warned
from pk_upload.patchkit import PatchKit
from pk_upload.transfer.concurrency import AdaptiveLanes, most_lanes
from pk_upload.transfer.config import TransferConfig
from pk_upload.transfer.content import Buffers
from pk_upload.transfer.delivery import Delivery
from pk_upload.transfer.journal import Journal
from pk_upload.transfer.records import ChunkDone
from pk_upload.transfer.schedule import Schedule
from pk_upload.transfer.source import Source
from pk_upload.transfer.tally import Tally

__all__ = ["LOOK", "Crew"]

log = logging.getLogger("pk_upload.transfer")

LOOK = 0.25  # seconds between two looks at how the lanes do


class Crew:
    """The lanes of one upload and what they share."""

    def __init__(
        self,
        patchkit: PatchKit,
        source: Source,
        upload_id: int,
        *,
        schedule: Schedule,
        chunk_size: int,
        journal: Journal,
        tally: Tally,
        config: TransferConfig,
        emit: OnEvent,
    ) -> None:
        self._source = source
        self._schedule = schedule
        self._journal = journal
        self._tally = tally
        self._emit = emit
        self._adaptive: AdaptiveLanes | None = None
        if config.concurrency == "auto":
            self._adaptive = AdaptiveLanes(most_lanes(config, chunk_size), chunk_size)
            self._lanes = self._adaptive.lanes
        else:
            self._lanes = config.concurrency
        self._running = 0
        self._told = 0
        self._delivery = Delivery(
            patchkit,
            source,
            upload_id,
            chunk_size=chunk_size,
            config=config,
            tally=tally,
            emit=emit,
            on_trouble=self._trouble,
        )

    async def run(self) -> None:
        """Returns when every chunk is confirmed. Raises the first error that no repetition mends."""
        if not self._schedule.missing:
            return
        with first_cause():
            async with anyio.create_task_group() as beside:
                beside.start_soon(self._delivery.watch.run)
                beside.start_soon(self._source.watch)
                async with anyio.create_task_group() as lanes:
                    self._adjust(lanes, "start")
                    if self._adaptive is not None:
                        beside.start_soon(self._steer, self._adaptive, lanes)
                if self._schedule.missing:
                    await self._run_in_order()
                beside.cancel_scope.cancel()

    async def _run_in_order(self) -> None:
        self._schedule.resume_in_order()
        self._emit(Warned("the service takes chunks in order only; they now go one after the other"))
        self._emit(Lanes(1, "the service insists on order"))
        self._running = 1
        await self._lane()

    def _adjust(self, group: TaskGroup, reason: str) -> None:
        """Brings the lanes to their number; those that are too many go when their chunk is done."""
        wanted = min(self._lanes, self._schedule.missing)
        if wanted and wanted != self._told:
            self._told = wanted
            self._emit(Lanes(wanted, reason))
            log.debug("%d lanes: %s", wanted, reason)
        while self._running < wanted:
            self._running += 1
            group.start_soon(self._lane)

    async def _steer(self, adaptive: AdaptiveLanes, group: TaskGroup) -> None:
        """Has the number of lanes follow what is measured."""
        while not self._schedule.in_order:
            await anyio.sleep(LOOK)
            adaptive.observe(anyio.current_time(), self._delivery.moved(), self._running)
            if adaptive.lanes != self._lanes and not self._schedule.in_order:
                self._lanes = adaptive.lanes
                self._adjust(group, adaptive.reason)

    def _trouble(self, began: float) -> None:
        if self._adaptive is not None:
            self._adaptive.trouble(began, anyio.current_time(), self._running)

    async def _lane(self) -> None:
        spare: list[Buffers] = []
        while self._running <= self._lanes and (chunk := self._schedule.take()) is not None:
            try:
                md5 = await self._delivery.send(chunk, spare)
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
        self._running -= 1


# These say by themselves what is wrong and which exit they mean; any other refusal is the chunk's.
_THEIR_OWN = (AuthenticationFailed, Forbidden, NotFound, Refused, ServerError, ChunkMismatch)

# A plain 400 is what is known of services that insist on order; the others would be as good a way to say it.
_MAY_BE_ORDER = {400, 409, 416, 422}
