"""When a line is due, and how fast bytes move."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pk_upload.cli.pace import INTERVAL, STEP, WINDOW, Gate, Speed

STEPS = st.lists(
    st.tuples(st.floats(0, 0.3, allow_nan=False), st.floats(0, 60, allow_nan=False)), min_size=1, max_size=80
)


@given(st.floats(0, 0.99), STEPS)
def test_lines_are_rare(first: float, steps: list[tuple[float, float]]) -> None:
    gate, now, fraction = Gate(0.0), 0.0, first
    told = [(0.0, first)]  # the line of the stage's beginning
    gate.due(first, 0.0)
    for more, later in steps:
        now, fraction = now + later, min(1.0, fraction + more)
        if gate.due(fraction, now):
            told.append((now, fraction))
    for (before, less), (after, more) in pairwise(told):
        assert more >= 1 or (after - before >= INTERVAL and more - less >= STEP - 1e-9)
    assert sum(fraction >= 1 for _, fraction in told) == (fraction >= 1)
    assert len(told) <= 2 + min(10, now / INTERVAL)
    assert gate.owed == (told[-1][1] != fraction or (len(told) == 1))


@given(STEPS)
def test_a_line_that_is_due_is_told(steps: list[tuple[float, float]]) -> None:
    gate, now, fraction, at, since = Gate(0.0), 0.0, 0.0, 0.0, 0.0
    gate.due(0.0, 0.0)
    for more, later in steps:
        now, fraction = now + later, min(1.0, fraction + more)
        due = gate.due(fraction, now)
        assert due or fraction >= 1 or now - at < INTERVAL or fraction - since < STEP
        if due:
            at, since = now, fraction


def test_tenths_are_tenths() -> None:
    gate = Gate(0.0)
    assert not gate.due(0.2, 0.0)
    assert gate.due(0.3, 30.0)
    assert not gate.due(0.4, 59.9)
    assert gate.due(0.4, 60.0)
    assert not gate.owed
    assert not gate.due(0.45, 600.0)
    assert gate.owed


def test_nothing_is_owed_for_a_stage_without_progress() -> None:
    assert not Gate(0.0).owed


@given(st.integers(0, 10**9), st.floats(0.01, 5), st.integers(2, 50))
def test_a_steady_speed_is_told_as_it_is(rate: int, interval: float, count: int) -> None:
    speed = Speed()
    for step in range(count):
        speed.add(step * interval, round(step * interval * rate))
    assert speed.at((count - 1) * interval) == pytest.approx(rate, abs=2 / interval, rel=1e-6)


def test_a_speed_forgets_and_falls() -> None:
    speed = Speed()
    assert speed.at(1.0) == 0
    speed.add(0.0, 0)
    assert speed.at(0.0) == 0
    speed.add(1.0, 1000)
    assert speed.at(1.0) == 1000
    assert speed.at(10.0) == 100
    for second in range(2, 30):
        speed.add(float(second), 1000)
    assert speed.at(29.0) == 0
    assert WINDOW < 28
