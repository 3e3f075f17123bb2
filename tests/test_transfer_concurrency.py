"""The number of lanes on simulated links: latency, caps, pauses, loss, and a server that throttles."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pk_upload.transfer.concurrency import FEW, USUAL, AdaptiveLanes

MB = 1e6
CHUNK = 10_000_000
STEP = 0.05  # seconds of simulated time
LOOK = 0.25  # seconds between two observations, as in the engine
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


@dataclass
class Run:
    """What a simulation has seen."""

    moved: float = 0.0
    lanes: list[int] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)
    goodput_at: list[float] = field(default_factory=list)

    @property
    def changes(self) -> int:
        return sum(before != after for before, after in zip(self.lanes, self.lanes[1:], strict=False))

    def goodput(self, share: float = 1.0) -> float:
        """The mean of the last `share` of the time, in bytes a second."""
        part = self.goodput_at[-round(len(self.goodput_at) * share) :]
        return sum(part) / len(part)


def simulate(link: Link, seconds: float, *, adaptive: AdaptiveLanes | None = None, fixed: int = 1) -> Run:
    run, lanes = Run(), list[Lane]()
    draw = random.Random(1)
    done = 0.0
    for tick in range(round(seconds / STEP)):
        now = tick * STEP
        wanted = adaptive.lanes if adaptive else fixed
        lanes += [Lane(now + link.warm_up, now) for _ in range(wanted - len(lanes))]
        sending = [lane for lane in lanes if lane.ready <= now]
        for lane in sending:
            if len(sending) > link.allowed and lane.left == CHUNK:
                run.refused_at.append(now)
                if adaptive:
                    adaptive.trouble(lane.began, now, len(lanes))
                lane.ready = lane.began = now + 1.0
                sending.remove(lane)
        speed = min(link.cap, link.total / max(1, len(sending)))
        for lane in sending:
            lane.left -= speed * STEP
            if draw.random() < speed * STEP / link.resets:
                if adaptive:
                    adaptive.trouble(lane.began, now, len(lanes))
                done -= CHUNK - max(lane.left, 0)
                lane.left, lane.began, lane.ready = CHUNK, now, now + link.warm_up
            done += speed * STEP
            if lane.left <= 0:
                done += lane.left
                lane.left, lane.began, lane.ready = CHUNK, now, now + link.pause
                if adaptive and len(lanes) > adaptive.lanes:
                    lanes.remove(lane)
        if adaptive and tick % round(LOOK / STEP) == 0:
            adaptive.observe(now, round(done), len(lanes))
            run.lanes.append(adaptive.lanes)
            run.goodput_at.append((done - run.moved) / LOOK)
            run.moved = done
        elif not adaptive:
            run.goodput_at.append((done - run.moved) / STEP)
            run.moved = done
    return run


def best(link: Link) -> float:
    return max(simulate(link, 60, fixed=lanes).goodput() for lanes in (1, 2, 4, 6, 8, 12, 16))


LINKS = {
    "capped": Link(cap=4 * MB, pause=0.14),
    "uncapped": Link(),
    "fast": Link(total=1000 * MB, pause=0.005, warm_up=0.01),
    "fast, and a service that thinks": Link(total=500 * MB, pause=1.0),
    "capped tightly": Link(cap=1.5 * MB, pause=0.5),
    "far away": Link(total=50 * MB, cap=5 * MB, pause=0.6, warm_up=1.0),
}


@pytest.mark.parametrize("name", LINKS)
def test_on_every_link_it_comes_close_to_the_best_fixed_number(name: str) -> None:
    link = LINKS[name]
    run = simulate(link, 120, adaptive=AdaptiveLanes(MOST, CHUNK))
    assert run.goodput(0.5) >= 0.95 * best(link)
    assert run.goodput() >= 0.9 * best(link), "the way there costs little"


def test_without_a_gain_the_number_stays_small() -> None:
    run = simulate(LINKS["uncapped"], 600, adaptive=AdaptiveLanes(MOST, CHUNK))
    assert run.lanes[0] == FEW
    assert sorted(run.lanes)[len(run.lanes) // 2] == USUAL


@given(
    total=st.floats(5 * MB, 500 * MB),
    share=st.floats(0.04, 1.0),
    pause=st.floats(0.0, 0.6),
)
@settings(max_examples=25)
def test_it_settles_instead_of_swinging(total: float, share: float, pause: float) -> None:
    run = simulate(Link(total, total * share, pause), 1200, adaptive=AdaptiveLanes(MOST, CHUNK))
    assert all(1 <= lanes <= MOST for lanes in run.lanes)
    run.lanes = run.lanes[len(run.lanes) // 2 :]
    assert run.changes <= 10, "ten minutes hold a few tries and no more"


def test_a_server_that_throttles_is_found_and_respected() -> None:
    run = simulate(Link(cap=3 * MB, allowed=5), 1200, adaptive=AdaptiveLanes(MOST, CHUNK))
    late = [at for at in run.refused_at if at > 600]
    assert len(late) <= 6
    assert run.lanes[-1] == 5
    assert run.goodput(0.5) >= 0.95 * 5 / 5.2 * simulate(Link(cap=3 * MB), 60, fixed=5).goodput()


def test_connections_that_break_now_and_then_do_not_starve_it() -> None:
    link = Link(cap=4 * MB, resets=2000 * MB)
    run = simulate(link, 1200, adaptive=AdaptiveLanes(MOST, CHUNK))
    assert run.goodput(0.5) >= 0.75 * simulate(link, 600, fixed=USUAL).goodput()


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


def test_an_outage_leaves_one_lane_and_the_lanes_come_back() -> None:
    adaptive = AdaptiveLanes(MOST, CHUNK)
    for now in range(1, 10):
        adaptive.trouble(began=now - 0.5, now=now, running=adaptive.lanes)
    assert adaptive.lanes == 1
    run = simulate(LINKS["capped"], 60, adaptive=adaptive)
    assert run.lanes[-1] >= 6


def test_a_slow_line_is_not_given_more_to_lose() -> None:
    run = simulate(Link(total=0.5 * MB), 600, adaptive=AdaptiveLanes(MOST, CHUNK))
    assert set(run.lanes) == {FEW}


@given(most=st.integers(1, 40))
def test_it_keeps_to_the_most_it_may(most: int) -> None:
    run = simulate(LINKS["fast"], 60, adaptive=AdaptiveLanes(most, CHUNK))
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
