"""ZIPs as the tools in use make them have no errors, and only the warnings they deserve."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from crafted_zips import FULL, BuildInMemory, Member, craft, local_header, record
from executable_heads import pe
from pk_upload.archive.checks import Report, deep, preflight
from pk_upload.archive.file import BuildFile

pytestmark = pytest.mark.anyio

GAME = pe(0x8664)


@contextmanager
def opened(path: Path) -> Iterator[BuildFile]:
    with closing(BuildFile(path)) as build:
        yield build


async def look(path: Path) -> Report:
    with opened(path) as build:
        report = await deep(build, preflight(build), on_progress=lambda _: None)
    with zipfile.ZipFile(path) as archive:
        assert report.entries == len(archive.infolist())
        assert report.unpacked == sum(entry.file_size for entry in archive.infolist())
    return report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "folder"
    (root / "Game_Data" / "empty").mkdir(parents=True)
    (root / "Game.exe").write_bytes(GAME)
    (root / "Game_Data" / "level.bin").write_bytes(os.urandom(300_000))
    (root / "Game_Data" / "text.txt").write_bytes(b"a line\n" * 100_000)
    (root / "Game_Data" / "nothing").touch()
    (root / "Game_Data" / "latest").symlink_to("level.bin")
    (root / "up").symlink_to("Game_Data/../Game_Data")
    return root


def run(*command: str, cwd: Path) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)


@pytest.mark.parametrize("how", [[], ["-0"], ["-9"], ["-X"], ["-D"], ["-y"], ["-l"], ["-fz"]])
async def test_info_zip(folder: Path, how: list[str]) -> None:
    run("zip", "-q", "-r", *how, "../build.zip", ".", cwd=folder)
    report = await look(folder.parent / "build.zip")
    assert report.problems == ()


async def test_info_zip_writing_to_a_pipe(folder: Path) -> None:
    """Then descriptors follow the content."""
    run("sh", "-c", "zip -q -r -y - . > ../build.zip", cwd=folder)
    if not (folder.parent / "build.zip").stat().st_size:
        pytest.skip("zip is not installed")
    assert (await look(folder.parent / "build.zip")).problems == ()


async def test_a_self_extractor_whose_offsets_were_mended(folder: Path) -> None:
    run("zip", "-q", "-r", "../build.zip", ".", cwd=folder)
    path = folder.parent / "build.zip"
    path.write_bytes(b"#!/bin/sh\n" * 1000 + path.read_bytes())
    assert [problem.code for problem in (await look(path)).problems] == ["leading-bytes"]
    subprocess.run(["zip", "-q", "-A", str(path)], check=False, capture_output=True)
    assert [problem.code for problem in (await look(path)).problems] == ["leading-bytes"]


@pytest.mark.parametrize("how", ["cf", "cfM", "c0f"])
async def test_java(folder: Path, how: str) -> None:
    run("jar", how, "../build.jar", ".", cwd=folder)
    assert (await look(folder.parent / "build.jar")).problems == ()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("comment", [b"", b"a comment"])
async def test_python(folder: Path, method: int, comment: bytes) -> None:
    path = folder.parent / "build.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.comment = comment
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
        with archive.open("Game_Data/large", "w", force_zip64=True) as large:
            large.write(b"not so large")
    assert (await look(path)).problems == ()


class Pipe(io.RawIOBase):
    """Cannot be sought, so that zipfile writes descriptors."""

    def __init__(self) -> None:
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.content += memoryview(data)  # type: ignore[arg-type]
        return len(memoryview(data))  # type: ignore[arg-type]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
async def test_python_writing_to_a_pipe(method: int) -> None:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", method) as archive:
        archive.writestr("Game.exe", GAME)
        with archive.open("large", "w", force_zip64=True) as large:
            large.write(b"not so large")
        archive.writestr("nothing", b"")
    build = BuildInMemory(bytes(pipe.content))
    assert (await deep(build, preflight(build), on_progress=lambda _: None)).problems == ()


async def test_more_entries_than_sixteen_bits_count() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("Game.exe", GAME)
        for number in range(65_600):
            archive.writestr(zipfile.ZipInfo(f"data/{number}"), b"")
    report = preflight(BuildInMemory(buffer.getvalue()))
    assert (report.entries, report.problems) == (65_601, ())


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file with holes")
def test_an_archive_beyond_four_gigabytes(tmp_path: Path) -> None:
    path, size = tmp_path / "build.zip", 5 * 1024**3
    field = struct.pack("<2H2Q", 1, 16, size, size)
    huge = Member(b"huge", b"", size=FULL, packed=FULL, extra=field, raw=b"")
    huge.local = {"extra": field}
    after = len(local_header(huge)) + size
    game = Member(b"Game.exe", GAME, offset=FULL, extra=struct.pack("<2HQ", 1, 8, after))
    directory = record(huge, 0) + record(game, FULL)
    with path.open("wb") as file:
        file.write(local_header(huge))
        file.seek(after)  # a hole takes no room
        file.write(local_header(game) + GAME + directory)
        start = file.tell() - len(directory)
        file.write(craft(zip64=True, entries=2, size=len(directory), offset=start, locator=file.tell()))
    with opened(path) as build:
        report = preflight(build, platform="windows_x86_64")
    assert (report.problems, report.unpacked) == ((), size + len(GAME))
    with zipfile.ZipFile(path) as archive:
        assert [entry.file_size for entry in archive.infolist()] == [size, len(GAME)]
        assert archive.read("Game.exe") == GAME
