"""Each kind of fault, as a client meets it."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import pytest
from server_harness import KEY, Client, FakeProcessing, KeptWaiting, awaiting, sandbox_client

from pk_upload.sandbox import FaultError, injection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

DATA = bytes(range(256)) * 20_000


@asynccontextmanager
async def faulty(tmp_path: Path, *faults: str) -> AsyncIterator[Client]:
    async with sandbox_client(tmp_path / "data", faults=faults) as client:
        yield client


async def send(client: Client, upload: int) -> tuple[int, object]:
    return await client.chunk(upload, DATA, f"bytes 0-{len(DATA) - 1}/{len(DATA)}")


async def test_a_bad_fault_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="no fault 'nonsense'"):
        async with faulty(tmp_path, "nonsense"):
            pass


@pytest.mark.parametrize("status", [400, 403, 429, 500, 503])
async def test_status(tmp_path: Path, fake: FakeProcessing, status: int) -> None:
    async with faulty(tmp_path, f"status={status}:count=1:retry-after=3") as client:
        upload = await client.new_upload(len(DATA))
        url = f"{client.sandbox.url}/1/uploads/{upload}/chunk"
        async with client.session.post(url, data={"x": "y"}) as answer:
            assert answer.status == status
            assert answer.headers.get("Retry-After") == ("3" if status in {429, 503} else None)
            assert (await answer.json()).keys() == {"message", "symbol"}
        assert (await send(client, upload))[0] == 201


async def test_status_502_is_a_web_page(tmp_path: Path, fake: FakeProcessing) -> None:
    async with (
        faulty(tmp_path, "status=502@apps") as client,
        client.session.get(client.sandbox.url + "/1/apps") as page,
    ):
        assert (page.status, page.content_type) == (502, "text/html")


async def test_a_redirect_has_a_location(tmp_path: Path, fake: FakeProcessing) -> None:
    url = "/1/apps?api_key=sandbox"
    async with (
        faulty(tmp_path, "status=307@apps") as client,
        client.session.get(client.sandbox.url + url, allow_redirects=False) as answer,
    ):
        assert (answer.status, answer.headers["Location"]) == (307, "/elsewhere")


@pytest.mark.parametrize("fault", ["drop", "drop=0", "drop=1", "drop=0.3"])
async def test_drop(tmp_path: Path, fake: FakeProcessing, fault: str) -> None:
    async with faulty(tmp_path, f"{fault}:count=1") as client:
        upload = await client.new_upload(len(DATA))
        with pytest.raises(aiohttp.ClientConnectionError):
            await send(client, upload)
        job = await client.job(await client.start_job(await client.draft(), upload))
        assert job["status"] == 1


async def test_lost_answer(tmp_path: Path, fake: FakeProcessing) -> None:
    async with faulty(tmp_path, "lost-answer:count=1", "lost-answer@POST/versions:count=1") as client:
        upload = await client.new_upload(len(DATA))
        with pytest.raises(aiohttp.ClientConnectionError):
            await send(client, upload)
        app = await client.app()
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.draft_of(app, "1.0")
        [version] = await client.ok("GET", f"/1/apps/{app}/versions")
        job = await client.job(await client.start_job(f"/1/apps/{app}/versions/{version['id']}", upload))
        assert job["status"] == 0


@pytest.mark.parametrize("fault", ["stall", "stall=0.5", "stall=1"])
async def test_stall(
    tmp_path: Path, fake: FakeProcessing, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    waits, answers = KeptWaiting(monkeypatch), list[object]()
    async with faulty(tmp_path, f"{fault}:count=1") as client:
        upload = await client.new_upload(len(DATA))

        async def ask() -> None:
            answers.append(await send(client, upload))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await waits.begun()
            await anyio.sleep(0.2)  # an answer would come at once
            tasks.cancel_scope.cancel()
        assert answers == []
        assert (await send(client, upload))[0] == 201


async def test_a_stall_has_an_end(
    tmp_path: Path, fake: FakeProcessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert injection._LONGEST_STALL == 600
    monkeypatch.setattr(injection, "_LONGEST_STALL", 0.2)
    async with faulty(tmp_path, "stall") as client:
        upload = await client.new_upload(len(DATA))
        with awaiting("the end of the stall"), pytest.raises(aiohttp.ClientConnectionError):
            await send(client, upload)


async def test_a_client_that_leaves_is_not_waited_for(
    tmp_path: Path, fake: FakeProcessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = KeptWaiting(monkeypatch)
    async with faulty(tmp_path, "stall@account") as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call, "GET", "/1/account")
            await waits.begun()
            tasks.cancel_scope.cancel()
        await waits.ended()


async def test_no_answer_has_the_key_of_the_sandbox_in_it(tmp_path: Path, fake: FakeProcessing) -> None:
    """Its default key is a word, which a client that hides keys would hide in every sentence."""
    faults = ("status=503@apps:count=1", "fail-job:count=1", "error-message:count=1")
    async with faulty(tmp_path, *faults) as client:
        texts: list[Any] = [await client.call("GET", "/1/apps"), await client.call("GET", "/1/account")]
        version = await client.draft()
        fake.error = RuntimeError()
        for _ in range(3):
            texts.append(await client.job(await client.start_job(version, await client.uploaded(b"x"))))
            texts.append(await client.ok("GET", version))
            fake.error = None
        shutil.rmtree(client.sandbox.data_dir / "uploads")
        texts.append(await client.call("POST", "/1/uploads", {"total_size_bytes": "1"}))
    assert len(texts) == 9
    assert KEY not in str(texts).lower()


async def test_strict_order(tmp_path: Path, fake: FakeProcessing) -> None:
    async with faulty(tmp_path, "strict-order") as client:
        upload = await client.new_upload(20)
        status, answer = await client.chunk(upload, bytes(10), "bytes 10-19/20")
        assert (status, answer["message"]) == (400, "Bad Request")
        for content_range in ("bytes 0-9/20", "bytes 0-9/20", "bytes 10-19/20", "bytes 0-9/20"):
            assert (await client.chunk(upload, bytes(10), content_range))[0] == 201


async def test_wrong_md5(tmp_path: Path, fake: FakeProcessing) -> None:
    async with faulty(tmp_path, "wrong-md5:count=1") as client:
        upload = await client.new_upload(len(DATA))
        assert (await send(client, upload))[0] == 412
        assert (await send(client, upload))[0] == 201


async def test_slow_requests_are_answered(tmp_path: Path, fake: FakeProcessing) -> None:
    async with faulty(tmp_path, "slow=0.05@*") as client:
        assert await client.ok("GET", "/1/apps") == []


async def test_slow_job_shows_that_it_waits(tmp_path: Path, fake: FakeProcessing) -> None:
    async with faulty(tmp_path, "slow-job=0.3") as client:
        guid = await client.start_job(await client.draft(), await client.uploaded(b"archive"))
        await client.until(f"/1/background_jobs/{guid}", lambda job: "told to wait" in job["status_message"])
        assert (await client.job(guid))["status"] == 0


async def test_fail_job(tmp_path: Path, fake: FakeProcessing) -> None:
    async with faulty(tmp_path, "fail-job:count=1") as client:
        version = await client.draft()
        job = await client.job(await client.start_job(version, await client.uploaded(b"archive")))
        assert job["status"] == 1
        assert (await client.ok("GET", version))["has_processing_error"]
        assert not (await client.processed(version))["has_processing_error"]


async def test_error_message(tmp_path: Path, fake: FakeProcessing) -> None:
    async with faulty(tmp_path, "error-message") as client:
        version = await client.draft()
        found = await client.processed(version)
        assert [message["severity"] for message in found["processing_messages"]] == ["error"]
        assert (await client.call("POST", f"{version}/publish"))[0] == 400
