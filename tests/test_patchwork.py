"""The Patchwork client: versions, credentials, what is checked before it is sent, changes, downloads."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import stat
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from pk_upload.errors import (
    ConnectionLost,
    DestinationUnwritable,
    Forbidden,
    NotFound,
    PkUploadError,
    Redirected,
    ServerError,
    UnexpectedAnswer,
    UsageError,
)
from pk_upload.patchwork import Patchwork, UserSettings
from pk_upload.reviews import delete_bundle
from recorded_exchanges import exchanges
from scripted_server import DROP, FAST, TRUNCATED, Answer, Serve, Stall, serving

pytestmark = pytest.mark.anyio

TOKEN = "0123456789abcdef0123456789abcdef01234567"
Call = Callable[[Patchwork], Awaitable[Any]]


@pytest.fixture
async def serve(anyio_backend: str) -> AsyncIterator[Serve]:
    async with serving() as start:
        yield start


def said(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())


def client(url: str, **how: Any) -> Patchwork:
    return Patchwork(url, **{"token": TOKEN, "retry": FAST, **how})


async def failure(url: str, call: Call, **how: Any) -> PkUploadError:
    async with client(url, **how) as patchwork:
        with pytest.raises(PkUploadError) as caught:
            await call(patchwork)
    return caught.value


PATCH = exchanges()["patch 1.4"].json
PROJECT = exchanges()["project by name"].json
MAINTAINERS = [
    {"id": 2, "username": "maint", "first_name": "Mary", "last_name": "Maintainer", "email": "m@example.com"},
    {"id": 3, "username": "mary", "first_name": "Mary", "last_name": "Major", "email": "mary@example.com"},
    {"id": 9, "username": "mary2", "first_name": "Mary", "last_name": "Major", "email": "m2@example.com"},
]


# Versions


async def test_the_version_that_is_pinned_is_asked_for_by_every_call(serve: Serve) -> None:
    server = await serve(said(PATCH), said([]), said({"id": 1}, 201))
    async with client(server.url, version="1.2") as patchwork:
        await patchwork.patch(8)
        await patchwork.patches().all()
        await patchwork.create_check(8, "success")
    assert all(seen.target.startswith("/api/1.2/patches/") for seen in server.seen)
    assert all(seen.target.partition("?")[0].endswith("/") for seen in server.seen)


async def test_the_newest_version_is_found_out_once(serve: Serve) -> None:
    missing = exchanges()["unknown version"].answer()
    server = await serve(missing, missing, said({"patches": "http://a/"}), said(PATCH))
    async with client(server.url, version="newest") as patchwork:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(patchwork.patch, 8)
        assert await patchwork.version() == "1.2"
        assert await patchwork.listening(print).version() == "1.2"
    targets = [seen.target for seen in server.seen]
    assert targets == ["/api/1.4/", "/api/1.3/", "/api/1.2/", *["/api/1.2/patches/8/"] * 3]


@pytest.mark.parametrize("body", [b"<html>Welcome", b"{}", b'{"patches": ""}', b"[]"])
async def test_the_page_of_a_portal_is_no_version(serve: Serve, body: bytes) -> None:
    server = await serve(Answer(200, body))
    error = await failure(server.url, lambda patchwork: patchwork.patch(8), version="newest")
    assert type(error) is UnexpectedAnswer
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://api", "http://api"),
        ("http://api/api", "http://api"),
        ("http://h/api/1.2/", "http://h"),
        ("http://h/x/api", "http://h/x"),
        ("http://h/api/1.4.2.1", "http://h/api/1.4.2.1"),
        ("http://h/api/2.0", "http://h/api/2.0"),
    ],
)
def test_the_address_may_end_with_that_of_the_api(given: str, expected: str) -> None:
    assert Patchwork(given).url == expected


@pytest.mark.parametrize(
    "call",
    [
        lambda patchwork: patchwork.patch(9),
        lambda patchwork: patchwork.bundle(9),
        lambda patchwork: patchwork.check(8, 9),
        lambda patchwork: delete_bundle(patchwork, print, 9),
    ],
)
async def test_another_one_than_was_asked_for_is_not_taken_for_it(serve: Serve, call: Call) -> None:
    server = await serve(said(PATCH))
    error = await failure(server.url, call)
    assert type(error) is UnexpectedAnswer
    assert "`id`" in error.message
    assert [seen.method for seen in server.seen] == ["GET"]


async def test_a_text_may_have_any_number_of_braces(serve: Serve) -> None:
    diff = '{"a": "\\\\"}\n' * 300_000
    server = await serve(said({**PATCH, "diff": diff}))
    async with client(server.url) as patchwork:
        assert (await patchwork.patch(8)).diff == diff


async def test_a_site_without_any_known_version_is_told_of(serve: Serve) -> None:
    server = await serve(exchanges()["unknown version"].answer())
    error = await failure(server.url, lambda patchwork: patchwork.patch(8), version="newest")
    assert type(error) is UnexpectedAnswer
    assert "no API of Patchwork" in error.message
    assert len(server.seen) == 5


@pytest.mark.parametrize("version", ["", "1", "1.5", "2.0", "latest"])
def test_an_unknown_version_is_refused(version: Any) -> None:
    with pytest.raises(UsageError, match=r"1\.0, 1\.1, 1\.2, 1\.3, 1\.4, or newest"):
        Patchwork("http://127.0.0.1", version=version)


@pytest.mark.parametrize(
    ("version", "call"),
    [
        ("1.0", lambda patchwork: patchwork.patch_comments(1).all()),
        ("1.0", lambda patchwork: patchwork.cover_comments(1).all()),
        ("1.2", lambda patchwork: patchwork.patch_comment(1, 1)),
        ("1.2", lambda patchwork: patchwork.cover_comment(1, 1)),
        ("1.2", lambda patchwork: patchwork.update_patch_comment(1, 1, addressed=True)),
        ("1.1", lambda patchwork: patchwork.create_bundle("a", [1])),
        ("1.1", lambda patchwork: patchwork.update_bundle(1, name="a")),
        ("1.1", lambda patchwork: patchwork.replace_bundle(1, "a", [1])),
        ("1.1", lambda patchwork: patchwork.delete_bundle(1)),
        ("1.1", lambda patchwork: patchwork.events(actor=2).all()),
        ("1.1", lambda patchwork: patchwork.update_user(2, settings=UserSettings(show_ids=True))),
        ("1.3", lambda patchwork: patchwork.update_project("lab", show_dependencies=True)),
        ("1.0", lambda patchwork: patchwork.download_cover(1, "unused")),
    ],
)
async def test_what_a_version_has_not_is_not_asked_for(serve: Serve, version: str, call: Call) -> None:
    server = await serve(said({}))
    error = await failure(server.url, call, version=version)
    assert type(error) is UsageError
    assert f"version {version} of the API has no" in error.message
    assert server.seen == []


# Who asks


async def test_a_password_is_sent_as_basic_authentication_says(serve: Serve) -> None:
    server = await serve(said(PATCH))
    async with Patchwork(server.url, username="maint", password="pä:ss wörd", retry=FAST) as patchwork:
        await patchwork.patch(8)
    assert server.seen[0].headers["authorization"] == (
        "Basic " + b64encode("maint:pä:ss wörd".encode()).decode()
    )


async def test_who_takes_the_token_for_a_name_does_not_see_it(serve: Serve) -> None:
    server = await serve(said(PATCH), said({**PROJECT, "maintainers": MAINTAINERS}))
    error = await failure(server.url, lambda patchwork: patchwork.update_patch(8, delegate=TOKEN))
    assert type(error) is UsageError
    assert TOKEN not in f"{error.message} {error.hint}"


async def test_a_page_instead_of_an_answer_means_the_address(serve: Serve) -> None:
    server = await serve(exchanges()["unknown version"].answer())
    error = await failure(server.url, lambda patchwork: patchwork.patch(8))
    assert "PATCHWORK_URL" in error.hint
    assert "PATCHWORK_API_VERSION" in error.hint, "an older site answers so too"


@pytest.mark.parametrize("address", ["ftp://ci.example.com/1", "https://ci.example.com:8443/1?a=b#c"])
async def test_addresses_of_every_kind_a_service_takes_are_sent(serve: Serve, address: str) -> None:
    server = await serve(said({"id": 1}, 201))
    async with client(server.url) as patchwork:
        await patchwork.create_check(8, "success", target_url=address)
    assert json.loads(server.seen[0].body)["target_url"] == address


async def test_nobody_says_nothing(serve: Serve) -> None:
    server = await serve(said(PATCH))
    async with Patchwork(server.url, retry=FAST) as patchwork:
        await patchwork.patch(8)
    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize(
    "how",
    [
        {"token": ""},
        {"token": "with space"},
        {"token": "a\nb"},
        {"token": TOKEN, "username": "maint", "password": "x"},
        {"username": "maint"},
        {"password": "x"},
        {"username": "ma:int", "password": "x"},
        {"username": "maint", "password": "\udcff"},
        {"per_page": 0},
        {"per_page": 251},
        {"per_page": "5"},
    ],
)
def test_credentials_and_pages_that_cannot_be_are_refused(how: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Patchwork("http://127.0.0.1", **how)


def test_the_environment_makes_a_client() -> None:
    environ = {"PATCHWORK_URL": "http://patchwork.example.com/", "PATCHWORK_TOKEN": TOKEN}
    patchwork = Patchwork.from_env(environ)
    assert patchwork.url == "http://patchwork.example.com"
    assert TOKEN not in repr(patchwork)
    Patchwork.from_env({"PATCHWORK_URL": "http://patchwork.example.com"})
    with pytest.raises(UsageError, match=r"PATCHWORK_API_VERSION is one of 1\.0"):
        Patchwork.from_env({**environ, "PATCHWORK_API_VERSION": "2"})
    with pytest.raises(UsageError, match="PATCHWORK_URL"):
        Patchwork.from_env({"PATCHWORK_TOKEN": TOKEN})


@pytest.mark.parametrize(
    ("environ", "given", "expected"),
    [
        ({}, None, "1.4"),
        ({"PATCHWORK_API_VERSION": "1.2"}, None, "1.2"),
        ({"PATCHWORK_API_VERSION": "1.2"}, "1.3", "1.3"),
    ],
)
async def test_the_environment_may_name_a_version(
    serve: Serve, environ: dict[str, str], given: Any, expected: str
) -> None:
    server = await serve(said(PATCH))
    async with Patchwork.from_env({"PATCHWORK_URL": server.url, **environ}, version=given) as patchwork:
        assert await patchwork.version() == expected
        await patchwork.patch(8)
    assert server.seen[0].target == f"/api/{expected}/patches/8/"


HTML = {"Content-Type": "text/html"}


@pytest.mark.parametrize(
    ("call", "answers"),
    [
        (lambda p, _: p.patch(8), [Answer(200, b"<html>Welcome")]),
        (lambda p, _: p.patches().all(), [Answer(200, b"<html>Welcome")]),
        (lambda p, _: p.bundle(8), [Answer(404, b"<html>")]),
        (
            lambda p, to: p.download_patch(8, to),
            [said(PATCH), Answer(200, b"<", {"Content-Type": "text/html"})],
        ),
    ],
)
async def test_a_page_wherever_it_comes_means_the_address(
    serve: Serve, tmp_path: Path, call: Any, answers: list[Answer]
) -> None:
    server = await serve(*answers)
    error = await failure(server.url, lambda patchwork: call(patchwork, tmp_path / "a"))
    assert "PATCHWORK_URL" in error.hint


async def test_a_bundle_that_is_not_there_may_be_private(serve: Serve) -> None:
    server = await serve(said({"detail": "Not found."}, 404))
    error = await failure(server.url, lambda patchwork: patchwork.bundle(8))
    assert "private" in error.hint


async def test_who_gave_no_token_is_asked_for_one_and_not_to_check_it(serve: Serve) -> None:
    server = await serve(said({"detail": "Authentication credentials were not provided."}, 403))
    nobody = await failure(server.url, lambda patchwork: patchwork.user(1), token=None)
    assert nobody.hint.startswith("The site asks for a token")
    somebody = await failure(server.url, lambda patchwork: patchwork.user(1))
    assert somebody.hint.startswith("Check the token")


@pytest.mark.parametrize("where", ["password", "token", "coded"])
async def test_no_error_shows_a_secret(serve: Serve, where: str) -> None:
    password = "correct horse battery"
    shown = {"password": password, "token": TOKEN, "coded": b64encode(f"maint:{password}".encode()).decode()}
    server = await serve(said({"detail": f"you said {shown[where]}"}, 403))
    how: dict[str, Any] = (
        {"token": TOKEN} if where == "token" else {"token": None, "username": "maint", "password": password}
    )
    error = await failure(server.url, lambda patchwork: patchwork.patch(8), **how)
    assert type(error) is Forbidden
    assert shown[where] not in error.message
    assert "[redacted]" in error.message


# Writes


@pytest.mark.parametrize(
    "call",
    [
        lambda patchwork: patchwork.update_patch(8, state="new"),
        lambda patchwork: patchwork.create_check(8, "success"),
        lambda patchwork: patchwork.delete_bundle(8),
        lambda patchwork: patchwork.replace_bundle(8, "a", [1]),
    ],
)
async def test_no_redirect_of_a_write_is_followed(serve: Serve, call: Call) -> None:
    server = await serve(Answer(301, b"", {"Location": "/api/1.4/patches/8/"}), said(PATCH))
    error = await failure(server.url, call)
    assert type(error) is Redirected
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda patchwork: patchwork.patch(0),
        lambda patchwork: patchwork.patch("8"),
        lambda patchwork: patchwork.patch(True),
        lambda patchwork: patchwork.project(".."),
        lambda patchwork: patchwork.update_patch(8),
        lambda patchwork: patchwork.update_patch(8, state=" "),
        lambda patchwork: patchwork.update_patch(8, state=None),
        lambda patchwork: patchwork.update_patch(8, related=5),
        lambda patchwork: patchwork.update_patch(8, related=["5"]),
        lambda patchwork: patchwork.update_patch(8, commit_ref="a" * 256),
        lambda patchwork: patchwork.update_patch(8, related=[0]),
        lambda patchwork: patchwork.update_patch(8, delegate=0),
        lambda patchwork: patchwork.update_patch(8, delegate=True),
        lambda patchwork: patchwork.update_patch(8, delegate=" "),
        lambda patchwork: patchwork.update_patch(8, delegate="9" * 5000),
        lambda patchwork: patchwork.patch(2**63),
        lambda patchwork: patchwork.patch(10**5000),
        lambda patchwork: patchwork.patches(order="check", limit=-1),
        lambda patchwork: patchwork.patches(limit=-1, state=[]),
        lambda patchwork: patchwork.patches(limit="3"),
        lambda patchwork: patchwork.create_check(8, "great"),
        lambda patchwork: patchwork.create_check(8, "success", context="a b"),
        lambda patchwork: patchwork.create_check(8, "success", context=""),
        lambda patchwork: patchwork.create_check(8, "success", context=5),
        lambda patchwork: patchwork.create_check(8, "success", target_url=5),
        lambda patchwork: patchwork.create_check(8, "success", context="ä"),
        lambda patchwork: patchwork.create_check(8, "success", context="a" * 256),
        lambda patchwork: patchwork.create_check(8, "success", context="a\n"),
        lambda patchwork: patchwork.create_check(8, "success", target_url="nope"),
        lambda patchwork: patchwork.create_check(8, "success", target_url="javascript:alert(1)"),
        lambda patchwork: patchwork.create_check(8, "success", target_url="http://a b/"),
        lambda patchwork: patchwork.create_check(8, "success", target_url=f"http://a/{'a' * 200}"),
        lambda patchwork: patchwork.create_bundle("with/slash", [1]),
        lambda patchwork: patchwork.create_bundle("", [1]),
        lambda patchwork: patchwork.create_bundle(5, [1]),
        lambda patchwork: patchwork.create_bundle(".", [1]),
        lambda patchwork: patchwork.create_bundle(" .. ", [1]),
        lambda patchwork: patchwork.create_bundle("a", 1),
        lambda patchwork: patchwork.create_bundle("a" * 51, [1]),
        lambda patchwork: patchwork.create_bundle("a", []),
        lambda patchwork: patchwork.update_bundle(1),
        lambda patchwork: patchwork.update_bundle(1, name="a/b"),
        lambda patchwork: patchwork.update_project("lab"),
        lambda patchwork: patchwork.update_user(1),
    ],
)
async def test_what_cannot_be_right_is_not_sent(serve: Serve, call: Call) -> None:
    server = await serve(said(PATCH))
    error = await failure(server.url, call)
    assert type(error) is UsageError
    assert error.hint
    assert server.seen == []


async def test_only_what_was_given_is_changed_and_none_takes_it_away(serve: Serve) -> None:
    server = await serve(said(PATCH))
    async with client(server.url) as patchwork:
        await patchwork.update_patch(8, archived=False)
        await patchwork.update_patch(8, delegate=None, commit_ref=None, pull_url=None)
        await patchwork.update_patch(8, delegate=7, state="rfc")
    assert [json.loads(seen.body) for seen in server.seen] == [
        {"archived": False},
        {"delegate": None, "commit_ref": None, "pull_url": None},
        {"delegate": 7, "state": "rfc"},
    ]


@pytest.mark.parametrize("related", [[109], []])
async def test_after_a_change_of_relations_the_patch_is_read_again(serve: Serve, related: list[int]) -> None:
    stale = {name: value for name, value in PATCH.items() if name != "related"}
    fresh = {**PATCH, "related": [{"id": each} for each in related]}
    server = await serve(said(stale), said(fresh))
    async with client(server.url) as patchwork:
        patch = await patchwork.update_patch(8, related=related)
    assert patch.related is not None
    assert [each.id for each in patch.related or ()] == related
    assert [seen.method for seen in server.seen] == ["PATCH", "GET"]
    assert json.loads(server.seen[0].body) == {"related": related}


@pytest.mark.parametrize(
    ("name", "number"),
    [("maint", 2), ("mary", 3), ("Mary Maintainer", 2), ("MAINT", 2), ("m2@example.com", 9), ("17", 17)],
)
async def test_a_delegate_is_found_by_an_unambiguous_name(serve: Serve, name: str, number: int) -> None:
    answers = [said(PATCH), said({**PROJECT, "maintainers": MAINTAINERS})] if number != 17 else []
    server = await serve(*answers, said(PATCH))
    async with client(server.url) as patchwork:
        await patchwork.update_patch(8, delegate=name)
    assert json.loads(server.seen[-1].body) == {"delegate": number}


@pytest.mark.parametrize(
    ("name", "said_so", "hint"),
    [
        ("nobody", "no maintainer of the project is called 'nobody'", "maint, mary, mary2"),
        ("Mary Major", "more than one maintainer is called 'Mary Major'", "mary, mary2"),
    ],
)
async def test_a_delegate_whose_name_says_too_little_is_refused(
    serve: Serve, name: str, said_so: str, hint: str
) -> None:
    server = await serve(said(PATCH), said({**PROJECT, "maintainers": MAINTAINERS}))
    error = await failure(server.url, lambda patchwork: patchwork.update_patch(8, delegate=name))
    assert type(error) is UsageError
    assert error.message == said_so
    assert error.hint.endswith(f"{hint}.")
    assert [seen.method for seen in server.seen] == ["GET", "GET"]


@pytest.mark.parametrize(
    "call",
    [
        lambda patchwork: patchwork.create_check(8, "success"),
        lambda patchwork: patchwork.create_bundle("a", [1]),
        lambda patchwork: patchwork.delete_bundle(1),
        lambda patchwork: patchwork.update_bundle(1, name="taken"),
        lambda patchwork: patchwork.replace_bundle(1, "taken", [1]),
    ],
)
@pytest.mark.parametrize("answer", [DROP, said({}, 502)])
async def test_what_may_have_been_made_is_not_made_again(serve: Serve, call: Call, answer: Any) -> None:
    server = await serve(answer)
    error = await failure(server.url, call)
    assert isinstance(error, ServerError | ConnectionLost)
    assert len(server.seen) == 1


async def test_a_name_that_a_service_breaks_on_is_explained(serve: Serve) -> None:
    server = await serve(said({}, 500))
    error = await failure(server.url, lambda patchwork: patchwork.update_bundle(1, name="taken"))
    assert type(error) is ServerError
    assert "may have that name" in error.hint


async def test_other_changes_of_a_bundle_are_repeated(serve: Serve) -> None:
    server = await serve(said({}, 502), said({"id": 1}))
    async with client(server.url) as patchwork:
        await patchwork.update_bundle(1, patches=[1, 2])
    assert len(server.seen) == 2


async def test_comments_of_both_kinds_are_marked(serve: Serve) -> None:
    server = await serve(said({"id": 3, "addressed": True}))
    async with client(server.url) as patchwork:
        assert (await patchwork.update_patch_comment(1, 3, addressed=True)).addressed is True
        await patchwork.update_cover_comment(2, 3, addressed=None)
    assert [(seen.target, json.loads(seen.body)) for seen in server.seen] == [
        ("/api/1.4/patches/1/comments/3/", {"addressed": True}),
        ("/api/1.4/covers/2/comments/3/", {"addressed": None}),
    ]


async def test_projects_and_users_are_changed(serve: Serve) -> None:
    server = await serve(said({"id": 1}))
    async with client(server.url) as patchwork:
        await patchwork.update_project("lab", web_url="https://lab.example.com/")
        await patchwork.update_user(2, first_name="Mary", settings=UserSettings(show_ids=True))
    assert [(seen.method, seen.target, json.loads(seen.body)) for seen in server.seen] == [
        ("PATCH", "/api/1.4/projects/lab/", {"web_url": "https://lab.example.com/"}),
        ("PATCH", "/api/1.4/users/2/", {"first_name": "Mary", "settings": {"show_ids": True}}),
    ]


# Downloads


# Byte by byte, also where a mail quotes the token.
MBOX = Answer(
    200, b"From patchwork Mon Jan  6\r\n\xff " + TOKEN.encode() + b"\n", {"Content-Type": "text/plain"}
)


@pytest.mark.parametrize(
    ("call", "resource", "target"),
    [
        (lambda p, to: p.download_patch(8, to), {"mbox": "/x/mbox/"}, "/x/mbox/"),
        (lambda p, to: p.download_patch(8, to, series="*"), {"mbox": "/x/mbox/"}, "/x/mbox/?series=*"),
        (lambda p, to: p.download_patch(8, to, series=3), {"mbox": "/x/mbox/"}, "/x/mbox/?series=3"),
        (lambda p, to: p.download_patch(8, to, series="*"), {"mbox": "/x/?a=%7Eb"}, "/x/?a=%7Eb&series=*"),
        (lambda p, to: p.download_cover(8, to), {"mbox": "/a%252Fb%20c%40/"}, "/a%252Fb%20c%40/"),
        (lambda p, to: p.download_series(8, to), {"mbox": "/series/8/mbox/"}, "/series/8/mbox/"),
        (lambda p, to: p.download_bundle(8, to), {"mbox": "/bundle/a/b/"}, "/bundle/a/b/"),
    ],
)
async def test_the_address_of_an_mbox_is_followed_as_it_is_to_the_host_that_was_asked(
    serve: Serve, tmp_path: Path, call: Any, resource: dict[str, str], target: str
) -> None:
    elsewhere = {"id": 8, "mbox": f"https://elsewhere.example.com:444{resource['mbox']}"}
    server = await serve(said(elsewhere), MBOX)
    async with client(server.url) as patchwork:
        assert await call(patchwork, tmp_path / "out.mbox") == len(MBOX.body)
    assert (tmp_path / "out.mbox").read_bytes() == MBOX.body
    assert server.seen[1].target == target
    assert server.seen[1].headers["accept"] == "*/*"
    assert server.seen[1].headers["authorization"] == f"Token {TOKEN}"


@pytest.mark.parametrize(
    "mbox",
    [
        None,
        "",
        5,
        "http://[",
        "https://elsewhere.example.com",
        "@elsewhere.example.com/steal",
        ".elsewhere.example.com/steal",
        ":9999/steal",
        "mailto:@elsewhere.example.com/steal",
        "http://h/x HTTP/1.1",
        "http://h/\x00",
        "http://h/\x0b/mbox/",
    ],
)
async def test_a_patch_without_an_address_of_its_mbox_is_told_of(
    serve: Serve, tmp_path: Path, mbox: Any
) -> None:
    server = await serve(said({"id": 8, "mbox": mbox}))
    error = await failure(server.url, lambda patchwork: patchwork.download_patch(8, tmp_path / "a"))
    assert type(error) is UnexpectedAnswer
    assert "mbox" in error.message
    assert not (tmp_path / "a").exists()
    assert len(server.seen) == 1


async def test_a_patch_that_is_not_in_the_series_is_told_of(serve: Serve, tmp_path: Path) -> None:
    server = await serve(said(PATCH), Answer(404, b"<html>"))
    error = await failure(
        server.url, lambda patchwork: patchwork.download_patch(8, tmp_path / "a", series=99)
    )
    assert type(error) is NotFound
    assert "is in a series" in error.hint


@pytest.mark.parametrize("cut", [DROP, TRUNCATED, said({}, 500), Answer(503)])
async def test_a_download_that_breaks_off_is_begun_again(serve: Serve, tmp_path: Path, cut: Any) -> None:
    server = await serve(said(PATCH), cut, MBOX)
    async with client(server.url) as patchwork:
        await patchwork.download_patch(8, tmp_path / "a.mbox")
    assert (tmp_path / "a.mbox").read_bytes() == MBOX.body


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (TRUNCATED, ConnectionLost),
        (Stall(TRUNCATED), ConnectionLost),
        (Answer(404, b"<html>", {"Content-Type": "text/html"}), NotFound),
        (Answer(200, b"<html>log in", {"Content-Type": "text/html; charset=utf-8"}), UnexpectedAnswer),
        (Answer(302, b"", {"Location": "https://elsewhere.example.com/"}), Redirected),
    ],
)
async def test_what_was_there_before_stays_where_a_download_fails(
    serve: Serve, tmp_path: Path, answer: Any, kind: type[PkUploadError]
) -> None:
    place = tmp_path / "here" / "a.mbox"
    place.parent.mkdir()
    place.write_text("before")
    server = await serve(said(PATCH), answer)
    bound = 0.2 if isinstance(answer, Stall) else 60
    error = await failure(server.url, lambda patchwork: patchwork.download_patch(8, place), timeout=bound)
    assert type(error) is kind
    assert place.read_text() == "before"
    assert [*place.parent.iterdir()] == [place]


@pytest.mark.parametrize("further", range(4))  # steps of the loop, once there is a file
@pytest.mark.parametrize("by", ["scope", "task"])
async def test_a_download_that_is_cancelled_leaves_nothing(
    serve: Serve, tmp_path: Path, by: str, further: int
) -> None:
    place = tmp_path / "here" / "a.mbox"
    place.parent.mkdir()
    server = await serve(said(PATCH), Stall(TRUNCATED))

    async def begun() -> None:
        with anyio.fail_after(60):
            while not [*place.parent.iterdir()]:  # noqa: ASYNC110 - files tell of no event
                await anyio.sleep(0.001)
        for _ in range(further):
            await anyio.lowlevel.checkpoint()

    async with client(server.url) as patchwork:
        if by == "scope":
            async with anyio.create_task_group() as group:
                group.start_soon(patchwork.download_patch, 8, place)
                await begun()
                group.cancel_scope.cancel()
        else:
            task = asyncio.create_task(patchwork.download_patch(8, place))
            await begun()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert [*place.parent.iterdir()] == []


async def test_a_link_and_a_mode_stay_and_a_pipe_is_refused(serve: Serve, tmp_path: Path) -> None:
    server = await serve(said(PATCH), MBOX)
    (tmp_path / "real").touch(0o600)
    (tmp_path / "link").symlink_to("real")
    os.mkfifo(tmp_path / "pipe")
    async with client(server.url) as patchwork:
        await patchwork.download_patch(8, tmp_path / "link")
        with pytest.raises(UsageError, match="is no file"):
            await patchwork.download_patch(8, tmp_path / "pipe")
    assert (tmp_path / "real").read_bytes() == MBOX.body
    assert (tmp_path / "link").is_symlink()
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o600
    assert len(server.seen) == 2


@pytest.mark.parametrize("place", [".", "missing/a.mbox", "a\0b", "a" * 300])
async def test_a_place_where_no_file_can_be_is_refused(serve: Serve, tmp_path: Path, place: str) -> None:
    server = await serve(said(PATCH), MBOX)
    error = await failure(server.url, lambda patchwork: patchwork.download_patch(8, tmp_path / place))
    assert type(error) is UsageError
    assert server.seen == []


async def test_a_disk_that_takes_no_more_is_named_and_left_as_it_was(serve: Serve, tmp_path: Path) -> None:
    place = tmp_path / "here" / "a.mbox"
    place.parent.mkdir()
    most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    server = await serve(said(PATCH), Answer(200, bytes(3_000_000), {"Content-Type": "text/plain"}))
    async with client(server.url) as patchwork:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
        try:
            with pytest.raises(DestinationUnwritable, match=r"a\.mbox: File too large"):
                await patchwork.download_patch(8, place)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    assert [*place.parent.iterdir()] == []
    assert len(server.seen) == 2
