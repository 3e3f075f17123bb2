"""Bundles of the sandbox's Patchwork: made, changed and deleted by their owner, seen by whom they are for."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from patchwork_harness import (
    MORNING,
    READER,
    SUBMITTER,
    PatchworkClient,
    patchwork_client,
    series,
    write_mbox,
)

pytestmark = pytest.mark.anyio
DENIED = {"detail": "You do not have permission to perform this action."}
ANONYMOUS = {"detail": "Authentication credentials were not provided."}
TOO_LONG = "Ensure this field has no more than {} characters."


async def refused(
    client: PatchworkClient, verb: str, path: str, body: Any, told: Any, status: int = 400, **how: Any
) -> None:
    answer = await client.call(verb, path, body, **how)
    assert (answer.status, answer.json) == (status, told)


async def test_a_bundle_lives_and_dies(patchwork: PatchworkClient) -> None:
    made = await patchwork.call("POST", "/bundles/", {"name": "a b", "patches": [3, 1, 3]}, token=READER)
    assert (made.status, made.headers["Location"]) == (201, made.json["url"])
    assert [one["id"] for one in made.json["patches"]] == [1, 3]
    assert (made.json["public"], made.json["owner"]["username"]) == (False, "reader")
    assert made.json["mbox"] == f"{patchwork.sandbox.patchwork_url}/bundle/reader/a%20b/mbox/"
    path = f"/bundles/{made.json['id']}/"
    body = {"patches": ["5"], "public": "on", "name": "c"}
    changed = await patchwork.done("PATCH", path, body, token=READER)
    assert ([one["id"] for one in changed["patches"]], changed["public"], changed["name"]) == ([5], True, "c")
    required = ["This field is required."]
    await refused(
        patchwork, "PUT", path, {"public": False}, {"name": required, "patches": required}, token=READER
    )
    assert (await patchwork.done("PUT", path, {"name": "d", "patches": [1]}, token=READER))["public"]
    answer = await patchwork.call("DELETE", path, token=READER)
    assert (answer.status, answer.text, "Content-Type" in answer.headers) == (204, "", False)
    assert (await patchwork.call("GET", path, token=READER)).status == 404


async def test_a_bundle_is_its_owners(patchwork: PatchworkClient) -> None:
    for number, public in ((1, True), (2, False)):
        body = {"name": f"b{number}", "patches": [1], "public": public}
        await patchwork.done("POST", "/bundles/", body, token=READER)
    gone = {"detail": "No Bundle matches the given query."}
    for verb in ("PATCH", "PUT", "DELETE"):
        await refused(patchwork, verb, "/bundles/1/", {"name": "x"}, DENIED, 403)
        await refused(patchwork, verb, "/bundles/1/", {"name": "x"}, ANONYMOUS, 403, token=None)
        for token in (SUBMITTER, None):
            await refused(patchwork, verb, "/bundles/2/", {"name": "x"}, gone, 404, token=token)
    await refused(patchwork, "POST", "/bundles/", {"name": "x", "patches": [1]}, ANONYMOUS, 403, token=None)
    site = patchwork.sandbox.patchwork_url
    for token, name, status in (
        (None, "b1", 200),
        (None, "b2", 404),
        (SUBMITTER, "b2", 404),
        (READER, "b2", 200),
    ):
        answer = await patchwork.raw("GET", f"{site}/bundle/reader/{name}/mbox/", token=token)
        assert answer.status == status, (token, name)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, {"name": ["This field is required."], "patches": ["This field is required."]}),
        ({"name": "n" * 51, "patches": []}, {
            "name": [TOO_LONG.format(50)],
            "patches": ["Bundles cannot be empty"],
        }),
        ({"name": " ", "patches": "1"}, {
            "name": ["This field may not be blank."],
            "patches": ['Expected a list of items but got type "str".'],
        }),
        ({"name": "n", "patches": [1, 77], "public": "perhaps"}, {
            "patches": ['Invalid pk "77" - object does not exist.'],
            "public": ["Must be a valid boolean."],
        }),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_bundle_is_told(patchwork: PatchworkClient, body: Any, told: Any) -> None:
    await refused(patchwork, "POST", "/bundles/", body, told)
    assert await patchwork.get("/bundles/") == []


async def test_a_name_is_taken_by_its_owner_alone(patchwork: PatchworkClient) -> None:
    for token in (READER, SUBMITTER):
        await patchwork.done("POST", "/bundles/", {"name": "same", "patches": [1]}, token=token)
    await patchwork.done("POST", "/bundles/", {"name": "other", "patches": [1]}, token=READER)
    for verb, path in (("PATCH", "/bundles/3/"), ("PUT", "/bundles/3/"), ("POST", "/bundles/")):
        answer = await patchwork.call(verb, path, {"name": "same", "patches": [2]}, token=READER)
        assert (answer.status, answer.headers["Content-Type"]) == (500, "text/html; charset=utf-8")
    shown = await patchwork.get("/bundles/", token=READER)
    assert [(one["name"], one["patches"][0]["id"]) for one in shown] == [("same", 1), ("other", 1)]


async def test_a_bundle_lists_its_patches_by_date_and_sends_them_as_given(tmp_path: Any) -> None:
    mails = [*series(1), *series(2, date=MORNING - timedelta(days=9))]
    async with patchwork_client(tmp_path / "data", write_mbox(tmp_path / "m", mails)) as client:
        made = await client.done("POST", "/bundles/", {"name": "n", "patches": [3, 5, 1, 4, 3]})
        assert [one["id"] for one in made["patches"]] == [4, 5, 1, 3]
        text = (await client.raw("GET", made["mbox"])).text
        assert re.findall("^X-Patchwork-Id: (.*)$", text, re.MULTILINE) == ["3", "5", "1", "4"]


async def test_the_patches_of_a_bundle_are_of_one_project(tmp_path: Any) -> None:
    mails = [*series(1), *series(2, list_id="other.lists.example.com")]
    async with patchwork_client(tmp_path / "data", write_mbox(tmp_path / "m", mails)) as client:
        answer = await client.call("POST", "/bundles/", {"name": "n", "patches": [1, 4]})
        assert (answer.status, set(answer.json)) == (400, {"patches"})
        bundle = await client.done("POST", "/bundles/", {"name": "n", "patches": [1]})
        assert (await client.done("PATCH", f"/bundles/{bundle['id']}/", {"patches": [4]}))["project"][
            "id"
        ] == 2


async def test_a_slash_in_a_name_breaks_it_as_it_breaks_a_server(patchwork: PatchworkClient) -> None:
    answer = await patchwork.call("POST", "/bundles/", {"name": "a/b", "patches": [1]})
    assert (answer.status, answer.headers["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert await patchwork.get("/bundles/") == []
