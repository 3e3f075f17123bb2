"""Archives of the tools that game builds are really packed with pass without a complaint."""

from __future__ import annotations

import ensurepip
import io
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_processing_archive import contents, run

if TYPE_CHECKING:
    from typing_extensions import Buffer

FILES = {"Game.exe": b"MZ" + bytes(5000), "data/level one.bin": bytes(range(256)) * 2000, "data/empty": b""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "build"
    for name, data in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def call(*command: str, cwd: Path, standard_input: bytes | None = None) -> bytes:
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]} here")
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, input=standard_input).stdout


def passes(archive: bytes | Path, out: Path, *, more: bool = False) -> None:
    outcome = run(archive, out, platform="windows_x86_64")
    assert outcome.findings == ()
    assert outcome.main_executable == "Game.exe"
    made = contents(out)
    assert FILES.items() <= made.items()
    assert more or made.keys() == FILES.keys()


def test_git_archive(folder: Path) -> None:
    git = ("git", "-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false")
    call("git", "init", "-q", cwd=folder)
    call("git", "add", ".", cwd=folder)
    call(*git, "commit", "-q", "-m", "all", cwd=folder)
    passes(call("git", "archive", "--format=zip", "HEAD", cwd=folder), folder.parent / "out")


@pytest.mark.parametrize("options", [["-r"], ["-r", "-0"], ["-r", "-9"], ["-r", "-D"], ["-r", "-fz"]])
def test_info_zip(folder: Path, options: list[str]) -> None:
    call("zip", "-q", *options, "../made.zip", ".", cwd=folder)
    passes(folder.parent / "made.zip", folder.parent / "out")


def test_info_zip_to_a_pipe(folder: Path) -> None:
    passes(call("zip", "-q", "-r", "-", ".", cwd=folder), folder.parent / "out")


@pytest.mark.parametrize("option", ["cfM", "cf0M", "cf"])
def test_jar(folder: Path, option: str) -> None:
    call("jar", option, "../made.jar", ".", cwd=folder)
    passes(folder.parent / "made.jar", folder.parent / "out", more=option == "cf")


class Pipe(io.RawIOBase):
    """A target that cannot seek: sizes and checksums then follow the data."""

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        self.data += data
        return memoryview(data).nbytes


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
def test_python_zipfile(tmp_path: Path, *, method: int, zip64: bool, streamed: bool) -> None:
    target = Pipe() if streamed else io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in FILES.items():
            with archive.open(name, "w", force_zip64=zip64) as entry:
                entry.write(data)
    passes(bytes(target.data) if isinstance(target, Pipe) else target.getvalue(), tmp_path / "out")


def test_zip_with_a_comment_and_more_entries_than_16_bits_can_count(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.comment = b"made by a test"
        for number in range(0x10005):
            archive.writestr(f"{number % 256}/{number}", b"")
    outcome = run(target.getvalue(), tmp_path / "out")
    assert outcome.findings == ()
    assert len(contents(tmp_path / "out")) == 0x10005


def test_a_wheel(tmp_path: Path) -> None:
    """The one every Python brings along, unless its distributor took it out."""
    wheel = next((Path(ensurepip.__file__).parent / "_bundled").glob("*.whl"), None)
    if wheel is None:
        pytest.skip("there is no wheel here")
    assert run(wheel, tmp_path / "out").findings == ()
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    assert contents(tmp_path / "out") == files
