"""Whatever a client may send to the sandbox's Kickfolio, the wrong as well as the unusual."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from kickfolio_harness import TOKEN, Host, KickfolioClient, basic, bundle, kickfolio_client, ok

pytestmark = pytest.mark.anyio

NOBODY = "00000000-0000-4000-8000-000000000000"
URL = "http://127.0.0.1:1/bundle.zip"


def fields(answer: Any) -> list[str]:
    """The fields that an answer of 422 names; it has the form of the document."""
    assert answer.keys() == {"message", "code", "errors"}
    assert answer["code"] == "record_invalid"
    assert answer["message"] in {"The App is invalid.", "The Version is invalid."}  # `errors` says the rest
    assert all(error.keys() == {"field", "resource", "message"} for error in answer["errors"])
    return [error["field"] for error in answer["errors"]]


# Who asks


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": basic("wrong")},
        {"Authorization": basic("")},
        {"Authorization": basic(":X")},
        {"Authorization": basic(f"X:{TOKEN}")},
        {"Authorization": basic(f" {TOKEN} ")},
        {"Authorization": basic(TOKEN.upper())},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Basic"},
        {"Authorization": "Basic ///"},
        {"Authorization": "Basic /w=="},  # no text
        {"Authorization": basic(TOKEN).replace("Basic", "Bearer")},
        {"Authorization": basic(TOKEN)[:12] + "\t" + basic(TOKEN)[12:]},
        {"X-Api-Key": "sandbox"},
    ],
)
async def test_a_stranger_gets_nothing(kickfolio: KickfolioClient, headers: dict[str, str]) -> None:
    app = await kickfolio.app()
    for verb, path in [
        ("GET", "/apps"),
        ("GET", "/apps?auth_token=wrong"),
        ("DELETE", f"/apps/{app['id']}"),
        ("POST", "/versions"),
        ("GET", f"/versions/{NOBODY}"),
    ]:
        status, answer = await kickfolio.call(verb, path, headers=headers)
        assert (status, answer["code"], answer.keys()) == (401, "unauthorized", {"message", "code"})
    assert await kickfolio.ok("GET", "/apps")


@pytest.mark.parametrize("query", ["auth_token=a+b%3Ac", "auth_token=a%20b:c"])
async def test_a_token_may_have_spaces_and_colons(tmp_path: Path, query: str) -> None:
    token = "a b:c"
    async with kickfolio_client(tmp_path, token=token) as kickfolio:
        for headers in ({"Authorization": basic(token)}, {"Authorization": basic(f"{token}:X")}):
            assert (await kickfolio.call("GET", "/apps", headers=headers))[0] == 200
        assert (await kickfolio.call("GET", f"/apps?{query}", headers={}))[0] == 200


async def test_a_web_page_gets_nothing(kickfolio: KickfolioClient) -> None:
    headers = {"Authorization": basic(TOKEN), "Origin": "http://evil.test"}
    status, answer = await kickfolio.call("GET", "/apps", headers=headers)
    assert (status, answer["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/vnd.kickfolio.v1", 200),
        ("*/*", 200),
        ("application/json", 200),
        ("application/vnd.kickfolio.v2, application/vnd.kickfolio.v1", 200),
        ("application/vnd.kickfolio.v2", 406),
        ("application/vnd.kickfolio.v11", 406),
    ],
)
async def test_there_is_one_version_of_the_api(kickfolio: KickfolioClient, accept: str, status: int) -> None:
    headers = {"Authorization": basic(TOKEN), "Accept": accept}
    assert (await kickfolio.call("GET", "/apps", headers=headers))[0] == status


# What they ask for


async def test_a_list_can_be_filtered(kickfolio: KickfolioClient) -> None:
    apps = [await kickfolio.app(name) for name in "abc"]
    versions = [await kickfolio.version(app, URL) for app in (*apps, apps[0])]
    shown = [app["id"] for app in await kickfolio.ok("GET", "/apps")]
    assert shown == [app["id"] for app in apps]

    async def names(query: str) -> list[str]:
        return [app["name"] for app in await kickfolio.ok("GET", f"/apps?{query}")]

    a, b, c = (app["id"] for app in apps)
    assert await names(f"ids[]={c}&ids[]={a}") == ["a", "c"]
    assert await names(f"ids%5B%5D={c}&ids%5B%5D={apps[1]['public_key']}") == ["b", "c"]
    assert await names(f"ids={b}") == ["b"]
    assert await names(f"ids[]={a.upper()}&ids[]={a}&ids[]={NOBODY}") == ["a"]
    assert await names(f"ids[0]={c}&ids[12]={a}&ids%5B1%5D={b}") == ["a", "b", "c"]
    assert await names(f"ids[0]={b}") == ["b"]
    assert await names(f"ids[x]={a}&idsx={a}&ids[0][]={a}") == ["a", "b", "c"]  # no such parameters
    assert await names("ids[0]=") == []
    for none in ("ids[]=", f"ids[]={NOBODY}", "ids[]=%25", "ids[]=%ED%A0%80", "ids[]=" + "a" * 5000):
        assert await names(none) == []

    async def numbers(path: str) -> list[int]:
        found = [version["id"] for version in await kickfolio.ok("GET", path)]
        return [number for number, version in enumerate(versions) if version["id"] in found]

    assert await numbers("/versions") == [0, 1, 2, 3]
    assert await numbers(f"/apps/{a}/versions") == [0, 3]
    assert await numbers(f"/versions?ids[]={versions[1]['id']}&ids[]={versions[3]['id']}") == [1, 3]
    foreign = f"ids[]={versions[1]['id']}&ids[]={versions[3]['id']}"
    assert await numbers(f"/apps/{apps[0]['public_key']}/versions?{foreign}") == [3]


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE"])
async def test_what_is_not_there_is_404(kickfolio: KickfolioClient, verb: str) -> None:
    own, other = await kickfolio.app(), await kickfolio.app()
    version = await kickfolio.version(own, URL)
    app_body = {"app": {"name": "n"}}
    version_body = {"version": {"app_id": own["id"], "bundle_url": URL}}
    paths: dict[str, Any] = {f"/apps/{name}": app_body for name in (NOBODY, "nope", "%00", "%ED%A0%80", "'")}
    paths |= {f"/versions/{name}": version_body for name in (NOBODY, "nope", own["id"])}
    paths |= {
        f"/apps/{other['id']}/versions/{version['id']}": {"version": {"bundle_url": URL}},
        f"/apps/{NOBODY}/versions/{version['id']}": {"version": {"bundle_url": URL}},
        f"/apps/{own['public_key']}/versions/{NOBODY}": {"version": {"bundle_url": URL}},
        f"/apps/{own['id'][:-1]}": app_body,
    }
    for path, body in paths.items():
        status, answer = await kickfolio.call(verb, path, None if verb != "PUT" else body)
        assert (status, answer["code"], answer.keys()) == (404, "not_found", {"message", "code"}), path
    assert await kickfolio.ok("GET", f"/apps/{own['id']}/versions/{version['id']}")


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "", 404),
        ("GET", "/", 404),
        ("GET", "/users", 404),
        ("GET", f"/apps/{NOBODY}/versions/{NOBODY}/comments", 404),
        ("GET", f"/apps/{NOBODY}/versions", 404),
        ("POST", f"/apps/{NOBODY}/versions", 404),
        ("PATCH", "/apps", 405),
        ("DELETE", "/apps", 405),
        ("POST", f"/apps/{NOBODY}", 405),
        ("PUT", "/versions", 405),
    ],
)
async def test_no_such_endpoint(kickfolio: KickfolioClient, verb: str, path: str, status: int) -> None:
    body = {"version": {"bundle_url": URL}} if verb == "POST" else None
    found, answer = await kickfolio.call(verb, path, body)
    assert (found, answer.keys()) == (status, {"message", "code"})


async def test_paths_may_be_written_carelessly(kickfolio: KickfolioClient) -> None:
    app = await kickfolio.app()
    for path in ("//apps/", f"//apps//{app['id']}/", f"/apps/{app['id'].upper()}"):
        assert (await kickfolio.call("GET", path))[0] == 200


async def test_a_deleted_app_takes_its_versions_along(kickfolio: KickfolioClient, host: Host) -> None:
    own, other = await kickfolio.app(), await kickfolio.app()
    url = host.serves("/bundle.zip", ok(bundle()))
    version, kept = [await kickfolio.settled(await kickfolio.version(app, url)) for app in (own, other)]
    assert (await kickfolio.call("DELETE", f"/apps/{own['public_key']}"))[0] == 204
    assert (await kickfolio.call("DELETE", f"/apps/{own['public_key']}"))[0] == 404
    assert [app["id"] for app in await kickfolio.ok("GET", "/apps")] == [other["id"]]
    assert await kickfolio.ok("GET", "/versions") == [kept]
    async with kickfolio.session.get(version["default_image"]) as answer:
        assert answer.status == 404
    assert (await kickfolio.call("DELETE", f"/apps/{other['id']}/versions/{kept['id']}"))[0] == 204
    assert (await kickfolio.ok("GET", f"/apps/{other['id']}"))["versions"] == []


# What they bring


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"name=New",
        b"[]",
        b"null",
        b'"app"',
        b"{}",
        b'{"name": "New"}',
        b'{"version": {"name": "New"}}',
        b'{"app": "New"}',
        b'{"app": null}',
        b'{"app": ["New"]}',
        b'{"app": {"name": NaN}}',
        b'{"app": {"name": "\xff"}}',
        b'{"app": {"name": "New"}} {}',
        b'{"app": {"name": %s}}' % (b"9" * 10_000),
        b"[" * 100_000,
        b'{"app":' * 100_000,
    ],
    ids=lambda body: repr(body[:30]),
)
async def test_a_body_that_is_none_is_400(kickfolio: KickfolioClient, body: bytes) -> None:
    app = await kickfolio.app()
    for verb, path in (("POST", "/apps"), ("PUT", f"/apps/{app['id']}")):
        status, answer = await kickfolio.call(verb, path, body)
        assert (status, answer["code"], answer.keys()) == (400, "bad_request", {"message", "code"})
    assert [app["name"] for app in await kickfolio.ok("GET", "/apps")] == ["Kickfolio"]


async def test_a_large_body_is_413(kickfolio: KickfolioClient) -> None:
    status, answer = await kickfolio.call(
        "POST", "/apps", io.BytesIO(b" " * (2 << 20) + b'{"app": {"name": "n"}}')
    )
    assert (status, answer["code"]) == (413, "too_large")


NAMES: list[Any] = [None, "", "  \t", 7, True, ["a"], {"a": 1}, "a" * 256, "a\0b", "a\nb", "\ud800", "a\x9bb"]
NAMES += ["a\u2028b", "a\u2029b"]  # what ends a line, and a paragraph
ORDINARY = ["👩\u200d👩\u200d👧", "می\u200cخ", "a\u00a0b", "a\u00adb"]
"""Text that `str.isprintable` refuses: characters joined, parted, or spaced in ways of their own."""


@pytest.mark.parametrize("name", [*NAMES, ...], ids=repr)
async def test_a_name_that_is_none_is_422(kickfolio: KickfolioClient, name: Any) -> None:
    app = await kickfolio.app()
    body = json.dumps({"app": {} if name is ... else {"name": name}}).encode()
    for verb, path in (("POST", "/apps"), ("PUT", f"/apps/{app['id']}")):
        status, answer = await kickfolio.call(verb, path, body)
        assert (status, fields(answer)) == (422, ["name"])
    assert [app["name"] for app in await kickfolio.ok("GET", "/apps")] == ["Kickfolio"]


@pytest.mark.parametrize("name", ["a" * 255, "Ünï 游戏 😀", "<b>'; --", "0", *ORDINARY])
async def test_any_other_name_is_kept(kickfolio: KickfolioClient, name: str) -> None:
    assert (await kickfolio.app(f"  {name} "))["name"] == name


@pytest.mark.parametrize("text", ORDINARY)
async def test_any_other_version_string_is_kept(kickfolio: KickfolioClient, text: str) -> None:
    version = await kickfolio.version(await kickfolio.app(), URL, version_string=text)
    assert version["version_string"] == text


URLS: list[Any] = [
    *(None, "", " ", 7, [URL], "bundle.zip", "/bundle.zip", "//host/bundle.zip", "http://", "http:///a"),
    *("ftp://host/a", "file:///etc/passwd", "javascript:alert(1)", "data:,a", "http://host:99999/a"),
    *(
        "http://host:port/a",
        "http://user@host/a",
        "http://user:secret@host/a",
        "http://a b/c",
        "http://[::1/a",
    ),
    *(f"http://host/{'a' * 2048}", "http://host/a\nb", "http://host:0/a", "HTTP//host", "http://h/a\u202eb"),
]


@pytest.mark.parametrize("url", [*URLS, ...], ids=lambda url: repr(url)[:40])
async def test_a_bundle_url_that_is_none_is_422(kickfolio: KickfolioClient, url: Any) -> None:
    app = await kickfolio.app()
    version = await kickfolio.version(app, URL)
    given = {"app_id": app["id"]} | ({} if url is ... else {"bundle_url": url})
    for verb, path in (("POST", "/versions"), ("PUT", f"/versions/{version['id']}")):
        status, answer = await kickfolio.call(verb, path, {"version": given})
        assert (status, fields(answer)) == (422, ["bundle_url"])
    assert len(await kickfolio.ok("GET", "/versions")) == 1


async def test_every_field_that_is_wrong_is_named(kickfolio: KickfolioClient) -> None:
    app, other = await kickfolio.app(), await kickfolio.app()
    version = await kickfolio.version(app, URL)
    for body, wrong in [
        ({}, ["app_id", "bundle_url"]),
        (
            {"app_id": NOBODY, "bundle_url": "x", "version_string": 7},
            ["app_id", "bundle_url", "version_string"],
        ),
        ({"app_id": 7, "bundle_url": URL}, ["app_id"]),
        ({"app_id": app["id"], "bundle_url": URL, "version_string": " "}, ["version_string"]),
    ]:
        for verb, path in (("POST", "/versions"), ("PUT", f"/versions/{version['id']}")):
            status, answer = await kickfolio.call(verb, path, {"version": body})
            assert (status, sorted(fields(answer))) == (422, wrong)
    elsewhere = {"version": {"app_id": other["id"], "bundle_url": URL}}
    for verb, path in (("POST", "/versions"), ("PUT", f"/versions/{version['id']}")):
        status, answer = await kickfolio.call(verb, f"/apps/{app['id']}{path}", elsewhere)
        assert (status, fields(answer)) == (422, ["app_id"])


async def test_what_is_not_known_or_not_theirs_to_set_is_ignored(kickfolio: KickfolioClient) -> None:
    more = {"id": NOBODY, "public_key": "MINE", "bundle": "b", "created_at": "x", "versions": [], "new": {}}
    app = await kickfolio.ok("POST", "/apps", {"app": {**more, "name": "n"}, "other": 1})
    assert (app["name"], app["bundle"]) == ("n", None)
    assert app["id"] != NOBODY
    assert app["public_key"] != "MINE"
    version = await kickfolio.version(app, URL, state="ready", id=NOBODY, default_image=URL, comments=["a"])
    assert (version["state"], version["default_image"], version["comments"]) == ("pending", None, [])
    renamed = await kickfolio.ok("PUT", f"/apps/{app['id']}", {"app": {**app, "name": "m", "icon": "i"}})
    assert (renamed["name"], renamed["icon"], renamed["id"]) == ("m", None, app["id"])


async def test_a_version_may_move_to_another_app(kickfolio: KickfolioClient) -> None:
    app, other = await kickfolio.app(), await kickfolio.app()
    version = await kickfolio.version(app, URL)
    body = {"version": {"app_id": other["public_key"], "bundle_url": URL}}
    moved = await kickfolio.ok("PUT", f"/versions/{version['id']}", body)
    assert moved["app_id"] == other["id"]
    apps = await kickfolio.ok("GET", "/apps")
    assert [app["versions"] for app in apps] == [[], [version["id"]]]


async def test_a_version_string_changes_only_when_it_is_given(kickfolio: KickfolioClient) -> None:
    app = await kickfolio.app()
    version = await kickfolio.version(app, URL, version_string="1.0")
    path = f"/apps/{app['id']}/versions/{version['id']}"
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({}, "1.0"),
        ({"version_string": "1.1"}, "1.1"),
        ({"version_string": None}, None),
    ]
    for given, kept in cases:
        body = {"version": {"bundle_url": URL, **given}}
        assert (await kickfolio.ok("PUT", path, body))["version_string"] == kept
