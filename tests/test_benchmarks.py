"""The benchmarks measure what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import link, scale, throughput
from benchmarks.__main__ import main
from benchmarks.emulation.bottleneck import Allowance, shares
from benchmarks.emulation.incoming import Began, Ended, Request
from benchmarks.emulation.parameters import LinkSettings
from benchmarks.emulation.service import Service
from benchmarks.emulation.window import FIRST_WINDOW, SEGMENT, Window
from benchmarks.scaling import growth
from benchmarks.settings import GIB, KIB, MIB, TIB, Settings, shown
from pk_upload.cli.values import parse_size

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def benchmark(out: Path, *arguments: str) -> dict[str, Any]:
    """What a small run of `python -m benchmarks` found."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments, "--quick", "--out", str(out)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((out / f"{arguments[0]}.json").read_text())
    assert (out / f"{arguments[0]}.md").read_text().startswith("# ")
    # Tables without a panel beside them have nothing to draw.
    if find_spec("matplotlib") and "![" in (out / f"{arguments[0]}.md").read_text():
        assert "<svg" in (out / f"{arguments[0]}.svg").read_text()
    return found


def test_throughput_is_measured_for_every_client_that_can_run_here(tmp_path: Path) -> None:
    found = benchmark(tmp_path, "throughput", "--size", "24MiB")
    able = {
        client.name: client.label
        for group in throughput.GROUPS
        for client in group.clients
        if not client.missing()
    }
    warm = {row["client"]: row for row in found["tables"][0]["rows"]}
    assert set(warm) == {able[client.name] for client in throughput.GROUPS[0].clients if client.name in able}
    # Where the page cache cannot be emptied there are no cold rows.
    run = {sample["row"] for sample in found["samples"]}
    assert {name for name in able if not name.endswith("-cold")} <= run <= set(able)
    assert all(sample["seconds"] > 0 < sample["cpu_seconds"] for sample in found["samples"])
    assert all((row["memory"] is None) == label.startswith("curl") for label, row in warm.items())
    assert (tmp_path / "throughput.svg").exists() == bool(find_spec("matplotlib"))
    assert found["command"] == "python -m benchmarks throughput --runs 1 --size 24MiB --quick"


def test_a_link_is_measured_with_fixed_lanes_and_auto(tmp_path: Path) -> None:
    found = benchmark(tmp_path, "link", "--size", "20MiB", "--only", "capped-4,capped-auto")
    speeds = {str(row["lanes"]): row["speed"]["median"] for row in found["tables"][0]["rows"]}
    assert set(speeds) == {"4", "auto"}
    assert all(speed > 0 for speed in speeds.values())


def test_starting_is_measured(tmp_path: Path) -> None:
    found = benchmark(tmp_path, "scale", "--only", "start")
    milliseconds = {row["command"]: row["ms"]["median"] for row in found["tables"][0]["rows"]}
    assert len(milliseconds) == 4
    assert all(value > 0 for value in milliseconds.values())
    assert found["command"] == "python -m benchmarks scale --runs 1 --only start --quick"


