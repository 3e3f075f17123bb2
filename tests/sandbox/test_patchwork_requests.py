"""What the sandbox's Patchwork takes and refuses: slashes, verbs, types of content, credentials, versions."""

from __future__ import annotations

import asyncio
import io
from base64 import b64encode
from typing import Any

import aiohttp
import pytest
from patchwork_harness import READER, SUBMITTER, TOKEN, PatchworkClient
from yarl import URL

pytestmark = pytest.mark.anyio
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
WRITABLE = "GET, PUT, PATCH, HEAD, OPTIONS"


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
async def test_a_missing_slash_is_a_redirect_whatever_the_verb(patchwork: PatchworkClient, verb: str) -> None:
    answer = await patchwork.call(verb, "/patches/1?state=new")
    assert (answer.status, answer.text) == (301, "")
    assert answer.headers["Location"] == "/patchwork/api/1.4/patches/1/?state=new"
    assert (await patchwork.get("/patches/1/"))["state"] == "new"


async def test_even_the_index_and_the_downloads_need_their_slash(patchwork: PatchworkClient) -> None:
    site = patchwork.sandbox.patchwork_url
    for path in ("/api", "/api/1.0", "/api/projects/lab", "/series/1/mbox", "/bundle/maintainer/x/mbox"):
        answer = await patchwork.raw("GET", site + path)
        assert (answer.status, answer.headers["Location"]) == (301, f"/patchwork{path}/")


@pytest.mark.parametrize("slashes", ["//", "///"])
async def test_no_number_of_slashes_leads_to_another_host(patchwork: PatchworkClient, slashes: str) -> None:
    site = patchwork.sandbox.url
    answer = await patchwork.raw("GET", f"{site}{slashes}patchwork/api/1.4/patches?page=1")
    assert (answer.status, answer.headers["Location"]) == (301, "/patchwork/api/1.4/patches/?page=1")
    answer = await patchwork.raw("GET", f"{site}{slashes}patchwork/api/1.4/patches/?per_page=2")
    assert answer.links["next"] == f"{site}/patchwork/api/1.4/patches/?page=2&per_page=2"


async def test_bytes_that_are_no_text_are_no_trouble(patchwork: PatchworkClient) -> None:
    host = URL(patchwork.sandbox.url).authority.encode()
    for verb, path, host_sent, kind, status in (
        (b"PATCH", b"patches/1/", host, b"text/\xff\xfe", b"415"),
        (b"PATCH", b"patches/1/", host, b"application/json; \xff", b"200"),
        (b"GET", b"patches/", b"\xff\xfe.example.com", b"text/plain", b"200"),
        (b"GET", b"patches", b"\xff\xfe.example.com", b"text/plain", b"301"),
        (b"POST", b"patches/1/checks/", b"\xff", b"application/json", b"201"),
    ):
        body = b'{"state": "fail"}' if verb == b"POST" else b"{}" if verb == b"PATCH" else b""
        lines = [
            verb + b" /patchwork/api/1.4/" + path + b" HTTP/1.1",
            b"Host: " + host_sent,
            b"Content-Type: " + kind,
            b"Authorization: Token " + TOKEN.encode(),
            b"Content-Length: %d" % len(body),
            b"Connection: close",
        ]
        reader, writer = await asyncio.open_connection(*host.decode().split(":"))
        writer.write(b"\r\n".join((*lines, b"", body)))
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert answer.split()[1] == status, (path, answer)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/api/1.5/",
        "/api/1.4/patches/x",
        "/api/1.4/patches/x/",
        "/api/1.4//patches/",
        "/api/1.4/patches/1//",
        "/api/1.4/series/1/mbox/",
        "/api/1.0/patches/1/comments/",
        "/api/1.2/patches/1/comments/1/",
        "/project/lab/patch/nothing@example.com/mbox/",
        "/project/nothing/cover/cover-1@lab.example.com/mbox/",
        "/series/99/mbox/",
        "/bundle/maintainer/nothing/mbox/",
        "/bundle/nobody/nothing/mbox/",
        "/project/lab/patch/patch-1-2@lab.example.com/mbox/?series=2",
    ],
)
async def test_what_is_nowhere_is_a_page(patchwork: PatchworkClient, path: str) -> None:
    answer = await patchwork.raw("GET", patchwork.sandbox.patchwork_url + path)
    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "<p>Page not found</p>" in answer.text
    assert "Allow" not in answer.headers


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/patches/99/", "Patch"),
        ("/patches/99/checks/", "Patch"),
        ("/patches/99/comments/", "Patch"),
        ("/patches/1/checks/1/", "Check"),
        ("/patches/1/comments/1/", "PatchComment"),
        ("/covers/1/comments/1/", "CoverComment"),
        ("/covers/99/", "Cover"),
        ("/series/99/", "Series"),
        ("/bundles/99/", "Bundle"),
        ("/projects/nothing/", "Project"),
        ("/projects/99/", "Project"),
        ("/users/99/", "User"),
        ("/people/99/", "Person"),
        (f"/patches/{'9' * 40}/", "Patch"),
    ],
)
async def test_a_row_that_is_missing_is_said_in_json(
    patchwork: PatchworkClient, path: str, kind: str
) -> None:
    answer = await patchwork.call("GET", path)
    assert (answer.status, answer.json) == (404, {"detail": f"No {kind} matches the given query."})
    assert answer.headers["Allow"].endswith("HEAD, OPTIONS")


