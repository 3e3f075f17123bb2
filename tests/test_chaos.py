"""Whole releases under faults and interruptions drawn from seeds; `tox -e chaos` runs as many as wanted."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("it is done with signals, which are another matter there", allow_module_level=True)

from chaos.plan import FAULTS, KINDS, plan
from chaos.run import carry_out

SEEDS = range(25)


@pytest.fixture
def sigint_is_heard() -> Iterator[None]:
    """What is ignored is inherited, and tests may well be run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("sigint_is_heard")
@pytest.mark.parametrize("seed", SEEDS)
def test_a_release_keeps_its_promises_whatever_happens(tmp_path: Path, seed: int) -> None:
    outcome = carry_out(seed, tmp_path)
    assert not outcome.complaints, str(outcome)


def test_between_them_the_seeds_have_everything_happen() -> None:
    plans = [plan(seed) for seed in SEEDS]
    assert {name for each in plans for name in each.faults} == set(FAULTS)
    assert {(one.what, one.stage) for each in plans for one in each.interruptions} == set(KINDS)


def test_a_seed_is_always_the_same_plan() -> None:
    assert [plan(seed) for seed in SEEDS] == [plan(seed) for seed in SEEDS]
