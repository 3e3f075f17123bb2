"""Disks in trouble, with real processes: state costs the ability to resume alone, a source a clear error."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cli_harness import PROGRAM, Done, Live, environment, live, start

if sys.platform == "win32":
    pytest.skip("disks are in other trouble there", allow_module_level=True)

import resource

__all__ = ["live"]

SLOW = ("--limit-rate", "200K", "--chunk-size", "10K", "--json", "--progress", "json")
CANNOT = "this run cannot be resumed: "
not_as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root is permitted everything")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only there a limit is changed from outside")


def progress_of(process: subprocess.Popen[str], reached: Callable[[dict[str, Any]], bool]) -> str:
    """What the process writes to stderr until an event has reached what is waited for."""
    assert process.stderr is not None
    read = ""
    for line in process.stderr:
        read += line
        if reached(json.loads(line)):
            return read
    raise AssertionError(read)


def ended(process: subprocess.Popen[str], before: str) -> Done:
    """How the process ends by itself; what it still writes fits into the pipes."""
    with process:
        process.wait(60)
        assert process.stdout is not None
        assert process.stderr is not None
        return Done(process.returncode, process.stdout.read(), before + process.stderr.read())


def begun(event: dict[str, Any]) -> bool:
    return bool(event.get("confirmed", 0) > 50_000)


def half_way(event: dict[str, Any]) -> bool:
    return bool(event.get("confirmed", 0) > 120_000)


def warned(event: dict[str, Any]) -> bool:
    return bool(event["event"] == "warned")


def warnings(done: Done) -> list[str]:
    """The warnings among the events of a run."""
    events = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    return [event["message"] for event in events if event["event"] == "warned"]


def run(live: Live, *command: str | Path, **env: str | None) -> Done:
    """A program against the sandbox, to its end."""
    done = subprocess.run(
        [*map(str, command)],
        env=environment({**live.env, **env}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def uploaded(done: Done, size: int) -> None:
    """It has, to its end, and says once that it could not have been resumed."""
    assert done.code == 0, done.out
    assert done.json["bytes_sent"] == size
    [warning] = warnings(done)
    assert CANNOT in warning
    assert "Errno" not in warning


# State


def test_a_state_directory_that_can_not_be_one_costs_the_resume_alone(
    live: Live, build: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "state")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for place in ("file", "file/state", "dangling", "loop", "x" * 300, "/dev/null"):
        done = live.pk("upload", build, "--state-dir", tmp_path / place, "--json", "--progress", "json")
        uploaded(done, build.stat().st_size)


def test_a_state_home_that_can_not_be_written_costs_the_resume_alone(live: Live, build: Path) -> None:
    elsewhere: dict[str, str | None] = {"PK_UPLOAD_STATE_DIR": None, "XDG_STATE_HOME": "/dev/null"}
    done = live.pk("upload", build, "--json", "--progress", "json", env=elsewhere)
    uploaded(done, build.stat().st_size)


NOBODY = """
import pwd, sys
from pk_upload.cli import main

def unknown(uid):
    raise KeyError(uid)

pwd.getpwuid = unknown
sys.exit(main())
"""


@pytest.mark.parametrize(("how", "warned_of"), [("--resume", 1), ("--no-resume", 0), ("--state-dir=here", 0)])
def test_a_user_without_a_home_uploads_as_well(
    live: Live, build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, warned_of: int
) -> None:
    """As in a container that runs under a number of its own choice."""
    monkeypatch.chdir(tmp_path)
    upload = ("upload", build, how, "--json", "--progress", "json")
    homeless = {"HOME": None, "PK_UPLOAD_STATE_DIR": None, "XDG_STATE_HOME": None}
    done = run(live, sys.executable, "-c", NOBODY, *upload, **homeless)
    assert done.code == 0, done.out
    assert [CANNOT in text for text in warnings(done)] == [True] * warned_of


@not_as_root
def test_a_state_directory_that_forbids_it_costs_the_resume_alone(
    live: Live, build: Path, tmp_path: Path
) -> None:
    (tmp_path / "forbidden").mkdir(mode=0o500)
    for place in ("forbidden", "forbidden/state"):
        done = live.pk("upload", build, "--state-dir", tmp_path / place, "--json", "--progress", "json")
        uploaded(done, build.stat().st_size)


@pytest.mark.parametrize("disk", ["ro", "size=4k", "size=4k,nr_inodes=1", "size=4k,nr_inodes=2"])
def test_a_disk_that_takes_nothing_costs_the_resume_alone(
    live: Live, build: Path, tmp_path: Path, disk: str
) -> None:
    (tmp_path / "disk").mkdir()
    mounted = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o "$0" tmpfs "$1" && shift && exec "$@"']
    mounted += [disk, str(tmp_path / "disk")]
    if shutil.which("unshare") is None or subprocess.run([*mounted, "true"], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    upload = ("upload", build, "--state-dir", tmp_path / "disk", "--json", "--progress", "json")
    uploaded(run(live, *mounted, *PROGRAM, *upload), build.stat().st_size)


LIMITED = """
import os, resource, sys
most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), most))
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


def limited(size: int, *command: str | Path) -> list[str | Path]:
    """A command that can write no more than that many bytes to a file."""
    return [sys.executable, "-c", LIMITED, str(size), *PROGRAM[1:], *command]


def test_a_disk_that_becomes_full_costs_the_resume_alone(live: Live, build: Path) -> None:
    push = ("push", build, "--app", live.app(), "--label", "1.0", "--publish", "--chunk-size", "10K")
    done = run(live, *limited(1000, *push, "--json", "--progress", "json"))
    uploaded(done, build.stat().st_size)
    assert done.json["published"]


