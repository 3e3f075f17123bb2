"""The pure parts of the engine: plan, schedule, pacing, stalls."""

from __future__ import annotations

import heapq
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pk_upload.errors import UsageError
from pk_upload.transfer import TransferConfig
from pk_upload.transfer.concurrency import most_lanes
from pk_upload.transfer.config import MIB
from pk_upload.transfer.confirmed import Confirmed
from pk_upload.transfer.pacing import Pacer
from pk_upload.transfer.plan import Chunk, Plan
from pk_upload.transfer.schedule import Schedule
from pk_upload.transfer.stall import StallClock


@given(total=st.integers(1, 10**7), chunk_size=st.integers(1024, 10**6))
def test_chunks_cover_the_file_without_gap_or_overlap(total: int, chunk_size: int) -> None:
    plan = Plan(total, chunk_size)
    end = 0
    for index, chunk in enumerate(plan):
        assert (chunk.index, chunk.offset) == (index, end)
        assert 0 < chunk.size <= chunk_size
        end += chunk.size
    assert end == total
    assert chunk.index == len(plan) - 1


def test_a_chunk_names_its_range_inclusively() -> None:
    assert Plan(25, 10)[0].content_range == "bytes 0-9/25"
    assert Plan(25, 10)[2].content_range == "bytes 20-24/25"


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_chunk_beyond_the_file(index: int) -> None:
    with pytest.raises(IndexError):
        Plan(25, 10)[index]


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_only_what_is_missing_is_handed_out_from_the_lowest_up(case: tuple[int, set[int]]) -> None:
    count, confirmed = case
    schedule = Schedule(Plan(count * 10, 10), confirmed)
    taken = []
    while (chunk := schedule.take()) is not None:
        taken.append(chunk.index)
        schedule.confirm(chunk)
    assert taken == [index for index in range(count) if index not in confirmed]
    assert schedule.missing == 0


@given(st.lists(st.integers(0, 40)))
def test_confirmed_chunks_are_a_set(numbers: list[int]) -> None:
    confirmed = Confirmed(numbers)
    assert set(confirmed) == set(numbers)
    assert len(confirmed) == len(set(numbers))
    assert list(confirmed) == sorted(set(numbers))
    assert all((number in confirmed) == (number in numbers) for number in range(-2, 43))
    assert confirmed.highest == max(numbers, default=-1)
    assert confirmed.floor == min(set(range(42)) - set(numbers))
    copy = Confirmed(confirmed)
    copy.add(41)
    assert 41 not in confirmed


def test_chunks_confirmed_nearly_in_order_take_no_memory() -> None:
    confirmed = Confirmed()
    tracemalloc.start()
    for number in range(0, 200_000, 8):
        for lane in reversed(range(8)):
            confirmed.add(number + lane)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(confirmed) == 200_000
    assert peak < 10_000


@given(total=st.integers(1, 1000), chunk_size=st.integers(1, 100), data=st.data())
def test_the_size_of_what_is_confirmed(total: int, chunk_size: int, data: st.DataObject) -> None:
    plan = Plan(total, chunk_size)
    numbers = data.draw(st.sets(st.integers(0, len(plan) - 1)))
    assert plan.size_of(Confirmed(numbers)) == sum(plan[number].size for number in numbers)


