"""The number of lanes on simulated links: latency, caps, pauses, loss, and a server that throttles."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pk_upload.transfer.concurrency import FEW, USUAL, AdaptiveLanes
from pk_upload.transfer.lanes import LOOK

MB = 1e6
CHUNK = 10_000_000
STEP = 0.05  # seconds of simulated time
MOST = 16


@dataclass
class Link:
    """`total` and `cap` (of a connection) in bytes a second, `pause` after a chunk in seconds.

    A server that throttles refuses chunks beyond `allowed` at once; `resets` is the mean number of bytes
    after which a connection breaks.
    """

    total: float = 25 * MB
    cap: float = float("inf")
    pause: float = 0.09
    warm_up: float = 0.3
    allowed: int = MOST
    resets: float = float("inf")


@dataclass
class Lane:
    """One connection: it idles until `ready`, then sends a chunk that `began` then."""

    ready: float
    began: float
    left: float = CHUNK


class Simulation:
    """Lanes over `link`, their number chosen by `adaptive` or `fixed`."""

    def __init__(self, link: Link, *, adaptive: AdaptiveLanes | None = None, fixed: int = 1) -> None:
        self.link = link
        self.adaptive = adaptive
        self.fixed = fixed
        self.now = 0.0
        self.running: list[Lane] = []
        self.moved = 0.0
        self.random = random.Random(1)
        self.lanes: list[int] = []  # at each look
        self.moved_at: list[float] = []
        self.refused_at: list[float] = []

    def run(self, seconds: float) -> Simulation:
        per_look = round(LOOK / STEP)
        for tick in range(round(seconds / STEP)):
            self.now = tick * STEP
            if tick % per_look == 0:
                self.look()
            wanted = self.adaptive.lanes if self.adaptive else self.fixed
            while len(self.running) < wanted:
                self.running.append(Lane(self.now + self.link.warm_up, self.now))
            self.step()
        return self

    def look(self) -> None:
        if self.adaptive:
            self.adaptive.observe(self.now, round(self.moved), len(self.running))
            self.lanes.append(self.adaptive.lanes)
        self.moved_at.append(self.moved)

    def step(self) -> None:
        sending = [lane for lane in self.running if lane.ready <= self.now]
        for lane in sending[:]:
            if lane.left == CHUNK and len(sending) > self.link.allowed:
                sending.remove(lane)
                self.refused_at.append(self.now)
                self.fail(lane, 1.0)
        size = min(self.link.cap, self.link.total / max(1, len(sending))) * STEP
        for lane in sending:
            lane.left -= size
            self.moved += size
            if self.random.random() < size / self.link.resets:
                self.moved -= CHUNK - lane.left
                self.fail(lane, self.link.warm_up)
            elif lane.left <= 0:
                self.finish(lane)

    def fail(self, lane: Lane, wait: float) -> None:
        if self.adaptive:
            self.adaptive.trouble(lane.began, self.now, len(self.running))
        lane.left, lane.began, lane.ready = CHUNK, self.now + wait, self.now + wait

    def finish(self, lane: Lane) -> None:
        self.moved += lane.left
        lane.left, lane.began, lane.ready = CHUNK, self.now, self.now + self.link.pause
        if self.adaptive and len(self.running) > self.adaptive.lanes:
            self.running.remove(lane)

    def goodput(self, share: float = 1.0) -> float:
        """The mean of the last `share` of the time, in bytes a second."""
        looks = round(len(self.moved_at) * share) - 1
        return (self.moved_at[-1] - self.moved_at[-1 - looks]) / (looks * LOOK)


def best(link: Link) -> float:
    return max(Simulation(link, fixed=lanes).run(60).goodput() for lanes in (1, 2, 4, 6, 8, 12, 16))


LINKS = {
    "capped": Link(cap=4 * MB, pause=0.14),
    "uncapped": Link(),
    "fast": Link(total=1000 * MB, pause=0.005, warm_up=0.01),
    "fast, and a service that thinks": Link(total=500 * MB, pause=1.0),
    "a service that thinks long": Link(total=100 * MB, cap=25 * MB, pause=2.0),
    "a service that thinks very long": Link(total=100 * MB, cap=4 * MB, pause=5.0),
    "capped tightly": Link(cap=1.5 * MB, pause=0.5),
    "far away": Link(total=50 * MB, cap=5 * MB, pause=0.6, warm_up=1.0),
}


@pytest.mark.parametrize("name", LINKS)
def test_on_every_link_it_comes_close_to_the_best_fixed_number(name: str) -> None:
    link = LINKS[name]
    run = Simulation(link, adaptive=AdaptiveLanes(MOST, CHUNK)).run(180)
    assert run.goodput(0.5) >= 0.95 * best(link)
    assert run.goodput() >= 0.85 * best(link), "the way there costs little"


def test_without_a_gain_the_number_stays_small() -> None:
    run = Simulation(LINKS["uncapped"], adaptive=AdaptiveLanes(MOST, CHUNK)).run(600)
    assert run.lanes[0] == FEW
    assert sorted(run.lanes)[len(run.lanes) // 2] == USUAL


@given(
    total=st.floats(5 * MB, 500 * MB),
    share=st.floats(0.04, 1.0),
    pause=st.floats(0.0, 0.6),
)
@example(total=55172414.0, share=1.0, pause=0.1875)
@settings(max_examples=25)
def test_it_settles_instead_of_swinging(total: float, share: float, pause: float) -> None:
    run = Simulation(Link(total, total * share, pause), adaptive=AdaptiveLanes(MOST, CHUNK)).run(1200)
    assert all(1 <= lanes <= MOST for lanes in run.lanes)
    late = run.lanes[len(run.lanes) // 2 :]
    changes = sum(before != after for before, after in itertools.pairwise(late))
    assert changes <= 20, "ten minutes hold a few tries and no more"


def test_a_server_that_throttles_is_found_and_respected() -> None:
    run = Simulation(Link(cap=3 * MB, allowed=5), adaptive=AdaptiveLanes(MOST, CHUNK)).run(1200)
    late = [at for at in run.refused_at if at > 600]
    assert len(late) <= 6
    assert run.lanes[-1] == 5
    # A try of a sixth lane costs a little; the tries grow rare.
    assert run.goodput(0.5) >= 0.9 * Simulation(Link(cap=3 * MB), fixed=5).run(60).goodput()


def test_connections_that_break_now_and_then_do_not_starve_it() -> None:
    link = Link(cap=4 * MB, resets=2000 * MB)
    run = Simulation(link, adaptive=AdaptiveLanes(MOST, CHUNK)).run(1200)
    assert run.goodput(0.5) >= 0.75 * Simulation(link, fixed=USUAL).run(600).goodput()


def test_what_fails_together_counts_once() -> None:
    adaptive = AdaptiveLanes(MOST, CHUNK)
    for _ in range(FEW):
        adaptive.trouble(began=0.0, now=1.0, running=FEW)
    assert adaptive.lanes == FEW - 1
    adaptive.trouble(began=0.5, now=2.0, running=FEW - 1)
    assert adaptive.lanes == FEW - 1, "it was under way at the cut"
    adaptive.trouble(began=1.5, now=2.0, running=FEW)
    assert adaptive.lanes == FEW - 1, "the lane too many has not gone yet"
    adaptive.trouble(began=1.5, now=2.0, running=FEW - 1)
    assert adaptive.lanes == FEW - 2


def test_bytes_that_a_failure_takes_back_are_no_verdict_on_more_lanes() -> None:
    adaptive = AdaptiveLanes(MOST, CHUNK)
    now, moved = 0.0, 0
    while adaptive.lanes <= USUAL:
        now, moved = now + LOOK, moved + CHUNK
        adaptive.observe(now, moved, adaptive.lanes)
    tried = adaptive.lanes
    for _ in range(8):
        now, moved = now + LOOK, moved + CHUNK
        adaptive.observe(now, moved, tried)
    adaptive.trouble(began=now - 1, now=now, running=tried + 1)  # of a lane that is about to go
    moved -= 8 * CHUNK
    for _ in range(200):
        now, moved = now + LOOK, moved + 2 * CHUNK
        adaptive.observe(now, moved, adaptive.lanes)
    assert adaptive.lanes == tried, "they were faster, after all"


def test_an_outage_leaves_one_lane_and_the_lanes_come_back() -> None:
    adaptive = AdaptiveLanes(MOST, CHUNK)
    for now in range(1, 10):
        adaptive.trouble(began=now - 0.5, now=now, running=adaptive.lanes)
    assert adaptive.lanes == 1
    run = Simulation(LINKS["capped"], adaptive=adaptive).run(60)
    assert run.lanes[-1] >= 6


def test_a_slow_line_is_not_given_more_to_lose() -> None:
    run = Simulation(Link(total=0.5 * MB), adaptive=AdaptiveLanes(MOST, CHUNK)).run(600)
    assert set(run.lanes) == {FEW}


@given(most=st.integers(1, 40))
def test_it_keeps_to_the_most_it_may(most: int) -> None:
    run = Simulation(LINKS["fast"], adaptive=AdaptiveLanes(most, CHUNK)).run(60)
    assert max(run.lanes) <= most


@given(
    events=st.lists(
        st.tuples(st.floats(0, 5), st.integers(-(10**9), 10**10), st.integers(0, 20), st.booleans()),
        max_size=80,
    )
)
def test_no_sequence_of_measurements_leads_it_astray(
    events: list[tuple[float, int, int, bool]],
) -> None:
    adaptive, now, moved = AdaptiveLanes(MOST, CHUNK), 0.0, 0
    for seconds, more, running, trouble in events:
        now, moved = now + seconds, moved + more
        adaptive.observe(now, moved, running if running < 17 else adaptive.lanes)
        if trouble:
            adaptive.trouble(now - 1, now, running)
        assert 1 <= adaptive.lanes <= MOST
