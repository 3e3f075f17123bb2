"""Runs the real command line in processes of its own, and a real sandbox for it to talk to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROGRAM = [sys.executable, "-W", "error", "-m", "pk_upload"]


@dataclass(frozen=True)
class Done:
    """How a process ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one value on stdout."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The failure object, which agrees with the exit code."""
        failure = self.json
        assert set(failure) == {"error"}
        assert set(failure["error"]) == {"type", "message", "hint", "exit_code"}
        assert failure["error"]["exit_code"] == self.code
        assert isinstance(failure["error"], dict)
        return failure["error"]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What `--progress json` printed."""
        return [json.loads(line) for line in self.err.splitlines()]


def environment(given: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """The environment of the test, with `given` on top; `None` takes a variable out."""
    merged: dict[str, str | None] = {**os.environ, "PYTHONUTF8": "1", **(given or {})}
    return {name: value for name, value in merged.items() if value is not None}


def pk(*arguments: str | Path, env: Mapping[str, str | None] | None = None, cwd: Path | None = None) -> Done:
    """Runs `pk-upload` with these arguments to its end."""
    done = subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        env=environment(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr or "--verbose" in arguments, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def start(
    *arguments: str | Path, env: Mapping[str, str | None] | None = None, stdout: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Starts `pk-upload` with these arguments."""
    return subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def under_way(process: subprocess.Popen[str]) -> str:
    """What the process wrote to stderr, as JSON, until a chunk was confirmed."""
    assert process.stderr is not None
    read = ""
    for line in process.stderr:
        read += line
        if json.loads(line).get("confirmed"):
            return read
    raise AssertionError(read)


def finish(process: subprocess.Popen[str], before: str = "") -> Done:
    """How the process ends; `before` is what was read of its stderr."""
    out, err = process.communicate(timeout=60)
    return Done(process.returncode, out, before + err)


@dataclass(frozen=True)
class Live:
    """A sandbox in a process of its own."""

    url: str
    key: str

    @property
    def env(self) -> dict[str, str | None]:
        return {"PATCHKIT_API_URL": self.url, "PATCHKIT_API_KEY": self.key}

    def pk(self, *arguments: str | Path, env: Mapping[str, str | None] | None = None) -> Done:
        return pk(*arguments, env={**self.env, **(env or {})})

    def app(self) -> str:
        """The secret of a new app."""
        made = self.pk("app", "create", "--name", "game", "--platform", "windows_x86_64", "--json")
        assert made.code == 0, made.out
        return str(made.json["secret"])


@contextmanager
def sandbox(data_dir: Path, *arguments: str) -> Iterator[Live]:
    """A sandbox on a free port, stopped at the end."""
    process = start("sandbox", "--port", "0", "--json", "--data-dir", data_dir, *arguments)
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline())
        yield Live(told["url"], told["api_key"])
    finally:
        process.terminate()
        ended = finish(process)
    assert (ended.code, ended.out) == (143, "")
    told = [line for line in ended.err.splitlines() if not line.startswith(f"{data_dir.parent}")]
    assert told == ["interrupted"], "only what became of its mboxes is told beside"


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A sandbox that all tests of one process share; each makes apps of its own."""
    with sandbox(tmp_path_factory.mktemp("sandbox") / "data") as running:
        yield running