async def test_verbs_that_are_not_allowed_are_told_with_those_that_are(patchwork: PatchworkClient) -> None:
    for verb, path, allowed in (
        ("POST", "/patches/", "GET, HEAD, OPTIONS"),
        ("POST", "/patches/1/", WRITABLE),
        ("PUT", "/patches/1/checks/", "GET, POST, HEAD, OPTIONS"),
        ("DELETE", "/projects/lab/", WRITABLE),
        ("POST", "/series/", "GET, HEAD, OPTIONS"),
        ("PATCH", "/covers/1/", "GET, HEAD, OPTIONS"),
        ("DELETE", "/events/", "GET, HEAD, OPTIONS"),
        ("PROPFIND", "/", "GET, HEAD, OPTIONS"),
    ):
        answer = await patchwork.call(verb, path)
        assert (answer.status, answer.headers["Allow"]) == (405, allowed), (verb, path)
        assert answer.json == {"detail": f'Method "{verb}" not allowed.'}


async def test_head_and_options_are_answered(patchwork: PatchworkClient) -> None:
    whole, head = (
        await patchwork.call("GET", "/patches/?per_page=2"),
        await patchwork.call("HEAD", "/patches/?per_page=2"),
    )
    assert (head.status, head.text) == (200, "")
    for name in ("Content-Type", "Content-Length", "Link", "Allow"):
        assert head.headers[name] == whole.headers[name]
    options = await patchwork.call("OPTIONS", "/patches/1/")
    assert (options.status, options.json["name"]) == (200, "Patch")
    mbox = f"{patchwork.sandbox.patchwork_url}/series/1/mbox/"
    head = await patchwork.raw("HEAD", mbox)
    assert (head.status, head.text) == (200, "")


async def test_other_types_of_content_are_refused(patchwork: PatchworkClient) -> None:
    for kind in ("text/plain; charset=utf-8", "application/xml", "application/vnd.api+json"):
        answer = await patchwork.call("PATCH", "/patches/1/", "x", headers={"Content-Type": kind})
        assert answer.status == 415
        assert answer.json == {"detail": f'Unsupported media type "{kind}" in request.'}


async def test_forms_are_taken_as_json_is(patchwork: PatchworkClient) -> None:
    form = "state=accepted&archived=true&delegate=1&related=2&related=3"
    changed = await patchwork.done("PATCH", "/patches/1/", form, headers=FORM)
    assert (changed["state"], changed["archived"], changed["delegate"]["id"]) == ("accepted", True, 1)
    assert [one["id"] for one in (await patchwork.get("/patches/1/"))["related"]] == [2, 3]
    parts = aiohttp.FormData({"state": "rfc", "archived": "False", "delegate": ""}, default_to_multipart=True)
    answer = await patchwork.raw("PATCH", f"{patchwork.sandbox.patchwork_url}/api/1.4/patches/1/", data=parts)
    assert (answer.json["state"], answer.json["archived"], answer.json["delegate"]) == ("rfc", False, None)


