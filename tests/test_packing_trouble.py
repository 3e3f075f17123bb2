"""What happens when packing a folder goes wrong, or is ended."""

from __future__ import annotations

import io
import os
import resource
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from folders import make_build, packed, silent, small_blocks
from pk_upload.archive.folder import tree as tree_module
from pk_upload.archive.folder.deflating import BLOCK
from pk_upload.archive.folder.packed import PackedFolder
from pk_upload.archive.folder.packing import pack
from pk_upload.archive.folder.tree import Member, walk
from pk_upload.errors import SourceChanged, SourceUnreadable, UsageError

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No test changes it."""
    return make_build(tmp_path_factory.mktemp("build"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """To be changed."""
    return make_build(tmp_path / "folder")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory for temporary files."""
    path = tmp_path / "temporary"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


@pytest.mark.parametrize(
    "change", [Path.unlink, lambda path: os.truncate(path, 10), lambda path: os.utime(path)]
)
async def test_a_file_that_changes_meanwhile_is_noticed(folder: Path, change: Callable[[Path], None]) -> None:
    tree, victim = walk(folder), folder / "data/short"
    changed = False

    def on_progress(done: int, total: int) -> None:
        nonlocal changed
        if not changed:
            change(victim)
            changed = True

    with small_blocks(), pytest.raises(SourceChanged, match="data/short"):
        await pack(tree, io.BytesIO(), on_progress=on_progress, threads=1)
    assert changed


@pytest.mark.parametrize("name", ["data/level.pak", "data/noise"])
async def test_a_file_that_shrinks_under_the_reader_is_noticed(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = walk(folder)
    regular = tree_module.same

    def look_and_cut(status: os.stat_result, member: Member) -> bool:
        unchanged = regular(status, member)
        if member.name == name:
            os.truncate(tree.path(member), 1000)
        return unchanged

    monkeypatch.setattr(tree_module, "same", look_and_cut)
    with pytest.raises(SourceChanged, match="shorter"):
        await packed(tree)


async def test_a_disk_that_fails_is_named(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = walk(build)

    def fail(*_: int) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(tree_module, "read_at", fail)
        with pytest.raises(SourceUnreadable, match=r"Game\.x86_64 cannot be read: Input/output error"):
            await packed(tree)


async def test_a_full_disk_is_told_of_and_leaves_nothing(
    build: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 - whoever it is given to closes it
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
    with pytest.raises(UsageError, match="has no room") as caught:
        await PackedFolder.packed(walk(build), on_progress=silent)
    assert "TMPDIR" in caught.value.hint
    assert "--compression store" in caught.value.hint
    assert full.closed


async def test_a_disk_that_fills_up_is_told_of(build: Path, temporary: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * BLOCK + 5, hard))
    try:
        with pytest.raises(UsageError, match="has no room"):
            await PackedFolder.packed(walk(build), on_progress=silent)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(temporary.iterdir())


async def test_a_place_for_no_file_is_told_of(build: Path, temporary: Path) -> None:
    temporary.rmdir()
    with pytest.raises(UsageError, match="no temporary file can be made") as caught:
        await PackedFolder.packed(walk(build), on_progress=silent)
    assert "TMPDIR" in caught.value.hint


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_cancellation_leaves_no_thread_and_no_file(build: Path, temporary: Path) -> None:
    threads, files = set(threading.enumerate()), open_files()
    told = 0

    async def cancelled() -> None:
        nonlocal told
        with anyio.CancelScope() as scope:

            def on_progress(done: int, total: int) -> None:
                nonlocal told
                told += 1
                assert not list(temporary.iterdir())  # the file has no name: a kill leaves nothing
                scope.cancel()

            await PackedFolder.packed(walk(build), on_progress=on_progress)
            pytest.fail("it was not cancelled")
        assert open_files() - files < 6  # the loop's own

    anyio.run(cancelled)
    assert told == 1
    for thread in set(threading.enumerate()) - threads:
        thread.join(10)  # the loop's own end soon after it
        assert not thread.is_alive()
    assert open_files() == files
    assert not list(temporary.iterdir())


async def test_a_listener_that_fails_is_heard(build: Path) -> None:
    def on_progress(done: int, total: int) -> None:
        raise RuntimeError("not now")

    with pytest.raises(RuntimeError, match="not now"):
        await pack(walk(build), io.BytesIO(), on_progress=on_progress)
