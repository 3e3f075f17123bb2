"""Several requests for the same bytes: the newest that has begun to send them has the say."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import to_thread
from server_harness import KEY, Client, FakeProcessing, KeptWaiting, awaiting, sandbox_client, until

from pk_upload.sandbox import landing
from pk_upload.sandbox.answers import Disconnected
from pk_upload.sandbox.arrivals import Arrival, Arrivals
from pk_upload.sandbox.ranges import Span

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

SIZE = 4_000_000
GOOD, STALE = b"G" * SIZE, b"S" * SIZE
END = b'\r\n--B\r\nContent-Disposition: form-data; name="md5"\r\n\r\n'
WHOLE = f"bytes 0-{SIZE - 1}/{SIZE}"


class Copy:
    """A chunk on a connection of its own, sent as slowly as the test wants it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: Path, data: bytes
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._path = path
        self._data = data
        self._body = data + END + hashlib.md5(data).hexdigest().encode() + b"\r\n--B--\r\n"
        self._sent = 0

    async def send(self, end: int) -> None:
        """Sends the data, and what follows them, up to `end`, even if nobody takes them any more."""
        self._writer.write(self._body[self._sent : end])
        self._sent = end
        with suppress(ConnectionError):
            await self._writer.drain()

    async def begin(self) -> None:
        """Sends half of the data, and waits until some of them are in the file."""
        await self.send(SIZE // 2)
        await until(lambda: self._read(10) == self._data[:10], "the first of the data in the file")

    async def finish(self) -> bytes:
        """Sends the rest; the answer's status line, empty when the connection was cut."""
        await self.send_all()
        return await self.answer()

    async def send_all(self) -> None:
        await self.send(len(self._body))

    async def send_all_but_its_md5(self) -> None:
        """Waits until the data are in the file; the server must see what follows them to know their end."""
        await self.send(len(self._body) - 10)
        await until(lambda: self._read(SIZE) == self._data, "all of the data in the file")

    def _read(self, size: int) -> bytes:
        """How the upload's file begins."""
        with self._path.open("rb") as file:
            return file.read(size)

    async def answer(self) -> bytes:
        with suppress(ConnectionError):
            return (await self._reader.readline()).rstrip()
        return b""

    async def leave(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


@asynccontextmanager
async def a_copy(client: Client, upload: int, data: bytes, *, looked_at: bool = True) -> AsyncIterator[Copy]:
    """A request for the whole upload that the server has come to, unless it is not to be `looked_at` yet."""
    host, _, port = client.sandbox.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = b'--B\r\nContent-Disposition: form-data; name="chunk"\r\n\r\n'
    length = len(head) + SIZE + len(END) + 41
    writer.write(
        f"POST /1/uploads/{upload}/chunk?api_key={KEY} HTTP/1.1\r\nHost: {host}\r\n"
        "Content-Type: multipart/form-data; boundary=B\r\nExpect: 100-continue\r\n"
        f"Content-Range: {WHOLE}\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    if looked_at:
        with awaiting("the server to want the body"):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(head)
    copy = Copy(reader, writer, client.sandbox.data_dir / "uploads" / f"{upload}.data", data)
    yield copy
    await copy.leave()


async def content_of(client: Client, fake: FakeProcessing, upload: int) -> bytes:
    job = await client.job(await client.start_job(await client.draft(), upload))
    assert job["status"] == 0, job
    return fake.archives[-1]


async def test_an_old_copy_that_is_read_after_the_new_one_changes_nothing(
    client: Client, fake: FakeProcessing
) -> None:
    upload = await client.new_upload(SIZE)
    async with a_copy(client, upload, STALE) as stale:
        assert (await client.chunk(upload, GOOD, WHOLE))[0] == 201
        assert await stale.finish() == b""
        assert await content_of(client, fake, upload) == GOOD


async def test_an_old_copy_of_a_slow_server_changes_nothing(
    tmp_path: Path, fake: FakeProcessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale_waits = KeptWaiting(monkeypatch)
    async with sandbox_client(tmp_path / "data", faults=("slow=1:count=1",)) as client:
        upload = await client.new_upload(SIZE)
        async with a_copy(client, upload, STALE, looked_at=False) as stale:
            await stale.send(SIZE // 2)
            await stale_waits.begun()
            assert (await client.chunk(upload, GOOD, WHOLE))[0] == 201
            assert await stale.answer() == b"HTTP/1.1 100 Continue"  # the server comes to it only now
            await stale.send_all()
            assert [await stale.answer() for _ in range(2)] == [b"", b""], "a blank line, and no answer"
        assert await content_of(client, fake, upload) == GOOD


@pytest.mark.parametrize("leaves", [True, False])
async def test_an_old_copy_is_cut_off_when_a_new_one_begins(
    client: Client, fake: FakeProcessing, leaves: bool
) -> None:
    upload = await client.new_upload(SIZE)
    async with a_copy(client, upload, STALE) as stale:
        await stale.begin()
        assert (await client.chunk(upload, GOOD, WHOLE))[0] == 201
        if leaves:
            await stale.send(SIZE - 1000)
            await stale.leave()
        else:
            assert await stale.finish() == b""
        assert await content_of(client, fake, upload) == GOOD


async def test_two_copies_in_turns(client: Client, fake: FakeProcessing) -> None:
    upload = await client.new_upload(SIZE)
    async with a_copy(client, upload, STALE) as stale, a_copy(client, upload, GOOD) as good:
        await stale.begin()
        await good.begin()
        await stale.send_all()
        assert await good.finish() == b"HTTP/1.1 201 Created"
        assert await stale.answer() == b""
        assert await content_of(client, fake, upload) == GOOD


@pytest.mark.parametrize("stays", [True, False])
async def test_an_older_copy_of_the_same_bytes_is_as_good_as_the_newer(
    client: Client, fake: FakeProcessing, monkeypatch: pytest.MonkeyPatch, stays: bool
) -> None:
    begun: list[Arrival] = []
    begin = Arrivals.begin

    def watched(arrivals: Arrivals, arrival: Arrival, upload_id: int, span: Span) -> list[Arrival]:
        begun.append(arrival)
        return begin(arrivals, arrival, upload_id, span)

    monkeypatch.setattr(Arrivals, "begin", watched)
    upload = await client.new_upload(SIZE)
    async with a_copy(client, upload, GOOD) as older, a_copy(client, upload, GOOD) as newer:
        await older.begin()
        await newer.send(SIZE // 2)
        await until(lambda: len(begun) == 2, "the newer one to begin")
        await older.send_all()
        if stays:
            assert await newer.finish() == b"HTTP/1.1 201 Created"
            assert await older.answer() == b"HTTP/1.1 201 Created"
            assert await content_of(client, fake, upload) == GOOD
        else:
            await newer.leave()
            assert await older.answer() == b"", "nobody brought the bytes that the newer began to write over"


async def test_an_old_copy_that_is_whole_does_not_count_while_a_new_one_is_written(client: Client) -> None:
    upload = await client.new_upload(SIZE)
    async with a_copy(client, upload, STALE) as stale, a_copy(client, upload, GOOD) as good:
        await stale.send_all_but_its_md5()
        await good.begin()
        await stale.send_all()
        await good.leave()
        assert await stale.answer() == b""
        job = await client.job(await client.start_job(await client.draft(), upload))
        assert job["status"] == 1


async def test_a_new_copy_of_what_counts_already_is_as_good_as_the_first(
    client: Client, fake: FakeProcessing
) -> None:
    upload = await client.new_upload(SIZE)
    for data in (STALE, GOOD):
        async with a_copy(client, upload, data) as copy:
            assert await copy.finish() == b"HTTP/1.1 201 Created"
    assert await content_of(client, fake, upload) == GOOD


async def test_a_copy_that_begins_while_its_upload_is_processed(client: Client, fake: FakeProcessing) -> None:
    upload = await client.new_upload(SIZE)
    assert (await client.chunk(upload, GOOD, WHOLE))[0] == 201
    fake.go_on.clear()
    async with a_copy(client, upload, STALE) as late:
        guid = await client.start_job(await client.draft(), upload)
        assert await late.finish() == b"HTTP/1.1 403 Forbidden"
        fake.go_on.set()
        assert (await client.job(guid))["status"] == 0
    assert fake.archives == [GOOD]


async def test_a_write_under_way_is_waited_for(
    client: Client, fake: FakeProcessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    writing = Arrival.writing

    def held(arrival: Arrival) -> object:
        if not begun.is_set():
            return HeldUp(writing(arrival), begun, go_on)
        return writing(arrival)

    monkeypatch.setattr(Arrival, "writing", held)
    upload = await client.new_upload(SIZE)
    async with a_copy(client, upload, STALE) as stale, a_copy(client, upload, GOOD) as good:
        await stale.send(SIZE // 2)
        assert await to_thread.run_sync(begun.wait, 60)
        done = False

        async def finish() -> None:
            nonlocal done
            assert await good.finish() == b"HTTP/1.1 201 Created"
            done = True

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(finish)
            await anyio.sleep(0.3)
            assert not done
            go_on.set()
        assert await content_of(client, fake, upload) == GOOD


class HeldUp:
    """A write that has passed its check and goes on when it is told to."""

    def __init__(self, inner: object, begun: threading.Event, go_on: threading.Event) -> None:
        self._inner, self._begun, self._go_on = inner, begun, go_on

    def __enter__(self) -> bool:
        allowed = bool(self._inner.__enter__())  # type: ignore[attr-defined]
        self._begun.set()
        self._go_on.wait(60)
        return allowed

    def __exit__(self, *error: object) -> None:
        self._inner.__exit__(*error)  # type: ignore[attr-defined]


async def test_only_what_an_older_request_might_run_into_is_remembered() -> None:
    arrivals = Arrivals()
    with arrivals.arriving() as old:
        for first in range(5):
            with arrivals.arriving() as arrival:
                assert arrivals.begin(arrival, 1, Span(first, first + 1)) == []
        assert len(arrivals) == 6
        for upload, span in ((2, Span(0, 5)), (1, Span(5, 9))):
            assert arrivals.begin(old, upload, span) == []
        arrivals.begin(old, 1, Span(4, 9))
        assert old.overtaken_by is not None
        with pytest.raises(Disconnected):
            await old.yield_to_newer("digest")
    assert len(arrivals) == 0


@pytest.mark.parametrize("piece", [landing.PIECE, 10])
async def test_a_full_disk_is_told(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, piece: int
) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device", "/some/where")

    monkeypatch.setattr(landing._Landing, "put", full)
    monkeypatch.setattr(landing, "PIECE", piece)
    upload = await client.new_upload(20)
    status, answer = await client.chunk(upload, bytes(20), "bytes 0-19/20")
    assert (status, answer["symbol"]) == (507, "storage")
    assert answer["message"] == "This server cannot write the chunk 0-19: No space left on device."
    assert [record.levelname for record in caplog.records if record.name == landing.__name__] == ["WARNING"]
