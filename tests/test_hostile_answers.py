"""Whatever a server answers, a caller gets a result or a `PkUploadError`: soon, and in bounded memory."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import anyio
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pk_upload
from hostile_samples import BAD_HTTP, BODIES, ENDLESS, ODD_HTTP, ODD_JSON, TOKENS, VALUES
from hostile_server import ANSWERS, Meddle, Meddled, Reply, hostile
from pk_upload import PatchKit, RetryPolicy, TransferConfig
from pk_upload import http as http_module
from pk_upload.answers import MOST_OBJECTS, decode, read_error
from pk_upload.errors import PkUploadError, UnexpectedAnswer, UsageError
from pk_upload.patchkit import Version

pytestmark = pytest.mark.anyio

ONCE = RetryPolicy(retries=0)
CALLS: dict[str, Callable[[PatchKit], Awaitable[object]]] = {
    "POST versions": lambda p: p.create_version("a", "1.0"),
    "GET versions": lambda p: p.versions("a"),
    "POST uploads": lambda p: p.create_upload(1000),
    "PUT content_file": lambda p: p.set_content_file("a", 1, 7),
    "GET job": lambda p: p.job("5776de94"),
    "GET version": lambda p: p.version("a", 1),
}


async def outcome(meddle: Meddle, call: Callable[[PatchKit], Awaitable[object]]) -> object:
    """What the call gives, or its error; nothing else is let pass."""
    async with hostile(meddle) as server, PatchKit("some-key", api_url=server.url, retry=ONCE) as patchkit:
        return await result_of(call(patchkit))


async def result_of(work: Awaitable[object]) -> object:
    try:
        with anyio.fail_after(30):  # seconds; whoever waits for ever fails here
            result = await work
    except PkUploadError as error:
        result = error
    if isinstance(result, PkUploadError):
        assert not isinstance(result, UsageError)  # what the server answers is no mistake of the user's
        assert result.message.isprintable()
        assert len(result.message) < 1000
    else:
        msgspec.json.encode(result)  # as the command line will
    return result


def only(where: str, meddled: Meddled) -> Meddle:
    """Meddles with every answer to `where` alike."""
    return lambda what, _: meddled if what == where else None


# JSON


@pytest.mark.parametrize("name", CALLS)
async def test_an_answer_cut_at_any_byte_is_an_error(name: str) -> None:
    whole = json.dumps(ANSWERS[name][1]).encode()
    length = 0

    def cut(what: str, reply: Reply) -> Reply:
        return Reply(200, whole[:length])

    async with hostile(cut) as server, PatchKit("some-key", api_url=server.url, retry=ONCE) as patchkit:
        for size in range(len(whole)):
            length = size
            assert isinstance(await result_of(CALLS[name](patchkit)), UnexpectedAnswer)
        length = len(whole)
        assert not isinstance(await result_of(CALLS[name](patchkit)), PkUploadError)


@pytest.mark.parametrize("name", CALLS)
async def test_any_value_of_any_field_is_taken_or_refused(name: str) -> None:
    sample: Any = ANSWERS[name][1]
    fields: Any = {}

    def change(what: str, reply: Reply) -> Reply:
        changed = {**(sample[0] if isinstance(sample, list) else sample), **fields}
        return Reply(200, json.dumps([changed] if isinstance(sample, list) else changed).encode())

    async with hostile(change) as server, PatchKit("some-key", api_url=server.url, retry=ONCE) as patchkit:
        for field in sample[0] if isinstance(sample, list) else sample:
            for value in VALUES:
                fields = {field: value}
                await result_of(CALLS[name](patchkit))


@pytest.mark.parametrize("name", CALLS)
async def test_json_that_is_none_is_refused(name: str) -> None:
    body = b""

    def replace(what: str, reply: Reply) -> Reply:
        return Reply(200, body)

    async with hostile(replace) as server, PatchKit("some-key", api_url=server.url, retry=ONCE) as patchkit:
        for what, each in BODIES.items():
            body = each
            result = await result_of(CALLS[name](patchkit))
            assert what in ODD_JSON or isinstance(result, UnexpectedAnswer), what


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_an_error_of_any_form_stays_the_error_of_its_status(status: int) -> None:
    for value in VALUES:
        body = json.dumps({"message": value, "error": value, "symbol": value}).encode()
        error = await outcome(only("GET job", Reply(status, body)), CALLS["GET job"])
        assert getattr(error, "status", None) == status
    for body in BODIES.values():
        error = await outcome(only("GET job", Reply(status, body)), CALLS["GET job"])
        assert getattr(error, "status", None) == status


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POST versions", {}),
        ("POST versions", {"id": 0}),
        ("POST versions", {"id": -1}),
        ("POST uploads", {"id": "-1"}),
        ("POST uploads", {"id": "1_0"}),
        ("POST uploads", {"id": "9" * 30}),
        ("PUT content_file", {"job_guid": ""}),
        ("PUT content_file", {"job_guid": ".."}),
        ("PUT content_file", {"job_guid": "a\nb"}),
        ("PUT content_file", {"job_guid": "g" * 5000}),
        ("GET version", {}),
        ("GET version", {"id": 2}),
        ("GET version", {"id": 1, "publish_time": 2**63}),
        ("GET job", {"status": 10**30}),
    ],
)
async def test_an_identifier_that_cannot_be_one_is_not_gone_on_with(name: str, value: object) -> None:
    answer = Reply(200, json.dumps(value).encode())
    assert isinstance(await outcome(only(name, answer), CALLS[name]), UnexpectedAnswer)


# HTTP


class Push(Protocol):
    async def __call__(self, url: str, bound: float = 0.2) -> pk_upload.Release: ...


@pytest.fixture
def pushed(tmp_path: Path, build: Path) -> Push:
    """Releases the build to a server; every wait is bounded by so many seconds."""

    async def push(url: str, bound: float = 0.2) -> pk_upload.Release:
        config = TransferConfig(chunk_size=100_000, retries=0, stall_timeout=bound, state_dir=tmp_path / "s")
        async with PatchKit("some-key", api_url=url, retry=ONCE, timeout=bound) as patchkit:
            return await pk_upload.release(
                patchkit,
                build,
                app="a",
                label="1.0",
                publish=True,
                processing_timeout=bound,
                publishing_timeout=bound,
                config=config,
            )

    return push


@pytest.mark.parametrize("answer", BAD_HTTP.values(), ids=BAD_HTTP.keys())
async def test_bad_http_ends_a_release_with_an_error(pushed: Push, answer: bytes) -> None:
    for where in ("GET job", "POST chunk"):
        async with hostile(only(where, answer)) as server:
            assert isinstance(await result_of(pushed(server.url)), PkUploadError), where


@pytest.mark.parametrize("answer", ODD_HTTP.values(), ids=ODD_HTTP.keys())
async def test_odd_http_is_taken_or_refused(pushed: Push, answer: bytes) -> None:
    for where in ("GET job", "POST chunk"):
        async with hostile(only(where, answer)) as server:
            await result_of(pushed(server.url))


async def test_without_meddling_the_release_succeeds(pushed: Push) -> None:
    async with hostile(lambda *_: None) as server:
        assert isinstance(await result_of(pushed(server.url, bound=25)), pk_upload.Release)


async def test_what_a_server_says_unasked_is_nobodys_answer() -> None:
    heard, said = asyncio.Event(), asyncio.Event()

    async def speak_again(reply: Reply) -> AsyncIterator[bytes]:
        yield reply.encode()
        await heard.wait()
        yield Reply(200, b'{"job_guid": "unasked"}').encode()
        said.set()
        await asyncio.sleep(30)  # until the client leaves

    def meddle(what: str, reply: Reply) -> Meddled:
        return speak_again(reply) if what == "GET job" else None

    async with hostile(meddle) as server, PatchKit("some-key", api_url=server.url, retry=ONCE) as patchkit:
        await patchkit.job("5776de94")
        heard.set()
        await said.wait()
        await asyncio.sleep(0.05)
        assert await patchkit.set_content_file("a", 1, 7) == "5776de94"


# Without end


async def forever(first: bytes, again: bytes, pause: float) -> AsyncIterator[bytes]:
    yield first
    while True:
        yield again
        await asyncio.sleep(pause)


@contextmanager
def peak_below(limit: int) -> Iterator[None]:
    """Fails if more than `limit` bytes were in use at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("first", "again", "pause"), ENDLESS.values(), ids=ENDLESS.keys())
