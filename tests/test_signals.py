"""Signals in every phase of a run, with real processes: it ends in time, and the next run goes on with it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cli_harness import PROGRAM, Done, Live, environment, live, sandbox, start

if sys.platform == "win32":
    pytest.skip("signals are another matter there", allow_module_level=True)

from pk_upload.cli.interruption import ECHO, GRACE, LAST_WORDS

__all__ = ["live"]

RESUME = "interrupted: run the same command again to resume\n"
END = 10  # seconds: five are promised, and the machine may be slow
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}

Event = dict[str, Any]
Reached = Callable[[Event], bool]


def at_stage(stage: str) -> Reached:
    return lambda event: event.get("stage") == stage


def at(kind: str) -> Reached:
    return lambda event: bool(event["event"] == kind)


def half_way(event: Event) -> bool:
    return bool(event.get("confirmed", 0) > 150_000)


def progress_of(process: subprocess.Popen[str], reached: Reached) -> str:
    """What the process writes to stderr until an event has reached what is waited for."""
    assert process.stderr is not None
    read = ""
    for line in process.stderr:
        read += line
        if reached(json.loads(line)):
            return read
    raise AssertionError(read)


def ended(process: subprocess.Popen[str], before: str = "") -> Done:
    """How the process ends, which it has to do in time."""
    try:
        process.wait(END)
    finally:
        process.kill()
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        return Done(process.returncode, process.stdout.read(), before + process.stderr.read())


def cut(live: Live, signum: signal.Signals, reached: Reached, *command: str | Path) -> Done:
    """The command, ended by the signal where it has reached that; it tells so in every way it has."""
    process = start(*command, "--json", "--progress", "json", env=live.env)
    before = progress_of(process, reached)
    time.sleep(0.3)  # to be within the request that an event announces; before it, it has to end as well
    process.send_signal(signum)
    done = ended(process, before)
    assert done.code == CODES[signum]
    assert done.error["type"] == "Interrupted"
    assert done.error["hint"] == "Run the same command again to resume."
    assert done.err.endswith(RESUME)
    assert done.err.count("interrupted") == 1
    assert ("are delivered" in done.err) == ('"bytes"' in done.err), "it had the time to say so"
    assert "Traceback" not in done.err
    return done


def most(done: Done, count: str) -> int:
    """The largest such count of bytes that a run told of."""
    found = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    return max((event.get(count, 0) for event in found), default=0)


def test_a_push_is_cut_in_one_phase_after_the_other_and_gone_on_with(tmp_path: Path, build: Path) -> None:
    faults = {
        "slow=20@POST/versions:count=1": (signal.SIGINT, at_stage("version")),
        "status=503@POST/versions:after=1:count=1:retry-after=60": (signal.SIGTERM, at("retry")),
        "stall=0.5:after=9:count=1": (signal.SIGHUP, half_way),
        "slow=20@GET/version:after=2:count=1": (signal.SIGINT, at_stage("publishing")),
    }
    with sandbox(tmp_path / "sandbox", *(word for fault in faults for word in ("--fault", fault))) as live:
        app = live.app()
        push = ("push", build, "--app", app, "--label", "1.0", "--publish", "--chunk-size", "10K")
        told = 0
        for signum, reached in faults.values():
            begun = cut(live, signum, reached, *push)
            assert most(begun, "resumed") >= told
            told = max(told, most(begun, "confirmed"))
        size = build.stat().st_size
        assert most(begun, "sent") + most(begun, "resumed") == told == size
        done = live.pk(*push, "--json")
        assert (done.json["published"], done.json["bytes_resumed"]) == (True, size)
        assert [version["id"] for version in live.pk("version", "list", "--app", app, "--json").json] == [1]


def test_an_upload_that_waits_to_send_a_chunk_again_is_cut_and_gone_on_with(
    tmp_path: Path, build: Path
) -> None:
    upload = ("upload", build, "--chunk-size", "10K")
    with sandbox(tmp_path / "sandbox", "--fault", "status=503:after=9:count=1:retry-after=60") as live:
        begun = cut(live, signal.SIGTERM, at("chunkretry"), *upload)
        done = live.pk(*upload, "--progress", "json")
        assert (done.code, done.out) == (0, "1\n")
        assert most(done, "resumed") >= most(begun, "confirmed") >= 90_000
        assert most(done, "sent") + most(done, "resumed") == build.stat().st_size


def test_who_waits_for_the_service_is_cut_and_so_is_the_sandbox_at_work(tmp_path: Path, build: Path) -> None:
    faults = ("--fault", "slow-job=3600", "--fault", "stall=0.5:after=1")
    with served(tmp_path / "sandbox", *faults) as (server, live):
        app = live.app()
        push = ("push", build, "--app", app, "--label", "1.0")
        begun = cut(live, signal.SIGTERM, at("progress"), *push)
        [guid] = set(re.findall(r'"job ([0-9a-f-]+)"', begun.err))
        wait = ("job", guid, "--wait")
        cut(live, signal.SIGHUP, at("progress"), *wait)
        stalled = start("upload", build, "--progress", "json", env=live.env)
        progress_of(stalled, lambda event: bool(event.get("sent")))
        server.send_signal(signal.SIGINT)
        done = ended(server)
        stalled.terminate()
        ended(stalled)
    assert (done.code, done.out, done.err) == (130, "", "interrupted\n")
    again = ("--port", live.url.rpartition(":")[2], "--fault", "slow=20@GET/version:after=3:count=1")
    with sandbox(tmp_path / "sandbox", *again) as live:
        assert live.pk(*push, "--json").json["bytes_resumed"] == build.stat().st_size
        assert live.pk(*wait, "--json").json["finished"]
        publish = ("version", "publish", "1", "--app", app)
        cut(live, signal.SIGINT, at_stage("publishing"), *publish)
        assert live.pk(*publish, "--json").json["published"]


@contextmanager
def served(data_dir: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Live]]:
    """A sandbox, and its process to send signals to."""
    process = start("sandbox", "--port", "0", "--json", "--data-dir", data_dir, *arguments)
    with process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            yield process, Live(told["url"], told["api_key"])
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full backlog may refuse")
def test_a_connection_that_nobody_accepts_is_not_waited_for(tmp_path: Path, build: Path) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        stack.enter_context(socket.create_connection(address))
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.2)
        live = Live(f"http://127.0.0.1:{address[1]}", "sandbox")
        process = start("push", build, "--app", "x", "--label", "1.0", "--json", env=live.env)
        time.sleep(2)  # to be within the connection; before it, it has to end as well
        process.send_signal(signal.SIGTERM)
        done = ended(process)
        assert (done.code, done.err, done.error["type"]) == (143, RESUME, "Interrupted")


def test_a_file_that_keeps_a_run_waiting_before_its_first_request(build: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "changelog")
    push = ("push", build, "--sandbox", "--changelog", f"@{tmp_path / 'changelog'}")
    process = start(*push, "--json")
    with (tmp_path / "changelog").open("w"):  # which waits for the reader
        process.send_signal(signal.SIGTERM)
        done = ended(process)
    assert (done.code, done.err) == (143, "interrupted\n")
    assert done.error["type"] == "Interrupted"


DISK_THAT_HANGS = r"""
import sys, time
from pk_upload.archive import inspecting
from pk_upload.cli import interruption, main

