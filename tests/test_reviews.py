"""What is done on Patchwork once, whatever answer is lost: checks posted, bundles made and deleted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import pytest

from pk_upload.errors import Conflict, ConnectionLost, Forbidden, NotFound, UnexpectedAnswer, UsageError
from pk_upload.events import Event, Warned
from pk_upload.patchwork import CheckState, Patchwork
from pk_upload.reviews import change_bundle, delete_bundle, make_bundle, post_check
from recorded_patchwork import TOKEN, RecordedPatchwork, Trouble, answer, hang_up, lose_answer
from scripted_server import FAST

pytestmark = pytest.mark.anyio

CHECKS = "patches/1/checks"
SAME = {"state": "success", "context": "build", "target_url": "https://ci.example.com/1", "description": "ok"}


@pytest.fixture
def server() -> Iterator[RecordedPatchwork]:
    """With a check and a bundle that look just like those that are to be made; the bundle is another's."""
    with RecordedPatchwork() as running:
        running.records[CHECKS] = {1: {"id": 1, **SAME}}
        patch = running.records["patches"][1]
        running.records["bundles"] = {
            1: {"id": 1, "name": "for-next", "patches": [patch], "public": True},
            2: {"id": 2, "name": "other", "patches": [patch], "public": False},
        }
        yield running


def client(server: RecordedPatchwork, token: str | None = TOKEN) -> Patchwork:
    return Patchwork(server.url, token=token, retry=FAST)


class Heard(list[Event]):
    """The events of a run."""

    @property
    def warnings(self) -> list[str]:
        return [event.message for event in self if isinstance(event, Warned)]


Work = Callable[[Patchwork, Heard], Awaitable[Any]]


async def post(patchwork: Patchwork, heard: Heard) -> Any:
    how = {name: value for name, value in SAME.items() if name != "state"}
    return await post_check(patchwork, heard.append, 1, "success", **how)


async def make(patchwork: Patchwork, heard: Heard) -> Any:
    return await make_bundle(patchwork, heard.append, "mine", [1])


async def change(patchwork: Patchwork, heard: Heard) -> Any:
    return await change_bundle(patchwork, heard.append, 2, name="for later", public=True)


async def delete(patchwork: Patchwork, heard: Heard) -> Any:
    return await delete_bundle(patchwork, heard.append, 2)


WORK: dict[str, tuple[Work, str, str, int, int]] = {
    # what it is, what it asks for, what tells of it, checks and bundles that there are in the end
    "a check is posted": (post, "POST patches/checks", "GET patches/checks", 2, 2),
    "a bundle is made": (make, "POST bundles", "GET bundles", 1, 3),
    "a bundle is changed": (change, "PATCH bundles/ID", "GET bundles/ID", 1, 2),
    "a bundle is deleted": (delete, "DELETE bundles/ID", "GET bundles/ID", 1, 1),
}
each_work = pytest.mark.parametrize(
    ("work", "asked", "read", "checks", "bundles"), WORK.values(), ids=WORK.keys()
)
TROUBLES: dict[str, tuple[Trouble, ...]] = {
    "none": (),
    "lost": (lose_answer,),
    "not done": (hang_up,),
    "refused": (answer(503),),
    "unknown": (answer(502),),
    "not done, then lost": (hang_up, lose_answer),
    "all of it": (answer(503), hang_up, lose_answer),
}


def count(server: RecordedPatchwork) -> tuple[int, int]:
    return len(server.records[CHECKS]), len(server.records["bundles"])


@each_work
@pytest.mark.parametrize("troubles", TROUBLES.values(), ids=TROUBLES.keys())
async def test_it_is_done_once(
    server: RecordedPatchwork,
    work: Work,
    asked: str,
    read: str,
    checks: int,
    bundles: int,
    troubles: tuple[Trouble, ...],
) -> None:
    server.trouble(asked, *troubles)
    heard = Heard()
    async with client(server) as patchwork:
        result = await work(patchwork, heard)
    assert count(server) == (checks, bundles)
    assert result.id == (101 if asked.startswith("POST") else 2)
    lost = lose_answer in troubles
    assert [("was lost, but it was carried out" in text) for text in heard.warnings] == [True] * lost
    assert len(server.requests(asked)) == len(troubles) + (not lost)


