"""The sandbox as a process that can be killed and started again on the same port, with its log in a file."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import urlencode, urlsplit

from processes import PROGRAM

__all__ = ["Server"]

PATIENCE = 30.0
"""Seconds that the start and the end of a sandbox may take on a busy machine."""


class Server:
    """A sandbox on `data_dir`. Use it as a context manager."""

    def __init__(self, data_dir: Path, log: Path, key: str, faults: Sequence[str]) -> None:
        self.data_dir = data_dir
        self.log = log
        self.url = ""
        self._key = key
        self._faults = faults
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._start(port=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._end(signal.SIGTERM)

    def _start(self, port: int) -> None:
        command = [*PROGRAM, "sandbox", "--port", str(port), "--api-key", self._key, "--verbose", "--json"]
        command += ["--data-dir", str(self.data_dir)]
        command += [part for fault in self._faults for part in ("--fault", fault)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        welcome = self._process.stdout.readline()
        assert welcome, f"the sandbox did not start: {self.log.read_text()[-500:]}"
        self.url = json.loads(welcome)["url"]

    def _end(self, signum: int) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.send_signal(signum)
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.stdout.close()

    def kill(self) -> None:
        """Ends it at once."""
        self._end(signal.SIGKILL)

    def start_again(self, faults: Sequence[str] | None = None) -> None:
        """Starts it where it was, with other `faults` if they are given."""
        self._faults = self._faults if faults is None else faults
        self._start(urlsplit(self.url).port or 0)

    def make_app(self) -> str:
        """The secret of a new app, asked for until its answer comes through the faults."""
        for _ in range(100):
            if answer := self._ask("POST", "/1/apps", {"name": "game", "platform": "other"}):
                return str(json.loads(answer)["secret"])
        raise AssertionError("the sandbox makes no app")

    def settle(self) -> int:
        """How long the log is once all that had reached the sandbox before is in it.

        A request that comes later is read later, whatever becomes of it.
        """
        self._ask("GET", "/1/account", {})
        return self.log.stat().st_size

    def _ask(self, verb: str, path: str, form: Mapping[str, str]) -> bytes | None:
        """The answer; None if it is none that helps."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)
        headers = {"X-Api-Key": self._key, "Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request(verb, path, urlencode(form), headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return body if response.status < 300 else None
