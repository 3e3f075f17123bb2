"""A bundle on Kickfolio: apps found or made, versions made once and awaited, whatever answer is lost."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

import pk_upload
from kickfolio_seed_server import TOKEN, KickfolioSeedServer, Trouble, answer, hang_up, lose_answer
from pk_upload.bundles import delete_app, delete_version, make_app, make_version
from pk_upload.errors import (
    AuthenticationFailed,
    ConnectionLost,
    GaveUpWaiting,
    NotFound,
    ProcessingFailed,
    RecordInvalid,
    UnexpectedAnswer,
    UsageError,
)
from pk_upload.events import Event, Stage, Warned
from pk_upload.kickfolio import Kickfolio
from scripted_server import FAST

pytestmark = pytest.mark.anyio

BUNDLE = "https://builds.example/game.zip"


@pytest.fixture
def seed() -> Iterator[KickfolioSeedServer]:
    with KickfolioSeedServer("/kickfolio") as server:
        yield server


def client(server: KickfolioSeedServer, token: str = TOKEN) -> Kickfolio:
    return Kickfolio(token, url=server.url, retry=FAST)


class Heard(list[Event]):
    """The events of a run."""

    @property
    def warnings(self) -> list[str]:
        return [event.message for event in self if isinstance(event, Warned)]

    @property
    def stages(self) -> list[str]:
        return [event.stage for event in self if isinstance(event, Stage)]


async def publish(server: KickfolioSeedServer, **how: Any) -> tuple[Any, Heard]:
    heard = Heard()
    async with client(server) as kickfolio:
        version = await pk_upload.publish_bundle(
            kickfolio, BUNDLE, **{"timeout": 20, **how}, on_event=heard.append
        )
    return version, heard


# Publishing


async def test_the_first_bundle_makes_the_app(seed: KickfolioSeedServer) -> None:
    version, heard = await publish(seed, name="Game", version_string="1.2.4")
    (app,) = seed.apps.values()
    assert app["name"] == "Game"
    assert list(seed.versions) == [version.id]
    assert (version.state, version.app_id, version.bundle_url) == ("ready", app["id"], BUNDLE)
    assert version.version_string == "1.2.4"
    assert heard.stages == ["version", "processing", "done"]
    assert heard.warnings == []


async def test_the_next_one_finds_it(seed: KickfolioSeedServer) -> None:
    seed.add_app(name="game")
    app = seed.add_app(name="Game")
    for _ in range(2):
        version, _ = await publish(seed, name="Game")
        assert version.app_id == app["id"]
    assert len(seed.apps) == 2
    assert len(seed.versions) == 2, "what is ready is no obstacle: the address may hold another build by now"


@pytest.mark.parametrize("field", ["id", "public_key"])
async def test_an_app_is_named_by_either_identifier(seed: KickfolioSeedServer, field: str) -> None:
    seed.add_app()
    app = seed.add_app()
    version, _ = await publish(seed, app=app[field])
    assert version.app_id == app["id"]
    assert seed.requests("POST apps") == []


async def test_an_app_that_is_named_is_not_made(seed: KickfolioSeedServer) -> None:
    with pytest.raises(NotFound):
        await publish(seed, app="ABCD123")
    assert seed.apps == {}


async def test_names_that_are_shared_are_not_guessed_at(seed: KickfolioSeedServer) -> None:
    apps = [seed.add_app(name="Game"), seed.add_app(name="Game")]
    with pytest.raises(UsageError, match="2 apps") as caught:
        await publish(seed, name="Game")
    assert all(app["id"] in caught.value.hint for app in apps)
    assert seed.versions == {}


@pytest.mark.parametrize("how", [{}, {"app": "a", "name": "b"}, {"name": "b", "timeout": 0}])
async def test_a_call_that_makes_no_sense_asks_for_nothing(
    seed: KickfolioSeedServer, how: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        await publish(seed, **how)
    assert seed.seen == []


async def test_a_blank_name_is_refused_by_its_field(seed: KickfolioSeedServer) -> None:
    with pytest.raises(RecordInvalid) as caught:
        await publish(seed, name=" ")
    assert caught.value.errors[0].field == "name"
    assert "name can't be blank" in caught.value.message


async def test_what_is_pending_is_waited_for(seed: KickfolioSeedServer) -> None:
    seed.ready_looks = 1000
    with pytest.raises(GaveUpWaiting):
        await publish(seed, name="Game", timeout=0.3)
    seed.ready_looks = 3  # more than the first wait can have had, whose last look may arrive only now
    version, heard = await publish(seed, name="Game")
    assert list(seed.versions) == [version.id]
    assert len(seed.requests("POST versions")) == 1
    assert "pending already" in heard.warnings[0]


@pytest.mark.parametrize(
    "other", [{"bundle_url": f"{BUNDLE}?2"}, {"version_string": "2"}, {"state": "failed"}]
)
async def test_only_the_same_bundle_is_taken_for_what_was_asked_for(
    seed: KickfolioSeedServer, other: dict[str, Any]
) -> None:
    app = seed.add_app(name="Game")
    same = {"bundle_url": BUNDLE, "version_string": "1", "state": "pending"}
    found = seed.add_version(app, **{**same, **other})
    version, _ = await publish(seed, name="Game", version_string="1")
    assert version.id != found["id"]


@pytest.mark.parametrize(("called", "anew"), [("1", False), (None, True)])
async def test_what_is_ready_is_taken_only_if_it_is_known_by_what_it_is_called(
    seed: KickfolioSeedServer, called: str | None, anew: bool
) -> None:
    """An address may hold another bundle by now."""
    app = seed.add_app(name="Game")
    found = seed.add_version(app, bundle_url=BUNDLE, version_string=called, state="ready")
    version, heard = await publish(seed, name="Game", version_string=called)
    assert (version.id != found["id"]) == anew
    assert bool(heard.warnings) != anew


@pytest.mark.parametrize("what", ["app", "version"])
async def test_a_delete_never_goes_to_another_than_was_named(seed: KickfolioSeedServer, what: str) -> None:
    app = seed.add_app(name="Game")
    version = seed.add_version(app, bundle_url=BUNDLE, state="ready")
    named = "00000000-0000-0000-0000-000000000000"
    record = {"app": app} if what == "app" else {"version": version}
    seed.trouble(f"GET {what}", answer(200, json.dumps(record).encode()))
    async with client(seed) as kickfolio:
        delete = delete_app if what == "app" else delete_version
        with pytest.raises(UnexpectedAnswer, match="id"):
            await delete(kickfolio, lambda _: None, named)
    assert seed.requests(f"DELETE {what}") == []


async def test_the_pending_bundle_of_another_app_is_left_alone(seed: KickfolioSeedServer) -> None:
    seed.add_version(seed.add_app(name="Other"), bundle_url=BUNDLE, version_string=None, state="pending")
    version, heard = await publish(seed, name="Game")
    assert version.app_id == list(seed.apps)[1]
    assert heard.warnings == []


async def test_a_bundle_that_is_none_is_an_error(seed: KickfolioSeedServer) -> None:
    seed.state_in_the_end = "failed"
    with pytest.raises(ProcessingFailed, match="failed"):
        await publish(seed, name="Game")


async def test_a_wrong_token_makes_nothing(seed: KickfolioSeedServer) -> None:
    async with client(seed, "wrong") as kickfolio:
        with pytest.raises(AuthenticationFailed):
            await pk_upload.publish_bundle(kickfolio, BUNDLE, name="Game")
    assert len(seed.seen) == 1


async def test_lost_answers_make_nothing_twice(seed: KickfolioSeedServer) -> None:
    for what in ("POST apps", "POST versions", "GET apps", "GET versions", "GET version"):
        seed.trouble(what, lose_answer)
    version, heard = await publish(seed, name="Game")
    assert len(seed.apps) == 1
    assert list(seed.versions) == [version.id]
    assert len([text for text in heard.warnings if "was lost, but it was carried out" in text]) == 2


# What is made or deleted once

Work = Callable[[Kickfolio, Heard, KickfolioSeedServer], Awaitable[Any]]


async def make_another_app(kickfolio: Kickfolio, heard: Heard, _: KickfolioSeedServer) -> Any:
    return await make_app(kickfolio, heard.append, "Kickfolio")


async def make_another_version(kickfolio: Kickfolio, heard: Heard, _: KickfolioSeedServer) -> Any:
    return await make_version(kickfolio, heard.append, "ABCD123", BUNDLE, None)


async def delete_the_app(kickfolio: Kickfolio, heard: Heard, _: KickfolioSeedServer) -> Any:
    return await delete_app(kickfolio, heard.append, "ABCD123")


async def delete_the_version(kickfolio: Kickfolio, heard: Heard, server: KickfolioSeedServer) -> Any:
    return await delete_version(kickfolio, heard.append, next(iter(server.versions)))


WORK: dict[str, tuple[Work, str, str, int, int]] = {
    # what it is, what it asks for, which list tells of it, apps and versions that there are in the end
    "an app is made": (make_another_app, "POST apps", "GET apps", 2, 1),
    "a version is made": (make_another_version, "POST versions", "GET versions", 1, 2),
    "an app is deleted": (delete_the_app, "DELETE app", "GET apps", 0, 0),
    "a version is deleted": (delete_the_version, "DELETE version", "GET versions", 1, 0),
}
each_work = pytest.mark.parametrize(
    ("work", "asked", "listed", "apps", "versions"), WORK.values(), ids=WORK.keys()
)
TROUBLES: dict[str, tuple[Trouble, ...]] = {
    "none": (),
    "lost": (lose_answer,),
    "not done": (hang_up,),
    "refused": (answer(503),),
    "unknown": (answer(500),),
    "not done, then lost": (hang_up, lose_answer),
    "all of it": (answer(503), hang_up, lose_answer),
}


def with_one_of_each(server: KickfolioSeedServer) -> None:
    """An app and a version that look just like those that are to be made."""
    server.add_version(server.add_app(), bundle_url=BUNDLE, version_string=None, state="pending")


@each_work
@pytest.mark.parametrize("troubles", TROUBLES.values(), ids=TROUBLES.keys())
async def test_it_is_done_once(
    seed: KickfolioSeedServer,
    work: Work,
    asked: str,
    listed: str,
    apps: int,
    versions: int,
    troubles: tuple[Trouble, ...],
) -> None:
    with_one_of_each(seed)
    old = {*seed.apps, *seed.versions}
    seed.trouble(asked, *troubles)
    heard = Heard()
    async with client(seed) as kickfolio:
        result = await work(kickfolio, heard, seed)
    assert (len(seed.apps), len(seed.versions)) == (apps, versions)
    if asked.startswith("POST"):
        assert result.id in {*seed.apps, *seed.versions} - old
    else:
        assert result.id in old
    lost = lose_answer in troubles
    assert [("was lost, but it was carried out" in text) for text in heard.warnings] == [True] * lost
    assert len(seed.requests(asked)) == len(troubles) + (not lost)


@each_work
async def test_it_is_not_asked_for_again_unread(
    seed: KickfolioSeedServer, work: Work, asked: str, listed: str, apps: int, versions: int
) -> None:
    """Where the list cannot be read after an answer was lost, to ask again would be blind."""
    with_one_of_each(seed)
    seed.trouble(asked, lose_answer)

    def cut_off(handler: Any) -> bool:
        seed.trouble(listed, *[hang_up] * 20)
        return lose_answer(handler)

    seed.troubles[asked] = [cut_off]
    async with client(seed) as kickfolio:
        with pytest.raises(ConnectionLost):
            await work(kickfolio, Heard(), seed)
    assert len(seed.requests(asked)) == 1
    assert (len(seed.apps), len(seed.versions)) == (apps, versions)


@each_work
async def test_the_page_of_a_portal_is_no_yes(
    seed: KickfolioSeedServer, work: Work, asked: str, listed: str, apps: int, versions: int
) -> None:
    with_one_of_each(seed)
    seed.trouble(asked, answer(200, b"<html>Log in</html>"))
    async with client(seed) as kickfolio:
        with pytest.raises(UnexpectedAnswer):
            await work(kickfolio, Heard(), seed)
    assert (len(seed.apps), len(seed.versions)) == (1, 1)


@each_work
async def test_it_is_given_up_in_the_end(
    seed: KickfolioSeedServer, work: Work, asked: str, listed: str, apps: int, versions: int
) -> None:
    with_one_of_each(seed)
    seed.trouble(asked, *[hang_up] * 50)
    async with client(seed) as kickfolio:
        with pytest.raises(ConnectionLost):
            await work(kickfolio, Heard(), seed)
    assert len(seed.requests(asked)) == FAST.retries + 1
    assert (len(seed.apps), len(seed.versions)) == (1, 1)


async def test_white_space_that_the_service_drops_is_no_difference(seed: KickfolioSeedServer) -> None:
    def keep_stripped(handler: Any) -> bool:
        for fields in handler.seen.body.values():
            fields |= {name: text.strip() for name, text in fields.items()}
        return lose_answer(handler)

    seed.trouble("POST apps", keep_stripped)
    seed.trouble("POST versions", keep_stripped)
    async with client(seed) as kickfolio:
        for _ in range(2):
            await pk_upload.publish_bundle(kickfolio, f"{BUNDLE} ", name=" Game ", timeout=20)
    assert len(seed.apps) == 1
    assert len(seed.requests("POST apps")) == 1
    assert len(seed.requests("POST versions")) == 2


@pytest.mark.parametrize("delete", [delete_app, delete_version])
async def test_what_is_not_there_is_not_deleted(seed: KickfolioSeedServer, delete: Any) -> None:
    async with client(seed) as kickfolio:
        with pytest.raises(NotFound):
            await delete(kickfolio, Heard().append, "nosuch")
    assert {seen.method for seen in seed.seen} == {"GET"}


async def test_what_was_refused_for_good_is_not_asked_for_again(seed: KickfolioSeedServer) -> None:
    async with client(seed) as kickfolio:
        with pytest.raises(RecordInvalid, match="bundle_url can't be blank"):
            await make_version(kickfolio, Heard().append, seed.add_app()["id"], "", None)
    assert len(seed.requests("POST versions")) == 1