@each_work
async def test_it_is_not_asked_for_again_unread(
    server: RecordedPatchwork, work: Work, asked: str, read: str, checks: int, bundles: int
) -> None:
    """Where what there is cannot be read after an answer was lost, to ask again would be blind."""

    def cut_off(handler: Any) -> bool:
        server.trouble(read, *[hang_up] * 20)
        return lose_answer(handler)

    server.trouble(asked, cut_off)
    async with client(server) as patchwork:
        with pytest.raises(ConnectionLost):
            await work(patchwork, Heard())
    assert len(server.requests(asked)) == 1
    assert count(server) == (checks, bundles)


@each_work
async def test_the_page_of_a_portal_is_no_yes(
    server: RecordedPatchwork, work: Work, asked: str, read: str, checks: int, bundles: int
) -> None:
    server.trouble(asked, *[answer(200, b"<html>Log in</html>")] * 50)
    async with client(server) as patchwork:
        with pytest.raises(UnexpectedAnswer):
            await work(patchwork, Heard())
    assert count(server) == (1, 2)


@each_work
async def test_it_is_given_up_in_the_end(
    server: RecordedPatchwork, work: Work, asked: str, read: str, checks: int, bundles: int
) -> None:
    server.trouble(asked, *[hang_up] * 50)
    async with client(server) as patchwork:
        with pytest.raises(ConnectionLost):
            await work(patchwork, Heard())
    assert len(server.requests(asked)) == FAST.retries + 1
    assert count(server) == (1, 2)


@each_work
async def test_who_may_not_is_told_at_once(
    server: RecordedPatchwork, work: Work, asked: str, read: str, checks: int, bundles: int
) -> None:
    async with client(server, None) as patchwork:
        with pytest.raises(Forbidden):
            await work(patchwork, Heard())
    assert len(server.requests(asked)) == 1
    assert count(server) == (1, 2)


@pytest.mark.parametrize(
    "other",
    [
        {"state": "fail"},
        {"context": "test"},
        {"target_url": "https://ci.example.com/2"},
        {"description": None},
    ],
    ids=str,
)
async def test_a_check_of_somebody_else_is_not_taken_for_it(
    server: RecordedPatchwork, other: dict[str, Any]
) -> None:
    """One that came in between, and is another in one respect."""

    def meanwhile(handler: Any) -> bool:
        server.records[CHECKS][7] = {"id": 7, **SAME, **other}
        return hang_up(handler)

    server.trouble("POST patches/checks", meanwhile)
    async with client(server) as patchwork:
        made = await post(patchwork, Heard())
    assert made.id == 101


@pytest.mark.parametrize("other", [{"name": "theirs"}, {"public": True}, {"patches": []}], ids=str)
async def test_a_bundle_of_somebody_else_is_not_taken_for_it(
    server: RecordedPatchwork, other: dict[str, Any]
) -> None:
    def meanwhile(handler: Any) -> bool:
        patch = server.records["patches"][1]
        server.records["bundles"][7] = {"id": 7, "name": "mine", "patches": [patch], "public": False, **other}
        return hang_up(handler)

    server.trouble("POST bundles", meanwhile)
    async with client(server) as patchwork:
        made = await make(patchwork, Heard())
    assert made.id == 101


async def test_a_bundle_that_was_there_is_not_taken_for_it(server: RecordedPatchwork) -> None:
    patch = server.records["patches"][1]
    server.records["bundles"][3] = {"id": 3, "name": "mine", "patches": [patch], "public": False}
    server.trouble("POST bundles", hang_up, lose_answer)
    async with client(server) as patchwork:
        made = await make(patchwork, Heard())
    assert made.id == 101


