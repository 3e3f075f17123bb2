"""An upload gone on with under another path, if asked: a file that was moved, copied or touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

import pk_upload
from pk_upload import PatchKit, RetryPolicy, TransferConfig, Upload
from pk_upload.errors import (
    DeadlineExceeded,
    DraftExists,
    NotFound,
    ServerError,
    StateError,
    StateLocked,
    UsageError,
)
from pk_upload.events import Event, Warned
from pk_upload.transfer import Source, kept
from pk_upload.transfer.lock import acquire, release
from seed_server import APP, KEY, SeedServer, answer, fine

pytestmark = pytest.mark.anyio

CHUNK = 20_000
DELIVERED = 6


class Uploader:
    """Uploads with a state directory of its own, and keeps the events."""

    def __init__(self, patchkit: PatchKit, server: SeedServer, state_dir: Path) -> None:
        self.patchkit, self.server, self.state_dir = patchkit, server, state_dir
        self.events: list[Event] = []

    async def __call__(
        self, source: Path, resume_from: Path | None = None, *, checksum: bool = True, stop: bool = False
    ) -> Upload:
        config = TransferConfig(
            chunk_size=CHUNK,
            concurrency=1,
            state_dir=self.state_dir,
            resume_from=resume_from,
            checksum=checksum,
            retries=0,
        )
        self.server.troubles.clear()
        if stop:
            self.server.trouble("POST chunk", *[fine] * DELIVERED, *[answer(500)] * 100)
        return await pk_upload.upload(self.patchkit, source, config=config, on_event=self.events.append)

    async def in_part(self, source: Path, *, checksum: bool = True) -> None:
        with pytest.raises(ServerError):
            await self(source, checksum=checksum, stop=True)

    def warnings(self) -> str:
        return " ".join(event.message for event in self.events if isinstance(event, Warned))


@pytest.fixture
async def upload(seed_server: SeedServer, tmp_path: Path) -> AsyncIterator[Uploader]:
    quick = RetryPolicy(first_wait=0.001, longest_wait=0.01)
    async with PatchKit(
        KEY, api_url=seed_server.api_url, upload_url=seed_server.upload_url, retry=quick
    ) as patchkit:
        yield Uploader(patchkit, seed_server, tmp_path / "state")


def touched(source: Path) -> Path:
    os.utime(source, (0, 0))
    return source


def moved(source: Path) -> Path:
    return source.rename(source.with_name("moved.zip"))


def copied(source: Path) -> Path:
    return shutil.copyfile(source, source.with_name("copied.zip"))


@pytest.mark.parametrize("how", [touched, moved, copied])
async def test_the_same_content_elsewhere_is_gone_on_with(
    upload: Uploader, seed_server: SeedServer, build: Path, how: object
) -> None:
    content, former = build.read_bytes(), build
    await upload.in_part(build)
    now = how(build)  # type: ignore[operator]
    done = await upload(now, former)
    assert done.bytes_resumed == DELIVERED * CHUNK
    assert done.upload_id == 1
    assert bytes(seed_server.uploads[1]) == content
    assert max(seed_server.received.values()) == 1, "a chunk was sent twice"
    assert kept(upload.state_dir) == []
    assert list(upload.state_dir.iterdir()) == []


async def test_unless_asked_a_touched_file_starts_over(
    upload: Uploader, seed_server: SeedServer, build: Path
) -> None:
    await upload.in_part(build)
    done = await upload(touched(build))
    assert (done.bytes_resumed, done.upload_id) == (0, 2)
    assert "changed" in upload.warnings()


async def test_a_run_interrupted_after_the_takeover_is_gone_on_with_by_the_same_call(
    upload: Uploader, seed_server: SeedServer, build: Path
) -> None:
    await upload.in_part(build)
    former, now = build, moved(build)
    with pytest.raises(ServerError):
        await upload(now, former, stop=True)
    done = await upload(now, former)
    assert done.bytes_resumed == 2 * DELIVERED * CHUNK


async def test_another_content_is_refused_and_nothing_is_lost(
    upload: Uploader, seed_server: SeedServer, build: Path
) -> None:
    """The directory of the ZIP, its size and its name stay the same: only the chunks tell."""
    await upload.in_part(build)
    other = copied(build)
    with other.open("r+b") as file:
        file.seek(3 * CHUNK + 17)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(StateError, match="chunk 3 differs") as caught:
        await upload(other, build)
    assert "--resume-from" in caught.value.hint
    done = await upload(build)
    assert done.bytes_resumed == DELIVERED * CHUNK


async def test_a_file_of_another_size_is_refused(upload: Uploader, build: Path) -> None:
    await upload.in_part(build)
    other = copied(build)
    with other.open("ab") as file:
        file.write(b"more")
    with pytest.raises(StateError, match="is not what was uploaded"):
        await upload(other, build)


async def test_a_path_of_which_nothing_is_known_is_a_mistake(upload: Uploader, build: Path) -> None:
    with pytest.raises(StateError, match=r"no upload of .*elsewhere\.zip"):
        await upload(build, build.with_name("elsewhere.zip"))


async def test_the_own_path_of_which_nothing_is_known_is_none(upload: Uploader, build: Path) -> None:
    """So that a pipeline may always give it."""
    done = await upload(build, build)
    assert done.bytes_resumed == 0


async def test_what_was_sent_without_checksums_is_sent_again(
    upload: Uploader, seed_server: SeedServer, build: Path
) -> None:
    await upload.in_part(build, checksum=False)
    former, now = build, moved(build)
    done = await upload(now, former)
    assert (done.upload_id, done.bytes_resumed) == (1, 0)
    assert "without checksums" in upload.warnings()


async def test_an_upload_of_its_own_comes_first(upload: Uploader, build: Path) -> None:
    await upload.in_part(build)
    other = copied(build)
    await upload.in_part(other)
    done = await upload(other, build)
    assert (done.upload_id, done.bytes_resumed) == (2, DELIVERED * CHUNK)
    assert "of its own" in upload.warnings()


async def test_a_damaged_journal_is_not_taken_over(upload: Uploader, build: Path) -> None:
    await upload.in_part(build)
    [journal] = upload.state_dir.glob("*.journal")
    journal.write_bytes(journal.read_bytes().replace(b'"chunk"', b'"chunl"', 1))
    with pytest.raises(StateError, match="cannot be gone on with: line 3"):
        await upload(copied(build), build)


async def test_what_another_run_is_at_work_on_is_left_to_it(upload: Uploader, build: Path) -> None:
    await upload.in_part(build)
    [journal] = upload.state_dir.glob("*.journal")
    lock = acquire(journal)
    try:
        with pytest.raises(StateLocked):
            await upload(copied(build), build)
    finally:
        release(lock, journal)


def test_not_to_resume_and_from_where_is_a_contradiction() -> None:
    with pytest.raises(UsageError, match="resume_from"):
        TransferConfig(resume=False, resume_from="build.zip")


async def test_the_own_path_with_another_content_starts_over(upload: Uploader, build: Path) -> None:
    await upload.in_part(build)
    with build.open("r+b") as file:
        file.seek(17)
        file.write(b"another")
    done = await upload(build, build)
    assert (done.upload_id, done.bytes_resumed) == (2, 0)
    assert "changed" in upload.warnings()


async def test_a_source_that_is_what_it_was_is_not_read_again(
    upload: Uploader, build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upload.in_part(build)

    async def digest(*_: object) -> str:
        raise AssertionError("it is compared")

    monkeypatch.setattr(Source, "digest", digest)
    assert (await upload(build, build)).bytes_resumed == DELIVERED * CHUNK


async def test_a_takeover_that_was_killed_before_its_end_leaves_one_upload(
    upload: Uploader, build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upload.in_part(build)
    former, now = build, copied(build)
    [journal] = upload.state_dir.glob("*.journal")
    before = journal.read_bytes()
    with pytest.raises(ServerError):
        await upload(now, former, stop=True)
    journal.write_bytes(before)
    done = await upload(now, former)
    assert (done.upload_id, done.bytes_resumed) == (1, 2 * DELIVERED * CHUNK)
    assert not upload.warnings()
    assert kept(upload.state_dir) == []


@pytest.mark.parametrize("way", ["file", "file/state"])
async def test_a_state_directory_that_is_none_costs_the_resume_alone(
    upload: Uploader, build: Path, tmp_path: Path, way: str
) -> None:
    """As without: a pipeline always gives it."""
    (tmp_path / "file").write_text("in the way")
    upload.state_dir = tmp_path / way
    assert (await upload(build, build)).bytes_resumed == 0
    assert "cannot be resumed" in upload.warnings()


@dataclass
class Releaser:
    """Releases with a state directory of its own."""

    patchkit: PatchKit
    state_dir: Path

    async def __call__(
        self, source: Path, resume_from: Path | None = None, *, checksum: bool = True, **wishes: Any
    ) -> pk_upload.Release:
        config = TransferConfig(
            chunk_size=CHUNK, retries=2, state_dir=self.state_dir, resume_from=resume_from, checksum=checksum
        )
        wishes = {"label": "1.0", "publish": True, **wishes}
        return await pk_upload.release(self.patchkit, source, app=APP, config=config, **wishes)


@pytest.fixture
def push(upload: Uploader) -> Releaser:
    return Releaser(upload.patchkit, upload.state_dir)


async def test_a_whole_release_is_gone_on_with(push: Releaser, seed_server: SeedServer, build: Path) -> None:
    seed_server.trouble("PUT content_file", *[answer(500)] * 10)
    with pytest.raises(ServerError):
        await push(build)
    seed_server.troubles.clear()
    former, now = build, moved(build)
    done = await push(now, former)
    assert done.published
    assert (done.bytes_sent, done.bytes_resumed) == (0, done.bytes_total)
    assert (len(seed_server.versions), len(seed_server.uploads)) == (1, 1)


async def test_a_build_that_cannot_be_compared_is_not_taken_for_the_one_in_processing(
    push: Releaser, seed_server: SeedServer, build: Path
) -> None:
    seed_server.trouble("GET job", *[answer(404)] * 100)
    with pytest.raises(NotFound):
        await push(build, checksum=False)
    seed_server.troubles.clear()
    other = copied(build)
    content = bytearray(other.read_bytes())
    content[3 * CHUNK] ^= 1
    other.write_bytes(content)
    done = await push(other, build)
    assert done.bytes_sent == done.bytes_total
    assert bytes(seed_server.uploads[done.upload_id or 0]) == content


async def test_a_run_without_the_flag_does_not_stand_in_the_way(
    push: Releaser, seed_server: SeedServer, build: Path
) -> None:
    seed_server.trouble("PUT content_file", *[answer(500)] * 10)
    with pytest.raises(ServerError):
        await push(build)
    seed_server.troubles.clear()
    former, now = build, moved(build)
    with pytest.raises(DraftExists):
        await push(now)
    assert (await push(now, former)).bytes_sent == 0


async def test_the_time_for_the_run_bounds_the_comparison(
    upload: Uploader, push: Releaser, build: Path, monkeypatch: pytest.MonkeyPatch, seed_server: SeedServer
) -> None:
    seed_server.trouble("PUT content_file", *[answer(500)] * 10)
    with pytest.raises(ServerError):
        await push(build)

    async def digest(*_: object) -> str:
        await anyio.sleep_forever()
        return ""

    monkeypatch.setattr(Source, "digest", digest)
    former, now = build, moved(build)
    with anyio.fail_after(20), pytest.raises(DeadlineExceeded):
        await push(now, former, timeout=0.2)
