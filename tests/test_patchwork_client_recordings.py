"""The Patchwork client against what a running server answered: every recording, asked for and read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from msgspec import UNSET

from pk_upload.errors import (
    BadRequest,
    Forbidden,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    PkUploadError,
    RecordInvalid,
    Redirected,
)
from pk_upload.patchwork import VERSIONS, Listing, Patchwork, Version
from recorded_exchanges import exchanges
from scripted_server import FAST, Seen, Serve, serving

pytestmark = pytest.mark.anyio

Call = Callable[[Patchwork], Any]
CATEGORIES = [name.removeprefix("event ") for name in exchanges() if name.startswith("event ")]
PATCH = "/api/1.4/patches/40"


def whole(listing: Callable[[Patchwork], Listing[Any]]) -> Call:
    """All of a list."""
    return lambda client: listing(client).all()


def page(listing: Callable[[Patchwork], Listing[Any]], size: int) -> Call:
    """As many items as there are on the page that was recorded, for which no other page is asked for."""

    async def call(client: Patchwork) -> list[Any]:
        items = listing(client)
        return [await anext(items) for _ in range(size)]

    return call


def raw(method: str, path: str, **how: Any) -> Call:
    """A request that the client's own calls never make."""
    return lambda client: client.http.call(method, f"{client.url}{path}", **how)


def category(name: str) -> Call:
    return whole(lambda client: client.events(category=name, limit=1))  # type: ignore[arg-type]


