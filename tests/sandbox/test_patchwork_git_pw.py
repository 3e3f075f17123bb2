"""The requests of git-pw, as it was seen to make them against the sandbox, to the letter."""

from __future__ import annotations

from typing import Any

import pytest
from patchwork_harness import TOKEN, PatchworkClient

pytestmark = pytest.mark.anyio
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*", "User-Agent": "git-pw (2.9.0)"}


async def ids(client: PatchworkClient, path: str) -> list[int]:
    return [one["id"] for one in await client.get(path, headers={"Accept": "*/*"})]


async def test_it_lists_patches_of_several_states_and_people(patchwork: PatchworkClient) -> None:
    path = "/patches/?state=under-review&state=new&archived=false&per_page=3&order=-date&project=lab"
    assert await ids(patchwork, path) == [6, 5, 4]
    people = await ids(patchwork, "/people/?q=Carl+Contributor&project=lab")
    submitters = "&".join(f"submitter={number}" for number in people)
    path = f"/patches/?state=new&{submitters}&per_page=2&order=date,id&project=lab"
    assert await ids(patchwork, path) == [1, 2]


async def test_it_updates_a_patch_with_a_form(patchwork: PatchworkClient) -> None:
    [user] = await ids(patchwork, "/users/?q=maintainer&project=lab")
    form = f"commit_ref=abc&state=accepted&delegate={user}&archived=True"
    changed = await patchwork.done("PATCH", "/patches/1/", form, headers=FORM)
    shown = (changed["state"], changed["commit_ref"], changed["archived"], changed["delegate"]["username"])
    assert shown == ("accepted", "abc", True, "maintainer")


async def test_it_downloads_the_patches_before_one_and_bare_diffs(patchwork: PatchworkClient) -> None:
    patch = await patchwork.get("/patches/3/")
    answer = await patchwork.raw("GET", f"{patch['mbox']}?series=%2A")
    assert answer.headers["Content-Disposition"] == "attachment; filename=3-3-widget-part-1-step-3.patch"
    assert answer.text.count("From patchwork ") == 3
    answer = await patchwork.raw("GET", patch["mbox"].replace("/mbox/", "/raw/"))
    assert (answer.status, answer.text) == (200, patch["diff"])
    assert answer.headers["Content-Disposition"] == "attachment; filename=3-3-widget-part-1-step-3.diff"
    series = await patchwork.get("/series/2/")
    answer = await patchwork.raw("GET", series["mbox"])
    assert answer.headers["Content-Disposition"] == "attachment; filename=widget-part-2.patch"


async def test_it_makes_bundles_with_forms(patchwork: PatchworkClient) -> None:
    async def bundled(verb: str, path: str, form: str) -> Any:
        bundle = await patchwork.done(verb, path, form, headers=FORM, token=TOKEN)
        return bundle["name"], bundle["public"], [one["id"] for one in bundle["patches"]]

    made = await bundled("POST", "/bundles/", "name=mine&patches=1&patches=2&public=False")
    assert made == ("mine", False, [1, 2])
    assert await ids(patchwork, "/bundles/?q=mine&project=lab") == [1]
    assert await bundled("PATCH", "/bundles/1/", "patches=1&patches=2&patches=4") == (
        "mine",
        False,
        [1, 2, 4],
    )
    assert await bundled("PATCH", "/bundles/1/", "name=yours&public=True") == ("yours", True, [1, 2, 4])
    answer = await patchwork.raw("GET", f"{patchwork.sandbox.patchwork_url}/bundle/maintainer/yours/mbox/")
    assert answer.headers["Content-Disposition"] == "attachment; filename=bundle-1-yours.mbox"
    assert (await patchwork.call("DELETE", "/bundles/1/")).status == 204


async def test_a_bundle_has_no_name_in_addresses(patchwork: PatchworkClient) -> None:
    answer = await patchwork.call("PATCH", "/bundles/mine/", "patches=1", headers=FORM)
    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
