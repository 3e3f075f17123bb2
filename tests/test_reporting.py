"""A release that tells a patch how it goes: pending, then how it ended, and never in the release's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from aiohttp import web

from pk_upload import reporting
from pk_upload.errors import GaveUpWaiting, ProcessingFailed, UsageError
from pk_upload.events import Event, Warned
from pk_upload.patchkit import PatchKit
from pk_upload.patchwork import Patchwork
from pk_upload.release import Release
from pk_upload.reporting import with_check
from scripted_server import FAST

pytestmark = pytest.mark.anyio

TOKEN = "0123456789abcdef0123456789abcdef01234567"
SECRET = "0b3c98d9e3e85c16a4cd79b6acf2d0e7"


class Board:
    """The checks of patch 42, on a server that can be told to misbehave."""

    def __init__(self) -> None:
        self.checks: list[dict[str, Any]] = []
        self.status = 201
        self.later = 0
        self.hangs = False
        self.refuses_links = False
        self.body: Any = None
        self.asked = anyio.Event()
        self.slow: anyio.Event | None = None
        self.arrived = anyio.Event()
        self.url = ""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.path == "/api/1.4/patches/42/checks/"
        assert request.headers["Authorization"] == f"Token {TOKEN}"
        if self.hangs:
            await anyio.sleep_forever()
        if self.status != 201:
            later = {"Retry-After": str(self.later)}
            return web.json_response({"detail": "No, thank you."}, status=self.status, headers=later)
        if self.body is not None:
            return web.json_response(self.body)
        if request.method == "GET":
            return web.json_response(self.checks)
        check = await request.json()
        self.asked.set()
        if self.slow is not None:
            await self.slow.wait()
        if self.refuses_links and "target_url" in check:
            return web.json_response({"target_url": ["Enter a valid URL."]}, status=400)
        self.checks.append({"id": len(self.checks) + 1, **check})
        self.arrived.set()
        return web.json_response(self.checks[-1], status=201)

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(check["state"], check["description"]) for check in self.checks]


@pytest.fixture
async def board(anyio_backend: str) -> AsyncIterator[Board]:
    board = Board()
    runner = web.ServerRunner(web.Server(board.answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    board.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield board
    await runner.cleanup()


@asynccontextmanager
async def patchwork(board: Board) -> AsyncIterator[Patchwork]:
    async with Patchwork(board.url, token=TOKEN, retry=FAST) as client:
        yield client


def release(**how: Any) -> Release:
    done: dict[str, Any] = {
        "app": SECRET,
        "version_id": 3,
        "label": "1.4.2",
        "upload_id": 1,
        "job_guid": "g",
        "published": True,
        "publish_time": None,
        "bytes_total": 1,
        "bytes_sent": 1,
        "bytes_resumed": 0,
        "messages": (),
        "elapsed": 1.0,
    }
    return Release(**{**done, **how})


def link(app: str, version_id: int) -> str:
    return PatchKit("k" * 20, api_url="https://api.example.com").version_url(app, version_id)


async def run(board: Board, work: Any, **how: Any) -> tuple[Release, list[str]]:
    heard: list[Event] = []
    async with patchwork(board) as client:
        done = await with_check(client, 42, work, link=link, on_event=heard.append, **how)
    return done, [event.message for event in heard if isinstance(event, Warned)]


async def test_a_release_is_pending_and_then_a_success_with_the_link_of_the_version(board: Board) -> None:
    async def work() -> Release:
        await board.arrived.wait()
        assert board.told == [("pending", "the release has started")]
        return release()

    done, warnings = await run(board, work)
    assert done == release()
    assert board.told[1:] == [("success", "version 3 (1.4.2) is published")]
    assert board.checks[0].get("target_url") is None
    assert board.checks[1]["target_url"] == f"https://api.example.com/1/apps/{SECRET}/versions/3"
    assert {check["context"] for check in board.checks} == {"pk-upload"}
    assert warnings == []


@pytest.mark.parametrize(
    ("how", "wait", "expected"),
    [
        ({"published": False}, True, ("success", "version 3 (1.4.2) is processed")),
        (
            {"published": False, "publish_time": 2_000_000_000},
            True,
            ("success", "version 3 (1.4.2) is processed and will be published"),
        ),
        ({"published": False}, False, ("pending", "version 3 (1.4.2) was accepted and is being processed")),
    ],
)
async def test_what_is_told_is_what_was_reached(
    board: Board, how: dict[str, Any], wait: bool, expected: tuple[str, str]
) -> None:
    async def work() -> Release:
        return release(**how)

    await run(board, work, wait=wait, context="nightly")
    assert board.told[1] == expected
    assert {check["context"] for check in board.checks} == {"nightly"}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ProcessingFailed("the build has no program"), ("fail", "the build has no program")),
        (GaveUpWaiting("not processed within 60 s"), ("pending", "not processed within 60 s")),
        (OSError("secret details"), ("fail", "the release ended with an unexpected OSError")),
        (ProcessingFailed(f"it quotes {TOKEN}"), ("fail", "it quotes [redacted]")),
    ],
)
async def test_a_failure_is_told_with_its_reason_and_goes_on(
    board: Board, error: Exception, expected: tuple[str, str]
) -> None:
    async def work() -> Release:
        raise error

    with pytest.raises(type(error)) as caught:
        await run(board, work)
    assert caught.value is error
    assert board.told[1] == expected


async def test_a_release_that_is_cancelled_is_a_failure(board: Board) -> None:
    async def work() -> Release:
        await board.arrived.wait()
        scope.cancel()
        await anyio.sleep_forever()
        raise AssertionError

    with anyio.CancelScope() as scope:
        await run(board, work)
    assert scope.cancelled_caught
    assert board.told[1] == ("fail", "the release was interrupted")


@pytest.mark.parametrize("status", [301, 400, 403, 404, 500])
async def test_a_check_that_is_refused_is_a_warning_and_no_more(board: Board, status: int) -> None:
    board.status = status

    async def work() -> Release:
        return release()

    done, warnings = await run(board, work)
    assert done == release()
    assert len(warnings) == 2
    assert warnings[0].startswith("the check of patch 42 could not be set to pending: ")
    assert warnings[1].startswith("the check of patch 42 could not be set to success: ")
    assert TOKEN not in "".join(warnings)


async def test_a_server_that_does_not_answer_holds_nothing_up_for_long(board: Board) -> None:
    board.hangs = True

    async def work() -> Release:
        return release()

    done, warnings = await run(board, work, patience=0.05)
    assert done == release()
    assert [warning.rpartition(": ")[2] for warning in warnings] == ["no answer in time"] * 2


async def test_what_a_server_in_trouble_answers_is_told(board: Board) -> None:
    board.status, board.later = 500, 60

    async def work() -> Release:
        return release()

    heard: list[Event] = []
    async with patchwork(board) as client:
        await with_check(client, 42, work, link=link, patience=2, on_event=heard.append)
    warnings = [event.message for event in heard if isinstance(event, Warned)]
    assert len(warnings) == 2
    assert all("answered 500: No, thank you.; there was no time for more" in warning for warning in warnings)


async def test_what_is_told_first_is_there_first(board: Board) -> None:
    board.slow = anyio.Event()

    async def work() -> Release:
        await board.asked.wait()
        return release()

    async with anyio.create_task_group() as group:
        group.start_soon(run, board, work)
        await board.asked.wait()
        await anyio.wait_all_tasks_blocked()
        board.slow.set()
    assert [state for state, _ in board.told] == ["pending", "success"]


async def test_a_server_that_is_not_there_does_not_hide_why_the_release_failed() -> None:
    async def work() -> Release:
        raise ProcessingFailed("the build has no program")

    board = Board()
    board.url = "http://127.0.0.1:1"
    with pytest.raises(ProcessingFailed, match="no program"):
        await run(board, work)


@pytest.mark.parametrize("fails", [False, True])
async def test_how_it_ended_is_told_also_where_it_is_cancelled_just_then(board: Board, fails: bool) -> None:
    async def work() -> Release:
        await board.arrived.wait()
        scope.cancel()
        if fails:
            raise ProcessingFailed("the build has no program")
        return release()

    with anyio.CancelScope() as scope:
        await run(board, work)
    assert scope.cancelled_caught
    assert [state for state, _ in board.told] == ["pending", "fail" if fails else "success"]


@pytest.mark.parametrize("ended", [False, True])
async def test_one_cancellation_is_enough_to_end_it(
    board: Board, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    """As asyncio does it: it comes once, and not at each further step as anyio's does."""
    monkeypatch.setattr(reporting, "FAREWELL", 0.05)
    board.hangs = True
    began = anyio.Event()

    async def work() -> Release:
        began.set()
        if not ended:
            await anyio.sleep_forever()
        return release()

    async with patchwork(board) as client:
        task = asyncio.create_task(with_check(client, 42, work, link=link, patience=10_000))
        await began.wait()
        await anyio.wait_all_tasks_blocked()
        task.cancel()
        with anyio.fail_after(60), pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("by", ["scope", "task"])
