"""The lists of the sandbox's Patchwork: pages and their links, filters, orders."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from patchwork_harness import (
    CARL,
    MORNING,
    READER,
    SUBMITTER,
    PatchworkClient,
    mail,
    patchwork_client,
    series,
    write_mbox,
)

pytestmark = pytest.mark.anyio
DORA = "Dora <dora@example.org>"
OTHER: dict[str, Any] = {"list_id": "other.lists.example.com", "to": "other@lists.example.com"}


@pytest.fixture
async def lab(anyio_backend: str, tmp_path: Path) -> Any:
    """Patches 1 to 3 by Carl, then 4 to 6 by Dora a day later in another project; a cover letter each."""
    later = MORNING + timedelta(days=1)
    mails = [*series(1), *series(2, sender=DORA, date=later, **OTHER)]
    for msgid, sender, date in (("c@example.com", CARL, later), ("d@example.com", DORA, MORNING)):
        answer: dict[str, Any] = {"msgid": msgid, "sender": sender, "date": date}
        mails.append(mail("Re: [1/3] x", "Fine\n", answers="patch-1-1@lab.example.com", **answer))
    async with patchwork_client(tmp_path / "data", write_mbox(tmp_path / "m", mails)) as client:
        await client.done("PATCH", "/patches/2/", {"state": "accepted", "delegate": 1})
        await client.done("PATCH", "/patches/5/", {"state": "rejected", "archived": True})
        for patch, state, context in (
            (1, "fail", "a"),
            (1, "success", "a"),
            (1, "warning", "b"),
            (3, "fail", "a"),
        ):
            await client.done("POST", f"/patches/{patch}/checks/", {"state": state, "context": context})
        yield client


async def ids(client: PatchworkClient, path: str, **how: Any) -> list[int]:
    return [one["id"] for one in await client.get(path, **how)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [1, 2, 3, 4, 5, 6]),
        ("project=lab", [1, 2, 3]),
        ("project=2", [4, 5, 6]),
        ("project=lab&project=other", [1, 2, 3, 4, 5, 6]),
        ("project=1&project=other", [1, 2, 3, 4, 5, 6]),
        ("project=nothing", []),
        ("project=", []),
        ("project=%20&q=widget", []),
        ("series=2", [4, 5, 6]),
        ("series=x", []),
        ("series=x&series=1", []),
        ("series=&series=1", []),
        ("series=", []),
        ("submitter=", []),
        ("delegate=&state=new", []),
        ("hash=&msgid=&since=&before=&q=&order=&archived=", [1, 2, 3, 4, 5, 6]),
        (f"series={'9' * 40}", []),
        ("submitter=contrib@example.com", [1, 2, 3]),
        ("submitter=dora@example.org&state=new", [4, 6]),
        ("submitter=dora", []),
        ("submitter=3", [1, 2, 3]),
        ("delegate=1", [2]),
        ("delegate=maintainer", [2]),
        ("state=accepted&state=rejected", [2, 5]),
        ("state=", []),
        ("state=&state=new", []),
        ("state=Accepted", [2]),
        ("state=ACCEPTED&state=bogus", []),
        ("state=Under%20Review&state=rejected", [5]),
        ("archived=true", [5]),
        ("archived=False", [1, 2, 3, 4, 6]),
        ("archived=maybe", [1, 2, 3, 4, 5, 6]),
        ("archived=false&archived=true", [5]),
        ("msgid=patch-1-2@lab.example.com", [2]),
        ("msgid=%3Cpatch-1-2@lab.example.com%3E", []),
        ("since=2025-01-07", [4, 5, 6]),
        ("since=2025-01-07T16:00:00", [4, 5, 6]),
        ("since=2025-01-07T16:00:01", []),
        ("before=2025-01-07T16:00", [1, 2, 3]),
        ("before=2025-01-06%2016:00:00", []),
        ("q=3/3", [3, 6]),
        ("q=WIDGET,2/3", [2, 5]),
        ("q=%25", []),
        ("unknown=x", [1, 2, 3, 4, 5, 6]),
        ("state=%00accepted", [2]),
        ("order=-id", [6, 5, 4, 3, 2, 1]),
        ("order=project,-id", [3, 2, 1, 6, 5, 4]),
        ("order=-date,id", [4, 5, 6, 1, 2, 3]),
        ("order=state,id", [1, 3, 4, 6, 2, 5]),
        ("order=archived,-name", [6, 3, 2, 4, 1, 5]),
        ("order=-check,id", [3, 1, 2, 4, 5, 6]),
        ("order=submitter", [1, 2, 3, 4, 5, 6]),
        ("order=nothing", [1, 2, 3, 4, 5, 6]),
        ("order=;drop", [1, 2, 3, 4, 5, 6]),
    ],
)
async def test_patches_are_filtered_and_ordered(lab: PatchworkClient, query: str, found: list[int]) -> None:
    assert await ids(lab, f"/patches/?{query}") == found


async def test_patches_are_found_by_the_hash_of_their_diff(lab: PatchworkClient) -> None:
    wanted = (await lab.get("/patches/3/"))["hash"]
    assert await ids(lab, f"/patches/?hash={wanted}") == [3]
    lab.version = "1.1"
    assert await ids(lab, f"/patches/?hash={wanted}&msgid=x") == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/series/?project=other", [2]),
        ("/series/?submitter=contrib@example.com", [1]),
        ("/series/?q=part&order=-name", [2, 1]),
        ("/series/?before=2025-01-07", [1]),
        ("/series/?order=-submitter", [2, 1]),
        ("/covers/?msgid=cover-2@lab.example.com", [2]),
        ("/covers/?order=-date", [2, 1]),
        ("/covers/?submitter=4&project=lab", []),
        ("/people/?q=dora", [4]),
        ("/people/?order=-email", [2, 1, 4, 3]),
        ("/users/?q=rita", [3]),
        ("/users/?order=-username", [2, 3, 1]),
        ("/patches/1/checks/?state=1", [2]),
        ("/patches/1/checks/?state=success", []),
        ("/patches/1/checks/?context=a", [1, 2]),
        ("/patches/1/checks/?user=maintainer&user=2", [1, 2, 3]),
        ("/patches/1/checks/?user=reader", []),
        ("/patches/1/checks/?before=2020-01-01", []),
        ("/patches/1/checks/?since=2020-01-01", [1, 2, 3]),
        ("/patches/1/checks/?user=", []),
        ("/patches/1/checks/?state=&context=", [1, 2, 3]),
        ("/patches/1/checks/?order=-id", [3, 2, 1]),
        ("/patches/1/checks/?order=-date", [3, 2, 1]),
        ("/patches/1/comments/?nothing=1", [1, 2]),
        ("/patches/1/comments/?order=-id", [2, 1]),
        ("/patches/1/comments/?order=date", [2, 1]),
        ("/patches/1/comments/?order=-submitter", [2, 1]),
        ("/projects/?order=-id", [2, 1]),
        ("/projects/?order=-name", [2, 1]),
    ],
)
async def test_the_other_lists_are_too(lab: PatchworkClient, path: str, found: list[int]) -> None:
    assert await ids(lab, path) == found


@pytest.mark.parametrize(
    ("query", "categories"),
    [
        ("cover=1", {"cover-created"}),
        ("series=2&category=series-completed", {"series-completed"}),
        ("patch=2", {"patch-created", "patch-completed", "patch-state-changed", "patch-delegated"}),
        ("actor=maintainer&patch=5", {"patch-state-changed"}),
        ("actor=1&project=lab", {"patch-state-changed", "patch-delegated", "check-created"}),
        ("actor=reader", set()),
        ("category=check-created&category=patch-comment-created", {"check-created", "patch-comment-created"}),
        ("category=nothing", set()),
        ("actor=&category=check-created", {"check-created"}),
        ("category=&patch=4", {"patch-created", "patch-completed"}),
        ("series=", set()),
        ("cover=&cover=1", set()),
        ("patch=x", set()),
        ("since=2999-01-01", set()),
    ],
)
async def test_events_are_filtered(lab: PatchworkClient, query: str, categories: set[str]) -> None:
    events = await lab.get(f"/events/?per_page=250&{query}")
    assert {event["category"] for event in events} == categories


async def test_events_have_the_newest_first_unless_it_is_said(lab: PatchworkClient) -> None:
    numbers = await ids(lab, "/events/?per_page=250")
    assert numbers == sorted(numbers, reverse=True)
    assert await ids(lab, "/events/?per_page=250&order=date") == sorted(numbers)


async def test_bundles_are_filtered_among_those_that_the_client_may_see(lab: PatchworkClient) -> None:
    for name, patch, public, token in (
        ("a", 1, True, READER),
        ("b", 4, False, READER),
        ("c", 4, True, SUBMITTER),
    ):
        body = {"name": name, "patches": [patch], "public": public}
        await lab.done("POST", "/bundles/", body, token=token)
    for query, seen, by_reader in (
        ("", [1, 3], [1, 2, 3]),
        ("owner=reader", [1], [1, 2]),
        ("owner=2", [3], [3]),
        ("project=other", [3], [2, 3]),
        ("public=false", [], [2]),
        ("q=a", [1], [1]),
        ("order=-name", [3, 1], [3, 2, 1]),
        ("order=owner,-id", [3, 1], [3, 2, 1]),
    ):
        assert await ids(lab, f"/bundles/?{query}", token=None) == seen, query
        assert await ids(lab, f"/bundles/?{query}", token=READER) == by_reader, query


@pytest.mark.parametrize(
    "moment", ["2025-01-06T16:00:00Z", "2025-01-06T16:00:00%2B01:00", "2025-01-06%2016:00z"]
)
async def test_a_time_with_a_zone_breaks_it_as_it_breaks_a_server(lab: PatchworkClient, moment: str) -> None:
    answer = await lab.call("GET", f"/patches/?since={moment}")
    assert (answer.status, answer.headers["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert "without a zone" in answer.text


@pytest.mark.parametrize(
    "moment", ["yesterday", "2025-13-01", "2025-01-06T25:00:00", "0000-00-00", "2025-1-6"]
)
async def test_a_time_that_is_none_is_refused_in_a_bare_list(lab: PatchworkClient, moment: str) -> None:
    answer = await lab.call("GET", f"/events/?before={moment}")
    assert (answer.status, answer.json) == (400, ["Enter a valid date/time."])


async def test_there_are_250_items_on_a_page_at_most(tmp_path: Path) -> None:
    mbox = write_mbox(tmp_path / "m", series(1, 260))
    async with patchwork_client(tmp_path / "data", mbox) as client:
        for asked, length, last in ((1000, 250, 2), (250, 250, 2), (0, 30, 9), ("x", 30, 9), ("", 30, 9)):
            answer = await client.call("GET", f"/patches/?per_page={asked}")
            assert len(answer.json) == length
            assert f"page={last}&per_page={asked}" in answer.links["last"]


async def test_the_links_lead_from_page_to_page_and_keep_the_filters(lab: PatchworkClient) -> None:
    found, address = (
        [],
        f"{lab.sandbox.patchwork_url}/api/1.4/patches/?state=new&per_page=2&project=lab&state=accepted",
    )
    while address:
        answer = await lab.raw("GET", address)
        found += [one["id"] for one in answer.json]
        address = answer.links.get("next", "")
    assert found == [1, 2, 3]
    base = f"{lab.sandbox.patchwork_url}/api/1.4/patches/"
    rest = "per_page=2&project=lab&state=new&state=accepted"
    assert answer.links == {
        "prev": f"{base}?{rest}",
        "first": f"{base}?page=1&{rest}",
        "last": f"{base}?page=2&{rest}",
    }


async def test_older_versions_have_no_events_of_comments(lab: PatchworkClient) -> None:
    whole = {event["category"] for event in await lab.get("/events/?per_page=250")}
    assert {one for one in whole if "comment" in one} == {"patch-comment-created"}
    last = (await lab.call("GET", "/events/?per_page=1")).links["last"]
    lab.version = "1.2"
    assert {event["category"] for event in await lab.get("/events/?per_page=250")} == {
        one for one in whole if "comment" not in one
    }
    assert await lab.get("/events/?category=patch-comment-created") == []
    older = (await lab.call("GET", "/events/?per_page=1")).links["last"]
    pages = [int(address.partition("?page=")[2].partition("&")[0]) for address in (last, older)]
    assert pages[0] - pages[1] == 2


async def test_covers_are_found_by_their_mail_in_every_version(lab: PatchworkClient) -> None:
    for lab.version in ("1.0", "1.1", "1.2"):
        assert await ids(lab, "/covers/?msgid=cover-2@lab.example.com") == [2]


@pytest.mark.parametrize("page", ["", "%2B1", "+1", "01", "1%20"])
async def test_the_first_page_is_asked_for_in_many_ways(lab: PatchworkClient, page: str) -> None:
    assert await ids(lab, f"/patches/?page={page}&per_page=%2B2") == [1, 2]


@pytest.mark.parametrize("page", ["0", "99", "-1", "x", "%20", "%1F1", "1.0", "9" * 30])
async def test_there_is_no_page_past_the_end(lab: PatchworkClient, page: str) -> None:
    answer = await lab.call("GET", f"/patches/?page={page}")
    assert (answer.status, answer.json) == (404, {"detail": "Invalid page."})


async def test_the_last_page_can_be_asked_for_by_name(lab: PatchworkClient) -> None:
    assert await ids(lab, "/patches/?per_page=4&page=last") == [5, 6]


async def test_an_absurd_query_is_no_trouble(lab: PatchworkClient) -> None:
    many = "&".join(["state=new"] * 400)
    assert await ids(lab, f"/patches/?{many}") == [1, 3, 4, 6]
    assert await ids(lab, f"/patches/?q={'a,' * 300}") == [1, 2, 3, 4, 5, 6]
    assert (await lab.call("GET", f"/patches/?{'a&' * 600}")).status == 400
    assert await ids(lab, f"/patches/?order={'id,' * 500}-id") == [1, 2, 3, 4, 5, 6]
    assert await ids(lab, "/patches/?q=%F0%9F%98%80&project=%ED%A0%80") == []


async def test_people_say_which_user_they_are(lab: PatchworkClient) -> None:
    people = {one["email"]: one["user"] for one in await lab.get("/people/")}
    address = CARL.partition("<")[2].rstrip(">")
    assert people[address]["username"] == "submitter"
    assert people["maintainer@example.com"]["username"] == "maintainer"
    assert people["dora@example.org"] is None
