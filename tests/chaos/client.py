"""One run of `pk-upload push`: watched, interrupted, and asked afterwards what it has left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any

from chaos.ledger import hold
from chaos.plan import CHUNK, Interruption
from chaos.server import Server
from pk_upload.sandbox.ranges import Span
from pk_upload.transfer.plan import Plan as Cut
from pk_upload.transfer.records import replay
from processes import PROGRAM

__all__ = ["Kept", "Run", "environment", "kept", "push"]

LONGEST_RUN = 90.0
"""Seconds after which a run is taken to hang."""
SIGNALS = {"kill": signal.SIGKILL, "terminate": signal.SIGTERM, "interrupt": signal.SIGINT}
STAGES = (
    "preflight", "packing", "version", "upload", "chunks", "processing", "checks", "publishing", "scheduled",
    "done",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kept:
    """What a run that goes on from here need not send: the chunks confirmed of an upload."""

    upload_id: int | None = None
    spans: tuple[Span, ...] = ()


@dataclass(slots=True)
class Run:
    """How a run ended. `log_end` is how long the sandbox's log was then."""

    code: int = 0
    stdout: str = ""
    stderr: list[str] = field(default_factory=list)
    interruptions: list[Interruption] = field(default_factory=list)
    reached: str = ""
    """The last stage."""
    retried: Counter[int] = field(default_factory=Counter)
    """How often it told that the chunk at this offset is sent again."""
    hung: bool = False
    log_end: int = 0
    kept: Kept | None = None
    """None where there was no journal."""

    @property
    def signals(self) -> set[int]:
        """What it was sent."""
        return {SIGNALS[each.what] for each in self.interruptions if each.what in SIGNALS}

    def __str__(self) -> str:
        how = ", ".join(map(str, self.interruptions)) or "not interrupted"
        return f"exit {self.code} in {self.reached or 'no stage'} ({how})"


def push(server: Server, arguments: Sequence[str], key: str, ahead: deque[Interruption]) -> Run:
    """A run against `server`, to its end, which the first of the interruptions that lie `ahead` may make."""
    run = Run()
    command = [*PROGRAM, "push", *arguments]
    env = environment(server.url, key)
    null, pipe = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(command, env=env, stdin=null, stdout=pipe, stderr=pipe, text=True) as process:
        timer = Timer(LONGEST_RUN, process.kill)
        timer.start()
        try:
            _watch(process, run, server, ahead)
            run.stdout = process.communicate()[0]
            run.hung = timer.finished.is_set()
        finally:
            timer.cancel()
            process.kill()
    run.code = process.returncode
    run.log_end = server.settle()
    return run


def environment(url: str, key: str) -> dict[str, str]:
    """That of this process without settings and proxies, and with the sandbox's address."""
    apart = ("PATCHKIT_", "PK_UPLOAD_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(apart)}
    return {**inherited, "PATCHKIT_API_URL": url, "PATCHKIT_API_KEY": key}


def _watch(process: subprocess.Popen[str], run: Run, server: Server, ahead: deque[Interruption]) -> None:
    assert process.stderr is not None
    chunks = 0
    for line in process.stderr:
        run.stderr.append(line)
        if not (line.startswith("{") and line.endswith("\n")):  # the log, or cut off by a kill
            continue
        event: dict[str, Any] = json.loads(line)
        match event["event"]:
            case "stage":
                run.reached = event["stage"]
                if run.reached == "upload":
                    hold(server.data_dir, int(event["detail"].split()[1]))
            case "bytes":
                chunks = (event["confirmed"] - event["resumed"]) // CHUNK
            case "chunkretry":
                run.retried[event["offset"]] += 1
        while ahead and _is_due(ahead[0], run.reached, chunks) and not run.signals:
            run.interruptions.append(ahead.popleft())
            _carry_out(run.interruptions[-1], process, server)


def _is_due(interruption: Interruption, reached: str, chunks: int) -> bool:
    """Never at the very end: what is killed after it has finished need not know of it the next time."""
    if not reached or reached == "done":
        return False
    place, wanted = STAGES.index(reached), STAGES.index(interruption.stage)
    return place >= wanted or (interruption.stage == "chunks" and chunks >= interruption.chunks)


def _carry_out(interruption: Interruption, process: subprocess.Popen[str], server: Server) -> None:
    time.sleep(interruption.delay)
    if interruption.what == "restart":
        server.kill()
        time.sleep(interruption.pause)
        server.start_again()
    else:
        process.send_signal(SIGNALS[interruption.what])


def kept(state_dir: Path) -> Kept | None:
    """What the journal in `state_dir` says; None if there is none. Raises `Damaged`."""
    for path in state_dir.glob("*.journal"):
        with path.open("rb") as file:
            state, _ = replay(file)
        if state.begun is None or state.upload_id is None:
            return Kept()
        cut = Cut(state.begun.fingerprint.size, state.chunk_size)
        chunks = [cut[index] for index in state.chunks]
        return Kept(state.upload_id, tuple(Span(each.offset, each.offset + each.size) for each in chunks))
    return None
