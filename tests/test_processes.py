"""The real client against the real sandbox, each a process: killed, restarted, measured."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import PROGRAM, SandboxProcess, peak_memory, sandbox_process

MIB = 1024 * 1024


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    with sandbox_process(tmp_path / "sandbox") as process:
        yield process


def wait_for(process: subprocess.Popen[str], event: str, at_least: int) -> None:
    """Reads the events on stderr until bytes of at least `at_least` are confirmed."""
    assert process.stderr is not None
    for line in process.stderr:
        found = json.loads(line)
        if found["event"] == event and found.get("confirmed", 0) >= at_least:
            return
    raise AssertionError("the process ended first")


def uploaded(sandbox: SandboxProcess, upload_id: int) -> Path:
    """The file in which the sandbox keeps what was uploaded."""
    [path] = [path for path in sandbox.data_dir.rglob("*") if path.is_file() and path.stem == str(upload_id)]
    return path


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """40 MB that no compression makes smaller."""
    path = tmp_path / "large.zip"
    noise = random.Random(3)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(8):
            archive.writestr(f"{number}.bin", noise.randbytes(5_000_000))
    return path


def push_of(source: Path, app: str) -> list[str | Path]:
    """A push in many small chunks."""
    wishes = ["--label", "1.0", "--publish", "--chunk-size", "256KiB"]
    return ["push", source, "--app", app, *wishes]


def test_a_push_killed_half_way_sends_only_what_is_missing(tmp_path: Path, large: Path) -> None:
    size = large.stat().st_size
    with sandbox_process(tmp_path / "sandbox", "--fault", "slow=1@job") as sandbox:
        app = sandbox.make_app()
        push = push_of(large, app)
        running = sandbox.start(*push, "--limit-rate", "20MiB", "--progress", "json")
        wait_for(running, "bytes", at_least=size // 3)
        running.kill()
        running.communicate()
        assert running.returncode == -signal.SIGKILL
        done = sandbox.json(*push)
        assert done["published"]
        assert done["bytes_resumed"] >= size // 3
        assert done["bytes_sent"] + done["bytes_resumed"] == done["bytes_total"] == size
        assert [version["id"] for version in sandbox.json("version", "list", "--app", app)] == [1]


@pytest.mark.parametrize("round_", range(3))
def test_whatever_instant_it_is_killed_at_the_bytes_are_whole(
    tmp_path: Path, large: Path, round_: int
) -> None:
    digest = hashlib.sha256(large.read_bytes()).hexdigest()
    noise = random.Random(round_)
    with sandbox_process(tmp_path / "sandbox") as sandbox:
        upload: list[str | Path] = ["upload", large, "--chunk-size", "100KiB", "--limit-rate", "15MiB"]
        floor = 0
        for _ in range(3):
            running = sandbox.start(*upload, "--progress", "json")
            floor += noise.randrange(1, 10_000_000)
            wait_for(running, "bytes", at_least=min(floor, 20_000_000))
            running.kill()
            running.communicate()
        done = sandbox.run(*upload)
        upload_id = int(done.stdout)
        assert upload_id == 1, "it was one upload all the time"
        assert hashlib.sha256(uploaded(sandbox, upload_id).read_bytes()).hexdigest() == digest


def test_a_restarted_sandbox_is_gone_on_with(tmp_path: Path, large: Path) -> None:
    with sandbox_process(tmp_path / "sandbox") as sandbox:
        app, port = sandbox.make_app(), sandbox.url.rsplit(":", 1)[1]
        push = push_of(large, app)
        running = sandbox.start(*push, "--limit-rate", "15MiB", "--progress", "json", "--json")
        wait_for(running, "bytes", at_least=10_000_000)
        sandbox.process.kill()
        sandbox.process.wait()
        command = [*PROGRAM, "sandbox", "--port", port, "--json", "--data-dir", str(sandbox.data_dir)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as again:
            stdout, _ = running.communicate(timeout=100)
            again.terminate()
        assert running.returncode == 0, stdout
        assert json.loads(stdout)["published"]


def git_archive(path: Path) -> None:
    folder = path.parent / "repository"
    folder.mkdir()
    (folder / "game.txt").write_text("a game")
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "a"], check=True)
    subprocess.run([*git, "archive", "-o", str(path), "HEAD"], check=True)


def info_zip(path: Path) -> None:
    (path.parent / "game.txt").write_text("a game" * 1000)
    subprocess.run(["zip", "-q", str(path), "game.txt"], cwd=path.parent, check=True)


def streamed_info_zip(path: Path) -> None:
    with path.open("wb") as file:
        subprocess.run(["zip", "-q", "-", "-"], input=b"a game" * 1000, stdout=file, check=True)


def python_zipfile(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("game.txt", "a game" * 1000)


def wheel(path: Path) -> None:
    folder = path.parent / "project"
    (folder / "game").mkdir(parents=True)
    (folder / "game" / "__init__.py").write_text("")
    (folder / "pyproject.toml").write_text('[project]\nname = "game"\nversion = "1"\n')
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(path.parent), str(folder)]
    subprocess.run(pip, check=True)
    next(path.parent.glob("*.whl")).rename(path)


def jar(path: Path) -> None:
    (path.parent / "game.txt").write_text("a game" * 1000)
    subprocess.run(["jar", "cf", str(path), "game.txt"], cwd=path.parent, check=True)


@pytest.mark.parametrize(
    ("make", "tool"),
    [
        (git_archive, "git"),
        (info_zip, "zip"),
        (streamed_info_zip, "zip"),
        (python_zipfile, sys.executable),
        (wheel, sys.executable),
        (jar, "jar"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_real_archives_pass_whoever_made_them(
    sandbox: SandboxProcess, tmp_path: Path, make: object, tool: str
) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not here")
    path = tmp_path / "made" / "build.zip"
    path.parent.mkdir()
    assert callable(make)
    make(path)
    done = sandbox.json("push", path, "--app", sandbox.make_app(), "--label", "1.0", "--publish")
    assert done["published"]
    assert done["messages"] == []


class _Sparse:
    """A file for a ZIP writer that leaves a hole where only zeros are written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")

    def write(self, data: bytes) -> int:
        if len(data) == MIB and data == _ZEROS:
            self._file.seek(len(data), os.SEEK_CUR)
            return len(data)
        return self._file.write(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


_ZEROS = bytes(MIB)


def sparse_zip(path: Path, gigabytes: int) -> None:
    file = _Sparse(path)
    with zipfile.ZipFile(file, "w") as archive:  # type: ignore[call-overload]  # it has what a file has
        for number in range(gigabytes):
            with archive.open(zipfile.ZipInfo(f"{number}.bin"), "w", force_zip64=True) as entry:
                for _ in range(1024):
                    entry.write(_ZEROS)
    file._file.close()


@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    if shutil.disk_usage(tmp_path).free < 12 * 1024**3:
        pytest.skip("the sandbox needs 12 GiB of disk for this")
    huge = tmp_path / "huge.zip"
    sparse_zip(huge, 4)
    with sandbox_process(tmp_path / "sandbox") as sandbox:
        push: list[str | Path] = [
            "push",
            huge,
            "--app",
            sandbox.make_app(),
            "--label",
            "1.0",
            "--concurrency",
            "16",
            "--json",
            "--progress",
            "none",
        ]
        running = sandbox.start(*push)
        client = 0
        while running.poll() is None:
            try:
                client = max(client, peak_memory(running.pid))
            except (OSError, AssertionError):
                break  # it has just ended
            try:
                running.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        stdout, stderr = running.communicate()
        assert running.returncode == 0, stderr
        assert json.loads(stdout)["bytes_total"] == huge.stat().st_size > 4 * 1024**3
        assert 0 < client < 90 * MIB
        assert sandbox.peak_memory() < 90 * MIB
