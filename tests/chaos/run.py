"""One seed from its plan to its judgement."""

from __future__ import annotations

import random
import zipfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import anyio

from chaos.client import Run, kept, push
from chaos.judge import chunks_sent_in_vain, conduct, counts, leaks, miscounted, received, released
from chaos.ledger import requests
from chaos.plan import CHUNK, Plan, plan
from chaos.server import Server
from pk_upload.archive import StoredFolder, read
from pk_upload.archive.folder.checksums import checksums
from pk_upload.archive.folder.tree import walk

__all__ = ["Outcome", "carry_out"]

MOST = 10
"""Complaints that are shown of one seed."""
SPARE = 4
"""Runs that may give up by themselves."""


@dataclass(slots=True)
class Outcome:
    """How the release of a plan went; it kept its promises if there are no `complaints`."""

    plan: Plan
    runs: list[Run] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    requests: int = 0
    repeated: int = 0
    """Chunks that were sent more than once, for a reason."""

    def __str__(self) -> str:
        lines = [f"seed {self.plan.seed} fails:", *(f"  {each}" for each in self.complaints[:MOST])]
        lines += [f"  fault {spec}  ({name})" for name, spec in self.plan.faults.items()]
        for number, run in enumerate(self.runs, 1):
            lines.append(f"  run {number}: {run}")
            lines += [f"    {line.rstrip()[:300]}" for line in [*run.stderr[-6:], run.stdout]]
        lines.append(f"  again: tox -e chaos -- --first {self.plan.seed} --seeds 1 --keep DIR")
        return "\n".join(lines)


class Scene(NamedTuple):
    """Where everything of one release is."""

    key: str
    build: Path
    state: Path
    data: Path
    log: Path


def carry_out(seed: int, folder: Path) -> Outcome:
    """How it goes with this seed. Everything is kept in `folder`."""
    outcome = Outcome(plan(seed))
    key = random.Random(f"key {seed}").randbytes(16).hex()
    names = ("build.zip", "state", "data", "sandbox.log")
    scene = Scene(key, *(folder / name for name in names))
    try:
        source = make_build(scene.build, outcome.plan)
        with Server(scene.data, scene.log, scene.key, [*outcome.plan.faults.values()]) as server:
            _release(outcome, scene, source, server)
        if not outcome.complaints:
            outcome.complaints += _judged(outcome, scene)
    except Exception as error:  # the other seeds go on
        outcome.complaints.append(f"{type(error).__name__}: {error}")
    return outcome


def make_build(path: Path, plan: Plan) -> Path:
    """A ZIP that no compression makes smaller, the same for the same plan; and what of it is to be pushed.

    That is the ZIP, or the folder that it is of.
    """
    noise = random.Random(plan.seed)
    contents = {f"{number}.bin": noise.randbytes(size) for number, size in enumerate(plan.sizes)}
    if not plan.folder:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in contents.items():
                archive.writestr(zipfile.ZipInfo(name), content)
        return path
    folder = path.with_suffix("")
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    path.write_bytes(anyio.run(_zipped, folder))
    with zipfile.ZipFile(path) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == contents
    return folder


async def _zipped(folder: Path) -> bytes:
    """The ZIP that the folder is uploaded as."""
    stored = StoredFolder(walk(folder))
    stored.checksums = await checksums(stored.tree, on_progress=lambda *_: None)
    return read(stored, 0, stored.size)


def _release(outcome: Outcome, scene: Scene, source: Path, server: Server) -> None:
    """Pushes until that is done or something is wrong."""
    wishes = ["--app", server.make_app(), "--label", "1.0", "--publish", "--state-dir", str(scene.state)]
    pace = ["--chunk-size", str(CHUNK), "--limit-rate", "4MiB", "--stall-timeout", "2"]
    pace += ["--concurrency", outcome.plan.concurrency]
    pace += ["--compression", "store"] if outcome.plan.folder else []
    told = ["--json", "--progress", "json", "--verbose"]
    ahead = deque(outcome.plan.interruptions)
    for number in range(1, len(ahead) + SPARE + 2):
        run = push(server, [str(source), *wishes, *pace, *told], scene.key, ahead)
        outcome.runs.append(run)
        wrong = [*conduct(run), *leaks(scene.key, run, scene.state)]
        outcome.complaints += [f"run {number}: {each}" for each in wrong]
        run.kept = kept(scene.state)
        # Killed between its last record and its end it cannot say so any more.
        if wrong or run.code == 0 or (run.reached == "done" and run.kept is None):
            return
    outcome.complaints.append("it does not come to an end")


def _judged(outcome: Outcome, scene: Scene) -> Iterator[str]:
    seen = [*requests(scene.log)]
    arrived = [(request.upload_id, request.span) for request in seen if request.fate == "arrives"]
    outcome.requests = sum(request.fate not in {"arrives", "is carried out"} for request in seen)
    outcome.repeated = len(arrived) - len(set(arrived))
    found = counts(seen, scene.data)
    once = dict.fromkeys(found, 1)
    if any(each.what == "restart" for run in outcome.runs for each in run.interruptions):
        once["publishes"] = min(found["publishes"], 1)  # it may be killed between doing and saying so
    if found == once:
        yield from released(scene.data, scene.build)
        yield from received(seen, scene.data, scene.build)
    else:
        yield f"a release has one of each, and here are {found}"
    yield from chunks_sent_in_vain(seen, outcome.runs)
    yield from miscounted(outcome.runs)
    text = scene.log.read_text()
    if scene.key in text:
        yield "the sandbox prints the API key"
    if "Traceback" in text:
        yield "the sandbox shows a traceback"
    if left := [path.name for path in scene.state.iterdir()]:
        yield f"the state directory holds {left}"
