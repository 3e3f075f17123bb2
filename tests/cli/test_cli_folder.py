"""A folder as the source of a push, in processes as they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cli_harness import PROGRAM, Done, Live, environment, finish, live, pk, start

from conftest import PROGRAM as GAME

__all__ = ["live"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "build"
    (folder / "data/empty").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git/config").touch()
    (folder / "game.exe").write_bytes(GAME + os.urandom(100_000))
    (folder / "data/level.pak").write_bytes(os.urandom(3_000_000))
    (folder / "debug.log").write_text("noise")
    (folder / ".pkignore").write_text("*.log\n")
    return folder


def push(live: Live, folder: Path, *more: str | Path) -> Done:
    return live.pk("push", folder, "--app", live.app(), "--label", "1.0", "--publish", *more)


@pytest.mark.parametrize("compression", ["auto", "store", "deflate"])
def test_a_folder_is_published(live: Live, folder: Path, compression: str) -> None:
    done = push(live, folder, "--compression", compression)
    assert done.code == 0
    assert done.out.startswith("version 1 (1.0) is published\n")
    assert "checking: 2 files, 3.0 MiB; left out: .git and 1 that .pkignore or --ignore names" in done.err
    chosen = "store" if compression == "auto" else compression
    assert f"packing: {chosen}: " in done.err


def test_the_embedded_sandbox_takes_a_folder_from_inside_of_it(folder: Path) -> None:
    done = pk("push", ".", "--sandbox", "--publish", "--json", cwd=folder)
    assert (done.code, done.json["label"], done.json["published"]) == (0, "build", True)
    named = folder.rename(folder.with_name("game-1.4.2"))
    assert pk("push", "..", "--sandbox", "--json", cwd=named / "data").json["label"] == "game-1.4.2"


def test_a_rehearsal_lists_what_would_go_with_sizes(folder: Path) -> None:
    rehearse = ("push", folder, "--app", "x", "--label", "1.0", "--dry-run", "--ignore", "game.*")
    done = pk(*rehearse, "--json")
    assert done.code == 0
    assert done.json["entries"] == [
        {"name": "data/empty/", "size": 0},
        {"name": "data/level.pak", "size": 3_000_000},
    ]
    assert (done.json["compression"], done.json["files"]) == ("auto", 1)
    words = pk(*rehearse).out.splitlines()
    assert words[:2] == ["         0 B  data/empty/", "     2.9 MiB  data/level.pak"]
    assert words[2].startswith(f"would upload {folder}: 2.9 MiB in 1 chunk")


def test_a_run_killed_at_any_instant_is_gone_on_with(live: Live, folder: Path) -> None:
    upload = ("upload", folder, "--chunk-size", "100K", "--concurrency", "1", "--json", "--progress", "json")
    process = start(*upload, "--limit-rate", "1M", "--compression", "store", env=live.env)
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line).get("confirmed", 0) >= 300_000:
            break
    process.kill()
    finish(process)
    done = live.pk(*upload)
    assert done.code == 0
    assert done.json["bytes_resumed"] >= 300_000


def test_a_key_pressed_while_it_is_packed_ends_it_and_leaves_nothing(
    live: Live, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "tmp").mkdir()
    with (folder / "large").open("wb") as file:
        file.truncate(40_000_000_000)  # sparse: packing it takes minutes
    process = subprocess.Popen(
        [*PROGRAM, "upload", str(folder), "--compression", "deflate", "--progress", "json"],
        env=environment({**live.env, "TMPDIR": str(tmp_path / "tmp")}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line)["event"] == "progress":
            break
    process.send_signal(2)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in err
    assert [*(tmp_path / "tmp").iterdir()] == []


@pytest.mark.skipif(sys.platform != "linux", reason="it is mounted as Linux does")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_full_disk_is_told_with_what_to_do(live: Live, folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=False)
    if mount.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        done = live.pk("upload", folder, "--compression", "deflate", "--json", env={"TMPDIR": str(small)})
    finally:
        subprocess.run(["umount", small], check=True)
    assert (done.code, done.error["exit_code"]) == (2, 2)
    assert "has no room" in done.error["message"]
    assert "TMPDIR" in done.error["hint"]
    assert "--compression store" in done.error["hint"]


def test_mistakes_are_told(folder: Path) -> None:
    shared = ("push", folder, "--app", "x", "--label", "1.0", "--dry-run", "--json")
    assert pk(*shared, "--compression", "zip").code == 2
    done = pk(*shared, "--ignore", "!")
    assert (done.code, done.error["type"]) == (2, "UsageError")
    assert "gitignore" in done.error["hint"]


def test_a_zip_of_it_and_the_folder_itself_are_one_version(live: Live, folder: Path, tmp_path: Path) -> None:
    """What the service makes of both is the same."""
    (folder / ".pkignore").unlink()
    shutil.rmtree(folder / ".git")
    path = tmp_path / "build.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    app = live.app()
    for source, label in ((path, "zip"), (folder, "folder")):
        assert live.pk("push", source, "--app", app, "--label", label, "--publish").code == 0
    versions = live.pk("version", "list", "--app", app, "--json").json
    assert [version["published"] for version in versions] == [True, True]
