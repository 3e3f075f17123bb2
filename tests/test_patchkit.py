"""The PatchKit client: every endpoint's verb, path, fields and answer; keys, addresses and identifiers."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import unquote

import aiohttp
import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pk_upload.answers import decode
from pk_upload.errors import ChunkMismatch, Forbidden, NotFound, UnexpectedAnswer, UsageError
from pk_upload.patchkit import (
    API_URL,
    UPLOAD_URL,
    Account,
    App,
    ChangelogEntry,
    Job,
    ParentGroup,
    PatchKit,
    ProcessingMessage,
    Version,
)
from scripted_server import FAST, KEY, Answer, Serve, serving

pytestmark = pytest.mark.anyio

APP_JSON = {
    "id": 1,
    "secret": "s3cr3t",
    "platform": "windows_x86_64",
    "name": "my_new_app",
    "display_name": "My New App",
    "author": None,
    "is_channel": True,
    "allow_channel_direct_publish": False,
    "parent_group": {"secret": "group", "name": "Group"},
    "current_version": 2,
    "processing_version": 3,
    "publishing_version": False,
    "published_versions_count": 2,
    "draft_versions_count": 1,
    "use_keys": False,
    "diff_algorithm": "hdiffpatch",
}
VERSION_JSON = {
    "id": 3,
    "label": "1.0",
    "changelog": "First.",
    "publish_date": 0,
    "draft": True,
    "pending_publish": False,
    "published": False,
    "publish_progress": 0.5,
    "publish_time": 1700000000,
    "publish_when_processed": True,
    "has_processing_error": False,
    "processing_messages": [{"severity": "warning", "message": "no icon"}],
    "processing_progress": 1,
    "processing_started_at": "2021-10-19T11:14:50.176Z",
    "processing_finished_at": None,
    "content_guid": "guid",
    "diff_guid": None,
    "main_executable": "game.exe",
    "main_executable_args": "-windowed",
    "ignored_files": None,
    "can_be_imported": True,
}
JOB_JSON = {
    "guid": "5776de94-56dc-4e8a-8992-1c1d9da1410c",
    "time_started": "2021-10-19T11:14:50.176Z",
    "time_finished": None,
    "progress": 0.1,
    "pending": True,
    "finished": False,
    "status": 0,
    "status_message": "waiting for free worker...",
}
ENTRY_JSON = {"version_id": 2, "version_label": "0.9", "changes": "Less."}
ACCOUNT_JSON = {"id": 5, "email": "somebody@example.test"}
STRUCTS: list[tuple[type[msgspec.Struct], dict[str, Any]]] = [
    (App, APP_JSON),
    (Version, VERSION_JSON),
    (Job, JOB_JSON),
    (ChangelogEntry, ENTRY_JSON),
    (Account, ACCOUNT_JSON),
    (ParentGroup, {"secret": "group", "name": "Group"}),
    (ProcessingMessage, {"severity": "error", "message": "no executable"}),
]
APP = msgspec.convert(APP_JSON, App)
VERSION = msgspec.convert(VERSION_JSON, Version)
ACCOUNT = msgspec.convert(ACCOUNT_JSON, Account)

Call = Callable[[PatchKit], Awaitable[Any]]


@pytest.fixture
async def serve(anyio_backend: str) -> AsyncIterator[Serve]:
    async with serving() as start:
        yield start


def client(url: str, key: str | None = KEY) -> PatchKit:
    return PatchKit(key, api_url=url, retry=FAST)


# Endpoints

ENDPOINTS: dict[str, tuple[Call, str, str, dict[str, str], Any, Any]] = {
    "account": (lambda p: p.account(), "GET", "/1/account", {}, ACCOUNT_JSON, ACCOUNT),
    "apps": (lambda p: p.apps(), "GET", "/1/apps", {}, [APP_JSON], [APP]),
    "no apps": (lambda p: p.apps(), "GET", "/1/apps", {}, [], []),
    "app": (lambda p: p.app("s3cr3t"), "GET", "/1/apps/s3cr3t", {}, APP_JSON, APP),
    "create app": (
        lambda p: p.create_app("my new app", "mac_arm64"),
        "POST",
        "/1/apps",
        {"name": "my new app", "platform": "mac_arm64"},
        APP_JSON,
        APP,
    ),
    "changelog": (
        lambda p: p.changelog("s3cr3t"),
        "GET",
        "/1/apps/s3cr3t/changelog",
        {},
        [ENTRY_JSON],
        [ChangelogEntry(version_id=2, version_label="0.9", changes="Less.")],
    ),
    "versions": (
        lambda p: p.versions("s3cr3t"),
        "GET",
        "/1/apps/s3cr3t/versions",
        {},
        [VERSION_JSON],
        [VERSION],
    ),
    "latest version": (
        lambda p: p.latest_version("s3cr3t"),
        "GET",
        "/1/apps/s3cr3t/versions/latest",
        {},
        VERSION_JSON,
        VERSION,
    ),
    "latest version's id": (
        lambda p: p.latest_version_id("s3cr3t"),
        "GET",
        "/1/apps/s3cr3t/versions/latest/id",
        {},
        {"id": 7},
        7,
    ),
    "version": (
        lambda p: p.version("s3cr3t", 3),
        "GET",
        "/1/apps/s3cr3t/versions/3",
        {},
        VERSION_JSON,
        VERSION,
    ),
    "create version": (
        lambda p: p.create_version("s3cr3t", "1.0"),
        "POST",
        "/1/apps/s3cr3t/versions",
        {"label": "1.0"},
        VERSION_JSON,
        VERSION,
    ),
    "create version with a changelog": (
        lambda p: p.create_version("s3cr3t", "1.0", "First.\nBest."),
        "POST",
        "/1/apps/s3cr3t/versions",
        {"label": "1.0", "changelog": "First.\nBest."},
        VERSION_JSON,
        VERSION,
    ),
    "create version with an empty changelog": (
        lambda p: p.create_version("s3cr3t", "1.0", ""),
        "POST",
        "/1/apps/s3cr3t/versions",
        {"label": "1.0", "changelog": ""},
        VERSION_JSON,
        VERSION,
    ),
    "update nothing": (
        lambda p: p.update_version("s3cr3t", 3),
        "PATCH",
        "/1/apps/s3cr3t/versions/3",
        {},
        VERSION_JSON,
        VERSION,
    ),
    "update all": (
        lambda p: p.update_version(
            "s3cr3t", 3, label="1.1", changelog="", publish_when_processed=True, publish_time=0
        ),
        "PATCH",
        "/1/apps/s3cr3t/versions/3",
        {"label": "1.1", "changelog": "", "publish_when_processed": "true", "publish_time": "0"},
        VERSION_JSON,
        VERSION,
    ),
    "update a flag": (
        lambda p: p.update_version("s3cr3t", 3, publish_when_processed=False),
        "PATCH",
        "/1/apps/s3cr3t/versions/3",
        {"publish_when_processed": "false"},
        VERSION_JSON,
        VERSION,
    ),
    "publish": (
        lambda p: p.publish_version("s3cr3t", 3),
        "POST",
        "/1/apps/s3cr3t/versions/3/publish",
        {},
        {},
        None,
    ),
    "create upload": (
        lambda p: p.create_upload(1234567),
        "POST",
        "/1/uploads",
        {"total_size_bytes": "1234567"},
        {"id": 1},
        1,
    ),
    "create upload with a quoted id": (
        lambda p: p.create_upload(1234567),
        "POST",
        "/1/uploads",
        {"total_size_bytes": "1234567"},
        {"id": "42"},
        42,
    ),
    "content file": (
        lambda p: p.set_content_file("s3cr3t", 3, 7),
        "PUT",
        "/1/apps/s3cr3t/versions/3/content_file",
        {"upload_id": "7"},
        {"job_guid": "5776de94"},
        "5776de94",
    ),
    "job": (
        lambda p: p.job("5776de94"),
        "GET",
        "/1/background_jobs/5776de94",
        {},
        JOB_JSON,
        msgspec.convert(JOB_JSON, Job),
    ),
}


@pytest.mark.parametrize(
    ("call", "method", "path", "form", "answer", "expected"), ENDPOINTS.values(), ids=ENDPOINTS.keys()
)
async def test_an_endpoint(
    serve: Serve, call: Call, method: str, path: str, form: dict[str, str], answer: Any, expected: Any
) -> None:
    server = await serve(Answer(body=json.dumps(answer).encode()))
    async with client(server.url) as patchkit:
        result = await call(patchkit)
    assert result == expected
    (seen,) = server.seen
    assert (seen.method, seen.target, seen.form) == (method, path, form)
    assert seen.headers["x-api-key"] == KEY


@pytest.mark.parametrize("answer", [Answer(), Answer(201), Answer(204, b""), Answer(body=b"not JSON")])
async def test_publishing_needs_no_body_in_the_answer(serve: Serve, answer: Answer) -> None:
    server = await serve(answer)
    async with client(server.url) as patchkit:
        await patchkit.publish_version("s3cr3t", 3)


async def send_chunk(patchkit: PatchKit) -> None:
    with aiohttp.MultipartWriter("form-data") as body:
        body.append(b"bytes").set_content_disposition("form-data", name="chunk", filename="chunk")
        body.append("0c8f").set_content_disposition("form-data", name="md5")
    await patchkit.send_chunk(7, "bytes 5-9/10", body)


async def test_a_chunk_goes_to_the_upload_host_alone(serve: Serve) -> None:
    api, upload = await serve(), await serve(Answer(201, b'{"id": 7}'))
    async with PatchKit(KEY, api_url=api.url, upload_url=upload.url, retry=FAST) as patchkit:
        await send_chunk(patchkit)
    assert api.seen == []
    (seen,) = upload.seen
    assert (seen.method, seen.target) == ("POST", "/1/uploads/7/chunk")
    assert seen.form == {"chunk": "bytes", "md5": "0c8f"}
    assert seen.headers["content-range"] == "bytes 5-9/10"
    assert seen.headers["x-api-key"] == KEY


async def test_a_chunk_that_does_not_match_is_left_to_the_caller(serve: Serve) -> None:
    server = await serve(Answer(412))
    async with client(server.url) as patchkit:
        with pytest.raises(ChunkMismatch):
            await send_chunk(patchkit)
    assert len(server.seen) == 1


async def test_what_is_public_needs_no_key(serve: Serve) -> None:
    server = await serve(Answer(body=json.dumps(APP_JSON).encode()))
    async with client(server.url, key=None) as patchkit:
        assert await patchkit.app("s3cr3t") == APP
    assert "x-api-key" not in server.seen[0].headers


async def test_addresses_may_have_a_path(serve: Serve) -> None:
    server = await serve(Answer(body=b"[]"))
    async with client(f"{server.url}/behind/") as patchkit:
        await patchkit.apps()
    assert server.seen[0].target == "/behind/1/apps"


@pytest.mark.parametrize(("status", "kind"), [(403, Forbidden), (404, NotFound)])
async def test_errors_come_through(serve: Serve, status: int, kind: type[Exception]) -> None:
    server = await serve(Answer(status, b'{"message": "a draft exists", "symbol": "DRAFT"}'))
    async with client(server.url) as patchkit:
        with pytest.raises(kind, match="a draft exists"):
            await patchkit.create_version("s3cr3t", "1.0")


# Identifiers


@given(identifier=st.text(min_size=1))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_an_identifier_is_one_segment_of_the_path(serve: Serve, identifier: str) -> None:
    assume(identifier not in {".", ".."})
    server = await serve(Answer(body=b"[]"))
    async with client(server.url) as patchkit:
        await patchkit.versions(identifier)
    (seen,) = server.seen
    root, one, apps, segment, versions = seen.target.split("/")
    assert (root, one, apps, versions) == ("", "1", "apps", "versions")
    assert unquote(segment) == identifier


@pytest.mark.parametrize(
    ("identifier", "segment"),
    [
        ("a/b", "a%2Fb"),
        ("../../account", "..%2F..%2Faccount"),
        ("...", "..."),
        ("a b", "a%20b"),
        ("a?api_key=1", "a%3Fapi_key%3D1"),
        ("a#b", "a%23b"),
        ("100%", "100%25"),
        ("%2e%2e", "%252e%252e"),
        ("a\\b", "a%5Cb"),
        ("a\r\nb", "a%0D%0Ab"),
        ("ü", "%C3%BC"),
        ("a+b&c=d;e:f@g", "a%2Bb%26c%3Dd%3Be%3Af%40g"),
    ],
)
async def test_an_identifier_leaves_its_segment_in_no_way(
    serve: Serve, identifier: str, segment: str
) -> None:
    server = await serve(Answer(body=json.dumps(JOB_JSON).encode()))
    async with client(server.url) as patchkit:
        await patchkit.job(identifier)
    (seen,) = server.seen
    # The one who reads the path sees the same identifier, whichever harmless characters are quoted.
    prefix, _, last = seen.target.rpartition("/")
    assert prefix == "/1/background_jobs"
    assert unquote(last) == unquote(segment) == identifier


@pytest.mark.parametrize("identifier", ["", ".", "..", "half a pair \ud83c"])
@pytest.mark.parametrize(
    "call",
    [
        lambda p, identifier: p.app(identifier),
        lambda p, identifier: p.changelog(identifier),
        lambda p, identifier: p.versions(identifier),
        lambda p, identifier: p.latest_version(identifier),
        lambda p, identifier: p.latest_version_id(identifier),
        lambda p, identifier: p.version(identifier, 1),
        lambda p, identifier: p.create_version(identifier, "1.0"),
        lambda p, identifier: p.update_version(identifier, 1),
        lambda p, identifier: p.publish_version(identifier, 1),
        lambda p, identifier: p.set_content_file(identifier, 1, 1),
        lambda p, identifier: p.job(identifier),
    ],
)
async def test_what_is_no_identifier_is_not_asked_for(
    serve: Serve, call: Callable[[PatchKit, str], Awaitable[object]], identifier: str
) -> None:
    server = await serve()
    async with client(server.url) as patchkit:
        with pytest.raises(UsageError, match="not an identifier"):
            await call(patchkit, identifier)
    assert server.seen == []


# Answers


def known(kind: type[msgspec.Struct]) -> set[str]:
    return set(kind.__struct_fields__)


def test_the_samples_have_every_field() -> None:
    assert [(kind, set(sample)) for kind, sample in STRUCTS] == [(kind, known(kind)) for kind, _ in STRUCTS]


JSON_VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(), st.floats(allow_nan=False, allow_infinity=False)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(), inner, max_size=2)),
    max_leaves=4,
)


@pytest.mark.parametrize(("kind", "sample"), STRUCTS)
@given(data=st.data())
@settings(deadline=None)
def test_missing_and_unknown_fields_are_normal(
    kind: type[msgspec.Struct], sample: dict[str, Any], data: st.DataObject
) -> None:
    kept = data.draw(st.sets(st.sampled_from(sorted(sample))))
    names = st.text().filter(lambda name: name not in known(kind))
    extra = data.draw(st.dictionaries(names, JSON_VALUES, max_size=4))
    fields = {name: sample[name] for name in kept}
    found = decode(json.dumps({**extra, **fields}).encode(), kind, "GET /1/x")
    assert found == msgspec.convert(fields, kind)


@pytest.mark.parametrize(
    "busy", [{"processing_version": False}, {"processing_version": None}, {"processing_version": 3}, {}]
)
def test_an_app_is_busy_with_a_version_or_not(busy: dict[str, Any]) -> None:
    app = decode(json.dumps(busy).encode(), App, "GET /1/apps/x")
    assert app.processing_version is busy.get("processing_version") or app.processing_version == 3


BAD_ANSWERS: dict[str, tuple[Call, bytes, str]] = {
    "id": (lambda p: p.app("x"), b'{"id": "one"}', "`id`"),
    "name": (lambda p: p.app("x"), b'{"name": 5}', "`name`"),
    "nested": (lambda p: p.app("x"), b'{"parent_group": {"secret": 5}}', "`parent_group.secret`"),
    "in a list": (lambda p: p.apps(), b'[{"id": 1}, {"id": []}]', "`$[1].id`"),
    "nested in a list": (lambda p: p.apps(), b'[{"parent_group": {"name": 1}}]', "`$[0].parent_group.name`"),
    "no list": (lambda p: p.apps(), b"{}", "array"),
    "no object": (lambda p: p.app("x"), b"[]", "object"),
    "null": (lambda p: p.app("x"), b"null", "object"),
    "draft": (lambda p: p.version("x", 1), b'{"draft": "yes"}', "`draft`"),
    "published": (lambda p: p.version("x", 1), b'{"published": 1}', "`published`"),
    "severity": (
        lambda p: p.version("x", 1),
        b'{"processing_messages": [{"severity": 3}]}',
        "`processing_messages[0].severity`",
    ),
    "second message": (
        lambda p: p.version("x", 1),
        b'{"processing_messages": [{"severity": "info"}, {"message": null}]}',
        "`processing_messages[1].message`",
    ),
    "messages": (lambda p: p.version("x", 1), b'{"processing_messages": {}}', "`processing_messages`"),
    "finished": (lambda p: p.job("x"), b'{"finished": null}', "`finished`"),
    "progress": (lambda p: p.job("x"), b'{"progress": "10%"}', "`progress`"),
    "huge progress": (lambda p: p.job("x"), b'{"progress": 1e999}', "`progress`"),
    "huge id": (lambda p: p.app("x"), b'{"id": %s}' % (b"9" * 10_000), "`id`"),
    "upload's id": (lambda p: p.create_upload(1), b'{"id": "seven"}', "`id`"),
    "upload's id is a list": (lambda p: p.create_upload(1), b'{"id": [1]}', "`id`"),
    "upload's id is a flag": (lambda p: p.create_upload(1), b'{"id": true}', "`id`"),
    "upload's id is missing": (lambda p: p.create_upload(1), b"{}", "`id`"),
    "upload's huge id": (lambda p: p.create_upload(1), b'{"id": "%s"}' % (b"9" * 10_000), "`id`"),
    "job's GUID": (lambda p: p.set_content_file("x", 1, 1), b'{"job_guid": null}', "`job_guid`"),
    "job's GUID is missing": (lambda p: p.set_content_file("x", 1, 1), b"{}", "`job_guid`"),
    "latest id is missing": (lambda p: p.latest_version_id("x"), b"{}", "`id`"),
    "truncated": (lambda p: p.app("x"), b'{"id": 1, "na', "no JSON"),
    "empty": (lambda p: p.app("x"), b"", "no JSON"),
    "a web page": (lambda p: p.app("x"), b"<!doctype html><title>Log in</title>", "no JSON"),
    "more than one": (lambda p: p.app("x"), b"{}{}", "no JSON"),
    "not UTF-8": (lambda p: p.app("x"), b'{"name": "caf\xe9"}', "no JSON"),
    "half a pair": (lambda p: p.app("x"), b'{"name": "\\ud83c"}', "no JSON"),
    "not a number": (lambda p: p.job("x"), b'{"progress": NaN}', "no JSON"),
    "too deep": (lambda p: p.app("x"), b'{"x":' + b"[" * 500_000, "no JSON"),
}


@pytest.mark.parametrize(("call", "body", "named"), BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
async def test_an_answer_of_a_wrong_form_names_the_call_and_the_field(
    serve: Serve, call: Call, body: bytes, named: str
) -> None:
    server = await serve(Answer(body=body))
    async with client(server.url) as patchkit:
        with pytest.raises(UnexpectedAnswer) as caught:
            await call(patchkit)
    assert named in caught.value.message
    assert caught.value.exit_code == 7
    assert len(caught.value.message) < 300
    assert len(server.seen) == 1


async def test_an_answer_of_a_wrong_form_names_the_call(serve: Serve) -> None:
    server = await serve(Answer(body=b'{"draft": "yes"}'))
    async with client(server.url) as patchkit:
        with pytest.raises(UnexpectedAnswer) as caught:
            await patchkit.version("s3cr3t", 3)
    assert caught.value.message == (
        "GET /1/apps/s3cr3t/versions/3: Expected `bool`, got `str`, in the field `draft`"
    )


def outcome(body: bytes, kind: type[msgspec.Struct]) -> str:
    """ "taken", or what the error says."""
    try:
        assert isinstance(decode(body, kind, "GET /1/x"), kind)
    except UnexpectedAnswer as error:
        return error.message
    return "taken"


@pytest.mark.parametrize(("kind", "sample"), STRUCTS)
@given(data=st.data())
@settings(deadline=None)
def test_any_value_is_taken_or_named(
    kind: type[msgspec.Struct], sample: dict[str, Any], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(sample)))
    body = json.dumps({name: data.draw(JSON_VALUES)}).encode()
    assert re.search(rf"^taken$|`{name}\W", outcome(body, kind))


@given(st.one_of(st.binary(), JSON_VALUES.map(json.dumps).map(str.encode)))
@settings(deadline=None)
def test_no_answer_does_harm(body: bytes) -> None:
    for kind, _ in STRUCTS:
        assert re.match(r"taken$|GET /1/x: ", outcome(body, kind))


# The client itself


@pytest.mark.parametrize("key", ["", "  ", "two words", "two\nlines", "schlüssel", "bell\x07"])
def test_a_key_that_cannot_be_one_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        PatchKit(key)
    assert "API key" in caught.value.message
    if key.strip():
        assert key not in str(caught.value.to_dict()) + repr(caught.value)


async def test_the_line_break_after_a_key_is_dropped(serve: Serve) -> None:
    server = await serve(Answer(body=b"[]"))
    async with client(server.url, key=f"{KEY}\n") as patchkit:
        await patchkit.apps()
    assert server.seen[0].headers["x-api-key"] == KEY


def test_the_client_shows_its_addresses_and_not_its_key() -> None:
    patchkit = PatchKit(KEY, api_url="http://h.test/")
    assert repr(patchkit) == "PatchKit(api_url='http://h.test', upload_url='http://h.test')"
    assert KEY not in f"{patchkit} {patchkit.http}"


@pytest.mark.parametrize("argument", ["api_url", "upload_url"])
def test_an_address_that_cannot_be_one_is_refused(argument: str) -> None:
    with pytest.raises(UsageError, match="address"):
        PatchKit(KEY, **{argument: "h.test"})  # type: ignore[arg-type]


ADDRESSES: list[tuple[str | None, str | None, str, str]] = [
    (None, None, API_URL, UPLOAD_URL),
    ("http://a.test/", None, "http://a.test", "http://a.test"),
    (None, "http://u.test/", API_URL, "http://u.test"),
    ("http://a.test", "http://u.test", "http://a.test", "http://u.test"),
    ("", "", API_URL, UPLOAD_URL),
]


@pytest.mark.parametrize(("api_url", "upload_url", "api", "upload"), ADDRESSES)
def test_chunks_go_where_the_api_is_unless_told_otherwise(
    api_url: str | None, upload_url: str | None, api: str, upload: str
) -> None:
    patchkit = PatchKit(KEY, api_url=api_url, upload_url=upload_url)
    assert (patchkit.api_url, patchkit.upload_url) == (api, upload)


@pytest.mark.parametrize(("api_url", "upload_url", "api", "upload"), ADDRESSES)
def test_the_environment_gives_the_same_addresses(
    api_url: str | None, upload_url: str | None, api: str, upload: str
) -> None:
    given_ones = {"PATCHKIT_API_URL": api_url, "PATCHKIT_UPLOAD_URL": upload_url}
    environ = {name: value for name, value in given_ones.items() if value is not None}
    patchkit = PatchKit.from_env({"PATCHKIT_API_KEY": KEY, **environ})
    assert (patchkit.api_url, patchkit.upload_url) == (api, upload)


def test_the_default_hosts_are_the_documented_ones() -> None:
    assert (API_URL, UPLOAD_URL) == ("https://api2.patchkit.net", "https://api.patchkit.net")


async def test_the_environment_of_the_process_is_the_default(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve(Answer(body=b"[]"))
    monkeypatch.setenv("PATCHKIT_API_KEY", f"{KEY}\n")
    monkeypatch.setenv("PATCHKIT_API_URL", server.url)
    async with PatchKit.from_env() as patchkit:
        await patchkit.apps()
    assert server.seen[0].headers["x-api-key"] == KEY


@pytest.mark.parametrize("environ", [{}, {"PATCHKIT_API_KEY": ""}])
def test_an_environment_without_a_key_says_what_to_set(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="no API key") as caught:
        PatchKit.from_env(environ)
    assert "PATCHKIT_API_KEY" in caught.value.hint
    assert caught.value.exit_code == 2


async def test_a_listening_client_is_the_same_client(serve: Serve) -> None:
    server = await serve(Answer(503), Answer(body=b"[]"))
    causes: list[object] = []
    async with client(server.url) as patchkit:
        listening = patchkit.listening(causes.append, retries=1)
        assert type(listening) is PatchKit
        assert (listening.api_url, listening.upload_url) == (patchkit.api_url, patchkit.upload_url)
        assert await listening.apps() == []
    assert len(causes) == 1
    assert [seen.headers["x-api-key"] for seen in server.seen] == [KEY, KEY]
