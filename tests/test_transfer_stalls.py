"""Telling slow from dead: the watch over attempts, and threads that the lanes share."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import cast

import anyio
import pytest

from pk_upload.archive import BuildFile
from pk_upload.errors import Stalled
from pk_upload.transfer import wire
from pk_upload.transfer.content import PIECE, Buffers, Content
from pk_upload.transfer.plan import Chunk
from pk_upload.transfer.source import Source
from pk_upload.transfer.stall import StallWatch, held_back

pytestmark = pytest.mark.anyio


class Attempt:
    """An attempt that stands still, with `on_the_way` bytes that nobody acknowledges."""

    def __init__(self, *, paused: bool, on_the_way: int) -> None:
        self.paused = paused
        self.on_the_way = on_the_way

    def accepted(self) -> int:
        return 1000

    def held(self) -> int:
        return self.on_the_way


async def watched(attempt: Attempt, seconds: float) -> None:
    """Watches `attempt` for `seconds`, twenty times what it may stand still."""
    watch = StallWatch(seconds / 20)
    async with anyio.create_task_group() as group:
        group.start_soon(watch.run)
        try:
            with watch.over(attempt, "chunk 7"):
                await anyio.sleep(seconds)
        finally:
            group.cancel_scope.cancel()


@pytest.mark.parametrize("paused", [False, True])
async def test_bytes_that_nobody_takes_are_a_stall_under_a_limit_too(paused: bool) -> None:
    with pytest.raises(BaseExceptionGroup) as caught:
        await watched(Attempt(paused=paused, on_the_way=5), 2)
    assert caught.group_contains(Stalled, match="chunk 7")


async def test_bytes_that_a_limit_holds_back_are_none() -> None:
    await watched(Attempt(paused=True, on_the_way=0), 0.5)


class Gone:
    """A transport whose connection was reset a moment ago."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.close()

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, _name: str) -> socket.socket:
        return self._socket


def test_a_connection_that_has_just_been_closed_holds_nothing() -> None:
    assert held_back(cast(asyncio.WriteTransport, Gone())) == 0


async def test_where_the_disk_is_slow_the_lanes_take_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "LONGEST_HOP", 0.0)  # every piece takes longer than that
    path = tmp_path / "source"
    path.write_bytes(bytes(3 * PIECE))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * PIECE)
        async with Source(BuildFile(path)) as source:
            content = Content(
                source,
                Chunk(0, 0, 3 * PIECE, 3 * PIECE),
                Buffers(PIECE),
                checksum=True,
                pacer=None,
                on_sent=lambda _: None,
            )
            moved = wire._Pump(content, ours.fileno()).move(3 * PIECE)
    assert 0 < moved <= PIECE
