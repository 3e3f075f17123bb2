"""The file on disk: read in threads, watched for changes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pk_upload.archive import BuildFile
from pk_upload.errors import PreflightFailed, SourceChanged, SourceUnreadable
from pk_upload.transfer import source as source_module
from pk_upload.transfer.content import PIECE, Buffers, Content
from pk_upload.transfer.plan import Chunk
from pk_upload.transfer.source import Source

pytestmark = pytest.mark.anyio


def content_of(source: Source, offset: int, size: int, *, checksum: bool) -> Content:
    chunk = Chunk(0, offset, size, source.size)
    return Content(source, chunk, Buffers(PIECE), checksum=checksum, pacer=None, on_sent=lambda _: None)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(min_size=1, max_size=5000), data=st.data())
async def test_reads_and_hashes_any_range(tmp_path: Path, content: bytes, data: st.DataObject) -> None:
    path = tmp_path / "source"
    path.write_bytes(content)
    offset = data.draw(st.integers(0, len(content) - 1))
    size = data.draw(st.integers(1, len(content) - offset))
    async with Source(BuildFile(path)) as source:
        read = content_of(source, offset, size, checksum=True)
        assert bytes(read.read()) == content[offset : offset + size]
    assert read.md5 == hashlib.md5(content[offset : offset + size]).hexdigest()


async def test_without_a_checksum_there_is_none(build: Path) -> None:
    async with Source(BuildFile(build)) as source:
        read = content_of(source, 0, 10, checksum=False)
        read.read()
    assert read.md5 == ""


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="does not exist"):
        BuildFile(tmp_path / "missing.zip")


def test_a_pipe_is_no_source(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceUnreadable, match="neither a file nor a folder"):
        BuildFile(tmp_path / "pipe")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.zip").touch()
    with pytest.raises(PreflightFailed, match="is empty"):
        BuildFile(tmp_path / "empty.zip")


async def test_a_file_that_shrinks_is_noticed(build: Path) -> None:
    async with Source(BuildFile(build)) as source:
        os.truncate(build, 1000)
        with pytest.raises(SourceChanged, match="shorter"):
            source.fill(memoryview(bytearray(2000)), 0)


@pytest.mark.parametrize("how", ["touched", "rewritten", "replaced", "removed"])
async def test_every_change_is_noticed(build: Path, tmp_path: Path, how: str) -> None:
    content = build.read_bytes()
    status = build.stat()
    async with Source(BuildFile(build)) as source:
        await source.check_unchanged()
        match how:
            case "touched":
                os.utime(build, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
            case "rewritten":  # the same size and the same time
                build.write_bytes(content[:-40] + bytes(reversed(content[-40:])))
                os.utime(build, ns=(status.st_atime_ns, status.st_mtime_ns))
            case "replaced":
                (tmp_path / "new").write_bytes(content)
                os.utime(tmp_path / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
                (tmp_path / "new").replace(build)
            case "removed":
                build.unlink()
        with pytest.raises(SourceChanged):
            await source.check_unchanged()


async def test_a_change_is_noticed_while_it_is_watched(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "WATCH", 0.01)
    async with Source(BuildFile(build)) as source:
        with anyio.move_on_after(0.2):
            await source.watch()
            pytest.fail("nothing has changed")
        os.utime(build, (0, 0))
        with anyio.fail_after(20), pytest.raises(SourceChanged, match="changed"):
            await source.watch()
        build.unlink()
        with anyio.fail_after(20), pytest.raises(SourceChanged, match="removed"):
            await source.watch()


async def test_a_look_that_fails_is_only_a_bad_moment(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "WATCH", 0.01)
    looks = 0

    def fail(_: Path) -> os.stat_result:
        nonlocal looks
        looks += 1
        raise OSError(5, "Input/output error")

    async with Source(BuildFile(build)) as source:
        monkeypatch.setattr(Path, "stat", fail)
        with anyio.move_on_after(20) as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(source.watch)
                while looks < 3:  # noqa: ASYNC110 - the looks are in threads
                    await anyio.sleep(0.01)
                scope.cancel()
        with pytest.raises(SourceUnreadable, match="Input/output error"):
            await source.check_unchanged()
