"""A packed folder as a build: read at any offset, told from others, watched for changes."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from folders import LINK, make_build, packed, silent
from pk_upload.archive.build import Fingerprint, read
from pk_upload.archive.folder.deflating import BLOCK
from pk_upload.archive.folder.packed import PackedFolder
from pk_upload.archive.folder.packing import pack
from pk_upload.archive.folder.tree import Tree, walk
from pk_upload.archive.folder.watching import compare
from pk_upload.errors import SourceChanged, SourceUnreadable

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No test changes it."""
    return make_build(tmp_path_factory.mktemp("build"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """To be changed."""
    return make_build(tmp_path / "folder")


async def test_any_range_of_it_can_be_read(build: Path) -> None:
    content = await packed(walk(build))
    end = len(content) - 7
    with closing(await PackedFolder.packed(walk(build), on_progress=silent)) as made:
        assert made.path == build
        assert made.size == made.fingerprint.size == len(content)
        for offset, size in [(0, 10), (12_345, BLOCK), (end, 7), (end, 100), (1 << 40, 5)]:
            made.advise(offset)
            assert read(made, offset, size) == content[offset : offset + size]
    made.close()  # once more does no harm


async def fingerprint_of(folder: Path) -> Fingerprint:
    with closing(await PackedFolder.packed(walk(folder), on_progress=silent)) as made:
        return made.fingerprint


async def test_a_copy_shares_what_tells_of_the_content(build: Path, folder: Path) -> None:
    one, copy = await fingerprint_of(build), await fingerprint_of(folder)
    assert (one.size, one.directory) == (copy.size, copy.directory)
    assert one.inode != copy.inode
    os.utime(folder / "empty", (0, 0))
    touched = await fingerprint_of(folder)
    assert touched.directory == copy.directory
    assert touched.mtime_ns != copy.mtime_ns
    (folder / "data/short").chmod(0o755)
    changed = await fingerprint_of(folder)
    assert changed.directory != touched.directory


async def test_another_codec_tells_another_state(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = walk(build)
    before = await pack(tree, io.BytesIO(), on_progress=silent)
    monkeypatch.setattr("pk_upload.archive.folder.writing.CODEC", "another one")
    after = await pack(tree, io.BytesIO(), on_progress=silent)
    assert before.size == after.size
    assert before.directory != after.directory


def replace(folder: Path) -> None:
    """By another file of the same size, mode and time."""
    status = (folder / "data/short").stat()
    (folder / "new").write_bytes(b"ba")
    (folder / "new").chmod(0o640)
    os.utime(folder / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
    (folder / "new").replace(folder / "data/short")


def put_a_file_there(folder: Path) -> None:
    (folder / "saves").rmdir()
    (folder / "saves").touch()


def link_there(folder: Path) -> None:
    (folder / "saves").rmdir()
    (folder / "saves").symlink_to("mods/none yet")


def point_elsewhere(folder: Path) -> None:
    (folder / LINK).unlink()
    (folder / LINK).symlink_to("short")


CHANGES: dict[str, Callable[[Path], object]] = {
    "touched": lambda folder: os.utime(folder / "empty", (0, 0)),
    "replaced": replace,
    "removed": lambda folder: (folder / "data/short").unlink(),
    "another mode": lambda folder: (folder / "data/short").chmod(0o600),
    "another target": point_elsewhere,
    "a folder gone": lambda folder: (folder / "saves").rmdir(),
    "a folder's mode": lambda folder: (folder / "saves").chmod(0o700),
    "a folder moved": lambda folder: (folder / "data").rename(folder / "date"),
    "a file for a folder": put_a_file_there,
    "a link for a folder": link_there,
    "all gone": shutil.rmtree,
}
ADDED: dict[str, Callable[[Path], object]] = {
    "a file": lambda folder: (folder / "new").touch(),
    "into an empty folder": lambda folder: (folder / "saves/new").touch(),
    "an empty folder": lambda folder: (folder / "new").mkdir(),
    "a link": lambda folder: (folder / "new").symlink_to("empty"),
    "with a name that is no text": lambda folder: (folder / "\udcff").touch(),
}


@pytest.mark.parametrize("thoroughly", [False, True])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_is_noticed(folder: Path, change: Callable[[Path], object], thoroughly: bool) -> None:
    tree = walk(folder)
    compare(tree, (), thoroughly=thoroughly)
    change(folder)
    with pytest.raises(SourceChanged, match=str(folder)):
        compare(tree, (), thoroughly=thoroughly)


@pytest.mark.parametrize("change", ADDED.values(), ids=ADDED)
def test_what_is_added_is_noticed_by_a_thorough_look(folder: Path, change: Callable[[Path], object]) -> None:
    tree = walk(folder, ["*.log"])
    (folder / "of no concern.log").touch()
    compare(tree, ("*.log",), thoroughly=True)
    change(folder)
    compare(tree, ("*.log",), thoroughly=False)
    with pytest.raises(SourceChanged, match=str(folder)):
        compare(tree, ("*.log",), thoroughly=True)


async def test_a_packed_folder_is_watched(folder: Path) -> None:
    with closing(await PackedFolder.packed(walk(folder, ["*.log"]), ("*.log",), on_progress=silent)) as made:
        (folder / "of no concern.log").touch()
        made.compare(thoroughly=True)
        (folder / "new").touch()
        with pytest.raises(SourceChanged, match="new was added"):
            made.compare(thoroughly=True)
        (folder / "empty").unlink()
        with pytest.raises(SourceChanged, match="empty was removed"):
            made.compare(thoroughly=False)


async def test_a_folder_that_is_gone_when_it_is_packed_is_told_of(folder: Path) -> None:
    tree = Tree(folder, [])
    shutil.rmtree(folder)
    with pytest.raises(SourceUnreadable, match="does not exist"):
        await PackedFolder.packed(tree, on_progress=silent)
