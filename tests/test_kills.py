"""A push ended by kill -9 at each step of a release: the next one goes on, and nothing is done twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("it is done with signals, which are another matter there", allow_module_level=True)

from chaos.client import Run, environment, kept
from chaos.judge import chunks_sent_in_vain, counts, released
from chaos.ledger import requests
from chaos.server import Server
from pk_upload.transfer.records import State, replay
from processes import PROGRAM

KEY = "sandbox"
Reached = Callable[[State, set[str]], bool]
"""Whether a run has come so far, by its journal and by what the sandbox has carried out."""


@dataclass(frozen=True)
class Step:
    """Where the run is killed: the `faults` let it go no further."""

    reached: Reached
    faults: Sequence[str]
    has_chunks: bool = True


def carried_out(verb: str, path: str) -> Reached:
    return lambda _, done: any(each.startswith(verb) and each.endswith(path) for each in done)


STEPS = {
    "a version was made and nobody knows": Step(
        carried_out("POST", "/versions"),
        ["lost-answer@POST/versions", "stall@GET/versions"],
        has_chunks=False,
    ),
    "the version is made": Step(
        lambda state, _: state.version_id is not None, ["stall@uploads"], has_chunks=False
    ),
    "chunks are on their way": Step(lambda state, _: len(state.chunks) >= 3, ["stall:after=5"]),
    "all chunks are there": Step(lambda state, _: state.job_asked, ["stall@content_file"]),
    "processing began and nobody knows": Step(
        carried_out("PUT", "/content_file"), ["lost-answer@content_file"]
    ),
    "the job runs": Step(lambda state, _: state.job_guid is not None, ["slow-job=60"]),
    "publishing is about to be asked for": Step(lambda state, _: state.publish_asked, ["stall@publish"]),
    "publishing began and nobody knows": Step(
        carried_out("POST", "/publish"), ["lost-answer@publish", "stall@GET/version:after=1"]
    ),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_push_killed_at_any_step_is_gone_on_with(tmp_path: Path, build: Path, step: Step) -> None:
    log, state_dir = tmp_path / "sandbox.log", tmp_path / "state"
    with Server(tmp_path / "data", log, KEY, step.faults) as server:
        push = [*PROGRAM, "push", str(build), "--app", server.make_app(), "--label", "1.0", "--publish"]
        push += ["--chunk-size", "20K", "--state-dir", str(state_dir), "--json", "--progress", "none"]
        env = environment(server.url, KEY)
        with subprocess.Popen(push, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
            wait_for(step.reached, running, state_dir, log)
            running.kill()
            assert running.communicate()[0] == b""
        server.kill()
        server.start_again(faults=[])
        killed = Run(log_end=log.stat().st_size, kept=kept(state_dir))
        done = json.loads(subprocess.run(push, env=env, check=True, capture_output=True).stdout)
    assert done["published"]
    assert killed.kept is not None
    assert done["bytes_resumed"] == sum(span.length for span in killed.kept.spans)
    assert bool(done["bytes_resumed"]) == step.has_chunks
    assert done["bytes_sent"] + done["bytes_resumed"] == done["bytes_total"] == build.stat().st_size
    seen = [*requests(log)]
    assert counts(seen, server.data_dir) == {"versions": 1, "uploads": 1, "jobs": 1, "publishes": 1}
    assert [*chunks_sent_in_vain(seen, [killed])] == []
    assert [*released(server.data_dir, build)] == []
    assert [*state_dir.iterdir()] == []


def wait_for(reached: Reached, running: subprocess.Popen[bytes], state_dir: Path, log: Path) -> None:
    """Looks until the run has come there."""
    give_up = time.monotonic() + 60
    while running.poll() is None and time.monotonic() < give_up:
        done = {request.what for request in requests(log) if request.done}
        if reached(journal(state_dir), done):
            return
        time.sleep(0.01)
    running.kill()
    raise AssertionError(f"it does not come so far: {running.communicate()[0].decode()}")


def journal(state_dir: Path) -> State:
    for path in state_dir.glob("*.journal"):
        with path.open("rb") as file:
            return replay(file)[0]
    return State()