async def test_what_is_on_a_later_page_is_found(server: RecordedPatchwork) -> None:
    server.largest_page = 2
    for number in range(10, 17):
        server.records[CHECKS][number] = {"id": number, **SAME}
    server.trouble("POST patches/checks", lose_answer)
    async with client(server) as patchwork:
        made = await post(patchwork, Heard())
    assert made.id == 101
    assert len(server.records[CHECKS]) == 9


async def test_white_space_that_the_service_drops_is_no_difference(server: RecordedPatchwork) -> None:
    def keep_stripped(handler: Any) -> bool:
        body = handler.seen.body
        handler.seen.body = {k: v.strip() if isinstance(v, str) else v for k, v in body.items()}
        return lose_answer(handler)

    server.trouble("POST patches/checks", keep_stripped)
    server.trouble("POST bundles", keep_stripped)
    async with client(server) as patchwork:
        await post_check(patchwork, Heard().append, 1, "fail", description=" it failed ")
        await make_bundle(patchwork, Heard().append, " mine ", [1], True)
    assert count(server) == (2, 3)


async def test_a_change_that_was_not_made_is_not_taken_for_it(server: RecordedPatchwork) -> None:
    """Another order of its patches does not show; a change that makes no name is simply made again."""
    server.trouble("PATCH bundles/ID", answer(502), answer(502))
    async with client(server) as patchwork:
        heard = Heard()
        await change_bundle(patchwork, heard.append, 2, patches=[1])
        assert len(server.requests("PATCH bundles/ID")) == 3
        server.trouble("PATCH bundles/ID", answer(502))
        await change_bundle(patchwork, heard.append, 2, name="other", patches=[1])
    assert len(server.requests("PATCH bundles/ID")) == 5
    assert heard.warnings == []


async def test_the_name_of_a_bundle_is_taken_once(server: RecordedPatchwork) -> None:
    """A service breaks at a second one: that is said at once, and the request is not repeated."""
    server.trouble("POST bundles", answer(502))  # which says nothing of the name
    async with client(server) as patchwork:
        made = await make_bundle(patchwork, Heard().append, "for-next", [1])
    assert made.id == 101, "what another user calls so is no obstacle"
    server.seen.clear()
    async with client(server) as patchwork:
        with pytest.raises(Conflict, match=r"called 'for-next' already \(1, 101\)"):
            await make_bundle(patchwork, Heard().append, "for-next", [1])
    assert len(server.requests("POST bundles")) == 1
    server.seen.clear()
    server.trouble("PATCH bundles/ID", answer(500))
    async with client(server) as patchwork:
        with pytest.raises(Conflict, match=r"called 'for-next' already \(1, 101\)"):
            await change_bundle(patchwork, Heard().append, 2, name="for-next")
    assert len(server.requests("PATCH bundles/ID")) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda patchwork: post_check(patchwork, Heard().append, 1, cast("CheckState", "great")),
        lambda patchwork: post_check(patchwork, Heard().append, 1, "fail", context="a b"),
        lambda patchwork: post_check(patchwork, Heard().append, 1, "fail", target_url="nope"),
        lambda patchwork: make_bundle(patchwork, Heard().append, "a/b", [1]),
        lambda patchwork: make_bundle(patchwork, Heard().append, "a", []),
        lambda patchwork: change_bundle(patchwork, Heard().append, 2, name="a/b"),
        lambda patchwork: change_bundle(patchwork, Heard().append, 2),
        lambda patchwork: delete_bundle(patchwork, Heard().append, 0),
    ],
)
async def test_a_call_that_makes_no_sense_asks_for_nothing(server: RecordedPatchwork, call: Any) -> None:
    async with client(server) as patchwork:
        with pytest.raises(UsageError):
            await call(patchwork)
    assert server.seen == []


async def test_what_is_not_there_is_not_deleted(server: RecordedPatchwork) -> None:
    async with client(server) as patchwork:
        with pytest.raises(NotFound):
            await delete_bundle(patchwork, Heard().append, 9)
    assert {seen.method for seen in server.seen} == {"GET"}
