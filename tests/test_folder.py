"""A folder seen as a ZIP: what goes in, where it lies, and the bytes that are read of it."""

from __future__ import annotations

import errno
import io
import os
import random
import shutil
import socket
import stat
import zipfile
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from folders import FILES, FOLDERS, LINK, TARGET, make_build, silent
from pk_upload.archive import Build, StoredFolder, literally, preflighted, read
from pk_upload.archive.folder import checksums as checksums_module
from pk_upload.archive.folder.checksums import checksums
from pk_upload.archive.folder.config import Packing
from pk_upload.archive.folder.layout import Layout
from pk_upload.archive.folder.tree import Member, Tree, walk
from pk_upload.errors import PreflightFailed, SourceChanged, SourceUnreadable, UsageError

pytestmark = pytest.mark.anyio


class Opened(io.RawIOBase):
    """A build as a file that other libraries read."""

    def __init__(self, build: Build) -> None:
        self._build, self._at = build, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._build.size}[whence]
        if at < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._at = at
        return at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = read(self._build, self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


async def stored(root: Path, ignore: tuple[str, ...] = ()) -> StoredFolder:
    folder = StoredFolder(walk(root, ignore), ignore)
    folder.checksums = await checksums(folder.tree, on_progress=silent)
    return folder


def names(tree: Tree) -> list[str]:
    return [member.name for member in tree.members]


def make(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)


# What goes in


def test_everything_goes_in_in_one_order(tmp_path: Path) -> None:
    make_build(tmp_path)
    assert names(walk(tmp_path)) == sorted([*FILES, *FOLDERS, LINK], key=str.encode)


def test_a_folder_with_something_in_it_needs_no_entry(tmp_path: Path) -> None:
    make(tmp_path, "a/b/c")
    (tmp_path / "a/empty").mkdir()
    assert names(walk(tmp_path)) == ["a/b/c", "a/empty/"]


def test_an_ignore_file_is_read_as_git_reads_one(tmp_path: Path) -> None:
    make(
        tmp_path, "a.log", "keep.log", "logs/x.txt", "src/logs/y.txt", "build/z.o", "deep/er/z.o", "game.exe"
    )
    (tmp_path / ".pkignore").write_text("# no logs\n*.log\n!keep.log\n/logs/\n**/*.o\n")
    tree = walk(tmp_path)
    assert names(tree) == ["build/", "deep/er/", "game.exe", "keep.log", "src/logs/y.txt"]
    assert tree.ignored == 4


def test_patterns_come_after_the_ignore_file(tmp_path: Path) -> None:
    make(tmp_path, "a.log", "b.log", "c.txt")
    (tmp_path / ".pkignore").write_text("*.log\n")
    assert names(walk(tmp_path, ["!b.log", "c.*"])) == ["b.log"]


def test_version_control_stays_behind_and_is_named(tmp_path: Path) -> None:
    make(tmp_path, ".git/config", "lib/.git", ".svn/entries", "game.exe", ".gitignore")
    tree = walk(tmp_path)
    assert names(tree) == [".gitignore", "game.exe", "lib/"]
    assert sorted(tree.version_control) == [".git", ".svn", "lib/.git"]
    assert tree.ignored == 0


def test_version_control_can_be_had_back(tmp_path: Path) -> None:
    make(tmp_path, ".git/config", ".svn/entries")
    assert names(walk(tmp_path, ["!.git"])) == [".git/config"]


def test_what_is_neither_file_nor_folder_stays_behind_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "game.exe")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        tree = walk(tmp_path)
    assert names(tree) == ["game.exe"]
    assert sorted(tree.special) == ["pipe", "socket"]


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).touch()
    with pytest.raises(PreflightFailed, match="is no text"):
        walk(tmp_path)
    assert names(walk(tmp_path, ["caf*"])) == []


@pytest.mark.parametrize("content", [b"\xff\xfe", b"*.log\n" * 200_000])
def test_an_ignore_file_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".pkignore").write_bytes(content)
    with pytest.raises(UsageError, match=r"\.pkignore"):
        walk(tmp_path)


def test_an_ignore_file_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".pkignore")
    with pytest.raises(UsageError, match="no regular file"):
        walk(tmp_path)


@pytest.mark.parametrize("name", ["state", "a b", "#x", "!x", "a*b?", "[ab]", "back\\slash", " "])
def test_a_name_can_be_left_out_literally(tmp_path: Path, name: str) -> None:
    make(tmp_path, name, f"other/{name}", "axb1")
    assert names(walk(tmp_path, [literally(name)])) == ["axb1", f"other/{name}"]


