"""Processes of a benchmark: servers that live as long as they are used, and clients that run once.

A server is a module that calls `announce` with the port it listens on and lives until its standard input
closes, so that none outlives the benchmark, however that ends. A client prints one JSON object.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.settings import Failure

__all__ = ["announce", "environment", "output", "python", "running", "server"]

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 10.0  # seconds for a server to start, and for a process to end


def announce(port: int) -> None:
    """Called by a server that is ready: tells its port, and ends this process once its parent is gone."""
    print(json.dumps({"port": port}), flush=True)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def python(module: str, *arguments: object) -> list[str]:
    """The command that runs a module of this folder."""
    return [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]


def environment() -> dict[str, str]:
    """The environment without what would lead clients elsewhere than to a server on this machine."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith("PATCHKIT_")
    }


@contextmanager
def server(module: str, *arguments: object) -> Iterator[str]:
    """The address, `http://127.0.0.1:PORT`, of a server that is ended when the block is left."""
    with running(python(module, *arguments), stdin=subprocess.PIPE) as process:
        yield f"http://127.0.0.1:{_port(module, process)}"


def output(command: Sequence[str], what: str, *, env: dict[str, str] | None = None) -> str:
    """What a process prints. Raises `Failure` with its last words when it fails."""
    with running(command, env=env, stderr=subprocess.PIPE) as process:
        printed, complaint = process.communicate()
    if process.returncode != 0:
        raise Failure(f"{what} failed with exit code {process.returncode}:\n{complaint.strip()}")
    return printed


@contextmanager
def running(
    command: Sequence[str],
    *,
    env: dict[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    stderr: int | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own; leaving the block ends the whole group if it still runs.

    An interrupt at the terminal thus reaches the benchmark alone, which then ends its children in order.
    """
    own_group: dict[str, Any] = {"process_group": 0} if os.name == "posix" else {}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment() if env is None else env,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        **own_group,
    )
    try:
        yield process
    finally:
        _end(process)


def _port(module: str, process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    # A server that says nothing is ended, which ends this wait too.
    alarm = threading.Timer(PATIENCE, process.kill)
    alarm.start()
    line = process.stdout.readline()
    alarm.cancel()
    if not line:
        raise Failure(f"benchmarks.{module} did not start.")
    return int(json.loads(line)["port"])


def _end(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
            process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _signal(process: subprocess.Popen[str], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)
