"""Who listens to a run, a terminal or a pipe, may go at any time; a terminal is left in order."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from cli_harness import PROGRAM, Live, environment, live

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals", allow_module_level=True)

import pty

from test_signals import END, RESUME

__all__ = ["live"]


def test_the_first_line_is_all_that_is_wanted(live: Live, build: Path) -> None:
    listening, speaking = os.pipe()
    upload = [*PROGRAM, "upload", str(build), "--limit-rate", "600K", "--chunk-size", "10K"]
    process = subprocess.Popen(upload, env=environment(live.env), stdout=speaking, stderr=speaking)
    os.close(speaking)
    assert os.read(listening, 1)
    os.close(listening)  # as `2>&1 | head -1` does
    assert process.wait(60) == 0
    again = live.pk("upload", build, "--json")
    assert again.json["bytes_resumed"] == 0, "the first one was complete"


@pytest.mark.parametrize("mode", ["bar", "log"])
def test_progress_that_nobody_reads_costs_no_result(live: Live, build: Path, mode: str) -> None:
    listening, speaking = os.pipe()
    os.close(listening)
    upload = [*PROGRAM, "upload", str(build), "--chunk-size", "10K", "--json", "--progress", mode]
    done = subprocess.run(
        upload,
        env=environment(live.env),
        stdout=subprocess.PIPE,
        stderr=speaking,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(speaking)
    assert done.returncode == 0
    assert json.loads(done.stdout)["bytes_sent"] == build.stat().st_size


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
def test_nowhere_to_complain_is_no_reason_to_end(live: Live, build: Path, where: str) -> None:
    if where.endswith("/full") and not Path("/dev/full").exists():
        pytest.skip("there is no full disk at hand")
    upload = [*PROGRAM, "upload", str(build), "--chunk-size", "10K", "--json"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {where}', "sh", *upload],
        env=environment(live.env),
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["bytes_sent"] == build.stat().st_size


ON_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


class Terminal:
    """A terminal whose foreground is an upload, in the middle unless another moment is named."""

    def __init__(
        self, live: Live, build: Path, program: Sequence[str] = PROGRAM[1:], until: bytes = rb" [3-9]\d % "
    ) -> None:
        self._ours, theirs = pty.openpty()
        upload = ["upload", str(build), "--limit-rate", "100K", "--chunk-size", "10K"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", ON_A_TERMINAL, *program, *upload],
            env=environment({**live.env, "TERM": "xterm-256color", "COLUMNS": "120"}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = b""
        try:
            self._look_for(until)
        except BaseException:
            self.process.kill()
            raise

    def _look_for(self, shown: bytes) -> None:
        deadline = time.monotonic() + 60
        while not re.search(shown, self.shown):
            ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{shown!r} is not in what was shown within a minute: {self.shown!r}"
            self.shown += os.read(self._ours, 65536)

    def type(self, key: bytes) -> None:
        os.write(self._ours, key)

    def close(self) -> None:
        os.close(self._ours)

    def ended(self) -> int:
        """The exit code; all the rest is shown."""
        try:
            code = self.process.wait(END)
        finally:
            self.process.kill()
        with suppress(OSError):  # how Linux tells that the other side is closed
            while piece := os.read(self._ours, 65536):
                self.shown += piece
        return code


def test_a_key_pressed_on_a_terminal_leaves_it_in_order(live: Live, build: Path) -> None:
    terminal = Terminal(live, build)
    terminal.type(b"\x03")
    assert terminal.ended() == 130
    terminal.close()
    _, _, after = terminal.shown.decode().rpartition("\x1b[?25h")
    assert re.fullmatch(rf"\d+\.\d/\d+\.\d KiB are delivered\n{RESUME}", after.replace("\r\n", "\n"))
    assert live.pk("upload", build, "--json").json["bytes_resumed"] > 0


DISK_THAT_STOPS = """
import os, sys, time
from pk_upload.cli import interruption, main

read = os.preadv

def stop(fd, buffers, offset, *flags):
    if offset > 100_000:
        os.write(2, b"stopped")
        time.sleep(60)
    return read(fd, buffers, offset, *flags)

os.preadv = stop
interruption.GRACE = 60
sys.exit(main())
"""


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="files are read in another way here")
def test_the_second_signal_leaves_the_terminal_in_order_too(live: Live, build: Path) -> None:
    terminal = Terminal(live, build, ["-c", DISK_THAT_STOPS], b"stopped")
    terminal.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.ended() == 130
    terminal.close()
    assert terminal.shown.decode().replace("\r\n", "\n").endswith(f"\r\x1b[K\x1b[?25h{RESUME}")


def test_a_terminal_that_is_closed_ends_the_run_like_sigterm(live: Live, build: Path) -> None:
    terminal = Terminal(live, build)
    terminal.close()
    assert terminal.process.wait(END) == 143
    assert live.pk("upload", build, "--json").json["bytes_resumed"] > 0