@pytest.mark.parametrize("where", ["GET job", "POST chunk"])
async def test_an_answer_without_end_is_ended_in_bounded_memory(
    pushed: Push, monkeypatch: pytest.MonkeyPatch, where: str, first: bytes, again: bytes, pause: float
) -> None:
    monkeypatch.setattr(http_module, "LARGEST_ANSWER", 1_000_000)

    def meddle(what: str, reply: Reply) -> Meddled:
        return forever(first, again, pause) if what == where else None

    with peak_below(30_000_000):
        async with hostile(meddle) as server:
            assert isinstance(await result_of(pushed(server.url, bound=0.1)), PkUploadError)


def test_an_answer_of_many_tiny_objects_is_refused_before_they_are_made() -> None:
    body = b"[" + b"{}," * MOST_OBJECTS + b"{}]"
    with peak_below(1_000_000), pytest.raises(UnexpectedAnswer, match="more than 250000 objects"):
        decode(body, list[Version], "GET /1/apps/a/versions")


@pytest.mark.parametrize("end", [b'"', b"", b"\\"])
def test_braces_in_texts_are_no_objects(end: bytes) -> None:
    text = b'"' + b'{\\"' * (4 * MOST_OBJECTS) + end
    if end == b'"':
        assert decode(text, str, "GET /1/apps") == '{"' * (4 * MOST_OBJECTS)
    else:
        with pytest.raises(UnexpectedAnswer, match="is no JSON"):
            decode(text, str, "GET /1/apps")