def hang(*_, **__):
    sys.stderr.write("hanging\n")
    time.sleep(60)

inspecting.preflight = hang
interruption.GRACE = float(sys.argv.pop(1))
sys.exit(main())
"""


SIGNALS_THAT_ARE_TOLD = r"""
import os
from pk_upload.cli.interruption import Interruption

handle = Interruption._handle

def tell(self, signum, frame):
    handle(self, signum, frame)
    os.write(2, b"heard\n")

Interruption._handle = tell
"""


def hanging(
    grace: float, *command: str | Path, stderr: int = subprocess.PIPE, before: str = ""
) -> subprocess.Popen[str]:
    """A command that no cancellation ends, for a thread of it waits for the disk."""
    return subprocess.Popen(
        [sys.executable, "-c", before + DISK_THAT_HANGS, str(grace), *map(str, command), "--json"],
        env=environment({"PATCHKIT_API_KEY": "sandbox"}),
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def test_a_disk_that_hangs_keeps_no_run_alive(build: Path) -> None:
    push = ("push", build, "--app", "x", "--label", "1.0")
    assert GRACE + 2 * LAST_WORDS < 5, "which is promised"
    both = hanging(0.5, *push, "--dry-run"), hanging(0.5, *push)
    for process in both:
        assert process.stderr is not None
        assert process.stderr.readline() == "hanging\n"
        process.send_signal(signal.SIGTERM)
    for process, said in zip(both, ("interrupted\n", RESUME), strict=True):
        done = ended(process)
        assert (done.code, done.err, done.error["type"]) == (143, said, "Interrupted")


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_does_not_wait_for_the_disk(build: Path, second: signal.Signals) -> None:
    push = ("push", build, "--app", "x", "--label", "1.0")
    process = hanging(60, *push, before=SIGNALS_THAT_ARE_TOLD)
    assert process.stderr is not None
    assert process.stderr.readline() == "hanging\n"
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "heard\n"  # or the system would take two that wait for one
    time.sleep(2 * ECHO)  # or the same signal again counts as the first one's echo
    process.send_signal(second)
    done = ended(process)
    assert (done.code, done.err, done.error["type"]) == (130, RESUME, "Interrupted")


def test_who_does_not_read_keeps_no_run_alive(tmp_path: Path, build: Path) -> None:
    os.mkfifo(tmp_path / "stderr")
    with ExitStack() as stack:
        reading, theirs, ours = (
            os.open(tmp_path / "stderr", how | os.O_NONBLOCK)
            for how in (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)
        )
        for descriptor in (reading, theirs, ours):
            stack.callback(os.close, descriptor)
        os.set_blocking(reading, True)
        os.set_blocking(theirs, True)
        process = hanging(0.1, "push", build, "--app", "x", "--label", "1.0", stderr=theirs)
        assert os.read(reading, 100) == b"hanging\n"
        with suppress(BlockingIOError):
            while True:
                os.write(ours, b".")
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(END) == 130
        finally:
            process.kill()
        with process:
            assert process.stdout is not None
            assert json.loads(process.stdout.read())["error"]["type"] == "Interrupted"


SENT_TWICE = """
import os, sys, time
from pk_upload.cli.interruption import Interruption
import pk_upload.cli.interruption as module
module.ECHO = 600
interruption = Interruption(["push"])
interruption.install()
with interruption.cancelling(lambda: None):
    os.kill(os.getpid(), int(sys.argv[1]))
    os.kill(os.getpid(), int(sys.argv[1]))
    print("put in order")
