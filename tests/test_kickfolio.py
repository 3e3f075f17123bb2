"""The Kickfolio client: each call of the document's sections, both ways to authenticate, errors, waiting."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kickfolio_harness import bundle, bundle_host, ok

from kickfolio_seed_server import TOKEN as SEED_TOKEN
from kickfolio_seed_server import KickfolioSeedServer, lose_answer
from pk_upload.answers import MOST_FIELDS, read_error, read_field_errors
from pk_upload.errors import (
    ApiError,
    AuthenticationFailed,
    BadRequest,
    Conflict,
    ConnectionLost,
    FieldError,
    GaveUpWaiting,
    NotFound,
    PkUploadError,
    ProcessingFailed,
    RecordInvalid,
    Redirected,
    Refused,
    ServerError,
    UnexpectedAnswer,
    UsageError,
)
from pk_upload.kickfolio import App, Authentication, Kickfolio, Version
from pk_upload.kickfolio.requests import MOST_IDS
from pk_upload.sandbox import serve as serve_sandbox
from scripted_server import DROP, FAST, Answer, Serve, serving

pytestmark = pytest.mark.anyio

TOKEN = "t0k3n-of-4-t3st/+="
APP_ID, VERSION_ID = "ae42f072-3f1a-11e2-92da-1231394268a3", "c541ce63-2851-44c2-835f-10c9e55390f3"
BUNDLE = "https://www.filepicker.io/api/file/3JAgsZ0QSBl7vAhV79Pw"
APP_JSON = {
    "id": APP_ID,
    "user_id": "57198bee-3f1a-11e2-92da-1231394268a3",
    "name": "Kickfolio",
    "public_key": "ABCD123",
    "bundle": "com.kickfolio.app",
    "default_to_landscape": False,
    "icon": "https://www.filepicker.io/api/file/SECRET",
    "device_type": "iPhone",
    "created_at": "2012-12-05T20:30:59Z",
    "updated_at": "2012-12-05T20:31:09Z",
    "versions": ["ae45868e-3f1a-11e2-92da-1231394268a3"],
}
RENAMED_JSON = {**APP_JSON, "updated_at": "2013-1-20T18:31:09Z"}  # so stands the document
VERSION_JSON: dict[str, Any] = {
    "id": VERSION_ID,
    "app_id": "b197bce7-5eaa-4ab1-aae8-9c53f961b490",
    "state": "ready",
    "bundle_url": BUNDLE,
    "version_string": "1.0",
    "default_image": "https://www.filepicker.io/api/file/cLpSGCypTz2Cs8NYTr6W",
    "default_image_landscape": None,
    "created_at": "2013-02-03T10:08:13Z",
    "updated_at": "2013-02-03T10:08:29Z",
    "comments": [],
}
PENDING_JSON = {
    **VERSION_JSON,
    "state": "pending",
    "version_string": None,
    "default_image": None,
    "updated_at": "2013-02-03T10:08:13Z",
}
INVALID = {
    "message": "Validation failed",
    "code": "record_invalid",
    "errors": [
        {"field": "name", "resource": "App", "message": "can't be blank"},
        {"field": "user_id", "resource": "App", "message": "is not yours"},
    ],
}

Call = Callable[[Kickfolio], Awaitable[Any]]


@pytest.fixture
async def serve(anyio_backend: str) -> AsyncIterator[Serve]:
    async with serving() as start:
        yield start


@pytest.fixture
def seed() -> Iterator[KickfolioSeedServer]:
    with KickfolioSeedServer() as server:
        yield server


def client(url: str, authentication: Authentication = "basic") -> Kickfolio:
    return Kickfolio(auth_token=TOKEN, url=url, authentication=authentication, retry=FAST)


def seeded(server: KickfolioSeedServer) -> Kickfolio:
    return Kickfolio(SEED_TOKEN, url=server.url, retry=FAST)


def said(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())


async def failure(url: str, call: Call = lambda k: k.apps()) -> PkUploadError:
    async with client(url) as kickfolio:
        with pytest.raises(PkUploadError) as caught:
            await call(kickfolio)
    return caught.value


# The document's sections

APPS, VERSIONS = {"apps": [APP_JSON]}, {"versions": [VERSION_JSON]}
ONE_APP, ONE_VERSION = {"app": APP_JSON}, {"version": VERSION_JSON}
SECTIONS: dict[str, tuple[Call, str, str, Any, int, Any]] = {
    "all apps": (lambda k: k.apps(), "GET", "/apps", None, 200, APPS),
    "no apps": (lambda k: k.apps(), "GET", "/apps", None, 200, {"apps": []}),
    "apps by id": (
        lambda k: k.apps(ids=["a", "b&c"]),
        "GET",
        "/apps?ids%5B%5D=a&ids%5B%5D=b%26c",
        None,
        200,
        APPS,
    ),
    "an app by id": (lambda k: k.app(APP_ID), "GET", f"/apps/{APP_ID}", None, 200, ONE_APP),
    "an app by key": (lambda k: k.app("ABCD123"), "GET", "/apps/ABCD123", None, 200, ONE_APP),
    "a new app": (
        lambda k: k.create_app("Kickfolio"),
        "POST",
        "/apps",
        {"app": {"name": "Kickfolio"}},
        201,
        ONE_APP,
    ),
    "an app renamed": (
        lambda k: k.update_app(APP_ID, name="Kickfolio"),
        "PUT",
        f"/apps/{APP_ID}",
        {"app": {"name": "Kickfolio"}},
        200,
        {"app": RENAMED_JSON},
    ),
    "an app renamed by key": (
        lambda k: k.update_app("ABCD123", name="Käse \u2028"),
        "PUT",
        "/apps/ABCD123",
        {"app": {"name": "Käse \u2028"}},
        200,
        ONE_APP,
    ),
    "no app any more": (lambda k: k.delete_app(APP_ID), "DELETE", f"/apps/{APP_ID}", None, 204, None),
    "no app by key": (lambda k: k.delete_app("ABCD123"), "DELETE", "/apps/ABCD123", None, 204, None),
    "all versions": (lambda k: k.versions(), "GET", "/versions", None, 200, VERSIONS),
    "an app's versions": (
        lambda k: k.versions(app="ABCD123"),
        "GET",
        "/apps/ABCD123/versions",
        None,
        200,
        VERSIONS,
    ),
    "an app's versions by id": (
        lambda k: k.versions(app="ABCD123", ids=[VERSION_ID]),
        "GET",
        f"/apps/ABCD123/versions?ids%5B%5D={VERSION_ID}",
        None,
        200,
        VERSIONS,
    ),
    "a version": (
        lambda k: k.version(VERSION_ID),
        "GET",
        f"/versions/{VERSION_ID}",
        None,
        200,
        ONE_VERSION,
    ),
    "an app's version": (
        lambda k: k.version(VERSION_ID, app=APP_ID),
        "GET",
        f"/apps/{APP_ID}/versions/{VERSION_ID}",
        None,
        200,
        ONE_VERSION,
    ),
    "a new version": (
        lambda k: k.create_version(APP_ID, BUNDLE, scoped=False),
        "POST",
        "/versions",
        {"version": {"app_id": APP_ID, "bundle_url": BUNDLE}},
        201,
        {"version": PENDING_JSON},
    ),
    "an app's new version": (
        lambda k: k.create_version("ABCD123", BUNDLE, "1.2.4"),
        "POST",
        "/apps/ABCD123/versions",
        {"version": {"bundle_url": BUNDLE, "version_string": "1.2.4"}},
        201,
        {"version": PENDING_JSON},
    ),
    "a version changed": (
        lambda k: k.update_version(
            VERSION_ID, app=APP_ID, bundle_url=BUNDLE, version_string="", scoped=False
        ),
        "PUT",
        f"/versions/{VERSION_ID}",
        {"version": {"app_id": APP_ID, "bundle_url": BUNDLE, "version_string": ""}},
        200,
        ONE_VERSION,
    ),
    "an app's version changed": (
        lambda k: k.update_version(VERSION_ID, app=APP_ID, bundle_url=BUNDLE),
        "PUT",
        f"/apps/{APP_ID}/versions/{VERSION_ID}",
        {"version": {"bundle_url": BUNDLE}},
        200,
        ONE_VERSION,
    ),
    "no version any more": (
        lambda k: k.delete_version(VERSION_ID),
        "DELETE",
        f"/versions/{VERSION_ID}",
        None,
        204,
        None,
    ),
}


@pytest.mark.parametrize(
    ("call", "method", "target", "body", "status", "answer"), SECTIONS.values(), ids=SECTIONS.keys()
)
async def test_a_section_of_the_document(
    serve: Serve, call: Call, method: str, target: str, body: Any, status: int, answer: Any
) -> None:
    server = await serve(Answer(status, b"" if answer is None else json.dumps(answer).encode()))
    async with client(f"{server.url}/kickfolio/") as kickfolio:
        result = await call(kickfolio)
    (seen,) = server.seen
    assert seen.method == method
    assert (urlsplit(seen.target).path, parse_qs(urlsplit(seen.target).query)) == (
        f"/kickfolio/api{urlsplit(target).path}",
        parse_qs(urlsplit(target).query),
    )
    assert seen.headers["accept"] == "application/vnd.kickfolio.v1"
    if body is None:
        assert (seen.body, seen.headers.get("content-type")) == (b"", None)
    else:
        assert (json.loads(seen.body), seen.headers["content-type"]) == (body, "application/json")
    expected = None if answer is None else next(iter(answer.values()))
    assert json.loads(msgspec.json.encode(result)) == expected


def test_the_examples_have_every_documented_field() -> None:
    assert set(APP_JSON) == set(App.__struct_fields__)
    assert set(VERSION_JSON) == set(Version.__struct_fields__) - {"state_reason"}


@dataclass
class Service:
    """A Kickfolio, and where it can get a bundle."""

    url: str
    token: str
    bundle_url: str


@pytest.fixture(params=["the document alone", "the sandbox"])
async def service(
    request: pytest.FixtureRequest, anyio_backend: str, tmp_path: Path
) -> AsyncIterator[Service]:
    if request.param == "the document alone":
        with KickfolioSeedServer("/kickfolio") as server:
            yield Service(server.url, SEED_TOKEN, BUNDLE)
        return
    async with bundle_host() as host, serve_sandbox(tmp_path / "data", kickfolio_token=TOKEN) as sandbox:
        yield Service(sandbox.kickfolio_url, TOKEN, host.serves("/game.zip", ok(bundle())))


async def test_the_client_and_a_service_understand_each_other(service: Service) -> None:
    url = service.bundle_url
    async with Kickfolio(service.token, url=service.url, retry=FAST) as kickfolio:
        app = await kickfolio.create_app("Käse")
        assert app.public_key
        assert (await kickfolio.app(app.public_key)).id == app.id
        other = await kickfolio.create_app("Other")
        assert {each.id for each in await kickfolio.apps()} == {app.id, other.id}
        assert [each.id for each in await kickfolio.apps(ids=[other.id])] == [other.id]
        assert (await kickfolio.update_app(app.public_key, name="Brot")).name == "Brot"
        made = await kickfolio.create_version(app.id, url, "1.0")
        assert (made.state, made.app_id, made.version_string) == ("pending", app.id, "1.0")
        bare = await kickfolio.create_version(other.id, url, scoped=False)
        assert (bare.app_id, bare.version_string) == (other.id, None)
        assert {each.id for each in await kickfolio.versions()} == {made.id, bare.id}
        assert [each.id for each in await kickfolio.versions(app=app.public_key)] == [made.id]
        assert await kickfolio.versions(app=app.id, ids=[bare.id]) == []
        with pytest.raises(NotFound):
            await kickfolio.version(made.id, app=other.id)
        assert (await kickfolio.wait_until_ready(made.id, app=app.id, timeout=20)).state == "ready"
        changed = await kickfolio.update_version(made.id, app=app.id, bundle_url=url, version_string="1.1")
        assert changed.version_string == "1.1"
        await kickfolio.delete_version(made.id)
        await kickfolio.delete_app(app.public_key)
        assert [each.id for each in await kickfolio.apps()] == [other.id]


BAD_CALLS: dict[str, tuple[Call, type[ApiError], list[str]]] = {
    "an unknown app": (lambda k: k.app("nosuch"), NotFound, []),
    "an unknown version": (lambda k: k.version("nosuch"), NotFound, []),
    "the versions of an unknown app": (lambda k: k.versions(app="nosuch"), NotFound, []),
    "a version for an unknown app": (lambda k: k.create_version("nosuch", BUNDLE), NotFound, []),
    "another for it": (
        lambda k: k.create_version("nosuch", BUNDLE, scoped=False),
        RecordInvalid,
        ["app_id"],
    ),
    "an unknown app renamed": (lambda k: k.update_app("nosuch", name="x"), NotFound, []),
    "an unknown app deleted": (lambda k: k.delete_app("nosuch"), NotFound, []),
    "an unknown version deleted": (lambda k: k.delete_version("nosuch"), NotFound, []),
    "a blank name": (lambda k: k.create_app(" "), RecordInvalid, ["name"]),
    "nothing but blanks": (
        lambda k: k.create_version(" ", "", scoped=False),
        RecordInvalid,
        ["app_id", "bundle_url"],
    ),
}


@pytest.mark.parametrize(("call", "kind", "fields"), BAD_CALLS.values(), ids=BAD_CALLS.keys())
async def test_a_service_refuses_with_an_error_of_its_kind(
    service: Service, call: Call, kind: type[ApiError], fields: list[str]
) -> None:
    async with Kickfolio(service.token, url=service.url, retry=FAST) as kickfolio:
        with pytest.raises(ApiError) as caught:
            await call(kickfolio)
    assert type(caught.value) is kind
    assert caught.value.symbol
    found = caught.value.errors if isinstance(caught.value, RecordInvalid) else ()
    assert sorted(each.field for each in found) == fields
    assert all(each.resource and each.message for each in found)


# Who asks


def basic(text: str) -> str:
    return f"Basic {b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("authentication", "header", "query"),
    [
        ("basic", basic(TOKEN), {}),
        ("basic with password", basic(f"{TOKEN}:X"), {}),
        ("parameter", None, {"auth_token": [TOKEN]}),
    ],
)
async def test_the_ways_to_authenticate(
    serve: Serve, authentication: Authentication, header: str | None, query: dict[str, list[str]]
) -> None:
    server = await serve(said({"apps": []}))
    async with client(server.url, authentication) as kickfolio:
        await kickfolio.apps()
        await kickfolio.apps(ids=["x"])
    first, second = server.seen
    assert first.headers.get("authorization") == second.headers.get("authorization") == header
    assert parse_qs(urlsplit(first.target).query) == query
    assert parse_qs(urlsplit(second.target).query) == {"ids[]": ["x"], **query}


@pytest.mark.parametrize("authentication", ["basic", "basic with password", "parameter"])
async def test_a_server_of_the_document_accepts_each_way(
    seed: KickfolioSeedServer, authentication: Authentication
) -> None:
    async with Kickfolio(SEED_TOKEN, url=seed.url, authentication=authentication) as kickfolio:
        assert await kickfolio.apps() == []
    async with Kickfolio("another", url=seed.url, authentication=authentication) as kickfolio:
        with pytest.raises(AuthenticationFailed) as caught:
            await kickfolio.apps()
    assert "KICKFOLIO_AUTH_TOKEN" in caught.value.hint
    assert caught.value.exit_code == 3


def test_a_header_has_no_line_feeds_however_long_the_token() -> None:
    header = Kickfolio("x" * 500, url="http://localhost").http._auth["Authorization"]
    assert header == basic("x" * 500)
    assert "\n" not in header


@pytest.mark.parametrize("token", ["", " ", "to ken", "tok\nen", "tökén", "to:ken"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(UsageError) as caught:
        Kickfolio(token, url="http://localhost")
    assert "token" in caught.value.message
    assert not token.strip() or token.strip() not in caught.value.message


def test_white_space_around_a_token_is_not_a_part_of_it() -> None:
    assert Kickfolio(" token\n", url="http://localhost").http._auth == {"Authorization": basic("token")}


def test_a_parameter_can_carry_a_colon() -> None:
    Kickfolio("to:ken", url="http://localhost", authentication="parameter")


@pytest.mark.parametrize("authentication", ["basic", "parameter"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(serve: Serve, authentication: Authentication, status: int) -> None:
    other = await serve(said({"apps": []}))
    server = await serve(Answer(status, headers={"Location": f"{other.url}/api/apps"}))
    async with client(server.url, authentication) as kickfolio:
        with pytest.raises(Redirected) as caught:
            await kickfolio.apps()
    assert other.seen == []
    assert "KICKFOLIO_URL" in caught.value.hint


@pytest.mark.parametrize("authentication", ["basic", "basic with password", "parameter"])
@pytest.mark.parametrize("status", [200, 302, 401, 404, 422, 500])
async def test_the_token_is_shown_nowhere(
    serve: Serve, caplog: pytest.LogCaptureFixture, authentication: Authentication, status: int
) -> None:
    coded = [b64encode(text.encode()).decode() for text in (TOKEN, f"{TOKEN}:X")]
    echo = f"{TOKEN} {coded[0]} {coded[1]} auth_token={TOKEN}"
    errors = [{"field": echo, "resource": echo, "message": echo}]
    body = {"message": echo, "code": echo, "errors": errors, "app": echo}
    server = await serve(
        Answer(status, json.dumps(body).encode(), {"Location": f"http://{TOKEN}/?auth_token={TOKEN}"})
    )
    events: list[Any] = []
    with caplog.at_level(logging.DEBUG):
        async with client(server.url, authentication) as kickfolio:
            heard = kickfolio.listening(events.append)
            with pytest.raises(PkUploadError) as caught:
                await heard.app(TOKEN)
    error = caught.value
    fields = error.errors if isinstance(error, RecordInvalid) else ()
    shown = f"{error!r} {error.to_dict()} {fields} {kickfolio!r} {events} {caplog.text}"
    for secret in (TOKEN, quote(TOKEN, safe=""), *coded):
        assert secret not in shown


# What the answer says

STATUSES = [
    (400, BadRequest, 1),
    (401, AuthenticationFailed, 3),
    (404, NotFound, 4),
    (422, RecordInvalid, 2),
    (500, ServerError, 7),
    (503, Refused, 7),
]


@pytest.mark.parametrize(("status", "kind", "exit_code"), STATUSES)
async def test_each_status_has_its_error(
    serve: Serve, status: int, kind: type[ApiError], exit_code: int
) -> None:
    server = await serve(said({"message": "It is so", "code": "a_reason"}, status))
    error = await failure(server.url)
    assert type(error) is kind
    assert isinstance(error, ApiError)
    assert (error.status, error.exit_code, error.symbol) == (status, exit_code, "a_reason")
    assert error.message == f"127.0.0.1 answered {status}: It is so"


async def test_an_invalid_record_names_its_fields(serve: Serve) -> None:
    server = await serve(said(INVALID, 422))
    error = await failure(server.url, lambda k: k.create_app(" "))
    assert isinstance(error, RecordInvalid)
    assert error.symbol == "record_invalid"
    assert error.errors == (
        FieldError("name", "App", "can't be blank"),
        FieldError("user_id", "App", "is not yours"),
    )
    assert error.errors[0].field == "name"
    assert error.message.endswith("422: Validation failed: name can't be blank; user_id is not yours")
    assert len(server.seen) == 1


async def test_fields_are_named_only_where_a_value_is_refused(serve: Serve) -> None:
    server = await serve(said(INVALID, 409))
    error = await failure(server.url)
    assert type(error) is Conflict
    assert error.message.endswith("409: Validation failed")


@pytest.mark.parametrize(
    "errors",
    ["null", "5", '"x"', "{}", '{"name": ["blank"]}', '["x"]', "[[]]", "[1, 2]", "[" * 2000 + "]" * 2000],
)
async def test_errors_of_another_form_are_left_out(serve: Serve, errors: str) -> None:
    server = await serve(Answer(422, f'{{"message": "No", "errors": {errors}}}'.encode()))
    error = await failure(server.url)
    assert isinstance(error, RecordInvalid)
    assert error.errors == ()


@pytest.mark.parametrize("value", [None, 5, [], {}, True])
def test_a_field_that_is_no_text_is_empty(value: Any) -> None:
    body = json.dumps({"errors": [{"field": value, "message": "is bad"}]}).encode()
    assert read_field_errors(body) == (FieldError("", "", "is bad"),)


def test_more_fields_than_any_form_has_are_left_out() -> None:
    def body(count: int) -> bytes:
        return json.dumps({"errors": [{"field": "a"}] * count}).encode()

    assert len(read_field_errors(body(MOST_FIELDS))) == MOST_FIELDS
    assert read_field_errors(body(MOST_FIELDS + 1)) == ()


@given(st.binary() | st.text().map(str.encode))
def test_no_body_of_an_error_does_harm(body: bytes) -> None:
    assert read_field_errors(body) == ()
    assert isinstance(read_error(body)[1], str)


async def test_what_steers_a_terminal_is_in_no_field(serve: Serve) -> None:
    evil = "\x1b[2J" + "x" * 5000
    errors = [{"field": evil, "resource": evil, "message": evil}]
    server = await serve(said({"message": "No", "errors": errors}, 422))
    error = await failure(server.url)
    assert isinstance(error, RecordInvalid)
    (found,) = error.errors
    for text in (error.message, found.field, found.resource, found.message):
        assert text.isprintable()
        assert len(text) < 400


WRONG_ANSWERS: dict[str, Any] = {
    "not wrapped": APP_JSON,
    "wrapped as another": {"apps": [APP_JSON]},
    "null": {"app": None},
    "a list": [APP_JSON],
    "no id": {"app": {"name": "x"}},
    "an id that is none": {"app": {**APP_JSON, "id": ".."}},
    "an id that steers a terminal": {"app": {**APP_JSON, "id": "\x1b[2J"}},
    "a number for a name": {"app": {**APP_JSON, "name": 5}},
    "a text for versions": {"app": {**APP_JSON, "versions": "x"}},
}


@pytest.mark.parametrize("answer", WRONG_ANSWERS.values(), ids=WRONG_ANSWERS.keys())
async def test_an_answer_that_cannot_be_right_is_refused(serve: Serve, answer: Any) -> None:
    server = await serve(said(answer))
    error = await failure(server.url, lambda k: k.app(APP_ID))
    assert type(error) is UnexpectedAnswer
    assert error.exit_code == 7


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"{", b'{"app": {' * 5000])
async def test_an_answer_that_is_no_json_is_refused(serve: Serve, body: bytes) -> None:
    server = await serve(Answer(200, body))
    assert type(await failure(server.url)) is UnexpectedAnswer


async def test_what_is_missing_or_new_is_no_fault(serve: Serve) -> None:
    server = await serve(said({"app": {"id": "a", "colour": "red"}, "meta": {}}))
    async with client(server.url) as kickfolio:
        assert await kickfolio.app("a") == App("a")


async def test_comments_stay_what_they_are(serve: Serve) -> None:
    comments = [{"id": "c", "text": "nice"}, "a-comment"]
    server = await serve(said({"version": {**VERSION_JSON, "comments": comments}}))
    async with client(server.url) as kickfolio:
        assert (await kickfolio.version(VERSION_ID)).comments == tuple(comments)


# What is asked for


async def test_many_ids_are_asked_for_in_several_requests(serve: Serve) -> None:
    server = await serve(said(APPS))
    ids = [f"id-{number}" for number in range(2 * MOST_IDS + 1)]
    async with client(server.url) as kickfolio:
        assert len(await kickfolio.apps(ids=[*ids, *ids])) == 3
    asked = [parse_qs(urlsplit(seen.target).query)["ids[]"] for seen in server.seen]
    assert [len(each) for each in asked] == [MOST_IDS, MOST_IDS, 1]
    assert [one for each in asked for one in each] == ids


async def test_a_text_is_one_id(serve: Serve) -> None:
    server = await serve(said(APPS))
    async with client(server.url) as kickfolio:
        await kickfolio.apps(ids=APP_ID)
    assert [parse_qs(urlsplit(seen.target).query) for seen in server.seen] == [{"ids[]": [APP_ID]}]


async def test_none_of_the_ids_is_not_all_of_them(serve: Serve) -> None:
    server = await serve(said(APPS))
    async with client(server.url) as kickfolio:
        assert await kickfolio.apps(ids=[]) == []
        assert await kickfolio.versions(ids=()) == []
    assert server.seen == []


BAD_IDS: list[Callable[[Kickfolio, str], Awaitable[object]]] = [
    lambda k, i: k.app(i),
    lambda k, i: k.update_app(i, name="x"),
    lambda k, i: k.delete_app(i),
    lambda k, i: k.versions(app=i),
    lambda k, i: k.version(i),
    lambda k, i: k.version("x", app=i),
    lambda k, i: k.create_version(i, BUNDLE),
    lambda k, i: k.update_version(i, app="x", bundle_url=BUNDLE),
    lambda k, i: k.delete_version(i),
]


@pytest.mark.parametrize("identifier", ["", ".", "..", "half a pair \ud83c"])
@pytest.mark.parametrize("call", BAD_IDS)
async def test_what_is_no_identifier_is_not_asked_for(
    serve: Serve, call: Callable[[Kickfolio, str], Awaitable[object]], identifier: str
) -> None:
    server = await serve()
    async with client(server.url) as kickfolio:
        with pytest.raises(UsageError, match="not an identifier"):
            await call(kickfolio, identifier)
    assert server.seen == []


@pytest.mark.parametrize("text", ["a/b", "../apps", "a?b", "a#b", "a%2fb", "ü"])
async def test_an_identifier_leaves_its_segment_in_no_way(serve: Serve, text: str) -> None:
    server = await serve(said({"versions": []}))
    async with client(server.url) as kickfolio:
        await kickfolio.versions(app=text)
    parts = server.seen[0].target.split("/")
    assert (parts[:3], parts[4:]) == (["", "api", "apps"], ["versions"])


@pytest.mark.parametrize(
    "call",
    [
        lambda k: k.create_app("half a pair \ud83c"),
        lambda k: k.create_version("x", "half a pair \ud83c"),
        lambda k: k.apps(ids=["half a pair \ud83c"]),
    ],
)
async def test_what_is_no_text_is_a_mistake(serve: Serve, call: Call) -> None:
    server = await serve()
    assert isinstance(await failure(server.url, call), UsageError)
    assert server.seen == []


# Lost answers


@pytest.mark.parametrize(
    ("call", "requests"),
    [
        (lambda k: k.apps(), 4),
        (lambda k: k.update_app("a", name="x"), 4),
        (lambda k: k.create_app("x"), 1),
        (lambda k: k.create_version("a", BUNDLE), 1),
        (lambda k: k.delete_app("a"), 1),
        (lambda k: k.delete_version("a"), 1),
    ],
)
async def test_only_what_does_no_harm_is_repeated(serve: Serve, call: Call, requests: int) -> None:
    server = await serve(DROP)
    error = await failure(server.url, call)
    assert isinstance(error, ConnectionLost)
    assert len(server.seen) == requests


async def test_the_page_of_a_portal_is_not_a_deletion(serve: Serve) -> None:
    server = await serve(Answer(200, b"<html>Log in</html>"))
    assert type(await failure(server.url, lambda k: k.delete_app("a"))) is UnexpectedAnswer


async def test_a_created_body_is_sent_again_where_nothing_was_done(serve: Serve) -> None:
    server = await serve(said({"message": "busy"}, 503), said(ONE_APP, 201))
    async with client(server.url) as kickfolio:
        await kickfolio.create_app("Kickfolio")
    assert [json.loads(seen.body) for seen in server.seen] == [{"app": {"name": "Kickfolio"}}] * 2
    assert {seen.headers["content-type"] for seen in server.seen} == {"application/json"}


async def test_lost_answers_to_reads_cost_nothing(seed: KickfolioSeedServer) -> None:
    seed.trouble("GET apps", lose_answer, lose_answer)
    async with seeded(seed) as kickfolio:
        assert await kickfolio.apps() == []
    assert len(seed.seen) == 3


# Waiting


async def test_a_version_is_looked_at_until_it_is_ready(serve: Serve) -> None:
    server = await serve(said({"version": PENDING_JSON}), said({"version": PENDING_JSON}), said(ONE_VERSION))
    async with client(server.url) as kickfolio:
        assert (await kickfolio.wait_until_ready(VERSION_ID, app="a", timeout=60)).state == "ready"
    assert [seen.target for seen in server.seen] == [f"/api/apps/a/versions/{VERSION_ID}"] * 3


@pytest.mark.parametrize("state", ["failed", "", "Ready", "processing", "\x1b[2J"])
async def test_any_other_state_is_an_error(serve: Serve, state: str) -> None:
    server = await serve(said({"version": {**VERSION_JSON, "state": state}}))
    error = await failure(server.url, lambda k: k.wait_until_ready(VERSION_ID))
    assert type(error) is ProcessingFailed
    assert error.exit_code == 6
    assert error.message.isprintable()
    assert VERSION_ID in error.message
    assert len(server.seen) == 1


async def test_the_error_gives_the_reason_where_there_is_one(serve: Serve) -> None:
    server = await serve(
        said({"version": {**VERSION_JSON, "state": "failed", "state_reason": "It is\nno ZIP"}})
    )
    error = await failure(server.url, lambda k: k.wait_until_ready(VERSION_ID))
    assert error.message == f"version {VERSION_ID} is not ready but failed: It is no ZIP"


async def test_waiting_has_a_bound(serve: Serve) -> None:
    server = await serve(said({"version": PENDING_JSON}))
    error = await failure(server.url, lambda k: k.wait_until_ready(VERSION_ID, timeout=0.3))
    assert type(error) is GaveUpWaiting
    assert error.exit_code == 12
    assert VERSION_ID in error.message
    assert "same command" not in error.hint


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("inf"), float("nan")])
async def test_a_bound_that_bounds_nothing_is_refused(serve: Serve, timeout: float) -> None:
    server = await serve(said({"version": PENDING_JSON}))
    error = await failure(server.url, lambda k: k.wait_until_ready(VERSION_ID, timeout=timeout))
    assert isinstance(error, UsageError)


async def test_a_version_that_is_deleted_meanwhile_is_not_waited_for(serve: Serve) -> None:
    server = await serve(said({"version": PENDING_JSON}), said({"message": "gone", "code": "not_found"}, 404))
    assert type(await failure(server.url, lambda k: k.wait_until_ready(VERSION_ID))) is NotFound


# Settings


async def test_a_client_of_the_environment(seed: KickfolioSeedServer) -> None:
    env = {"KICKFOLIO_AUTH_TOKEN": SEED_TOKEN, "KICKFOLIO_URL": seed.url}
    async with Kickfolio.from_env(env) as kickfolio:
        assert await kickfolio.apps() == []
    assert SEED_TOKEN not in repr(kickfolio)
    assert seed.url in repr(kickfolio)


@pytest.mark.parametrize("name", ["KICKFOLIO_AUTH_TOKEN", "KICKFOLIO_URL"])
def test_the_environment_says_both(name: str) -> None:
    env = {"KICKFOLIO_AUTH_TOKEN": TOKEN, "KICKFOLIO_URL": "http://localhost", name: ""}
    with pytest.raises(UsageError, match=name):
        Kickfolio.from_env(env)


@pytest.mark.parametrize("url", ["", "kickfolio.com", "ftp://x", "http://u:p@x", "http://x/?auth_token=y"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        Kickfolio(TOKEN, url=url)


async def test_a_client_is_used_inside_its_block() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await client("http://localhost").apps()


def test_a_way_to_authenticate_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="basic with password"):
        Kickfolio("token", url="http://localhost", authentication="Parameter")  # type: ignore[arg-type]


async def test_what_is_wrong_with_a_field_is_told_once(serve: Serve) -> None:
    error = {"field": "name", "resource": "App", "message": "can't be blank"}
    for message in ("The App is invalid.", "The App is invalid: name can't be blank."):
        server = await serve(said({"message": message, "code": "record_invalid", "errors": [error]}, 422))
        async with client(server.url) as kickfolio:
            with pytest.raises(RecordInvalid) as caught:
                await kickfolio.create_app(" ")
        assert caught.value.message.count("can't be blank") == 1
        assert "invalid.:" not in caught.value.message