# What is called for each recording: the version that is pinned, the size of a page, and the call.
CALLS: dict[str, tuple[Version, int, Call]] = {
    **{f"index {each}": (each, 250, lambda client: client.index()) for each in VERSIONS},
    **{f"patch {each}": (each, 250, lambda client: client.patch(8)) for each in VERSIONS},
    **{f"series {each}": (each, 250, lambda client: client.series(25)) for each in VERSIONS},
    "index latest": ("1.4", 250, raw("GET", "/api/")),
    "unknown version": ("1.4", 250, raw("GET", "/api/2.0/")),
    "no trailing slash": ("1.4", 250, raw("GET", "/api/1.4/patches/8")),
    "patches, first page": ("1.4", 5, page(lambda client: client.patches(), 5)),
    "patches, middle page": ("1.4", 5, page(lambda client: client.patches(state="new"), 5)),
    "patches, last page": ("1.4", 50, page(lambda client: client.patches(), 28)),
    "past the last page": ("1.4", 50, page(lambda client: client.patches(), 1)),
    "empty list": ("1.4", 250, whole(lambda client: client.patches(state="bogus"))),
    "patches by hash": ("1.4", 250, whole(lambda client: client.patches(msgid="<none>"))),
    "patch pull request": ("1.4", 250, lambda client: client.patch(122)),
    "missing patch": ("1.4", 250, lambda client: client.patch(99999)),
    "unroutable id": ("1.4", 250, raw("GET", "/api/1.4/patches/abc/")),
    "cover list": ("1.4", 2, page(lambda client: client.covers(), 2)),
    "cover": ("1.4", 250, lambda client: client.cover(1)),
    "series list": ("1.4", 2, page(lambda client: client.series_list(project="lab"), 2)),
    "series without dependencies": ("1.4", 250, lambda client: client.series(27)),
    "events": ("1.4", 3, page(lambda client: client.events(), 3)),
    **{f"event {each}": ("1.4", 1, category(each)) for each in CATEGORIES},
    "projects": ("1.4", 250, whole(lambda client: client.projects())),
    "project by name": ("1.4", 250, lambda client: client.project("lab")),
    "people, anonymous": ("1.4", 250, whole(lambda client: client.people())),
    "people": ("1.4", 3, page(lambda client: client.people(), 3)),
    "users": ("1.4", 3, page(lambda client: client.users(), 3)),
    "own user": ("1.4", 250, lambda client: client.user(2)),
    "bundles, public": ("1.4", 250, whole(lambda client: client.bundles())),
    "bundles, owner": ("1.4", 250, whole(lambda client: client.bundles())),
    "private bundle, anonymous": ("1.4", 250, lambda client: client.bundle(2)),
    "checks": ("1.4", 250, whole(lambda client: client.checks(1))),
    "patch comments": ("1.4", 250, whole(lambda client: client.patch_comments(1))),
    "cover comments": ("1.4", 250, whole(lambda client: client.cover_comments(1))),
    "bad token on a public list": ("1.4", 1, page(lambda client: client.patches(), 1)),
    **{
        name: ("1.4", 250, raw("POST", f"{PATCH}/checks/", json={"state": "success"}))
        for name in ("check, anonymous", "check, reader")
    },
    "check created": (
        "1.4",
        250,
        lambda client: client.create_check(
            40,
            "success",
            context="pk-upload",
            target_url="https://panel.example.org/apps/1/versions/2",
            description="build published",
        ),
    ),
    "check, bad state and context": (
        "1.4",
        250,
        raw("POST", f"{PATCH}/checks/", json={"state": "great", "context": "a b", "target_url": "nope"}),
    ),
    "check, no state": ("1.4", 250, raw("POST", f"{PATCH}/checks/", json={"context": "x"})),
    "patch updated": (
        "1.4",
        250,
        lambda client: client.update_patch(40, state="under-review", archived=True, commit_ref="0123abcd"),
    ),
    "patch, bad values": (
        "1.4",
        250,
        lambda client: client.update_patch(40, state="bogus", archived="maybe"),  # type: ignore[arg-type]
    ),
    "patch, delegate no maintainer": ("1.4", 250, lambda client: client.update_patch(40, delegate=5)),
    **{
        name: ("1.4", 250, lambda client: client.update_patch(40, state="new"))
        for name in ("patch update, anonymous", "patch update, reader")
    },
    "patch update, list body": ("1.4", 250, raw("PATCH", f"{PATCH}/", json=[1])),
    "patch update, broken json": ("1.4", 250, raw("PATCH", f"{PATCH}/", json=msgspec.Raw(b'{"state": '))),
    "patch update, text body": ("1.4", 250, raw("PATCH", f"{PATCH}/", json=msgspec.Raw(b"state=new"))),
    "patch update, form": ("1.4", 250, raw("PATCH", f"{PATCH}/", form={"state": "accepted"})),
    "patch update without slash": ("1.4", 250, raw("PATCH", PATCH, json={"state": "new"})),
    "bundle created": ("1.4", 250, lambda client: client.create_bundle("recorded", [1, 2], public=True)),
    "bundle updated": ("1.4", 250, lambda client: client.update_bundle(4, patches=[3])),
    "bundle deleted": ("1.4", 250, lambda client: client.delete_bundle(4)),
    "bundle, below 1.2": ("1.4", 250, raw("POST", "/api/1.1/bundles/", json={"name": "x", "patches": [1]})),
    "delete a patch": ("1.4", 250, raw("DELETE", "/api/1.4/patches/1/")),
    "patch mbox": ("1.4", 250, raw("GET", "/project/lab/patch/patch-2-3@lab.example.com/mbox/")),
}
ERRORS: dict[str, tuple[type[PkUploadError], str]] = {
    "unknown version": (NotFound, "File not found"),
    "no trailing slash": (Redirected, "sends on"),
    "past the last page": (NotFound, "Invalid page."),
    "missing patch": (NotFound, "No Patch matches the given query."),
    "unroutable id": (NotFound, "File not found"),
    "people, anonymous": (Forbidden, "Authentication credentials were not provided."),
    "private bundle, anonymous": (NotFound, "No Bundle matches the given query."),
    "bad token on a public list": (Forbidden, "Invalid token."),
    "check, anonymous": (Forbidden, "You do not have permission to perform this action."),
    "check, reader": (Forbidden, "You do not have permission to perform this action."),
    "check, bad state and context": (RecordInvalid, 'state: "great" is not a valid choice.'),
    "check, no state": (RecordInvalid, "state: A check must have a state."),
    "patch, bad values": (RecordInvalid, "state: Invalid state bogus. Expected one of: new, under-review"),
    "patch, delegate no maintainer": (RecordInvalid, "delegate: User 'reader' is not a maintainer"),
    "patch update, anonymous": (Forbidden, "Authentication credentials were not provided."),
    "patch update, reader": (Forbidden, "You do not have permission to perform this action."),
    "patch update, list body": (BadRequest, "Expected a dictionary, but got list."),
    "patch update, broken json": (BadRequest, "JSON parse error"),
    "patch update, text body": (NotAcceptable, 'Unsupported media type "text/plain" in request.'),
    "patch update without slash": (Redirected, "sends on"),
    "bundle, below 1.2": (MethodNotAllowed, 'Method "POST" not allowed.'),
    "delete a patch": (MethodNotAllowed, 'Method "DELETE" not allowed.'),
}
# The client asks for these in its own way: all at once, or by what its own calls never send.
ASKED_OTHERWISE = {
    "patches, middle page": {"page"},
    "patches, last page": {"page"},
    "past the last page": {"page"},
}