@pytest.mark.parametrize("piece", [b'{""', b'{x""', b"{", b'"\\', b'{"', b'""'])
def test_no_mixture_of_braces_and_texts_takes_long_or_much(piece: bytes) -> None:
    body = b"{" * (MOST_OBJECTS + 1) if piece == b'""' else b""
    body += piece * (4_000_000 // len(piece))
    with peak_below(2 * len(body)), pytest.raises(UnexpectedAnswer):
        decode(body, list[Version], "GET /1/apps/a/versions")


def test_an_error_of_many_tiny_lists_is_not_made_into_objects() -> None:
    body = b'{"message": [' + b"[]," * 1_000_000 + b'[]], "symbol": "GONE"}'
    with peak_below(3 * len(body)):
        assert read_error(body) == ("", "GONE")


async def test_what_a_chunk_is_answered_is_not_made_into_objects(pushed: Push) -> None:
    receipt = Reply(201, b"[" + b"[]," * 300_000 + b"[]]")
    with peak_below(15_000_000):
        async with hostile(only("POST chunk", receipt)) as server:
            assert isinstance(await result_of(pushed(server.url, bound=25)), pk_upload.Release)


async def test_a_chunk_needs_no_long_answer(pushed: Push) -> None:
    async with hostile(only("POST chunk", Reply(201, b" " * 1_500_000))) as server:
        error = await result_of(pushed(server.url, bound=25))
    assert isinstance(error, UnexpectedAnswer)
    assert "more than 1048576 bytes" in error.message


# Whole releases

STATUSES = [
    200,
    201,
    204,
    206,
    302,
    304,
    400,
    401,
    403,
    404,
    408,
    409,
    410,
    412,
    416,
    422,
    429,
    500,
    503,
    599,
]
EDITS = st.tuples(st.floats(0, 1), st.sampled_from([0, 1, 2, 5, 50]), st.sampled_from([*TOKENS, b""]))
Mutation = Callable[[Reply], Meddled]


def edited(edits: list[tuple[float, int, bytes]]) -> Mutation:
    """Bytes of the answer replaced, wherever they are."""

    def mutate(reply: Reply) -> bytes:
        data = reply.encode()
        for place, size, token in edits:
            start = round(place * len(data))
            data = data[:start] + token + data[start + size :]
        return data

    return mutate


def rewritten(fields: dict[str, Any], status: int | None) -> Mutation:
    """A well-formed answer that says something else."""

    def mutate(reply: Reply) -> Reply:
        value = json.loads(reply.body)
        changed = [{**value[0], **fields}] if isinstance(value, list) else {**value, **fields}
        return Reply(status or reply.status, json.dumps(changed).encode(), "Retry-After: 0.001\r\n")

    return mutate


NAMES = sorted({name for _, value in ANSWERS.values() if isinstance(value, dict) for name in value})
MUTATIONS = st.one_of(
    st.builds(edited, st.lists(EDITS, min_size=1, max_size=4)),
    st.builds(
        rewritten,
        st.dictionaries(st.sampled_from([*NAMES, "message", "error"]), st.sampled_from(VALUES), max_size=3),
        st.one_of(st.none(), st.sampled_from(STATUSES)),
    ),
    st.sampled_from([*BODIES.values()]).map(lambda body: lambda reply: Reply(reply.status, body)),
)


@given(where=st.sampled_from([*ANSWERS, "anything"]), mutations=st.lists(MUTATIONS, min_size=1, max_size=3))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_answered_a_release_ends_with_a_result_or_an_error(
    pushed: Push, where: str, mutations: list[Mutation]
) -> None:
    count = 0

    def meddle(what: str, reply: Reply) -> Meddled:
        nonlocal count
        if where not in (what, "anything"):
            return None
        count += 1
        return mutations[count % len(mutations)](reply)

    async def run() -> None:
        async with hostile(meddle) as server:
            await result_of(pushed(server.url))

    asyncio.run(run())