"""


@pytest.mark.parametrize("signum", CODES)
def test_a_signal_to_the_process_and_to_its_group_counts_once(signum: signal.Signals) -> None:
    command = [sys.executable, "-c", SENT_TWICE, str(int(signum))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "put in order\n", "")


def test_signals_that_the_caller_ignores_are_ignored(live: Live, build: Path) -> None:
    upload = ["upload", str(build), "--limit-rate", "300K", "--chunk-size", "10K", "--progress", "json"]
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" INT HUP; exec "$@"', "sh", *PROGRAM, *upload],
        env=environment(live.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    before = progress_of(process, lambda event: bool(event.get("confirmed")))
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGHUP)
    done = ended(process, before)
    assert (done.code, most(done, "confirmed")) == (0, build.stat().st_size)


SENT_TO_A_THREAD = """
import signal, sys, threading, time
from pk_upload.archive import inspecting
from pk_upload.cli import interruption, main

def hang(*_, **__):
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    time.sleep(60)

inspecting.preflight = hang
interruption.GRACE = 0.1
sys.exit(main())
"""


def test_a_signal_is_not_slept_over(build: Path) -> None:
    """One to another thread wakes the loop as little as one that comes while it is just going to sleep."""
    rehearsal = ["push", str(build), "--app", "x", "--label", "1.0", "--dry-run"]
    done = subprocess.run(
        [sys.executable, "-c", SENT_TO_A_THREAD, *rehearsal],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=END,
        check=False,
    )
    assert (done.returncode, done.stderr) == (143, "interrupted\n")


LATE = """
import os, signal, sys
from pk_upload.cli import main
class AtTheEnd:
    def __del__(self):
        os.kill(os.getpid(), int(sys.argv[1]))
keep = AtTheEnd()
sys.modules["kept"] = keep
sys.exit(main(["--version"]))
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_after_the_result_changes_nothing(signum: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LATE, str(int(signum))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("pk-upload ")
