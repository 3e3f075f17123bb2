"""Progress as lines: few, plain, and nothing in them that steers a terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pk_upload.answers import moment
from pk_upload.cli.lines import Alarms, JsonLines, Lines
from pk_upload.cli.tracking import Tracking
from pk_upload.events import (
    Bytes,
    ChunkRetry,
    Event,
    Lanes,
    Message,
    Progress,
    Retry,
    Stage,
    StageName,
    Warned,
)
from pk_upload.redaction import Redactor, plain
from pk_upload.units import duration, size

MIB = 1024 * 1024


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A view of lines and what it wrote."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.view = Lines(self.lines.append, self.clock)

    def tell(self, event: Event, after: float = 0.0) -> list[str]:
        """The lines that `event` causes `after` so many seconds."""
        self.clock.now += after
        before = len(self.lines)
        self.view.tell(event)
        return self.lines[before:]


@pytest.fixture
def watched() -> Watched:
    return Watched()


def upload(confirmed: int, resumed: int = 0) -> Bytes:
    return Bytes(
        sent=(confirmed - resumed) * MIB, confirmed=confirmed * MIB, resumed=resumed * MIB, total=100 * MIB
    )


def test_an_upload(watched: Watched) -> None:
    assert watched.tell(Stage("upload", "upload 7")) == ["uploading: upload 7"]
    assert watched.tell(upload(0)) == []
    assert watched.tell(Lanes(8, "start")) == []
    assert watched.tell(upload(20), 10) == []
    assert watched.tell(upload(30), 5) == []
    assert watched.tell(upload(60), 15) == ["uploading: 60 %, 60.0/100.0 MiB, 2.0 MiB/s, 0:20 left, 8 lanes"]
    assert watched.tell(upload(65), 100) == []
    assert watched.tell(upload(100)) == ["uploading: 100 %, 100.0/100.0 MiB"]
    assert watched.tell(Stage("processing", "job x")) == ["processing: job x"]
    watched.view.close()
    assert watched.lines[-1] == "processing: job x"


def test_what_is_on_its_way_counts() -> None:
    tracking = Tracking()
    tracking.follow(Stage("upload"), 0)
    tracking.follow(Bytes(0, 20, 20, 100), 0)
    tracking.follow(Bytes(40, 20, 20, 100, in_flight=40), 1)
    assert tracking.fraction == 0.6
    tracking.follow(Bytes(40, 20, 20, 100, in_flight=30), 1)
    assert tracking.fraction == 0.6  # an attempt failed, and progress never goes back
    tracking.follow(Bytes(90, 20, 20, 100, in_flight=80), 3)
    assert tracking.fraction == 0.99  # all of it is confirmed, or it is not all
    tracking.follow(Bytes(90, 100, 20, 100), 4)
    assert tracking.fraction == 1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50))), st.integers(0, 100))
def test_progress_never_goes_back(steps: list[tuple[int, int]], resumed: int) -> None:
    tracking, confirmed, fraction = Tracking(), resumed, 0.0
    tracking.follow(Stage("upload"), 0)
    for in_flight, done in steps:
        confirmed = min(100, confirmed + done)
        tracking.follow(Bytes(0, confirmed, resumed, 100, in_flight), 0)
        assert fraction <= tracking.fraction <= 1
        assert (tracking.fraction == 1) == (confirmed == 100)
        fraction = tracking.fraction


def test_what_was_resumed_is_told_at_once(watched: Watched) -> None:
    watched.tell(Stage("upload", "upload 7"))
    assert watched.tell(upload(40, resumed=40)) == ["uploading: 40.0/100.0 MiB resumed"]
    assert watched.tell(upload(45, resumed=40), 60) == []
    assert watched.tell(upload(50, resumed=40), 60)[0].startswith("uploading: 50 %")


@pytest.mark.parametrize("stage", ["processing", "publishing"])
def test_a_stage_that_ends_early_still_has_a_last_line(watched: Watched, stage: StageName) -> None:
    watched.tell(Stage(stage, "job x"))
    assert watched.tell(Progress(stage, 0.5, "encrypting")) == []
    watched.view.close()
    assert watched.lines[-1] == f"{stage}: 50 %, encrypting"
    count = len(watched.lines)
    watched.view.close()
    assert len(watched.lines) == count


def test_retries_warnings_and_messages_are_always_told(watched: Watched) -> None:
    events = [
        Retry("GET /1/apps", 1, "it failed", 0.5),
        ChunkRetry(3, 300, 2, "it failed", 1.5),
        Warned("look out"),
        Message("info", "it is big"),
        Stage("scheduled", "version 1 will be published tomorrow"),
    ]
    for event in events * 2:
        (line,) = watched.tell(event)
        assert line == plain(line)
    assert watched.tell(Stage("done", "version 1")) == []
    assert watched.tell(Stage("checks")) == ["checking"]


@pytest.mark.parametrize("nasty", ["\x1b[31mred\x1b[0m", "a\rb", "a\nb", "\x9b2J", "a\u202eb", "\x07"])
def test_nothing_steers_the_terminal(watched: Watched, nasty: str) -> None:
    for event in (
        Warned(nasty),
        Message("error", nasty),
        Stage("upload", nasty),
        Progress("processing", 1.0, nasty),
    ):
        watched.tell(event)
    assert all(line.isprintable() for line in watched.lines)


def test_quiet_means_warnings_alone() -> None:
    lines: list[str] = []
    for wanted in (True, False):
        view = Alarms(lines.append, wanted=wanted)
        for event in (Stage("upload"), Message("info", "i"), Message("error", "e"), Warned("w"), upload(50)):
            view.tell(event)
        view.tick()
        view.close()
    assert lines == ["error about the build: e", "warning: w"]


def test_every_event_is_a_line_of_json() -> None:
    lines: list[str] = []
    view = JsonLines(lines.append, Redactor(["s3cret"]), quiet=False)
    view.tell(Warned("a\ns3cret \udc80"))
    view.tell(upload(50))
    assert json.loads(lines[0]) == {"event": "warned", "message": "a\n[redacted] \ufffd"}
    assert json.loads(lines[1])["confirmed"] == 50 * MIB
    assert not any("\n" in line for line in lines)
    quiet = JsonLines(lines.append, Redactor([]), quiet=True)
    quiet.tell(upload(60))
    quiet.tell(Warned("w"))
    assert len(lines) == 3


def test_secrets_are_found_in_every_form() -> None:
    redactor = Redactor(["a+b/c", "a+b", ""])
    assert redactor.text("a+b/c a%2Bb%2Fc a+b x") == "[redacted] [redacted] [redacted] x"
    assert redactor.value({"a+b": ["a+b", ("a+b", 1, None, True)]}) == {
        "a+b": ["[redacted]", ["[redacted]", 1, None, True]]
    }


def test_numbers_in_words() -> None:
    assert [size(count) for count in (0, 1023, 1024, 10.2 * 1024**3, 5000 * 1024**4)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "10.2 GiB",
        "5000.0 TiB",
    ]
    assert [duration(seconds) for seconds in (0, 7.4, 754, 10800)] == ["0:00", "0:07", "12:34", "3:00:00"]
    assert moment(1896109200) == "2030-01-31 17:00:00 UTC"
    assert moment(10**18) == str(10**18)