@pytest.mark.parametrize("ended", [False, True])
async def test_the_last_word_comes_last_where_it_is_cancelled_too(
    board: Board, monkeypatch: pytest.MonkeyPatch, by: str, ended: bool
) -> None:
    monkeypatch.setattr(reporting, "FAREWELL", 60)
    board.slow = anyio.Event()
    scope = anyio.CancelScope()

    async def work() -> Release:
        await board.asked.wait()
        if not ended:
            await anyio.sleep_forever()
        return release()

    async with patchwork(board) as client:

        async def reported() -> None:
            with scope:
                await with_check(client, 42, work, link=link)
            raise asyncio.CancelledError

        task = asyncio.create_task(reported())
        await board.asked.wait()
        await anyio.wait_all_tasks_blocked()
        (task if by == "task" else scope).cancel()
        await anyio.wait_all_tasks_blocked()
        board.slow.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [state for state, _ in board.told] == ["pending", "success" if ended else "fail"]


@pytest.mark.parametrize("how", [{"patience": 0.05}, {"timeout": 0.05}])
async def test_its_end_is_held_up_no_longer_than_it_may(
    board: Board, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    monkeypatch.setattr(reporting, "FAREWELL", 0.05)
    board.hangs = True
    heard: list[Event] = []

    async def work() -> Release:
        return release()

    async with patchwork(board) as client:
        with anyio.fail_after(20):
            await with_check(client, 42, work, link=link, on_event=heard.append, **how)
    assert [event.message.partition(" could ")[2] for event in heard if isinstance(event, Warned)] == [
        "not be set to pending: no answer in time",
        "not be set to success: no answer in time",
    ]


async def test_a_run_that_is_cancelled_says_that_nobody_was_told(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "FAREWELL", 0.05)
    board.hangs = True
    heard: list[Event] = []

    async def work() -> Release:
        scope.cancel()
        await anyio.sleep_forever()
        raise AssertionError

    async with patchwork(board) as client:
        with anyio.CancelScope() as scope:
            await with_check(client, 42, work, link=link, on_event=heard.append)
    assert scope.cancelled_caught
    assert [event.message for event in heard if isinstance(event, Warned)] == [
        f"the check of patch 42 could not be set to {state}: no answer in time"
        for state in ("pending", "fail")
    ]


async def test_a_release_does_not_wait_for_its_check(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "FAREWELL", 0.05)
    board.hangs = True
    began = anyio.Event()

    async def work() -> Release:
        began.set()
        return release()

    async with patchwork(board) as client, anyio.create_task_group() as group:
        group.start_soon(lambda: with_check(client, 42, work, link=link))
        with anyio.fail_after(reporting.PATIENCE / 2):
            await began.wait()
        group.cancel_scope.cancel()


@pytest.mark.parametrize(
    "address",
    ["relative/1", "http://a b/", "http://[]@/", f"http://example.com/{'a' * 200}", "javascript:alert(1)"],
)
async def test_an_address_that_no_check_can_have_is_left_out_with_a_warning(
    board: Board, address: str
) -> None:
    heard: list[Event] = []

    async def work() -> Release:
        return release()

    async with patchwork(board) as client:
        await with_check(client, 42, work, link=lambda *_: address, on_event=heard.append)
    assert "has no link: target_url" in "".join(event.message for event in heard if isinstance(event, Warned))
    assert [check["state"] for check in board.checks] == ["pending", "success"]
    assert "target_url" not in board.checks[1]


async def test_an_address_that_the_service_refuses_is_left_out(board: Board) -> None:
    board.refuses_links = True

    async def work() -> Release:
        return release()

    _, warnings = await run(board, work)
    assert [check["state"] for check in board.checks] == ["pending", "success"]
    [warning] = warnings
    assert warning.startswith("the check of patch 42 has no link: ")
    assert "Enter a valid URL." in warning


async def test_nothing_that_goes_wrong_with_the_check_loses_the_release(board: Board) -> None:
    board.body = [{"id": 1, "date": "0001-01-01T00:00:00+01:00"}]

    async def work() -> Release:
        return release()

    def broken(app: str, version_id: int) -> str:
        raise ZeroDivisionError

    done, warnings = await run(board, work)
    assert done == release()
    assert len(warnings) == 2
    board.body = None
    async with patchwork(board) as client:
        assert await with_check(client, 42, work, link=broken) == release()
    assert [state for state, _ in board.told] == ["pending", "success"]
    assert "target_url" not in board.checks[1]


async def test_who_forgets_to_return_the_release_is_told_and_no_failure_is(board: Board) -> None:
    async def work() -> Any:
        return None

    with pytest.raises(UsageError, match="returns a Release, and not NoneType"):
        await run(board, work)
    assert board.told[-1] == ("warning", "the release has ended, and it is not known how")


async def test_what_is_no_function_stops_it_before_it_starts(board: Board) -> None:
    with pytest.raises(UsageError, match="is a function"):
        await run(board, release())
    assert board.checks == []


@pytest.mark.parametrize(("patch", "context"), [(0, "pk-upload"), (42, "two words"), (42, "")])
async def test_a_patch_or_a_context_that_cannot_be_stops_it_before_it_starts(
    board: Board, patch: int, context: str
) -> None:
    async def work() -> Release:
        raise AssertionError("it was begun")

    async with patchwork(board) as client:
        with pytest.raises(UsageError):
            await with_check(client, patch, work, link=link, context=context)
    assert board.checks == []
