"""The command line and the sandbox as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = [sys.executable, "-W", "error", "-m", "pk_upload"]


@dataclass(frozen=True)
class SandboxProcess:
    """A sandbox in a process of its own; `env` points the command line at it."""

    process: subprocess.Popen[str]
    url: str
    data_dir: Path

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "PATCHKIT_API_URL": self.url, "PATCHKIT_API_KEY": "sandbox"}

    def run(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command against this sandbox, carried out to its end."""
        return subprocess.run(
            [*PROGRAM, *map(str, arguments)], env=self.env, check=check, capture_output=True, text=True
        )

    def json(self, *arguments: str | Path) -> Any:
        """What a command prints with `--json`."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """A command against this sandbox, under way."""
        return subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def make_app(self) -> str:
        return str(self.json("app", "create", "--name", "game", "--platform", "other")["secret"])

    def peak_memory(self) -> int:
        return peak_memory(self.process.pid)


@contextmanager
def sandbox_process(data_dir: Path, *arguments: str) -> Iterator[SandboxProcess]:
    command = [*PROGRAM, "sandbox", "--port", "0", "--json", "--data-dir", str(data_dir), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield SandboxProcess(process, json.loads(process.stdout.readline())["url"], data_dir)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stdout.close()


def peak_memory(pid: int) -> int:
    """The most bytes of memory the process has held so far (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM in the process's status")