@pytest.fixture
async def serve(anyio_backend: str) -> AsyncIterator[Serve]:
    async with serving() as start:
        yield start


def test_no_recording_is_left_out() -> None:
    assert CALLS.keys() == exchanges().keys()
    failed = {each.name for each in exchanges().values() if each.status >= 300}
    assert ERRORS.keys() == failed


@pytest.mark.parametrize("name", CALLS)
async def test_every_recording_is_asked_for_as_it_was_and_read(serve: Serve, name: str) -> None:
    exchange, (version, per_page, call) = exchanges()[name], CALLS[name]
    server = await serve(exchange.answer())
    async with Patchwork(
        server.url, token=exchange.token, version=version, per_page=per_page, retry=FAST
    ) as client:
        if name in ERRORS:
            kind, said = ERRORS[name]
            with pytest.raises(kind) as caught:
                await call(client)
            assert type(caught.value) is kind
            assert said in caught.value.message
            assert "<" not in caught.value.message
            assert caught.value.hint
        else:
            answer = await call(client)
            if not isinstance(answer, bytes):
                assert as_json(answer) == with_zones(exchange.json)
    assert_asked(server.seen[0], name)
    assert len(server.seen) == 1


def as_json(answer: Any) -> Any:
    return json.loads(msgspec.json.encode(answer))


def with_zones(value: Any) -> Any:
    """What was recorded, with each moment in the documented form."""
    match value:
        case dict():
            return {name: f"{each}Z" if name == "date" else with_zones(each) for name, each in value.items()}
        case list():
            return [with_zones(each) for each in value]
        case _:
            return value


def assert_asked(seen: Seen, name: str) -> None:
    """The request was the recorded one, but for what a list asks beside its filters."""
    exchange = exchanges()[name]
    asked, recorded = urlsplit(seen.target), urlsplit(exchange.path)
    assert (seen.method, asked.path) == (exchange.method, recorded.path)
    left_out = ASKED_OTHERWISE.get(name, set())
    assert {*parse_qsl(asked.query)} >= {
        pair for pair in parse_qsl(recorded.query) if pair[0] not in left_out
    }
    token = f"Token {exchange.token}" if exchange.token else None
    assert seen.headers.get("authorization") == token
    if isinstance(exchange.body, dict):
        assert json.loads(seen.body) == exchange.body


async def test_moments_are_in_utc_whichever_form_they_have(serve: Serve) -> None:
    patch = dict(exchanges()["patch 1.4"].json)
    forms = {
        "2025-01-06T23:03:00": datetime(2025, 1, 6, 23, 3, tzinfo=UTC),
        "2025-01-06T23:03:00Z": datetime(2025, 1, 6, 23, 3, tzinfo=UTC),
        "2025-01-06T23:03:00.053466": datetime(2025, 1, 6, 23, 3, 0, 53466, tzinfo=UTC),
        "2025-01-06T23:03:00+02:00": datetime(2025, 1, 6, 21, 3, tzinfo=UTC),
    }
    for text, moment in forms.items():
        server = await serve(
            exchanges()["patch 1.4"].answer().__class__(200, json.dumps(patch | {"date": text}).encode())
        )
        async with Patchwork(server.url, retry=FAST) as client:
            found = await client.patch(8)
        assert found.date == moment
        assert found.date is not None
        assert found.date.tzinfo is UTC


async def test_what_older_versions_lack_is_absent(serve: Serve) -> None:
    server = await serve(exchanges()["patch 1.0"].answer())
    async with Patchwork(server.url, version="1.0", retry=FAST) as client:
        patch = await client.patch(8)
    assert (patch.web_url, patch.comments, patch.related, patch.list_archive_url) == (UNSET,) * 4
    assert patch.project is not None
    assert patch.project.commit_url_format is UNSET


async def test_an_mbox_is_saved_byte_by_byte(serve: Serve, tmp_path: Path) -> None:
    patch, mbox = exchanges()["patch 1.4"], exchanges()["patch mbox"]
    server = await serve(patch.answer(), mbox.answer())  # the address in the patch is the recorded host's
    async with Patchwork(server.url, token="MAINTAINER", retry=FAST) as client:
        size = await client.download_patch(8, tmp_path / "a.mbox")
    assert (tmp_path / "a.mbox").read_text() == mbox.text
    assert size == len(mbox.text)
    assert [each.target for each in server.seen] == [patch.path, mbox.path]
    assert [entry.name for entry in tmp_path.iterdir() if entry.suffix != ""] == ["a.mbox"]