class Lanes(RuleBasedStateMachine):
    """Lanes against a service that may insist on order, with answers in any sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule = Schedule(Plan(70, 10), {1, 4})
        self.flying: list[Chunk] = []
        self.confirmed = {1, 4}
        self.running = True

    @precondition(lambda self: len(self.flying) < 4)
    @rule()
    def take(self) -> None:
        chunk = self.schedule.take()
        if chunk is None:
            return
        assert chunk.index not in self.confirmed
        assert chunk not in self.flying
        if self.schedule.in_order:
            assert not self.flying
            assert chunk.index == min(set(range(7)) - self.confirmed)
        self.flying.append(chunk)

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        chunk = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        self.schedule.confirm(chunk)
        self.confirmed.add(chunk.index)

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.flying) - 1))
        chunk = self.flying[at]
        alone_in_order = self.schedule.in_order and len(self.flying) == 1 and self.running
        may_be_order = self.schedule.refuse(chunk)
        assert not (alone_in_order and may_be_order), "in order, a refusal is a real one"
        if may_be_order:
            self.flying.pop(at)
            self.running = False
            assert self.schedule.take() is None

    @precondition(lambda self: not self.flying and self.schedule.in_order)
    @rule()
    def lanes_have_ended(self) -> None:
        self.schedule.resume_in_order()
        self.running = True

    @invariant()
    def counts_what_is_missing(self) -> None:
        assert self.schedule.missing == 7 - len(self.confirmed)


TestLanes = Lanes.TestCase


def test_a_refusal_with_lower_chunks_missing_may_be_for_the_order() -> None:
    schedule = Schedule(Plan(40, 10))
    first, second, third = schedule.take(), schedule.take(), schedule.take()
    assert first
    assert second
    assert third
    assert schedule.refuse(second)
    assert schedule.take() is None, "the other lanes are let to end first"
    schedule.confirm(first)
    assert schedule.refuse(third), "it went out under the same suspicion"
    schedule.resume_in_order()
    again = schedule.take()
    assert again == second
    assert schedule.take() is None, "one lane, one chunk"
    assert not schedule.refuse(again), "in order, a refusal is a real one"


def test_a_refusal_of_the_lowest_missing_chunk_is_a_real_one() -> None:
    schedule = Schedule(Plan(40, 10), {0})
    first = schedule.take()
    assert first
    assert first.index == 1
    assert not schedule.refuse(first)


def test_the_lower_chunk_may_arrive_before_the_refusal_does() -> None:
    schedule = Schedule(Plan(20, 10))
    first, second = schedule.take(), schedule.take()
    assert first
    assert second
    schedule.confirm(first)
    assert schedule.refuse(second)


@given(
    rate=st.integers(1024, 10**8),
    sizes=st.lists(st.integers(1, 65536), min_size=1, max_size=200),
    lazy=st.lists(st.floats(0, 2), min_size=200, max_size=200),
)
def test_no_window_carries_more_than_the_rate(rate: int, sizes: list[int], lazy: list[float]) -> None:
    pacer, now = Pacer(rate), 0.0
    sent: list[tuple[float, int]] = []
    for size, idle in zip(sizes, lazy, strict=False):
        now += idle
        now += pacer.reserve(size, now)
        sent.append((now, size))
    for begin, (start, _) in enumerate(sent):
        # What goes out in a window, but for its last slice, fits the rate and the small credit.
        moved = 0
        for moment, size in sent[begin:]:
            assert moved <= rate * (moment - start + 0.1) + 1e-3
            moved += size


@given(rate=st.integers(1024, 10**9), lanes=st.integers(1, 16))
def test_greedy_lanes_together_have_the_rate_over_any_five_seconds(rate: int, lanes: int) -> None:
    pacer = Pacer(rate)
    free = [(0.0, lane) for lane in range(lanes)]  # when each lane asks next
    sent: list[float] = []
    while free[0][0] < 12:
        now, lane = heapq.heappop(free)
        at = now + pacer.reserve(pacer.slice, now)
        sent.append(at)
        heapq.heappush(free, (at, lane))
    for start in (0.5, 2.0, 6.5):
        moved = sum(start <= at < start + 5 for at in sent) * pacer.slice
        assert abs(moved - 5 * rate) <= 0.05 * 5 * rate + 1


def test_slices_are_small_and_few() -> None:
    assert Pacer(1024).slice == 256
    assert Pacer(100_000).slice == 5000
    assert Pacer(1_000_000).slice == 16 * 1024
    assert Pacer(25_000_000).slice == 250_000
    assert Pacer(10**9).slice == MIB


@pytest.mark.parametrize(
    ("config", "lanes"),
    [
        (TransferConfig(), 16),
        (TransferConfig(max_concurrency=3), 3),
        (TransferConfig(limit_rate=1024), 1),
        (TransferConfig(limit_rate=3 * MIB), 3),
        (TransferConfig(limit_rate=100 * MIB), 16),
    ],
)
def test_lanes_are_few_where_many_would_only_lose_more(config: TransferConfig, lanes: int) -> None:
    assert most_lanes(config, config.chunk_size) == lanes


def test_a_stall_is_a_count_that_stands_still() -> None:
    clock = StallClock(60)
    assert not clock.stalled(0, 100)
    assert not clock.stalled(0, 159)
    assert not clock.stalled(1, 161), "a single byte is a sign of life"
    assert not clock.stalled(1, 220)
    clock.restart(220)
    assert not clock.stalled(1, 270)
    assert clock.stalled(1, 280)


@pytest.mark.parametrize(
    "wrong",
    [
        {"chunk_size": 10},
        {"concurrency": 0},
        {"concurrency": 17},
        {"max_concurrency": 0},
        {"limit_rate": 1},
        {"stall_timeout": 0},
        {"retries": -1},
        {"chunk_size": 1e7},
        {"concurrency": "8"},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        TransferConfig(**wrong)  # type: ignore[arg-type]  # each value is of its field's type
