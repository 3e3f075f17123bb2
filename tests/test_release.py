"""Whole releases against a server that speaks the documentation's protocol and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

import pk_upload
from leaping_clock import Clock
from pk_upload import PatchKit, Release, RetryPolicy, TransferConfig
from pk_upload.errors import (
    AuthenticationFailed,
    ConnectionLost,
    DraftExists,
    GaveUpWaiting,
    NotFound,
    PreflightFailed,
    ProcessingFailed,
    PublishingFailed,
    RecordInvalid,
    ServerError,
    SourceUnreadable,
    UploadFailed,
    UsageError,
)
from pk_upload.events import Bytes, Event, Message, Progress, Stage, Warned
from seed_server import APP, KEY, Handler, SeedServer, answer, hang_up, lose_answer

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(first_wait=0.001, longest_wait=0.01)


class Pusher:
    """Pushes the build as `pk_upload.release` does, and keeps the events."""

    def __init__(self, patchkit: PatchKit, build: Path, config: TransferConfig) -> None:
        self.patchkit, self.build, self.config = patchkit, build, config
        self.events: list[Event] = []

    async def __call__(self, **wishes: Any) -> Release:
        return await pk_upload.release(
            self.patchkit,
            self.build,
            **{"app": APP, "label": "1.0", "publish": True, **wishes},
            config=self.config,
            on_event=self.events.append,
        )

    def warnings(self) -> str:
        return " ".join(event.message for event in self.events if isinstance(event, Warned))


@pytest.fixture
async def push(seed_server: SeedServer, build: Path, tmp_path: Path) -> AsyncIterator[Pusher]:
    async with PatchKit(
        KEY, api_url=seed_server.api_url, upload_url=seed_server.upload_url, retry=QUICK
    ) as patchkit:
        yield Pusher(patchkit, build, TransferConfig(chunk_size=30_000, retries=3, state_dir=tmp_path / "s"))


def counts(server: SeedServer) -> dict[str, int]:
    """How often each thing that must not be done twice was asked for."""
    return {
        what: len(server.requests(f"{what}"))
        for what in ("POST versions", "POST uploads", "PUT content_file", "POST publish")
    }


LOST = ["POST versions", "POST publish", "PUT content_file", "POST uploads"]
ONCE = {"POST versions": 1, "POST uploads": 1, "PUT content_file": 1, "POST publish": 1}


async def test_a_build_is_pushed_processed_and_published(push: Pusher, seed_server: SeedServer) -> None:
    done = await push(changelog="New levels & more")
    assert (done.app, done.version_id, done.label, done.upload_id) == (APP, 1, "1.0", 1)
    assert done.published
    assert done.publish_time is None
    assert done.job_guid in seed_server.jobs
    assert seed_server.sha256() == hashlib.sha256(push.build.read_bytes()).hexdigest()
    assert seed_server.versions[1]["changelog"] == "New levels & more"
    assert counts(seed_server) == ONCE
    assert {seen.host for seen in seed_server.seen if not seen.path.endswith("/chunk")} == {"api"}
    stages = [event.stage for event in push.events if isinstance(event, Stage)]
    assert stages == ["version", "upload", "processing", "checks", "publishing", "done"]
    progress = [event.progress for event in push.events if isinstance(event, Progress)]
    assert progress[-1] == 1.0
    assert list((push.build.parent / "s").iterdir()) == [], "nothing is left to resume"


async def test_without_publish_it_ends_at_a_checked_draft(push: Pusher, seed_server: SeedServer) -> None:
    done = await push(publish=False)
    assert not done.published
    assert seed_server.versions[1]["draft"]
    assert counts(seed_server)["POST publish"] == 0


async def test_a_draft_pushed_before_is_published_without_sending_it_again(
    push: Pusher, seed_server: SeedServer
) -> None:
    await push(publish=False)
    done = await push()
    assert done.published
    assert (done.bytes_sent, done.bytes_resumed) == (0, done.bytes_total)
    assert counts(seed_server) == ONCE


async def test_the_same_build_can_be_pushed_as_the_next_version(
    push: Pusher, seed_server: SeedServer
) -> None:
    await push()
    done = await push()
    assert (done.version_id, done.upload_id, done.bytes_resumed) == (2, 2, 0)


async def test_not_waiting_returns_when_the_upload_was_accepted(
    push: Pusher, seed_server: SeedServer
) -> None:
    done = await push(publish=False, wait=False)
    assert done.job_guid
    assert not done.published
    assert seed_server.requests("GET job") == []
    again = await push(publish=False)
    assert again.job_guid == done.job_guid
    assert counts(seed_server)["PUT content_file"] == 1


async def test_a_scheduled_publication_is_success_and_says_when(
    push: Pusher, seed_server: SeedServer
) -> None:
    moment = int(time.time()) + 86_400
    seed_server.after_publish = {"publish_time": moment, "publish_progress": 1.0}
    done = await push()
    assert not done.published
    assert done.publish_time == moment
    [stage] = [event for event in push.events if isinstance(event, Stage) and event.stage == "scheduled"]
    assert time.strftime("%Y-%m-%d", time.gmtime(moment)) in stage.detail


@pytest.mark.parametrize("pending", [True, False])
async def test_a_publication_scheduled_by_a_run_that_was_killed_is_not_asked_for_again(
    push: Pusher, seed_server: SeedServer, pending: bool
) -> None:
    def schedule_and_die(handler: Handler) -> bool:
        moment = int(time.time()) + 86_400
        seed_server.versions[1] |= {"pending_publish": pending, "publish_time": moment}
        return answer(401)(handler)

    seed_server.after_publish = {"publish_progress": 0.0}
    seed_server.trouble("POST publish", schedule_and_die)
    with pytest.raises(AuthenticationFailed):
        await push()
    done = await push()
    assert done.publish_time
    assert counts(seed_server)["POST publish"] == 1


async def test_a_draft_that_was_given_a_time_still_has_to_be_published(
    push: Pusher, seed_server: SeedServer
) -> None:
    seed_server.after_job = {"publish_time": int(time.time()) + 86_400}
    done = await push()
    assert done.publish_time == seed_server.after_job["publish_time"]
    assert counts(seed_server)["POST publish"] == 1


async def test_a_draft_in_the_way_is_a_conflict_and_is_not_touched(
    push: Pusher, seed_server: SeedServer
) -> None:
    seed_server.make_draft("0.9")
    for _ in range(2):  # a second try must not take the draft for its own either
        with pytest.raises(DraftExists, match=r"version 1, '0\.9'") as caught:
            await push()
        assert caught.value.exit_code == 5
        assert "--overwrite-draft" in caught.value.hint
    assert counts(seed_server)["POST uploads"] == 0


async def test_a_draft_of_the_same_label_is_still_somebody_elses(
    push: Pusher, seed_server: SeedServer
) -> None:
    seed_server.make_draft("1.0")
    for _ in range(2):
        with pytest.raises(DraftExists):
            await push()


async def test_a_draft_is_overwritten_when_told_to(push: Pusher, seed_server: SeedServer) -> None:
    seed_server.make_draft("0.9")
    done = await push(overwrite_draft=True, changelog="mine")
    assert (done.version_id, done.label, done.published) == (1, "1.0", True)
    assert seed_server.versions[1]["changelog"] == "mine"


async def test_a_draft_with_a_time_is_asked_for_again_if_the_request_was_not_carried_out(
    push: Pusher, seed_server: SeedServer
) -> None:
    seed_server.after_job = {"publish_time": int(time.time()) + 86_400}
    seed_server.trouble("POST publish", hang_up)
    done = await push()
    assert done.publish_time == seed_server.after_job["publish_time"]
    assert seed_server.versions[1]["pending_publish"]
    assert counts(seed_server)["POST publish"] == 2


async def test_a_release_that_is_scheduled_can_be_asked_for_again(
    push: Pusher, seed_server: SeedServer
) -> None:
    moment = int(time.time()) + 86_400
    seed_server.after_publish = {"publish_time": moment, "publish_progress": 1.0}
    await push()
    again = await push()
    assert (again.version_id, again.publish_time) == (1, moment)
    assert counts(seed_server) == ONCE


async def test_a_moment_beyond_all_calendars_is_told_as_it_is(push: Pusher, seed_server: SeedServer) -> None:
    seed_server.after_publish = {"publish_time": 10**18, "publish_progress": 1.0}
    assert (await push()).publish_time == 10**18


async def test_a_build_is_not_taken_for_processed_because_another_version_was(
    push: Pusher, seed_server: SeedServer
) -> None:
    await push(publish=False)
    seed_server.versions[5] = {**seed_server.versions.pop(1), "id": 5, "draft": False}
    done = await push()
    assert (done.version_id, done.upload_id, done.bytes_resumed) == (2, 2, 0)
    assert len(seed_server.requests("PUT content_file")) == 2


@pytest.mark.parametrize("change", [{"label": "another"}, {"processing_finished_at": "later"}])
async def test_another_build_in_our_draft_is_noticed(
    push: Pusher, seed_server: SeedServer, change: dict[str, str]
) -> None:
    seed_server.after_job = {"processing_finished_at": "then"}
    await push(publish=False)
    seed_server.versions[1] |= change
    done = await push()
    assert (done.version_id, done.label, done.upload_id, done.published) == (1, "1.0", 2, True)
    assert "another build" in push.warnings()


async def test_a_draft_that_is_being_published_is_not_overwritten(
    push: Pusher, seed_server: SeedServer
) -> None:
    seed_server.make_draft("0.9")
    seed_server.versions[1] |= {"pending_publish": True, "publish_time": 10**10}
    with pytest.raises(DraftExists, match="is being published"):
        await push(overwrite_draft=True)


async def test_the_changelog_that_an_overwritten_draft_keeps_is_told(
    push: Pusher, seed_server: SeedServer
) -> None:
    seed_server.make_draft("0.9")
    seed_server.versions[1]["changelog"] = "for players of 0.9"
    await push(overwrite_draft=True)
    assert "for players of 0.9" in push.warnings()


async def test_retries_do_not_multiply(push: Pusher, seed_server: SeedServer) -> None:
    seed_server.make_draft("0.9")
    seed_server.trouble("PATCH version", *[answer(500)] * 50)
    with pytest.raises(ServerError):
        await push(overwrite_draft=True)
    assert len(seed_server.requests("PATCH version")) == 4


async def test_a_draft_that_was_made_in_silence_is_found_by_the_next_run(
    push: Pusher, seed_server: SeedServer
) -> None:
    seed_server.trouble("POST versions", lose_answer)
    seed_server.trouble("GET versions", *[answer(500)] * 4)
    with pytest.raises(ServerError):
        await push()
    assert len(seed_server.requests("POST versions")) == 1, "not asked for again without having read"
    done = await push()
    assert (done.version_id, done.published) == (1, True)
    assert len(seed_server.requests("POST versions")) == 1, "the state is read first"


async def test_a_draft_that_appears_after_the_state_was_read_is_still_ours(
    push: Pusher, seed_server: SeedServer
) -> None:
    def at_last(handler: Handler) -> bool:
        seed_server.make_draft("1.0")  # what the first request asked for
        return False

    seed_server.trouble("POST versions", hang_up, at_last)
    assert (await push()).version_id == 1


async def test_publishing_is_not_asked_for_again_without_having_read(
    push: Pusher, seed_server: SeedServer
) -> None:
    def lose_and_fall_silent(handler: Handler) -> bool:
        seed_server.trouble("GET version", *[answer(500)] * 4)
        return lose_answer(handler)

    seed_server.trouble("POST publish", lose_and_fall_silent)
    with pytest.raises(ServerError):
        await push()
    assert len(seed_server.requests("POST publish")) == 1


async def test_who_does_not_wait_may_change_their_mind_about_publishing(
    push: Pusher, seed_server: SeedServer
) -> None:
    seed_server.job_looks = 10
    await push(publish=False, wait=False)
    await push(publish=True, wait=False)
    assert seed_server.versions[1].get("publish_when_processed") is True
    await push(publish=False, wait=False)
    assert seed_server.versions[1].get("publish_when_processed") is False
    assert "without --publish" in push.warnings()
    assert counts(seed_server)["PUT content_file"] == 1


async def test_an_upload_that_is_not_taken_is_not_tried_for_ever(
    push: Pusher, seed_server: SeedServer
) -> None:
    seed_server.trouble("PUT content_file", answer(400, {"message": "The upload is incomplete"}))
    with pytest.raises(UploadFailed, match="The upload is incomplete"):
        await push()
    assert (await push()).upload_id == 2


async def test_a_value_that_the_service_refuses_costs_no_upload(
    push: Pusher, seed_server: SeedServer
) -> None:
    refused = {
        "message": "Invalid",
        "errors": [{"resource": "Version", "field": "label", "message": "is long"}],
    }
    seed_server.trouble("PUT content_file", answer(422, refused))
    with pytest.raises(RecordInvalid, match="label is long"):
        await push()
    done = await push()
    assert done.published
    assert done.bytes_sent == 0
    assert len(seed_server.requests("POST uploads")) == 1


async def test_a_version_that_is_gone_costs_no_upload(push: Pusher, seed_server: SeedServer) -> None:
    def delete(handler: Handler) -> bool:
        del seed_server.versions[1]
        return answer(404)(handler)

    seed_server.trouble("PUT content_file", delete)
    with pytest.raises(NotFound):
        await push()
    assert len(seed_server.requests("POST uploads")) == 1


async def test_what_is_told_as_confirmed_never_goes_back(push: Pusher, seed_server: SeedServer) -> None:
    seed_server.trouble("PUT content_file", answer(404))
    await push()
    told = [(event.confirmed, event.sent) for event in push.events if isinstance(event, Bytes)]
    assert told == sorted(told)


async def test_a_run_killed_before_it_knew_its_job_publishes_once(
    push: Pusher, seed_server: SeedServer
) -> None:
    def publish_and_die(handler: Handler) -> bool:
        handler.carry_out()
        seed_server.versions[1] |= {"draft": False, "published": True}  # as publish_when_processed has it
        handler.reply(401, {})
        return True

    seed_server.trouble("PUT content_file", publish_and_die)
    with pytest.raises(AuthenticationFailed):
        await push(wait=False)
    done = await push()
    assert (done.version_id, done.published) == (1, True)
    assert len(seed_server.versions) == 1


async def test_a_later_draft_of_the_same_label_is_somebody_elses(
    push: Pusher, seed_server: SeedServer
) -> None:
    seed_server.trouble("POST uploads", answer(401))
    with pytest.raises(AuthenticationFailed):
        await push()
    seed_server.versions.clear()
    seed_server.make_draft("9.9")
    seed_server.versions[7] = {**seed_server.versions.pop(1), "id": 7, "label": "1.0"}
    with pytest.raises(DraftExists):
        await push()


async def test_a_key_that_the_service_echoes_is_shown_nowhere(push: Pusher, seed_server: SeedServer) -> None:
    seed_server.job_end = {"status": 1, "status_message": f"X-Api-Key {KEY}\x1b[2J was refused"}
    with pytest.raises(ProcessingFailed) as caught:
        await push()
    seed_server.job_end = {}
    seed_server.after_job = {"processing_messages": [{"severity": "warning", "message": f"hm, {KEY}"}]}
    await push()
    told = f"{caught.value} {push.events}"
    assert KEY not in told
    assert "\x1b" not in told


@pytest.mark.parametrize("what", LOST)
async def test_a_lost_answer_is_settled_by_reading(push: Pusher, seed_server: SeedServer, what: str) -> None:
    seed_server.trouble(what, lose_answer)
    done = await push()
    assert done.published
    assert len(seed_server.versions) == 1
    assert len(seed_server.jobs) == 1
    repeated = {"PUT content_file", "POST uploads"}  # these do no harm when carried out twice
    assert counts(seed_server)[what] == (2 if what in repeated else 1)


@pytest.mark.parametrize("trouble", [hang_up, answer(500), answer(502, b"<html>"), answer(503), answer(429)])
@pytest.mark.parametrize(
    "what", ["POST versions", "POST publish", "PUT content_file", "POST uploads", "GET job"]
)
async def test_a_request_that_was_not_carried_out_is_made_again(
    push: Pusher, seed_server: SeedServer, what: str, trouble: Any
) -> None:
    seed_server.trouble(what, trouble, trouble)
    done = await push()
    assert done.published
    assert len(seed_server.versions) == 1


@pytest.mark.parametrize(("what", "error"), [("POST versions", ConnectionLost), ("GET job", ConnectionLost)])
async def test_trouble_without_end_is_given_up(
    push: Pusher, seed_server: SeedServer, what: str, error: type[Exception]
) -> None:
    seed_server.trouble(what, *[hang_up] * 20)
    with pytest.raises(error):
        await push()
    assert len(seed_server.requests(what)) == 4, "the first attempt and three more"


@pytest.mark.parametrize("step", ["POST uploads", "PUT content_file", "GET job", "POST publish"])
async def test_a_run_that_was_stopped_at_any_step_is_gone_on_with(
    push: Pusher, seed_server: SeedServer, step: str
) -> None:
    seed_server.trouble(step, *[answer(401)])
    with pytest.raises(AuthenticationFailed):
        await push()
    done = await push()
    assert done.published
    assert counts(seed_server) == {**ONCE, **({step: 2} if step in ONCE else {})}
    assert all(count == 1 for count in seed_server.received.values())


async def test_a_failed_job_fails_the_release_and_is_forgotten(push: Pusher, seed_server: SeedServer) -> None:
    seed_server.job_end = {"status": 1, "status_message": "disk full on the worker"}
    with pytest.raises(ProcessingFailed, match="disk full on the worker") as caught:
        await push()
    assert caught.value.exit_code == 6
    seed_server.job_end = {}
    done = await push()
    assert (done.version_id, done.upload_id, done.published) == (1, 2, True)


async def test_errors_in_the_build_stop_it_before_publishing(push: Pusher, seed_server: SeedServer) -> None:
    seed_server.after_job = {
        "has_processing_error": True,
        "processing_messages": [
            {"severity": "warning", "message": "no icon"},
            {"severity": "error", "message": "no executable"},
        ],
    }
    with pytest.raises(ProcessingFailed, match="no executable"):
        await push()
    assert counts(seed_server)["POST publish"] == 0
    messages = [event for event in push.events if isinstance(event, Message)]
    assert messages == [Message("warning", "no icon"), Message("error", "no executable")]


async def test_an_error_without_a_word_is_an_error(push: Pusher, seed_server: SeedServer) -> None:
    seed_server.after_job = {"has_processing_error": True}
    with pytest.raises(ProcessingFailed) as caught:
        await push()
    assert "again" in caught.value.hint


async def test_warnings_are_told_and_let_pass(push: Pusher, seed_server: SeedServer) -> None:
    seed_server.after_job = {"processing_messages": [{"severity": "warning", "message": "no icon"}]}
    done = await push()
    assert done.published
    assert done.messages == (Message("warning", "no icon"),)
    assert done.to_dict()["messages"] == [{"severity": "warning", "message": "no icon"}]


async def test_a_version_the_service_lets_go_of_is_a_failure(push: Pusher, seed_server: SeedServer) -> None:
    seed_server.after_publish = {"pending_publish": False, "publish_progress": 0.5}
    with pytest.raises(PublishingFailed, match="neither published nor being published"):
        await push()


async def test_a_changed_build_keeps_its_draft_and_is_uploaded_anew(
    push: Pusher, seed_server: SeedServer
) -> None:
    seed_server.trouble("PUT content_file", answer(401))
    with pytest.raises(AuthenticationFailed):
        await push()
    with push.build.open("ab") as file:
        file.write(b"\0" * 20)
    done = await push()
    assert (done.version_id, done.upload_id, done.bytes_resumed) == (1, 2, 0)
    assert "changed" in push.warnings()


async def test_a_changed_build_is_not_taken_for_the_version_that_was_published_meanwhile(
    push: Pusher, seed_server: SeedServer
) -> None:
    await push(publish=False)
    seed_server.versions[1] |= {"draft": False, "published": True}
    with push.build.open("ab") as file:
        file.write(b"\0" * 20)
    done = await push()
    assert (done.version_id, done.published) == (2, True)


async def test_a_version_that_is_gone_is_made_again(push: Pusher, seed_server: SeedServer) -> None:
    seed_server.trouble("POST uploads", answer(401))
    with pytest.raises(AuthenticationFailed):
        await push()
    seed_server.versions[5] = {**seed_server.versions.pop(1), "id": 5, "draft": False}
    done = await push()
    assert done.version_id == 2
    assert "gone" in push.warnings()


async def test_an_upload_lost_before_processing_starts_over_once(
    push: Pusher, seed_server: SeedServer
) -> None:
    def lose(handler: Handler) -> bool:
        seed_server.uploads[1].clear()
        return answer(404)(handler)

    seed_server.trouble("PUT content_file", lose)
    done = await push()
    assert done.upload_id == 2
    seed_server.versions.clear()
    seed_server.trouble("PUT content_file", answer(404), answer(404))
    with pytest.raises(UploadFailed):
        await push()


@pytest.mark.parametrize(
    ("bound", "field"), [("processing_timeout", "job_looks"), ("publishing_timeout", "publish_looks")]
)
async def test_waiting_has_a_bound_and_goes_on_in_the_next_run(
    push: Pusher, seed_server: SeedServer, bound: str, field: str
) -> None:
    setattr(seed_server, field, 10**9)
    with (
        anyio.fail_after(60),
        pytest.raises(GaveUpWaiting, match=bound.removesuffix("_timeout")) as caught,
    ):
        await push(**{bound: 0.6})
    assert caught.value.exit_code == 12
    setattr(seed_server, field, 1)
    assert (await push()).published
    assert counts(seed_server) == ONCE


@pytest.mark.parametrize(
    ("what", "exit_code"), [("POST versions", 7), ("POST chunk", 9), ("GET job", 12), ("POST publish", 12)]
)
async def test_the_time_for_the_whole_run_is_bounded(
    push: Pusher, seed_server: SeedServer, monkeypatch: pytest.MonkeyPatch, what: str, exit_code: int
) -> None:
    clock, loop = Clock(monkeypatch), asyncio.get_running_loop()

    def never(handler: Handler) -> bool:
        seed_server.ended.wait(30)
        return True

    def from_here_on(handler: Handler) -> bool:
        loop.call_soon_threadsafe(clock.leap, 30)
        return never(handler)

    seed_server.trouble(what, from_here_on, *[never] * 20)
    with anyio.fail_after(60), pytest.raises(pk_upload.PkUploadError, match=r"\b30 s\b") as caught:
        await push(timeout=30)
    assert caught.value.exit_code == exit_code


async def test_an_unknown_app_is_not_found(push: Pusher, seed_server: SeedServer) -> None:
    seed_server.trouble("POST versions", answer(404, {"message": "Unknown app"}))
    with pytest.raises(NotFound, match="Unknown app"):
        await push()


async def test_a_server_in_trouble_for_ever_is_given_up(push: Pusher, seed_server: SeedServer) -> None:
    seed_server.trouble("POST versions", *[answer(500)] * 20)
    with pytest.raises(ServerError):
        await push()
    assert len(seed_server.requests("POST versions")) == 4


async def test_a_bad_source_is_found_out_before_a_word_to_the_server(
    push: Pusher, seed_server: SeedServer, tmp_path: Path
) -> None:
    push.build = tmp_path / "missing.zip"
    with pytest.raises(SourceUnreadable):
        await push()
    push.build.write_bytes(b"no ZIP at all")
    with pytest.raises(PreflightFailed):
        await push()
    assert seed_server.seen == []


@pytest.mark.parametrize("bound", ["processing_timeout", "publishing_timeout"])
@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
async def test_a_bound_that_bounds_nothing_is_a_mistake(push: Pusher, bound: str, seconds: float) -> None:
    with pytest.raises(UsageError, match=bound):
        await push(**{bound: seconds})
