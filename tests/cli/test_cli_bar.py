"""The bar on a terminal, and its absence everywhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_harness import PROGRAM, environment, pk

from pk_upload.cli.progress import Bar
from pk_upload.events import Progress, Stage

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals", allow_module_level=True)

import pty


def on_a_terminal(*arguments: str | Path, env: dict[str, str | None] | None = None) -> tuple[int, str]:
    """The exit code, and what a terminal got on stderr; stdout goes elsewhere."""
    ours, theirs = pty.openpty()
    settings: dict[str, str | None] = {
        "TERM": "xterm-256color",
        "COLUMNS": "120",
        "NO_COLOR": None,
        **(env or {}),
    }
    process = subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:
        pass  # how Linux tells that the other side is closed
    finally:
        os.close(ours)
    return process.wait(60), shown.decode()


def test_a_terminal_gets_a_bar(build: Path) -> None:
    code, shown = on_a_terminal("push", build, "--sandbox", "--publish", "--verbose")
    assert code == 0
    assert "━" in shown
    assert "\x1b[?25l" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is back
    for word in (
        "preparing: build",
        "uploading",
        "processing",
        "publishing",
        "100 %",
        "DEBUG pk_upload.http",
    ):
        assert word in shown


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {}], ids=["dumb", "log"])
def test_lines_where_a_bar_is_not_possible_or_not_wanted(build: Path, env: dict[str, str | None]) -> None:
    how = () if env else ("--progress", "log")
    code, shown = on_a_terminal("push", build, "--sandbox", *how, env=env)
    assert code == 0
    assert "\x1b" not in shown
    assert "uploading: upload 1" in shown


def test_no_color_means_no_color(build: Path) -> None:
    _, colorful = on_a_terminal("push", build, "--sandbox")
    _, shown = on_a_terminal("push", build, "--sandbox", env={"NO_COLOR": "1"})
    assert "\x1b[38;" in colorful
    assert "\x1b[38;" not in shown
    assert "━" in shown


def test_a_command_without_progress_leaves_the_terminal_alone(build: Path) -> None:
    code, shown = on_a_terminal("push", build, "--sandbox", "--dry-run")
    assert (code, shown) == (0, "")


@pytest.mark.parametrize("mode", ["auto", "log", "none", "json"])
def test_a_pipe_gets_plain_lines(build: Path, mode: str) -> None:
    done = pk("push", build, "--sandbox", "--progress", mode, env={"FORCE_COLOR": "1"})
    assert done.code == 0
    assert not set(done.err + done.out) & {"\r", "\x1b"}
    assert (mode == "none") == (done.err == "")
    if mode == "json":
        assert {event["event"] for event in done.events} >= {"stage", "bytes", "lanes", "progress"}


def test_a_bar_for_who_insists(build: Path) -> None:
    assert "━" in pk("push", build, "--sandbox", "--progress", "bar").err


def test_quiet_is_quiet(build: Path) -> None:
    done = pk("push", build, "--sandbox", "--quiet")
    assert done.code == 0
    assert done.err == ""
    assert done.out


def test_a_bar_whose_stage_is_over_shows_its_end(capfd: pytest.CaptureFixture[str]) -> None:
    bar = Bar(str)
    bar.tell(Stage("publishing", "version 1"))
    bar.tell(Progress("publishing", 0.5, "half of it"))
    bar.tick()
    bar.tell(Progress("publishing", 1.0, "all of it"))
    bar.tell(Stage("done", "version 1"))
    shown = capfd.readouterr().err
    bar.close()
    assert "50 %" in shown
    assert "100 %" in shown
