"""What is to go wrong in a release, drawn from a seed. Pure: the same seed is the same plan."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

__all__ = ["CHUNK", "FAULTS", "KINDS", "Interruption", "Plan", "plan"]

T = TypeVar("T")
CHUNK = 100 * 1024
"""Bytes of a chunk."""

FAULTS = {
    "a connection cut before a body": "drop=0:p=0.06:seed={seed}",
    "a connection cut in a body": "drop={share}:p=0.06:seed={seed}",
    "a connection cut after a body": "lost-answer:p=0.07:seed={seed}",
    "any answer lost": "lost-answer@*:p=0.06:seed={seed}",
    "any connection cut": "drop=0@*:p=0.05:seed={seed}",
    "the answer to a new version lost": "lost-answer@POST/versions:count=1",
    "the answer to a new upload lost": "lost-answer@uploads:count=1",
    "the answer to processing lost": "lost-answer@content_file:count={few}",
    "the answer to publishing lost": "lost-answer@publish:count=1",
    "500 for a chunk": "status=500:p=0.06:seed={seed}",
    "500 for anything": "status=500@*:p=0.05:seed={seed}",
    "502 for a chunk": "status=502:p=0.06:seed={seed}",
    "502 for anything": "status=502@*:p=0.05:seed={seed}",
    "503 for a chunk": "status=503:p=0.06:seed={seed}:retry-after=0",
    "503 for anything": "status=503@*:count=1:after={some}:retry-after=1",
    "429 for a chunk": "status=429:p=0.06:seed={seed}:retry-after=0",
    "429 for anything": "status=429@*:p=0.04:seed={seed}:retry-after=0",
    "a checksum said to be wrong": "wrong-md5:p=0.06:seed={seed}",
    "a stall before a body": "stall:count={few}:after={some}",
    "a stall in a body": "stall={share}:count=1:after={some}",
    "a slow chunk": "slow=0.3:p=0.1:seed={seed}",
    "slow processing": "slow-job=0.5",
    "slow calls": "slow=0.2@{call}",
    "chunks in order only": "strict-order",
}

What = Literal["kill", "terminate", "interrupt", "restart"]
Stage = Literal["version", "upload", "chunks", "processing", "publishing"]
STAGES: tuple[Stage, ...] = ("version", "upload", "chunks", "processing", "publishing")
KINDS: tuple[tuple[What, Stage], ...] = (
    *(("kill", stage) for stage in STAGES),
    *(("restart", stage) for stage in STAGES),
    ("terminate", "chunks"),
    ("interrupt", "chunks"),
    ("terminate", "processing"),
    ("interrupt", "publishing"),
)
OFTEN = [4 if kind == ("kill", "chunks") else 1 for kind in KINDS]


@dataclass(frozen=True, slots=True)
class Interruption:
    """What is done in a run that has come to `stage` or beyond, and for how many seconds it waits before.

    For the stage "chunks" so many `chunks` are confirmed in this run. "restart" kills the sandbox and starts
    it again after `pause` seconds; all else is sent to the client as a signal.
    """

    what: What
    stage: Stage
    chunks: int
    delay: float
    pause: float

    def __str__(self) -> str:
        where = f"{self.chunks} chunks" if self.stage == "chunks" else self.stage
        return f"{self.what} at {where} +{self.delay:.2f}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The build has files of these `sizes` in bytes, in a ZIP or a folder; `faults` has names in `FAULTS`."""

    seed: int
    folder: bool
    sizes: tuple[int, ...]
    concurrency: str
    faults: dict[str, str]
    interruptions: tuple[Interruption, ...]


def plan(seed: int) -> Plan:
    """The plan of this seed."""
    chance = random.Random(seed)
    total = chance.randrange(20 * CHUNK, 40 * CHUNK)
    cuts = sorted(chance.randrange(total) for _ in range(3))
    sizes = tuple(end - begin for begin, end in zip([0, *cuts], [*cuts, total], strict=True))
    names = [_turn(tuple(FAULTS), seed), *chance.sample(list(FAULTS), chance.randrange(1, 5))]
    kinds = [_turn(KINDS, seed), *chance.choices(KINDS, OFTEN, k=chance.randrange(3))]
    if seed % 5 == 4:
        kinds = []  # so that one run has to come through all the faults
    return Plan(
        seed,
        seed % 3 == 1,
        sizes,
        chance.choice(("auto", "auto", "1", "4", "16")),
        {name: _spec(FAULTS[name], chance) for name in names},
        tuple(_interruption(*kind, chance) for kind in kinds),
    )


def _turn(among: Sequence[T], seed: int) -> T:
    """Each has its turn, so that a few seeds in a row have them all."""
    return among[seed % len(among)]


def _spec(template: str, chance: random.Random) -> str:
    return template.format(
        seed=chance.randrange(10_000),
        share=chance.choice(("0.1", "0.5", "0.9", "1")),
        few=chance.randrange(1, 3),
        some=chance.randrange(1, 20),
        call=chance.choice(("POST/versions", "uploads", "content_file", "publish", "job")),
    )


def _interruption(what: What, stage: Stage, chance: random.Random) -> Interruption:
    chunks = chance.randrange(1, 20)
    delay = chance.choice((0.0, chance.uniform(0.0, 0.05), chance.uniform(0.0, 0.3)))
    return Interruption(what, stage, chunks, delay, pause=chance.uniform(0.0, 0.7))
