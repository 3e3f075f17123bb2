"""One chunk to the service: attempt after attempt, each watched, until it is confirmed."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex

import anyio

from pk_upload.errors import ConnectionLost, NetworkError, PkUploadError, Refused, ServerError
from pk_upload.events import ChunkRetry, OnEvent
from pk_upload.patchkit import PatchKit
from pk_upload.transfer.body import ChunkBody
from pk_upload.transfer.config import TransferConfig
from pk_upload.transfer.content import PIECE, Buffers, Content
from pk_upload.transfer.pacing import Pacer
from pk_upload.transfer.plan import Chunk
from pk_upload.transfer.source import Source
from pk_upload.transfer.stall import StallWatch
from pk_upload.transfer.tally import Tally

__all__ = ["Delivery"]


class Delivery:
    """Delivers the chunks of `source` to one upload; any number of them at once.

    `on_trouble` hears when an attempt began that failed for the network's or the service's sake.
    """

    def __init__(
        self,
        patchkit: PatchKit,
        source: Source,
        upload_id: int,
        *,
        chunk_size: int,
        config: TransferConfig,
        tally: Tally,
        emit: OnEvent,
        on_trouble: Callable[[float], None],
    ) -> None:
        self._patchkit = patchkit
        self._source = source
        self._upload_id = upload_id
        self._piece = min(PIECE, chunk_size)
        self._config = config
        self._tally = tally
        self._emit = emit
        self._on_trouble = on_trouble
        self._pacer = Pacer(config.limit_rate) if config.limit_rate else None
        self._boundary = token_hex(16)
        self._done = 0
        self.watch = StallWatch(config.stall_timeout)

    def moved(self) -> int:
        """The bytes that the other side has taken so far, those of failed attempts left out."""
        return self._done + self.watch.accepted()

    async def send(self, chunk: Chunk, spare: list[Buffers]) -> str:
        """The MD5 of the chunk as it was sent and confirmed. Buffers come from `spare` and go back there."""

        async def attempt() -> str:
            buffers = spare.pop() if spare else Buffers(self._piece)
            md5 = await self._attempt(chunk, buffers)
            # Only now: after a failure, a thread may still be writing into them.
            spare.append(buffers)
            return md5

        def tell(count: int, error: PkUploadError, wait: float) -> None:
            self._emit(ChunkRetry(chunk.index, chunk.offset, count, error.message, wait))

        return await self._patchkit.http.retrying(attempt, repeatable=True, on_retry=tell)

    async def _attempt(self, chunk: Chunk, buffers: Buffers) -> str:
        began = anyio.current_time()
        content = Content(
            self._source,
            chunk,
            buffers,
            checksum=self._config.checksum,
            pacer=self._pacer,
            on_sent=lambda size: self._tally.send(size, anyio.current_time()),
        )
        body = ChunkBody(content, self._boundary)
        try:
            await self._exchange(chunk, body)
        except BaseException as error:
            self._tally.lose(content.told)
            if isinstance(error, NetworkError | Refused | ServerError):
                self._on_trouble(began)
            raise
        self._done += chunk.size
        return content.md5

    async def _exchange(self, chunk: Chunk, body: ChunkBody) -> None:
        try:
            with self.watch.over(body, f"chunk {chunk.index}"):
                await self._patchkit.send_chunk(self._upload_id, chunk.content_range, body)
        except PkUploadError:
            if body.failure is not None:
                raise body.failure from None
            raise
        if not body.complete:
            raise ConnectionLost(f"chunk {chunk.index} was answered before it was sent")