async def test_json_that_says_it_is_a_form_is_ignored_in_silence(patchwork: PatchworkClient) -> None:
    changed = await patchwork.done("PATCH", "/patches/1/", '{"state": "accepted"}', headers=FORM)
    assert changed["state"] == "new"


async def test_an_empty_body_changes_nothing(patchwork: PatchworkClient) -> None:
    for body in (None, "{}", '{"id": 7, "name": "other", "msgid": null, "unknown": []}'):
        assert (await patchwork.done("PATCH", "/patches/1/", body))["id"] == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("[1]", {"detail": ["Invalid data. Expected a dictionary, but got list."]}),
        ('"x"', {"detail": ["Invalid data. Expected a dictionary, but got str."]}),
        ("null", {"detail": ["No data provided"]}),
        ("{", "JSON parse error - Expecting property name enclosed in double quotes"),
        ('{"a": NaN}', "JSON parse error - Out of range float values are not JSON compliant"),
        (b"\xff", "JSON parse error - 'utf-8' codec can't decode"),
        ("[" * 100_000, "JSON parse error"),
    ],
)
async def test_bodies_that_are_no_objects_are_told_what_they_are(
    patchwork: PatchworkClient, body: str | bytes, told: Any
) -> None:
    answer = await patchwork.call("PATCH", "/patches/1/", body)
    assert answer.status == 400
    if isinstance(told, str):
        assert answer.json["detail"].startswith(told)
    else:
        assert answer.json == told


async def test_a_body_that_is_too_large_is_refused(patchwork: PatchworkClient) -> None:
    answer = await patchwork.call("PATCH", "/patches/1/", io.BytesIO(b" " * (2 << 20)))
    assert (answer.status, set(answer.json)) == (413, {"detail"})
    answer = await patchwork.call("PATCH", "/patches/1/", "a=1&" * 2000, headers=FORM)
    assert answer.status == 400


async def test_only_what_can_be_answered_is_accepted(patchwork: PatchworkClient) -> None:
    for accept, status in (
        ("application/json", 200),
        ("*/*", 200),
        ("text/html,application/xhtml+xml", 200),
        ("application/xml", 406),
    ):
        answer = await patchwork.call("GET", "/patches/", headers={"Accept": accept})
        assert answer.status == status, accept
    assert answer.json == {"detail": "Could not satisfy the request Accept header."}


@pytest.mark.parametrize(
    ("user", "token"), [("maintainer", TOKEN), ("submitter", SUBMITTER), ("reader", READER)]
)
async def test_everybody_has_a_token_that_is_a_password_too(
    patchwork: PatchworkClient, user: str, token: str
) -> None:
    number = {"maintainer": 1, "submitter": 2, "reader": 3}[user]
    for how in ({"token": token}, {"token": None, "headers": basic(user, token)}):
        shown = await patchwork.get(f"/users/{number}/", **how)
        assert (shown["username"], "settings" in shown) == (user, True)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Token wrong", "Invalid token."),
        ("Token", "Invalid token header. No credentials provided."),
        ("Token a b", "Invalid token header. Token string should not contain spaces."),
        ("token \u00fc", "Invalid token."),
        ("Basic", "Invalid basic header. No credentials provided."),
        ("Basic a b", "Invalid basic header. Credentials string should not contain spaces."),
        ("Basic !", "Invalid basic header. Credentials not correctly base64 encoded."),
        (basic("maintainer", READER)["Authorization"], "Invalid username/password."),
        (basic("nobody", "")["Authorization"], "Invalid username/password."),
    ],
)
async def test_wrong_credentials_are_refused_even_where_none_are_needed(
    patchwork: PatchworkClient, header: str, reason: str
) -> None:
    answer = await patchwork.call("GET", "/patches/", token=None, headers={"Authorization": header})
    assert (answer.status, answer.json) == (403, {"detail": reason})
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


