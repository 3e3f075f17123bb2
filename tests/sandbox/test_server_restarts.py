"""What a restart finds again: everything."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import aiohttp
import anyio
import pytest
from server_harness import FakeProcessing, KeptWaiting, sandbox_client

from pk_upload.sandbox import serve

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_apps_versions_locks_and_chunks_are_kept(tmp_path: Path, fake: FakeProcessing) -> None:
    lock = {"resource": "r", "owner": "a"}
    async with sandbox_client(tmp_path) as client:
        version = await client.draft("1.0")
        upload = await client.new_upload(10)
        await client.chunk(upload, b"56789", "bytes 5-9/10")
        await client.ok("POST", "/1/global_locks/acquire", lock)
        before = [await client.ok("GET", path) for path in ("/1/apps", version)]
    async with sandbox_client(tmp_path) as client:
        assert [await client.ok("GET", path) for path in ("/1/apps", version)] == before
        assert await client.new_upload(10) > upload
        other = await client.ok("POST", "/1/global_locks/acquire", lock | {"owner": "b"})
        assert other["status"] == "deny"
        await client.chunk(upload, b"01234", "bytes 0-4/10")
        await client.job(await client.start_job(version, upload))
    assert fake.archives == [b"0123456789"]


async def test_a_running_job_is_run_again(tmp_path: Path, fake: FakeProcessing) -> None:
    fake.go_on.clear()
    async with sandbox_client(tmp_path) as client:
        version = await client.draft()
        guid = await client.start_job(version, await client.uploaded(b"archive"))
        await client.until(f"/1/background_jobs/{guid}", lambda job: job["status_message"] == "held up")
        waiting = await client.draft()
        second = await client.start_job(waiting, await client.uploaded(b"other"))
        job = await client.ok("GET", f"/1/background_jobs/{second}")
        assert (job["pending"], job["finished"]) == (True, False)
        assert job["status_message"] == "waiting for free worker..."
    assert not fake.archives
    fake.go_on.set()
    async with sandbox_client(tmp_path) as client:
        for job in (guid, second):
            assert (await client.job(job))["status"] == 0
        assert fake.archives == [b"archive", b"other"]
        assert (await client.ok("GET", version))["content_guid"]


async def test_publishing_goes_on(tmp_path: Path, fake: FakeProcessing) -> None:
    async with sandbox_client(tmp_path, pace=3600) as client:
        version = await client.draft()
        await client.processed(version)
        await client.ok("POST", f"{version}/publish")
        assert not (await client.ok("GET", version))["published"]
    async with sandbox_client(tmp_path, pace=0) as client:
        await client.published(version)


async def test_a_scheduled_version_is_published_after_a_restart(tmp_path: Path, fake: FakeProcessing) -> None:
    async with sandbox_client(tmp_path) as client:
        version = await client.draft()
        await client.processed(version)
        due = int(time.time()) + 2
        await client.ok("PATCH", version, {"publish_time": str(due)})
        await client.ok("POST", f"{version}/publish")
    async with sandbox_client(tmp_path) as client:
        found = await client.published(version)
        assert found["publish_date"] >= due


async def test_it_ends_while_clients_are_connected(
    tmp_path: Path, fake: FakeProcessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = KeptWaiting(monkeypatch)
    patience = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=patience) as session, anyio.create_task_group() as tasks:

        async def ask(url: str) -> None:
            with pytest.raises(aiohttp.ClientConnectionError):  # it is cut off, and does not leave by itself
                await session.get(url)

        async with serve(tmp_path, faults=("stall@account",)) as sandbox:
            tasks.start_soon(ask, f"{sandbox.url}/1/account?api_key={sandbox.api_key}")
            await waits.begun()


async def test_files_of_no_use_are_swept_away(tmp_path: Path, fake: FakeProcessing) -> None:
    async with sandbox_client(tmp_path) as client:
        kept = await client.new_upload(10)
        done = await client.uploaded(b"archive")
        await client.job(await client.start_job(await client.draft(), done))
    unknown, processed = (tmp_path / "uploads" / f"{number}.data" for number in (77, done))
    for debris in (unknown, processed):  # the latter as where a file that is open cannot be deleted
        debris.write_bytes(b"x")
    async with sandbox_client(tmp_path):
        assert not unknown.exists()
        assert not processed.exists()
        assert (tmp_path / "uploads" / f"{kept}.data").exists()
