"""The engine against a server that speaks the documentation's protocol and nothing else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from pk_upload import PatchKit, RetryPolicy, TransferConfig, upload
from pk_upload.errors import (
    AuthenticationFailed,
    ChunkMismatch,
    ServerError,
    SourceChanged,
    UnexpectedAnswer,
    UploadFailed,
    UsageError,
)
from pk_upload.events import Bytes, ChunkRetry, Event, Lanes, Warned
from pk_upload.transfer import pacing
from pk_upload.transfer import source as source_module
from seed_server import KEY, Handler, SeedServer, answer, fine, hang_up, lose_answer

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(first_wait=0.001, longest_wait=0.01)
CHUNK = 20_000


@pytest.fixture
async def patchkit(seed_server: SeedServer) -> AsyncIterator[PatchKit]:
    async with PatchKit(
        KEY, api_url=seed_server.api_url, upload_url=seed_server.upload_url, retry=QUICK
    ) as client:
        yield client


@pytest.fixture
def config(tmp_path: Path) -> TransferConfig:
    return TransferConfig(chunk_size=CHUNK, state_dir=tmp_path / "state")


def changed(config: TransferConfig, **fields: object) -> TransferConfig:
    """The settings with `fields` changed."""
    values = {name: getattr(config, name) for name in config.__slots__}
    return TransferConfig(**{**values, **fields})


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sent_again(server: SeedServer) -> list[tuple[int, int, int]]:
    return [span for span, count in server.received.items() if count > 1]


async def stop_after_six(
    patchkit: PatchKit, server: SeedServer, config: TransferConfig, source: Path
) -> None:
    """A run that ends when six chunks are confirmed."""
    server.trouble("POST chunk", *[fine] * 6, *[answer(400)] * 100)
    with pytest.raises(UploadFailed):
        await upload(patchkit, source, config=changed(config, concurrency=1))
    server.troubles.clear()


async def test_the_bytes_arrive_whole_and_once_and_several_chunks_at_once(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path
) -> None:
    seed_server.gather = 4
    done = await upload(patchkit, build, config=config)
    size = build.stat().st_size
    assert (done.upload_id, done.bytes_total, done.bytes_sent, done.bytes_resumed) == (1, size, size, 0)
    assert seed_server.sha256() == sha256(build)
    assert sent_again(seed_server) == []
    assert seed_server.most_in_flight >= 4
    chunks = seed_server.requests("POST chunk")
    assert len(chunks) == -(-size // CHUNK)
    assert {seen.host for seen in chunks} == {"upload"}
    assert {seen.host for seen in seed_server.requests("POST uploads")} == {"api"}
    assert chunks[0].headers["Content-Range"].startswith("bytes ")
    assert all(seen.headers["Content-Range"].endswith(f"/{size}") for seen in chunks)
    assert not any("Transfer-Encoding" in seen.headers for seen in chunks)
    assert not any(KEY in seen.path for seen in seed_server.seen)


@pytest.mark.parametrize("lanes", [1, 3, 16])
async def test_no_more_lanes_than_told(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path, lanes: int
) -> None:
    await upload(patchkit, build, config=changed(config, concurrency=lanes, chunk_size=5000))
    assert 1 <= seed_server.most_in_flight <= lanes
    assert seed_server.sha256() == sha256(build)


@pytest.mark.parametrize("chunk_size", [1024, 65_537, 10_000_000])
async def test_any_chunk_size_gives_the_same_bytes(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path, chunk_size: int
) -> None:
    await upload(patchkit, build, config=changed(config, chunk_size=chunk_size))
    assert seed_server.sha256() == sha256(build)


async def test_chunks_of_several_pieces_arrive_unmixed(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, tmp_path: Path
) -> None:
    """Pieces share two buffers: a buffer that is filled too early would show here."""
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        for number in range(24):
            file.write(bytes([number]) * 1_000_003)
    await upload(patchkit, big, config=changed(config, chunk_size=5_500_000))
    assert seed_server.sha256() == sha256(big)
    assert len(seed_server.requests("POST chunk")) == 5, "no chunk was sent again"


async def test_without_checksum_no_md5_is_sent(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path
) -> None:
    await upload(patchkit, build, config=config)
    assert all(seed_server.md5s)
    seed_server.md5s.clear()
    await upload(patchkit, build, config=changed(config, checksum=False))
    assert set(seed_server.md5s) == {""}
    assert seed_server.sha256(2) == sha256(build)


TROUBLES = {
    "412": (answer(412), 1),
    "500": (answer(500), 1),
    "502 as a page": (answer(502, b"<html><title>Bad Gateway</title></html>"), 1),
    "503": (answer(503, headers={"Retry-After": "0"}), 1),
    "429": (answer(429, b""), 1),
    "408": (answer(408, b"slow"), 1),
    "hang up": (hang_up, 1),
    "lost answer": (lose_answer, 2),
}


@pytest.mark.parametrize("name", TROUBLES)
async def test_a_chunk_in_trouble_is_sent_again_and_no_other(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path, name: str
) -> None:
    trouble, most = TROUBLES[name]
    ahead = {2 * CHUNK, 4 * CHUNK}

    def once_for_two(handler: Handler) -> bool:
        offset = int(handler.headers["Content-Range"].removeprefix("bytes ").partition("-")[0])
        if offset not in ahead:
            return fine(handler)
        ahead.remove(offset)
        return trouble(handler)

    seed_server.trouble("POST chunk", *[once_for_two] * 100)
    events: list[Event] = []
    await upload(patchkit, build, config=changed(config, concurrency=8), on_event=events.append)
    assert seed_server.sha256() == sha256(build)
    assert len(sent_again(seed_server)) == (2 if most == 2 else 0)
    counts = [event for event in events if isinstance(event, Bytes)]
    assert all(0 <= count.in_flight <= count.total - count.confirmed for count in counts)
    assert counts[-1].in_flight == 0
    retries = [event for event in events if isinstance(event, ChunkRetry)]
    assert [retry.attempt for retry in retries] == [1, 1]
    assert all(retry.offset == retry.chunk * CHUNK and retry.cause for retry in retries)


async def test_a_chunk_that_always_arrives_damaged_ends_the_upload(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path
) -> None:
    seed_server.trouble("POST chunk", *[answer(412)] * 100)
    with pytest.raises(ChunkMismatch) as caught:
        await upload(patchkit, build, config=changed(config, retries=2, concurrency=1))
    assert caught.value.exit_code == 9
    assert len(seed_server.requests("POST chunk")) == 3


@pytest.mark.parametrize(
    ("status", "error", "exit_code"),
    [(401, AuthenticationFailed, 3), (400, UploadFailed, 9), (413, UploadFailed, 9), (500, ServerError, 7)],
)
async def test_what_no_repetition_mends_ends_with_its_exit(
    patchkit: PatchKit,
    seed_server: SeedServer,
    config: TransferConfig,
    build: Path,
    status: int,
    error: type[Exception],
    exit_code: int,
) -> None:
    seed_server.trouble("POST chunk", *[answer(status)] * 100)
    with pytest.raises(error) as caught:
        await upload(patchkit, build, config=changed(config, retries=1))
    assert getattr(caught.value, "exit_code", None) == exit_code


@pytest.mark.parametrize("status", [400, 409, 416, 422])
async def test_a_service_that_insists_on_order_is_served_in_order(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path, status: int
) -> None:
    seed_server.strict_order = status
    seed_server.gather = 3
    events: list[Event] = []
    await upload(patchkit, build, config=changed(config, concurrency=8), on_event=events.append)
    assert seed_server.sha256() == sha256(build)
    assert sent_again(seed_server) == []
    assert [event.lanes for event in events if isinstance(event, Lanes)] == [8, 1]
    assert "in order" in str([event for event in events if isinstance(event, Warned)])


@pytest.mark.parametrize("status", [400, 403, 410])
async def test_an_upload_that_another_run_began_and_the_service_closed_starts_over(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path, status: int
) -> None:
    await stop_after_six(patchkit, seed_server, config, build)
    seed_server.trouble("POST chunk", answer(status))
    done = await upload(patchkit, build, config=changed(config, concurrency=1))
    assert (done.upload_id, done.bytes_resumed) == (2, 0)
    assert seed_server.sha256(2) == sha256(build)


async def test_a_page_of_a_portal_confirms_nothing(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path
) -> None:
    seed_server.trouble("POST chunk", answer(200, b"<html>Please log in</html>"))
    with pytest.raises(UnexpectedAnswer):
        await upload(patchkit, build, config=config)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"id": "1"}'])
async def test_what_else_a_chunk_is_answered_does_not_matter(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path, body: bytes
) -> None:
    def confirm(handler: Handler) -> bool:
        handler._store_chunk()
        handler.reply(201, body)
        return True

    seed_server.trouble("POST chunk", *[confirm] * 50)
    await upload(patchkit, build, config=config)
    assert seed_server.sha256() == sha256(build)


async def test_the_time_for_an_upload_is_bounded(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path
) -> None:
    slow = changed(config, limit_rate=20_000, chunk_size=100_000)
    with pytest.raises(UploadFailed, match=r"within 0\.5 s"):
        await upload(patchkit, build, timeout=0.5, config=slow)


async def test_an_early_refusal_is_read_although_the_body_was_not(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, tmp_path: Path
) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(b"x" * 8_000_000)

    def refuse(handler: Handler) -> bool:
        handler.reply(401, {"message": "Invalid credentials"}, {"Connection": "close"})
        handler.close_connection = True
        # What is unread when a socket closes turns the answer into a reset; a real server lingers.
        handler.connection.settimeout(5)
        while handler.rfile.read1(65536):
            pass
        return True

    seed_server.trouble("POST chunk", refuse)
    with pytest.raises(AuthenticationFailed):
        await upload(patchkit, big, config=changed(config, chunk_size=8_000_000))


async def test_an_answer_to_half_a_chunk_confirms_nothing(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, tmp_path: Path
) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(bytes(range(256)) * 100_000)

    def hasty(handler: Handler) -> bool:
        handler.rfile.read(65536)
        handler.reply(201, {"id": 1}, {"Connection": "close"})
        handler.close_connection = True
        seed_server.ended.wait(1)
        return True

    seed_server.trouble("POST chunk", hasty)
    events: list[Event] = []
    whole = changed(config, chunk_size=30_000_000)
    await upload(patchkit, big, config=whole, on_event=events.append)
    assert seed_server.sha256() == sha256(big)
    [retry] = [event for event in events if isinstance(event, ChunkRetry)]
    assert "before it was sent" in retry.cause


async def test_a_name_that_is_no_text_is_uploaded_and_resumed(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path
) -> None:
    odd = build.rename(build.parent / os.fsdecode(b"b\xff\xfe.zip"))
    await stop_after_six(patchkit, seed_server, config, odd)
    assert (await upload(patchkit, odd, config=config)).bytes_resumed == 6 * CHUNK


async def test_what_was_confirmed_is_not_sent_again_by_the_next_run(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path
) -> None:
    await stop_after_six(patchkit, seed_server, config, build)
    events: list[Event] = []
    done = await upload(patchkit, build, config=config, on_event=events.append)
    assert done.bytes_resumed == 6 * CHUNK
    assert done.bytes_sent == build.stat().st_size - 6 * CHUNK
    assert sent_again(seed_server) == []
    assert seed_server.sha256() == sha256(build)
    assert len(seed_server.requests("POST uploads")) == 1
    counts = [event for event in events if isinstance(event, Bytes)]
    assert counts[0].confirmed == 6 * CHUNK
    assert counts[-1].confirmed == build.stat().st_size


async def test_a_finished_upload_leaves_nothing_to_resume(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path
) -> None:
    await upload(patchkit, build, config=config)
    again = await upload(patchkit, build, config=config)
    assert (again.upload_id, again.bytes_resumed) == (2, 0)


async def test_without_resume_all_is_sent(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path
) -> None:
    await stop_after_six(patchkit, seed_server, config, build)
    done = await upload(patchkit, build, config=changed(config, resume=False))
    assert (done.upload_id, done.bytes_resumed) == (2, 0)


async def test_an_upload_the_service_lost_starts_over_by_itself(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path
) -> None:
    await stop_after_six(patchkit, seed_server, config, build)
    del seed_server.uploads[1]
    seed_server.uploads[7] = bytearray()  # so that the next one gets another id
    events: list[Event] = []
    done = await upload(patchkit, build, config=config, on_event=events.append)
    assert done.bytes_resumed == 0
    assert seed_server.sha256(done.upload_id) == sha256(build)
    assert any(isinstance(event, Warned) and "starts over" in event.message for event in events)
    confirmed = [event.confirmed for event in events if isinstance(event, Bytes)]
    assert confirmed == sorted(confirmed), "what is told as confirmed never goes back"


async def test_a_source_that_changes_during_the_run_is_never_finished(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path
) -> None:
    def touch(handler: Handler) -> bool:
        with build.open("r+b") as file:
            file.seek(1000)
            file.write(b"another build")
        return False

    seed_server.trouble("POST chunk", fine, touch)
    with pytest.raises(SourceChanged):
        await upload(patchkit, build, config=config)


async def test_a_connection_that_stalls_is_left_for_another(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path
) -> None:
    def stall(handler: Handler) -> bool:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        seed_server.ended.wait(30)  # the answer never comes while the test runs
        handler.hang_up()
        return True

    seed_server.trouble("POST chunk", fine, stall)
    events: list[Event] = []
    await upload(patchkit, build, config=changed(config, stall_timeout=1.5), on_event=events.append)
    assert seed_server.sha256() == sha256(build)
    causes = [event.cause for event in events if isinstance(event, ChunkRetry)]
    assert causes
    assert all(cause.endswith("moved for 1.5 s") for cause in causes)


async def test_a_limited_rate_is_no_stall(
    patchkit: PatchKit,
    seed_server: SeedServer,
    config: TransferConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Attempts are repeated for a slow machine's sake; were it a stall, every one of them would end so."""
    monkeypatch.setattr(pacing, "SMALLEST_SLICE", 2000)
    small = tmp_path / "small.bin"
    small.write_bytes(b"x" * 2100)
    slow = changed(config, limit_rate=1024, stall_timeout=1, chunk_size=3000)
    await upload(patchkit, small, config=slow)  # its second slice is held back for longer than a stall
    assert seed_server.sha256() == sha256(small)