@on_linux
@pytest.mark.parametrize("size", [100, 1000])
def test_a_disk_that_has_room_again_does_no_harm(live: Live, build: Path, tmp_path: Path, size: int) -> None:
    process = subprocess.Popen(
        [*map(str, limited(size, "upload", build, *SLOW))],
        env=environment(live.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    before = progress_of(process, warned)
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
    before += progress_of(process, half_way)
    process.kill()
    cut = ended(process, before)
    assert cut.code == -signal.SIGKILL
    [journal] = (tmp_path / "state").glob("*.journal")
    assert journal.stat().st_size <= size, "nothing is written after what was torn"
    process = start("upload", build, *SLOW, env=live.env)
    progress_of(process, lambda event: bool(event.get("confirmed", 0) > event.get("resumed", 0) + 20_000))
    process.kill()
    ended(process, "")
    done = live.pk("upload", build, "--chunk-size", "10K", "--json", "--progress", "json")
    assert done.code == 0
    assert warnings(done) == []
    assert done.json["bytes_resumed"] > (40_000 if size == 1000 else 20_000)
    assert done.json["bytes_resumed"] + done.json["bytes_sent"] == build.stat().st_size


def test_a_lock_that_can_not_be_made_costs_the_resume_alone(live: Live, build: Path, tmp_path: Path) -> None:
    process = start("upload", build, *SLOW, env=live.env)
    before = progress_of(process, begun)
    process.kill()
    ended(process, before)
    [lock] = (tmp_path / "state").glob("*.lock")
    lock.unlink()
    lock.mkdir()
    uploaded(live.pk("upload", build, "--json", "--progress", "json"), build.stat().st_size)
    lock.rmdir()
    assert live.pk("upload", build, "--json").json["bytes_resumed"] > 50_000


def test_state_that_vanishes_does_no_harm(live: Live, build: Path, tmp_path: Path) -> None:
    process = start("upload", build, *SLOW, env=live.env)
    before = progress_of(process, begun)
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "state").write_text("in the way")
    done = ended(process, before)
    assert (done.code, warnings(done)) == (0, [])
    assert done.json["bytes_sent"] == build.stat().st_size


# Sources


def test_what_is_no_file_is_named(live: Live, build: Path, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        with suppress(OSError):  # the path may be too long for a socket
            bound.bind(str(tmp_path / "socket"))
        for place in ("loop", "dangling", "fifo", "socket", "/dev/zero", "x" * 300, build / "x"):
            done = live.pk("upload", tmp_path / place, "--json")
            assert (done.code, done.error["type"]) == (2, "SourceUnreadable"), place
            assert str(tmp_path / place) in done.error["message"]
            assert done.error["hint"]
    (tmp_path / "loop").unlink()
    shutil.copy(build, tmp_path / "loop")
    assert live.pk("upload", tmp_path / "loop").code == 0


def truncate(build: Path) -> None:
    os.truncate(build, 200_000)


def replace_by_a_folder(build: Path) -> None:
    build.unlink()
    build.mkdir()


def replace_by_another(build: Path) -> None:
    other = build.with_suffix(".new")
    other.write_bytes(build.read_bytes())
    other.replace(build)


@pytest.mark.parametrize("change", [truncate, Path.unlink, replace_by_a_folder, replace_by_another])
def test_a_source_that_changes_is_an_error_and_can_be_mended(
    live: Live, build: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    size = build.stat().st_size
    kept = tmp_path / "kept.zip"
    if change is truncate:
        shutil.copy(build, kept)
    else:
        kept.hardlink_to(build)
    process = start("upload", build, *SLOW, env=live.env)
    before = progress_of(process, begun)
    change(build)
    done = ended(process, before)
    assert (done.code, done.error["type"]) == (9, "SourceChanged")
    assert str(build) in done.error["message"]
    assert "Traceback" not in done.err
    if build.is_dir():
        build.rmdir()
    kept.replace(build)
    again = live.pk("upload", build, "--chunk-size", "10K", "--json")
    assert again.code == 0
    assert (again.json["bytes_resumed"] > 50_000) == (change is not truncate)
    assert again.json["bytes_resumed"] + again.json["bytes_sent"] == size


@not_as_root
def test_a_source_that_may_no_longer_be_read_is_an_error_and_can_be_mended(live: Live, build: Path) -> None:
    build.chmod(0)
    done = live.pk("upload", build, "--json")
    assert (done.code, done.error["type"]) == (2, "SourceUnreadable")
    build.chmod(0o600)
    process = start("upload", build, *SLOW, env=live.env)
    before = progress_of(process, begun)
    build.chmod(0)
    done = ended(process, before)
    assert (done.code, done.error["type"]) == (2, "SourceUnreadable")
    build.chmod(0o600)
    assert live.pk("upload", build, "--json").json["bytes_resumed"] == build.stat().st_size


FAILING = """
import errno, os, sys
from pk_upload.cli import main

read = os.preadv

def fail(fd, buffers, offset, *flags):
    if 200_000 < offset < 280_000 and len(buffers[0]) <= 10_240:  # of a chunk, and not of the directory
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return read(fd, buffers, offset, *flags)

os.preadv = fail
sys.exit(main())
"""


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="it is read in another way here")
def test_a_disk_that_fails_is_an_error_and_what_was_delivered_is_kept(live: Live, build: Path) -> None:
    upload = ("upload", build, "--chunk-size", "10K", "--concurrency", "2", "--json")
    done = run(live, sys.executable, "-c", FAILING, *upload)
    assert (done.code, done.error["type"]) == (2, "SourceUnreadable")
    assert done.error["message"] == f"{build} cannot be read: Input/output error"
    assert live.pk(*upload).json["bytes_resumed"] > 150_000