def test_a_pattern_that_means_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ignore") as caught:
        walk(tmp_path, ["!"])
    assert "gitignore" in caught.value.hint


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="missing does not exist"):
        walk(tmp_path / "missing")


@pytest.mark.skipif(os.geteuid() == 0, reason="root is permitted everything")
def test_a_folder_that_is_closed_is_named(tmp_path: Path) -> None:
    make(tmp_path, "closed/file")
    (tmp_path / "closed").chmod(0)
    with pytest.raises(SourceUnreadable, match="closed cannot be read"):
        walk(tmp_path)
    (tmp_path / "closed").chmod(0o700)


@pytest.mark.parametrize("fields", [{"compression": "zip"}, {"ignore": "*.log"}, {"ignore": (1,)}])
def test_settings_that_make_no_sense_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Packing(**fields)  # type: ignore[arg-type]


# Which bytes that makes


async def test_it_is_the_zip_that_it_seems_to_be(tmp_path: Path) -> None:
    (make_build(tmp_path / "build") / "empty").chmod(0o4644)
    folder = await stored(tmp_path / "build")
    with zipfile.ZipFile(Opened(folder)) as archive:
        assert archive.testzip() is None
        found = {info.filename: info for info in archive.infolist()}
        assert {name: archive.read(name) for name in FILES} == FILES
        assert archive.read(LINK) == TARGET.encode()
    assert sorted(found) == sorted([*FILES, *FOLDERS, LINK])
    assert {info.compress_type for info in found.values()} == {zipfile.ZIP_STORED}
    modes = {name: info.external_attr >> 16 for name, info in found.items()}
    assert modes["empty"] == stat.S_IFREG | 0o644, "what runs as another user is nobody's wish"
    assert (modes["Game.x86_64"], modes["data/short"]) == (stat.S_IFREG | 0o755, stat.S_IFREG | 0o640)
    assert stat.S_ISLNK(modes[LINK])
    assert stat.S_ISDIR(modes["saves/"])


async def test_it_passes_the_preflight(tmp_path: Path) -> None:
    report = await preflighted(await stored(make_build(tmp_path / "build")))
    assert report.errors == ()
    assert (report.files, report.entries) == (len(FILES) + 1, len(FILES) + len(FOLDERS) + 1)


