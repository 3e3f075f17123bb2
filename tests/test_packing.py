"""A folder packed with DEFLATE: every tool gives back what was in it, and it is the same ZIP each time."""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import stat
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import BinaryIO, cast

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zlib_ng import zlib_ng

from folders import FILES, FOLDERS, LINK, TARGET, TEXT, make_build, packed, silent, small_blocks
from pk_upload.archive import preflighted
from pk_upload.archive.folder.packed import PackedFolder
from pk_upload.archive.folder.packing import pack
from pk_upload.archive.folder.pieces import method_of
from pk_upload.archive.folder.tree import Member, Tree, walk
from pk_upload.archive.format import STORE

pytestmark = pytest.mark.anyio

JAVA = """
import java.io.*; import java.security.*; import java.util.*; import java.util.zip.*;
public class Contents {
    static String digest(InputStream in) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(in.readAllBytes()));
    }
    public static void main(String[] arguments) throws Exception {
        var out = new PrintStream(System.out, true, "UTF-8");
        try (var archive = new ZipFile(arguments[0])) {
            for (var entry : Collections.list(archive.entries()))
                out.println(digest(archive.getInputStream(entry)) + entry.getName());
        }
        try (var stream = new ZipInputStream(new FileInputStream(arguments[0]))) {
            for (ZipEntry entry; (entry = stream.getNextEntry()) != null; )
                out.println(digest(stream) + entry.getName());
        }
    }
}
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No test changes it."""
    return make_build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def archive(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ZIP of it. Only to be read."""
    path = tmp_path_factory.mktemp("archive") / "build.zip"
    path.write_bytes(anyio.run(packed, walk(build)))
    return path


def is_the_build(out: Path) -> None:
    """Contents, permissions, links and empty folders are all there, and nothing else."""
    found = {
        path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_symlink() or path.is_file()
    }
    assert found == {*FILES, LINK}
    assert {name: (out / name).read_bytes() for name in FILES} == FILES
    assert (out / LINK).readlink() == Path(TARGET)
    assert all((out / name).is_dir() for name in FOLDERS)
    assert stat.S_IMODE((out / "Game.x86_64").stat().st_mode) == 0o755
    assert stat.S_IMODE((out / "data/short").stat().st_mode) == 0o640


def call(*command: str | Path) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]} here")
    # The Java of some systems takes names for ASCII where no language is set.
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def test_info_zip_gives_it_back(archive: Path, tmp_path: Path) -> None:
    assert "No errors detected" in call("unzip", "-t", archive)
    call("unzip", "-q", archive, "-d", tmp_path / "out")
    is_the_build(tmp_path / "out")


def test_7_zip_gives_it_back(archive: Path, tmp_path: Path) -> None:
    name = next((name for name in ("7zz", "7z") if shutil.which(name)), "7zz")
    told = call(name, "t", archive)
    assert "Everything is Ok" in told
    assert "Warnings" not in told
    call(name, "x", archive, f"-o{tmp_path / 'out'}")
    is_the_build(tmp_path / "out")


def test_python_gives_it_back(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in FILES} == FILES
        assert opened.read(LINK) == TARGET.encode()
        assert opened.namelist() == sorted([*FILES, LINK, *FOLDERS], key=str.encode)
        modes = {entry.filename: entry.external_attr >> 16 for entry in opened.infolist()}
    assert stat.S_ISLNK(modes[LINK])
    assert all(stat.S_ISDIR(modes[name]) for name in FOLDERS)
    assert modes["Game.x86_64"] == stat.S_IFREG | 0o755
    assert modes["data/short"] == stat.S_IFREG | 0o640


def test_java_gives_it_back(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "Contents.java").write_text(JAVA)
    lines = call("java", tmp_path / "Contents.java", archive).splitlines()
    found = {line[64:]: line[:64] for line in lines}
    contents = {**FILES, LINK: TARGET.encode(), **dict.fromkeys(FOLDERS, b"")}
    assert len(lines) == 2 * len(contents)  # once through the directory, once through the local headers
    assert found == {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    assert all(lines.count(line) == 2 for line in lines)


def test_what_does_not_shrink_is_stored(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        stored = {entry.filename for entry in opened.infolist() if entry.compress_type == zipfile.ZIP_STORED}
    assert stored == {"data/movie.webm", "data/noise", "data/short", "empty", LINK, *FOLDERS}


def test_it_is_about_as_small_as_zlib_makes_it(archive: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as made:
        for name, content in FILES.items():
            made.writestr(name, content)
    assert archive.stat().st_size < 1.05 * len(target.getvalue())


async def test_a_large_file_that_does_not_shrink_is_not_deflated_in_vain(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deflated = 0
    compress = zlib_ng.compress

    def counted(data: bytes, *arguments: int) -> bytes:
        nonlocal deflated
        deflated += len(data)
        return compress(data, *arguments)

    monkeypatch.setattr(zlib_ng, "compress", counted)
    monkeypatch.setattr(zlib_ng, "compressobj", pytest.fail)
    (movie,) = [member for member in walk(build).members if member.name == "data/movie.webm"]
    await packed(Tree(build, [movie]))
    assert 0 < deflated < movie.size / 10


CONTENTS = st.one_of(
    st.binary(max_size=50),
    st.builds(
        lambda seed, size: random.Random(seed).randbytes(size), st.integers(0, 9), st.integers(0, 12_000)
    ),
    st.builds(lambda start, size: TEXT[start : start + size], st.integers(0, 999), st.integers(0, 12_000)),
)
NAMES = st.lists(st.sampled_from(["a", "b", "ż", "long name", "x.dat"]), min_size=1, max_size=3).map("/".join)
TREES = st.dictionaries(NAMES, st.lists(CONTENTS, min_size=1, max_size=4).map(b"".join), max_size=8)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=TREES, threads=st.integers(2, 5))
async def test_neither_cores_nor_timing_show(files: dict[str, bytes], threads: int) -> None:
    with tempfile.TemporaryDirectory() as name, small_blocks():
        root = Path(name)
        made = {name: content for name, content in files.items() if _make(root / name, content)}
        tree = walk(root)
        alone, together = await packed(tree, 1), await packed(tree, threads)
    assert alone == together
    with zipfile.ZipFile(io.BytesIO(alone)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in made} == made
        assert all(entry.compress_size <= entry.file_size * 1.02 + 20 for entry in opened.infolist())


def _make(path: Path, content: bytes) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        return False  # a file is where a folder would have to be
    return True


async def test_a_copy_gives_the_same_bytes(build: Path, tmp_path: Path, archive: Path) -> None:
    folder = make_build(tmp_path)
    os.utime(folder / "Game.x86_64", (0, 0))
    assert await packed(walk(folder)) == await packed(walk(build)) == archive.read_bytes()


async def test_it_passes_the_preflight(build: Path) -> None:
    made = await PackedFolder.packed(walk(build), on_progress=silent)
    try:
        report = await preflighted(made, platform="linux_x86_64")
        assert [problem for problem in report.problems if problem.severity == "error"] == []
    finally:
        made.close()


def test_a_size_that_may_not_fit_its_record_is_stored() -> None:
    nowhere = Tree(Path("nowhere"))
    assert method_of(nowhere, Member("big", stat.S_IFREG, 0xFFFFFFFE, 0, 0)) == STORE


async def test_progress_never_goes_back_and_ends_once(build: Path) -> None:
    tree, told = walk(build), list[tuple[int, int]]()
    await pack(tree, io.BytesIO(), on_progress=lambda *both: told.append(both))
    total = sum(map(len, FILES.values())) + len(TARGET)
    amounts = [done for done, _ in told]
    assert {whole for _, whole in told} == {total}
    assert amounts == sorted(set(amounts))
    assert amounts[-1] == total
    assert len(amounts) > 3


async def test_the_end_is_told_of_once_though_empty_files_follow(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number:02}").write_bytes(TEXT[: 5000 * (number < 3)])
    told = list[int]()
    with small_blocks():
        await pack(walk(tmp_path), io.BytesIO(), on_progress=lambda done, _: told.append(done))
    assert told == sorted(set(told))
    assert told[-1] == 15_000


@pytest.mark.parametrize("name", ["data/level.pak", "empty", "data/short", "saves/"])
async def test_a_folder_of_one_member_is_packed(build: Path, name: str) -> None:
    tree = Tree(build, [member for member in walk(build).members if member.name == name])
    told = list[tuple[int, int]]()
    file = io.BytesIO()
    await pack(tree, file, on_progress=lambda *both: told.append(both))
    with zipfile.ZipFile(file) as opened:
        assert opened.namelist() == [name]
        assert opened.testzip() is None
    assert told[-1] == (tree.members[0].size, tree.members[0].size)


class Slow(io.RawIOBase):
    """Takes a few bytes at a time, as a file without a buffer may."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = io.BytesIO()

    def write(self, data: object) -> int:
        return self.inner.write(bytes(cast("bytes", data))[:70_000])

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.inner.seek(offset, whence)


async def test_a_file_may_take_its_bytes_in_parts(build: Path, archive: Path) -> None:
    slow = Slow()
    await pack(walk(build), cast("BinaryIO", slow), on_progress=silent)
    assert slow.inner.getvalue() == archive.read_bytes()