def test_resuming_is_measured(tmp_path: Path) -> None:
    found = benchmark(tmp_path, "scale", "--only", "resume")
    assert [row["chunks"] for row in found["tables"][0]["rows"]] == [103, 103, 104858, 104858]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["throughput", "--only", "nobody"], "No row is called nobody"),
        (["--only", "engine"], "name it"),
        (["--size", "1GiB"], "name it"),
        (["scale", "--size", "1GiB"], "sizes of its own"),
        (["throughput", "--size", "100000TiB"], "--size"),
    ],
)
def test_a_wrong_wish_is_told_in_a_sentence(tmp_path: Path, arguments: list[str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments, "--out", str(tmp_path)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_help_has_the_defaults_of_each_benchmark() -> None:
    told = {option.name: getattr(option, "help", "") for option in main.params}
    assert link.DEFAULTS.runs == scale.DEFAULTS.runs
    assert f"throughput {throughput.DEFAULTS.runs}, link and scale {link.DEFAULTS.runs}]" in told["runs"]
    sizes = [shown(each.size or 0).replace(" ", "") for each in (throughput.DEFAULTS, link.DEFAULTS)]
    assert f"throughput {sizes[0]}, link {sizes[1]}]" in told["size"]


def test_a_case_of_two_tables_is_measured_once_and_the_largest_in_one_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "SIZES", (10 * MIB, 20 * MIB))
    monkeypatch.setattr(growth, "LARGE", 20 * MIB)
    monkeypatch.setattr(growth, "CHUNKS", (10 * MIB, 5 * MIB))
    wanted = frozenset(("size", "chunks"))
    found = scale.measure(Settings(2, 0, tmp_path, "", lambda _: None, wanted))
    runs = [(sample["row"], sample["round"]) for sample in found.samples]
    assert len(runs) == len(set(runs)) == 2 * (2 + 1 + 2), "pk-upload and raw sockets, of three cases"
    sizes, chunks = found.tables
    assert [row["size"] for row in sizes.rows] == ["10 MiB", "20 MiB"]
    assert [row["chunk_size"] for row in chunks.rows] == ["10 MiB", "5 MiB"]
    assert sizes.rows[0]["speed"] == chunks.rows[0]["speed"]


def test_results_name_no_place_and_nobody() -> None:
    for path in RESULTS.iterdir():
        text = path.read_text()
        for secret in (str(ROOT), str(Path.home()), os.uname().nodename):
            assert secret in {"/", ""} or secret not in text, path.name


@given(
    size=st.sampled_from((1, KIB, MIB, GIB, TIB)).flatmap(lambda unit: st.integers(1, 4096).map(unit.__mul__))
)
def test_a_size_is_shown_as_it_can_be_typed(size: int) -> None:
    assert parse_size(shown(size)) == parse_size(shown(size).replace(" ", "")) == size


@pytest.mark.parametrize(("size", "text"), [(10 * MIB, "10 MiB"), (TIB, "1 TiB"), (1025, "1025 B")])
def test_a_size_is_shown_in_the_largest_unit_that_has_it_whole(size: int, text: str) -> None:
    assert shown(size) == text


@given(budget=st.floats(0, 1e9), wishes=st.lists(st.floats(0, 1e9), max_size=20))
def test_a_bottleneck_is_shared_max_min_fairly(budget: float, wishes: list[float]) -> None:
    granted = shares(budget, wishes)
    assert sum(granted) <= budget * (1 + 1e-9) + 1e-6
    assert all(got <= wish for got, wish in zip(granted, wishes, strict=True))
    unsatisfied = [got for got, wish in zip(granted, wishes, strict=True) if got < wish]
    assert all(got <= least * (1 + 1e-9) + 1e-6 for got in granted for least in unsatisfied)
    assert not unsatisfied or sum(granted) >= budget * (1 - 1e-9) - 1e-6, "nothing is left lying"


@given(rate=st.floats(1e3, 1e9), turns=st.lists(st.floats(0.001, 0.2), min_size=1, max_size=200))
def test_an_allowance_keeps_its_rate_however_late_its_turns_come(rate: float, turns: list[float]) -> None:
    allowance, passed = Allowance(rate, kept=0.02), 0.0
    for seconds in turns:
        allowance.earn(seconds)
        passed += allowance.bytes
        allowance.bytes = 0.0
    assert passed == pytest.approx(rate * sum(turns))


def window(loss: float = 0.0) -> Window:
    return Window(0.04, early=0.002, loss=loss, random=lambda: 1.0 if loss else 0.0)


def round_trips(sending: Window, count: int, start: float = 0.0) -> list[float]:
    """The room at the start of each round trip, all of it used."""
    rooms = []
    for number in range(count):
        now = start + number * 0.04
        rooms.append(sending.room(now))
        sending.send(round(rooms[-1]), now)
    return rooms


def test_a_window_doubles_each_round_trip_until_it_loses() -> None:
    assert round_trips(window(), 5) == [FIRST_WINDOW * 2**number for number in range(5)]
    losing = round_trips(window(loss=0.5), 3)
    assert losing[1] == pytest.approx(0.7 * FIRST_WINDOW)
    assert losing[2] < FIRST_WINDOW


def test_a_pause_shrinks_a_window_and_no_less_than_to_the_first() -> None:
    sending = window()
    grown = round_trips(sending, 6)[-1]
    assert FIRST_WINDOW <= sending.room(1.0) < grown
    assert sending.room(1000.0) == FIRST_WINDOW
    assert FIRST_WINDOW == 10 * SEGMENT


CHUNK = Request("POST", "/1/uploads/1/chunk", size=100, closes=False, expects_continue=False, span=(10, 29))
ACCOUNT = Request("GET", "/account", size=0, closes=False, expects_continue=False)


def account(service: Service[str]) -> str:
    """What the service says has been delivered by now."""
    service.react("reader", Began(ACCOUNT), 100.0)
    service.react("reader", Ended(ACCOUNT), 100.0)
    *_, (_, answer, _) = service.due(200.0)
    return answer.decode().partition("\r\n\r\n")[2]


def test_a_chunk_too_many_is_refused_at_once_and_its_body_answered_no_more() -> None:
    service = Service[str](LinkSettings(latency=0.04, think=0.05, throttle=1, retry_after=3.0))
    service.react("first", Began(CHUNK), 0.0)
    service.react("second", Began(CHUNK), 1.0)
    [(connection, refusal, closes)] = service.due(1.04)
    assert (connection, closes) == ("second", False)
    assert refusal.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nRetry-After: 3\r\n" in refusal
    service.react("second", Ended(CHUNK), 2.0)
    assert list(service.due(10.0)) == []
    assert account(service) == '{"distinct": 0}'
    service.react("first", Ended(CHUNK), 11.0)
    assert list(service.due(11.08)) == []
    [(connection, answer, _)] = service.due(11.091)
    assert connection == "first"
    assert answer.startswith(b"HTTP/1.1 201 ")


def test_a_chunk_is_taken_again_once_there_is_room() -> None:
    service = Service[str](LinkSettings(latency=0.04, think=0.05, throttle=1))
    service.react("first", Began(CHUNK), 0.0)
    service.forget("first")
    service.react("second", Began(CHUNK), 1.0)
    service.react("second", Ended(CHUNK), 2.0)
    [(_, answer, _)] = service.due(3.0)
    assert answer.startswith(b"HTTP/1.1 201 ")
    service.react("second", Began(CHUNK), 4.0)
    service.react("second", Ended(CHUNK), 5.0)
    assert account(service) == '{"distinct": 20}', "a repeated chunk counts once"