async def test_a_scheme_that_is_not_known_is_as_good_as_none(patchwork: PatchworkClient) -> None:
    how: dict[str, Any] = {"token": None, "headers": {"Authorization": f"Bearer {TOKEN}"}}
    assert (await patchwork.call("GET", "/patches/", **how)).status == 200
    for verb, path in (("GET", "/users/"), ("GET", "/people/1/"), ("PATCH", "/patches/1/")):
        answer = await patchwork.call(verb, path, **how)
        assert (answer.status, answer.json["detail"]) == (
            403,
            "Authentication credentials were not provided.",
        )


async def test_a_web_page_gets_nothing(patchwork: PatchworkClient) -> None:
    answer = await patchwork.call("GET", "/patches/", headers={"Origin": "https://evil.example.com"})
    assert (answer.status, set(answer.json)) == (403, {"detail"})


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/patches/1/", {"1.1": {"web_url", "comments"}, "1.2": {"list_archive_url", "related"}}),
        ("/covers/1/", {"1.1": {"web_url", "comments", "mbox"}, "1.2": {"list_archive_url"}}),
        ("/series/1/", {"1.1": {"web_url"}, "1.4": {"dependencies", "dependents"}}),
        ("/users/1/", {"1.2": {"settings"}}),
        (
            "/projects/1/",
            {
                "1.1": {"subject_match"},
                "1.2": {"list_archive_url", "list_archive_url_format", "commit_url_format"},
                "1.4": {"show_dependencies"},
            },
        ),
    ],
)
async def test_older_versions_lack_the_fields_that_came_later(
    patchwork: PatchworkClient, path: str, fields: dict[str, set[str]]
) -> None:
    patchwork.version = "1.0"
    before = set(await patchwork.get(path))
    for version in ("1.1", "1.2", "1.3", "1.4"):
        patchwork.version = version
        shown = await patchwork.get(path)
        assert set(shown) - before == fields.get(version, set()), version
        assert f"/patchwork/api/{version}/" in shown["url"]
        before = set(shown)


async def test_what_an_older_version_does_not_know_it_does_not_write(patchwork: PatchworkClient) -> None:
    patchwork.version = "1.1"
    await patchwork.done(
        "PATCH", "/projects/lab/", {"show_dependencies": False, "web_url": "https://x.example.com"}
    )
    await patchwork.done("PATCH", "/users/1/", {"settings": {"show_ids": True}, "first_name": "Ann"})
    answers = [
        await patchwork.call(verb, f"/bundles/{path}") for verb, path in (("POST", ""), ("PATCH", "1/"))
    ]
    assert [answer.status for answer in answers] == [405, 405]
    patchwork.version = "1.4"
    project = await patchwork.get("/projects/lab/")
    assert (project["show_dependencies"], project["web_url"]) == (True, "https://x.example.com")
    user = await patchwork.get("/users/1/")
    assert (user["first_name"], user["settings"]["show_ids"]) == ("Ann", False)


async def test_relations_are_written_by_older_versions_which_do_not_show_them(
    patchwork: PatchworkClient,
) -> None:
    for patch, version in ((1, "1.0"), (3, "1.1")):
        patchwork.version = version
        for _ in range(2):
            assert "related" not in await patchwork.done(
                "PATCH", f"/patches/{patch}/", {"related": [patch + 1]}
            )
        patchwork.version = "1.4"
        assert [one["id"] for one in (await patchwork.get(f"/patches/{patch}/"))["related"]] == [patch + 1]


async def test_without_a_version_it_is_the_latest_and_links_have_none(patchwork: PatchworkClient) -> None:
    answer = await patchwork.raw("GET", f"{patchwork.sandbox.patchwork_url}/api/patches/1/")
    assert answer.json["url"] == f"{patchwork.sandbox.patchwork_url}/api/patches/1/"
    assert answer.json["related"] == []