async def test_the_preflight_reads_programs_and_links_and_what_lies_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(make_build(tmp_path), *(f"many/{number}" for number in range(500)))
    folder = StoredFolder(walk(tmp_path))
    opened: list[str] = []

    def note(tree: Tree, member: Member, view: memoryview, offset: int) -> None:
        opened.append(member.name)
        read_into(tree, member, view, offset)

    read_into = Tree.read_into
    monkeypatch.setattr(Tree, "read_into", note)
    assert (await preflighted(folder)).errors == ()
    assert "Game.x86_64" in opened
    assert not [name for name in opened if name.startswith("many/")]


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
PARTS = NAMES.filter(lambda name: name not in {".", ".."} and len(name.encode()) < 60)
TREES = st.dictionaries(
    st.lists(PARTS, min_size=1, max_size=3).map("/".join), st.binary(max_size=300), max_size=8
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(files=TREES, data=st.data())
async def test_every_part_of_it_can_be_read_by_itself(
    tmp_path: Path, files: dict[str, bytes], data: st.DataObject
) -> None:
    root = tmp_path / "tree"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    written = {}
    for name, content in files.items():
        try:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            continue  # one of these names is a folder of another
        written[name] = content
    # A pattern that brings everything back, or a name like CVS would stay behind.
    folder = await stored(root, ("!**",))
    whole = read(folder, 0, folder.size)
    assert len(whole) == folder.size
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        # Python cuts a name at a NUL and knows no other separator than a slash: neither is in these.
        assert {info.filename: archive.read(info) for info in archive.infolist()} == {
            name: content for name, content in written.items() if name != ".pkignore"
        }
    for _ in range(5):
        start = data.draw(st.integers(0, len(whole)))
        size = data.draw(st.integers(0, len(whole)))
        assert read(folder, start, size) == whole[start : start + size]


async def test_the_same_tree_gives_the_same_bytes_anywhere(tmp_path: Path) -> None:
    one = await stored(make_build(tmp_path / "one"))
    other = await stored(make_build(tmp_path / "other"))
    os.utime(tmp_path / "other/empty", (1, 1))
    assert read(one, 0, one.size) == read(other, 0, other.size)
    assert (one.fingerprint.size, one.fingerprint.directory) == (
        other.fingerprint.size, other.fingerprint.directory,
    )  # fmt: skip
    assert one.fingerprint != other.fingerprint


def test_more_than_four_gigabytes(tmp_path: Path) -> None:
    """A sparse file, so that every offset and size behind it needs 64 bits."""
    large = 5 << 30
    make(tmp_path, "a", "z")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(large)
    folder = StoredFolder(walk(tmp_path))
    folder.checksums = array("I", [0] * 3)
    assert folder.size > large
    with zipfile.ZipFile(Opened(folder)) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        offsets = {info.filename: info.header_offset for info in archive.infolist()}
    assert sizes == {"a": 1, "large": large, "z": 1}
    assert offsets["z"] > large
    assert read(folder, offsets["z"], 4) == b"PK\x03\x04"


def test_more_than_65535_members(tmp_path: Path) -> None:
    members = [Member(f"file{number:06}", stat.S_IFREG | 0o644, 0, 0, 0) for number in range(70_000)]
    folder = StoredFolder(Tree(tmp_path, members))
    with zipfile.ZipFile(Opened(folder)) as archive:
        assert archive.namelist() == names(folder.tree)


def test_a_folder_of_nothing_is_a_zip_of_nothing(tmp_path: Path) -> None:
    folder = StoredFolder(walk(tmp_path))
    with zipfile.ZipFile(Opened(folder)) as archive:
        assert archive.namelist() == []


SIZES = st.one_of(st.integers(0, 10_000), st.integers((4 << 30) - 70, (4 << 30) + 70))


@given(st.lists(st.tuples(st.text("aé☃", min_size=1, max_size=5), SIZES), max_size=20), st.data())
def test_everything_has_its_place_and_no_two_share_one(
    members: list[tuple[str, int]], data: st.DataObject
) -> None:
    layout = Layout([Member(name, stat.S_IFREG, size, 0, 0) for name, size in members])
    last = -1
    for number in range(len(members)):
        start = layout.start(number)
        assert start > last
        assert layout.at(start) == (number, start, False)
        last = start
    offset = data.draw(st.integers(0, layout.size - 1))
    place = layout.at(offset)
    assert place.start <= offset
    assert place.in_directory == (offset >= layout.directory)
    assert (place.member < 0) == (offset >= layout.size - len(layout.end))


# Checksums


async def test_large_files_are_summed_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = make_build(tmp_path)
    whole = await checksums(walk(build), on_progress=silent)
    monkeypatch.setattr(checksums_module, "SPAN", 70_001)
    monkeypatch.setattr(checksums_module, "MOST", 2)
    told: list[tuple[int, int]] = []
    assert await checksums(walk(build), on_progress=lambda *done: told.append(done)) == whole
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] == sum(map(len, FILES.values())) + len(TARGET)


# What changes meanwhile


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def rewrite(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def rewrite_and_set_back(path: Path) -> None:
    status = path.stat()
    rewrite(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def touch(path: Path) -> None:
    os.utime(path, (0, 0))


def mark(path: Path) -> None:
    path.chmod(0o700)


def remove(path: Path) -> None:
    path.unlink()


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("change", [grow, rewrite, rewrite_and_set_back, touch, mark, remove, link])
async def test_a_file_that_changes_is_noticed_when_it_is_read_and_by_a_look(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = await stored(make_build(tmp_path / "build"))
    folder.compare(thoroughly=True)
    change(tmp_path / "build/data/movie.webm")
    with pytest.raises((SourceChanged, SourceUnreadable), match=r"movie\.webm"):
        read(folder, 0, folder.size)
    for thoroughly in (False, True):
        with pytest.raises(SourceChanged, match=r"movie\.webm"):
            folder.compare(thoroughly=thoroughly)


async def test_a_file_that_was_added_is_noticed_at_the_end(tmp_path: Path) -> None:
    folder = await stored(make_build(tmp_path / "build"))
    make(tmp_path / "build", "new")
    folder.compare(thoroughly=False)
    with pytest.raises(SourceChanged, match="new"):
        folder.compare(thoroughly=True)


async def test_a_file_that_changes_before_it_is_summed_is_noticed(tmp_path: Path) -> None:
    tree = walk(make_build(tmp_path / "build"))
    grow(tmp_path / "build/data/short")
    with pytest.raises(SourceChanged, match="short changed"):
        await checksums(tree, on_progress=silent)


def test_a_disk_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = StoredFolder(walk(make_build(tmp_path / "build")))

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(SourceUnreadable, match=r"Game\.x86_64 cannot be read: Input/output error"):
        partial(read, folder)(0, folder.size)