async def test_a_listener_that_nobody_would_await_is_refused(
    patchkit: PatchKit, config: TransferConfig, build: Path
) -> None:
    async def listen(event: Event) -> None:
        pytest.fail("it cannot have been called")

    with pytest.raises(UsageError, match="coroutine function"):
        await upload(patchkit, build, config=config, on_event=listen)  # type: ignore[arg-type]


async def test_a_listener_that_fails_costs_no_upload(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path
) -> None:
    def fail(event: Event) -> None:
        raise ValueError("a bug of the listener")

    await upload(patchkit, build, config=config, on_event=fail)
    assert seed_server.sha256() == sha256(build)


async def test_a_cancelled_upload_leaves_no_task_and_can_be_resumed(
    patchkit: PatchKit, seed_server: SeedServer, config: TransferConfig, build: Path
) -> None:
    before = {task.id for task in anyio.get_running_tasks()}
    with anyio.CancelScope() as scope:

        def cancel(event: Event) -> None:
            if isinstance(event, Bytes) and event.confirmed >= 3 * CHUNK:
                scope.cancel()

        await upload(patchkit, build, config=changed(config, concurrency=2), on_event=cancel)
    assert scope.cancelled_caught
    await anyio.wait_all_tasks_blocked()  # aiohttp's own writers see the end of their connections
    assert {task.id for task in anyio.get_running_tasks()} <= before
    done = await upload(patchkit, build, config=config)
    assert done.bytes_resumed >= 3 * CHUNK
    assert seed_server.sha256() == sha256(build)
    assert len(sent_again(seed_server)) <= 2, "at most one chunk a lane"


async def test_a_source_that_changes_ends_the_upload_long_before_its_end(
    patchkit: PatchKit,
    seed_server: SeedServer,
    config: TransferConfig,
    build: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source_module, "WATCH", 0.05)

    def change(handler: Handler) -> bool:
        os.utime(build, (0, 0))
        return seed_server.ended.wait(100)

    seed_server.trouble("POST chunk", *[change] * 100)
    with anyio.fail_after(60), pytest.raises(SourceChanged, match="changed while it was being uploaded"):
        await upload(patchkit, build, config=config)
