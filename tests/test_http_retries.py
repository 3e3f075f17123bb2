"""When a request is repeated, how often, and how long is waited before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pk_upload import http as http_module
from pk_upload.answers import parse_retry_after
from pk_upload.errors import (
    ApiError,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    DraftExists,
    PkUploadError,
    Redirected,
    Refused,
    ServerError,
    Stalled,
    TlsFailed,
    UnexpectedAnswer,
    UsageError,
    api_error,
)
from pk_upload.events import Event, Retry
from pk_upload.http import Http, RetryPolicy, may_repeat
from pk_upload.patchkit import PatchKit
from scripted_server import DROP, FAST, KEY, TRUNCATED, Answer, Serve, Stall, Step, closed_port, serving

pytestmark = pytest.mark.anyio

NOW = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)
DRAFT = Answer(201, b'{"id": 3, "label": "1.0", "draft": true}')
BAD_MOMENTS = [408, 429, 500, 502, 503, 504, 599]
HALF_A_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/js"


@pytest.fixture
async def serve(anyio_backend: str) -> AsyncIterator[Serve]:
    async with serving() as start:
        yield start


def session(retries: int = FAST.retries, timeout: float = 30.0) -> Http:
    policy = RetryPolicy(retries=retries, first_wait=FAST.first_wait, longest_wait=FAST.longest_wait)
    return Http(auth={"X-Api-Key": KEY}, secrets=(KEY,), retry=policy, timeout=timeout)


def client(url: str) -> PatchKit:
    return PatchKit(KEY, api_url=url, retry=FAST)


def retries_among(events: list[Event]) -> list[Retry]:
    found = [event for event in events if isinstance(event, Retry)]
    assert len(found) == len(events)
    return found


# What is repeated


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
@pytest.mark.parametrize("status", BAD_MOMENTS)
async def test_a_repeatable_call_is_repeated_after_a_bad_moment(
    serve: Serve, method: str, status: int
) -> None:
    server = await serve(Answer(status), Answer(body=b"[1]"))
    async with session() as http:
        assert await http.call(method, server.url) == b"[1]"
    assert [seen.method for seen in server.seen] == [method, method]


@pytest.mark.parametrize(
    "trouble", [DROP, HALF_A_HEAD, TRUNCATED], ids=["dropped", "half a head", "truncated"]
)
async def test_a_get_is_repeated_after_a_broken_connection(serve: Serve, trouble: bytes) -> None:
    server = await serve(trouble, Answer(body=b"[1]"))
    async with session() as http:
        assert await http.call("GET", server.url) == b"[1]"
    assert len(server.seen) == 2


async def test_a_get_is_repeated_after_a_time_out(serve: Serve) -> None:
    server = await serve(Stall(), Answer(body=b"[1]"))
    async with session(timeout=1.0) as http:
        assert await http.call("GET", server.url) == b"[1]"
    assert len(server.seen) == 2


async def test_a_form_is_sent_whole_in_every_attempt(serve: Serve) -> None:
    server = await serve(Answer(503), DROP, Answer())
    async with session() as http:
        await http.call("PUT", server.url, form={"upload_id": "7"})
    assert [seen.form for seen in server.seen] == [{"upload_id": "7"}] * 3


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 410, 418, 422, 499])
async def test_a_call_that_is_wrong_is_not_repeated(serve: Serve, status: int) -> None:
    server = await serve(Answer(status))
    async with session() as http:
        with pytest.raises(ApiError) as caught:
            await http.call("GET", server.url)
    assert caught.value.status == status
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (Answer(500), ServerError),
        (Answer(502), ServerError),
        (DROP, ConnectionLost),
        (TRUNCATED, ConnectionLost),
        (HALF_A_HEAD, ConnectionLost),
    ],
    ids=["500", "502", "dropped", "truncated", "half a head"],
)
async def test_a_draft_is_not_made_twice(serve: Serve, trouble: Step, kind: type[PkUploadError]) -> None:
    server = await serve(trouble, DRAFT)
    async with client(server.url) as patchkit:
        with pytest.raises(kind):
            await patchkit.create_version("app", "1.0")
    assert len(server.seen) == 1


async def test_publishing_is_not_asked_for_twice(serve: Serve) -> None:
    server = await serve(Answer(500), Answer())
    async with client(server.url) as patchkit:
        with pytest.raises(ServerError):
            await patchkit.publish_version("app", 1)
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [408, 429, 503])
async def test_a_draft_that_was_refused_is_asked_for_again(serve: Serve, status: int) -> None:
    server = await serve(Answer(status), DRAFT)
    async with client(server.url) as patchkit:
        version = await patchkit.create_version("app", "1.0")
    assert version.id == 3
    assert [seen.form for seen in server.seen] == [{"label": "1.0"}] * 2


async def test_a_draft_is_asked_for_again_while_nothing_listens() -> None:
    events: list[Event] = []
    async with client(closed_port()) as patchkit:
        with pytest.raises(ConnectFailed):
            await patchkit.listening(events.append, retries=2).create_version("app", "1.0")
    assert [retry.attempt for retry in retries_among(events)] == [1, 2]


@pytest.mark.parametrize("trouble", [Answer(500), DROP, TRUNCATED], ids=["500", "dropped", "truncated"])
async def test_an_upload_may_be_made_twice(serve: Serve, trouble: Step) -> None:
    server = await serve(trouble, Answer(201, b'{"id": 5}'))
    async with client(server.url) as patchkit:
        assert await patchkit.create_upload(1000) == 5
    assert [seen.form for seen in server.seen] == [{"total_size_bytes": "1000"}] * 2


@pytest.mark.parametrize(
    ("error", "when_repeatable", "otherwise"),
    [
        (api_error(408, ""), True, True),
        (api_error(429, ""), True, True),
        (api_error(503, ""), True, True),
        (ConnectFailed(""), True, True),
        (api_error(500, ""), True, False),
        (api_error(502, ""), True, False),
        (ConnectionLost(""), True, False),
        (Stalled(""), True, False),
        (api_error(412, ""), True, False),
        (TlsFailed(""), False, False),
        (Redirected(""), False, False),
        (UnexpectedAnswer(""), False, False),
        (DraftExists(""), False, False),
        (UsageError(""), False, False),
        *((api_error(status, ""), False, False) for status in (400, 401, 403, 404, 409, 418)),
    ],
    ids=lambda value: f"{type(value).__name__}" if isinstance(value, PkUploadError) else str(value),
)
def test_what_may_be_repeated(error: PkUploadError, when_repeatable: bool, otherwise: bool) -> None:
    assert may_repeat(error, repeatable=True) is when_repeatable
    assert may_repeat(error, repeatable=False) is otherwise


def test_the_end_of_the_time_for_the_run_is_final() -> None:
    assert not may_repeat(DeadlineExceeded(""), repeatable=False)


# How often


@pytest.mark.parametrize("trouble", [Answer(500), DROP, TRUNCATED], ids=["500", "dropped", "truncated"])
@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_retries_count_the_attempts_after_the_first(serve: Serve, retries: int, trouble: Step) -> None:
    server = await serve(trouble)
    events: list[Event] = []
    async with session(retries=7) as http:
        with pytest.raises((ServerError, ConnectionLost)):
            await http.listening(events.append, retries=retries).call("GET", server.url)
    assert len(server.seen) == retries + 1
    assert [retry.attempt for retry in retries_among(events)] == list(range(1, retries + 1))


async def test_fewer_than_no_retries_are_none(serve: Serve) -> None:
    server = await serve(Answer(500))
    async with session(retries=-1) as http:
        with pytest.raises(ServerError):
            await http.call("GET", server.url)
    assert len(server.seen) == 1


async def test_every_call_has_retries_of_its_own(serve: Serve) -> None:
    server = await serve(Answer(500), Answer(), Answer(500), Answer())
    async with session(retries=1) as http:
        await http.call("GET", server.url)
        await http.call("GET", server.url)
    assert len(server.seen) == 4


async def test_a_wrong_address_is_given_up_soon() -> None:
    events: list[Event] = []
    async with session() as http:
        with pytest.raises(ConnectFailed, match=r"127\.0\.0\.1 cannot be reached: [^<>]+$"):
            await http.listening(events.append).call("GET", closed_port())
    assert len(retries_among(events)) == FAST.first_contact


async def test_a_number_of_retries_that_was_asked_for_is_kept_to() -> None:
    events: list[Event] = []
    async with session() as http:
        with pytest.raises(ConnectFailed):
            await http.listening(events.append, retries=6).call("GET", closed_port())
    assert len(retries_among(events)) == 6


async def test_an_address_that_has_answered_once_gets_all_the_patience(serve: Serve) -> None:
    server = await serve(Answer(headers={"Connection": "close"}))
    events: list[Event] = []
    async with session(retries=6) as http:
        listening = http.listening(events.append)
        await listening.call("GET", server.url)
        await server.stop()
        with pytest.raises(ConnectFailed):
            await http.listening(events.append).call("GET", server.url)
    assert len(retries_among(events)) == 6


async def test_the_last_error_is_the_one_raised(serve: Serve) -> None:
    server = await serve(DROP, Answer(429), Answer(500, b'{"message": "the last one"}'))
    async with session(retries=2) as http:
        with pytest.raises(ServerError, match="the last one"):
            await http.call("GET", server.url)


# What is told


async def test_a_retry_is_told_with_count_cause_and_wait(serve: Serve) -> None:
    server = await serve(Answer(500, b'{"message": "disk full"}'), DROP, Answer())
    events: list[Event] = []
    async with session() as http:
        await http.listening(events.append, retries=3).call("GET", f"{server.url}/1/apps/a%2Fb%0A?q=1")
    first, second = retries_among(events)
    assert (first.what, first.attempt) == ("GET /1/apps/a%2Fb%0A", 1)
    assert first.cause == "127.0.0.1 answered 500: disk full"
    assert (second.what, second.attempt) == ("GET /1/apps/a%2Fb%0A", 2)
    assert second.cause.startswith("the connection to 127.0.0.1 was lost")
    assert all(0 <= event.wait <= FAST.longest_wait for event in (first, second))


async def test_only_the_listening_session_tells(serve: Serve) -> None:
    server = await serve(Answer(500), Answer())
    events: list[Event] = []
    async with session() as http:
        http.listening(events.append, retries=3)
        await http.call("GET", server.url)
    assert events == []


async def test_a_failing_listener_does_not_fail_the_call(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: Event) -> None:
        raise RuntimeError("broken listener")

    server = await serve(Answer(500), Answer(body=b"[1]"))
    async with session() as http:
        assert await http.listening(fail, retries=3).call("GET", server.url) == b"[1]"
    assert "broken listener" in caplog.text


# How long is waited


async def test_the_seconds_of_retry_after_are_waited(serve: Serve) -> None:
    server = await serve(Answer(429, headers={"Retry-After": "0.01"}), Answer())
    events: list[Event] = []
    async with session() as http:
        await http.listening(events.append, retries=3).call("GET", server.url)
    assert [retry.wait for retry in retries_among(events)] == [0.01]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_the_date_of_retry_after_is_waited_for_up_to_a_limit(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(http_module, "LONGEST_RETRY_AFTER", 0.005)
    tomorrow = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    server = await serve(Answer(status, headers={"Retry-After": tomorrow}), Answer())
    events: list[Event] = []
    async with session() as http:
        await http.listening(events.append, retries=3).call("GET", server.url)
    assert [retry.wait for retry in retries_among(events)] == [0.005]


@pytest.mark.parametrize("value", ["soon", "-5", "", "Wed, 21 Oct 2015 07:28:00 GMT", "1e9"])
async def test_a_useless_retry_after_leaves_the_schedule_alone(serve: Serve, value: str) -> None:
    server = await serve(Answer(503, headers={"Retry-After": value}), Answer())
    events: list[Event] = []
    async with session() as http:
        await http.listening(events.append, retries=3).call("GET", server.url)
    assert [retry.wait <= FAST.longest_wait for retry in retries_among(events)] == [True]


async def test_who_retries_attempts_of_their_own_hears_the_waits() -> None:
    told: list[tuple[int, str, float]] = []
    failures = [Refused("one", status=429, retry_after=0.004), ConnectionLost("two")]

    async def attempt() -> str:
        if failures:
            raise failures.pop(0)
        return "done"

    result = await session().retrying(
        attempt,
        repeatable=True,
        on_retry=lambda count, error, wait: told.append((count, error.message, wait)),
    )
    assert result == "done"
    assert [(count, message) for count, message, _ in told] == [(1, "one"), (2, "two")]
    assert told[0][2] == 0.004
    assert told[1][2] <= FAST.longest_wait


async def test_a_fault_in_an_attempt_is_no_reason_to_repeat_it() -> None:
    told: list[object] = []

    async def attempt() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await session().retrying(attempt, repeatable=True, on_retry=lambda *what: told.append(what))
    assert told == []


@given(
    first=st.floats(0.001, 10.0),
    longest=st.floats(0.001, 1000.0),
    count=st.integers(1, 60),
)
@settings(deadline=None)
def test_waits_grow_by_doubling_up_to_the_longest(first: float, longest: float, count: int) -> None:
    schedule = RetryPolicy(first_wait=first, longest_wait=longest).waits()
    next(schedule)
    for step in range(count):
        assert 0 <= schedule.send(ConnectionLost("")) <= min(first * 2**step, longest)


@given(asked=st.one_of(st.none(), st.floats(0, 1e6)), errors=st.integers(1, 10))
@settings(deadline=None)
def test_no_wait_is_shorter_than_what_the_service_asks_for(asked: float | None, errors: int) -> None:
    policy = RetryPolicy()
    schedule = policy.waits()
    next(schedule)
    least = min(asked or 0.0, http_module.LONGEST_RETRY_AFTER)
    for _ in range(errors):
        wait = schedule.send(api_error(503, "", retry_after=asked))
        assert least <= wait <= max(least, policy.longest_wait)


def test_what_one_error_asked_for_does_not_outlast_it() -> None:
    schedule = FAST.waits()
    next(schedule)
    assert schedule.send(api_error(503, "", retry_after=30.0)) == 30.0
    assert schedule.send(ConnectionLost("")) <= FAST.longest_wait


# Reading Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0.5", 0.5),
        ("Wed, 01 May 2024 12:01:30 GMT", 90.0),
        ("Wednesday, 01-May-24 12:00:10 GMT", 10.0),
        ("Wed, 01 May 2024 14:00:05 +0200", 5.0),
        ("Wed, 01 May 2024 12:00:05 -0000", 5.0),
        ("Wed, 01 May 2024 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("inf", None),
        ("nan", None),
        ("1e400", None),
        ("9" * 400, None),
        ("Mon, 01 Jan 99999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2030 00:00:00 +99999999999", None),
    ],
)
def test_the_forms_of_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.integers(0, 10**9 - 1))
@settings(deadline=None)
def test_whole_seconds_are_read_as_they_are(seconds: int) -> None:
    assert parse_retry_after(str(seconds), NOW) == seconds


@given(st.integers(-(10**9), 10**9))
@settings(deadline=None)
def test_a_date_is_read_as_the_time_until_then(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert parse_retry_after(date, NOW) == max(0, seconds)


DATE_PIECES = st.sampled_from(
    ["Mon,", "Jan", "1", "99", "2024", "0001", "99999999999999", "12:00:00", "GMT", "+2300", "-9999", ":"]
)


@given(st.one_of(st.text(), st.lists(DATE_PIECES, max_size=8).map(" ".join)))
@settings(deadline=None)
def test_no_retry_after_does_harm(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or 0 <= seconds < float("inf")
