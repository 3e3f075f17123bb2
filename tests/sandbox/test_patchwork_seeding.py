"""How mails become patches, cover letters, series and comments in the sandbox's Patchwork."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from patchwork_harness import (
    CARL,
    MORNING,
    PatchworkClient,
    Seed,
    diff,
    mail,
    patchwork_client,
    series,
)

from pk_upload.sandbox.database import Database
from pk_upload.sandbox.patchwork.mail_table import MailTable
from pk_upload.sandbox.store import Store

pytestmark = pytest.mark.anyio
DORA = "Dora <dora@example.org>"


async def all_series(client: PatchworkClient) -> list[tuple[Any, ...]]:
    return [
        (
            one["name"],
            one["version"],
            f"{one['received_total']}/{one['total']}",
            one["received_all"],
            one["cover_letter"] and one["cover_letter"]["id"],
            [patch["id"] for patch in one["patches"]],
        )
        for one in await client.get("/series/")
    ]


async def test_without_mails_there_is_a_project_and_nothing_in_it(tmp_path: Path) -> None:
    async with patchwork_client(tmp_path) as client:
        [project] = await client.get("/projects/")
        assert (project["link_name"], project["list_id"]) == ("sandbox", "sandbox.lists.example.com")
        assert project["list_email"] == "sandbox@lists.example.com"
        assert [one["username"] for one in project["maintainers"]] == ["maintainer"]
        assert [one["username"] for one in await client.get("/users/")] == [
            "maintainer",
            "submitter",
            "reader",
        ]
        for path in ("/patches/", "/covers/", "/series/", "/events/", "/bundles/"):
            assert await client.get(path) == []


async def test_a_second_version_is_a_series_of_its_own_even_in_the_same_thread(seed: Seed) -> None:
    newer = [
        mail("[PATCH v2 0/2] w", msgid="n0@x", answers="cover-1@lab.example.com"),
        mail("[PATCHv2 1/2] w one", diff(1), msgid="n1@x", answers="n0@x"),
        mail("[PATCH v2 2/2] w two", diff(2), msgid="n2@x", answers="n0@x"),
    ]
    async with seed.client(*series(1), *newer) as client:
        assert await all_series(client) == [
            ("widget: part 1", 1, "3/3", True, 1, [1, 2, 3]),
            ("w", 2, "2/2", True, 2, [4, 5]),
        ]
        assert (await client.get("/patches/4/"))["name"] == "[v2,1/2] w one"


async def test_a_second_version_does_not_fill_the_gaps_of_the_first(seed: Seed) -> None:
    newer = mail("[PATCH v2 2/3] w", diff(1), msgid="n@x", answers="cover-1@lab.example.com")
    cover, one, _, _ = series(1)
    async with seed.client(cover, one, newer) as client:
        assert [(name, got) for name, _, got, *_ in await all_series(client)] == [
            ("widget: part 1", "1/3"),
            ("[v2,2/3] w", "1/3"),
        ]


async def test_mails_of_a_series_may_come_in_any_order(seed: Seed) -> None:
    cover, one, two, three = series(1)
    async with seed.client(three, one, cover, two) as client:
        assert await all_series(client) == [("widget: part 1", 1, "3/3", True, 1, [2, 3, 1])]
        told = [
            (event["category"], event["payload"].get("patch", {}).get("id"))
            for event in await client.get("/events/?order=date")
        ]
        assert told == [
            ("series-created", None),
            ("patch-created", 1),
            ("patch-created", 2),
            ("patch-completed", 2),
            ("cover-created", None),
            ("patch-created", 3),
            ("patch-completed", 3),
            ("patch-completed", 1),
            ("series-completed", None),
        ]


async def test_patches_made_for_a_file_name_no_one_another_and_are_found_together(seed: Seed) -> None:
    mails = [mail(f"[PATCH {n}/3] step {n}", diff(n), msgid=None, list_id=None, to="") for n in (1, 2, 3)]
    async with seed.client(*mails, *mails[:1]) as client:
        assert await all_series(client) == [("[1/3] step 1", 1, "3/3", True, None, [1, 2, 3])]
        [project] = await client.get("/projects/")
        assert project["link_name"] == "sandbox"
        names = {patch["msgid"] for patch in await client.get("/patches/")}
        assert len(names) == 3
        assert all(name.endswith("@sandbox.example.com>") for name in names)


@pytest.mark.parametrize(
    "more", [{"sender": DORA}, {"date": MORNING + timedelta(days=3)}, {"list_id": "b.example.com"}]
)
async def test_what_has_another_sender_day_or_list_is_of_another_series(seed: Seed, more: Any) -> None:
    first = mail("[PATCH 1/2] one", diff(1), msgid="a@x")
    async with seed.client(first, mail("[PATCH 2/2] two", diff(2), msgid="b@x", **more)) as client:
        assert [one[2] for one in await all_series(client)] == ["1/2", "1/2"]


async def test_two_series_alike_stay_two(seed: Seed) -> None:
    mails = [mail(f"[PATCH {n}/2] again", diff(n), msgid=f"{turn}{n}@x") for turn in "ab" for n in (1, 2)]
    cover = mail("[PATCH 0/2] later", msgid="c@x")
    async with seed.client(*mails, cover) as client:
        assert [one[5] for one in await all_series(client)] == [[1, 2], [3, 4], []]


async def test_a_patch_alone_is_a_series_of_one(seed: Seed) -> None:
    async with seed.client(mail("[PATCH] alone", f"Why\n\n{diff(1)}-- \n2.40\n")) as client:
        assert await all_series(client) == [("alone", 1, "1/1", True, None, [1])]
        patch = await client.get("/patches/1/")
        assert (patch["content"], patch["diff"], patch["prefixes"]) == ("Why\n", diff(1), [])
        assert (patch["submitter"]["name"], patch["submitter"]["email"]) == (
            "Carl Contributor",
            "contrib@example.com",
        )


@pytest.mark.parametrize(
    ("body", "address"),
    [
        ("Hello,\n\nplease pull\n\n  git://x.org/dev.git tags/a\n", "git://x.org/dev.git tags/a"),
        ("available in the Git repository at:\n\n https://x.org/dev\tmain\n\nE", "https://x.org/dev main"),
        ("git pull ssh://git.example.com/dev\n", "ssh://git.example.com/dev"),
    ],
)  # fmt: skip
async def test_a_pull_request_is_a_patch_without_a_series(seed: Seed, body: str, address: str) -> None:
    async with seed.client(mail("[GIT PULL] changes", body)) as client:
        patch = await client.get("/patches/1/")
        assert (patch["name"], patch["pull_url"], patch["diff"]) == ("[GIT,PULL] changes", address, None)
        assert (patch["hash"], patch["series"]) == (None, [])
        url = patch["mbox"].removesuffix("mbox/") + "raw/"
        assert (await client.raw("GET", url)).status == 404


async def test_answers_are_comments_on_what_they_answer_and_what_is_neither_is_left(seed: Seed) -> None:
    name = "patch-1-2@lab.example.com"
    mails = [
        *series(1),
        mail("Re: [PATCH 2/3] widget", f"> said\n\nNo:\n\n{diff(9)}", msgid="a@x", answers=name),
        mail("AW: Re: x", "To the answer\n", msgid="b@x", answers="a@x", sender=DORA),
        mail("a thought", "No Re, but in the thread\n", msgid="c@x", References=f"<{name}> <lost@x>"),
        mail("Re: on the cover", "C\n", msgid="d@x", answers="cover-1@lab.example.com"),
        mail("Re: lost", f"Nothing to answer\n\n{diff(4)}", msgid="e@x", answers="lost@x"),
        mail("just talk", "Hello list\n", msgid="f@x"),
    ]
    async with seed.client(*mails) as client:
        comments = await client.get("/patches/2/comments/")
        assert [one["msgid"] for one in comments] == ["<a@x>", "<b@x>", "<c@x>"]
        assert "+content 9" in comments[0]["content"]
        assert (comments[1]["subject"], comments[1]["submitter"]["name"]) == ("AW: Re: x", "Dora")
        assert [one["msgid"] for one in await client.get("/covers/1/comments/")] == ["<d@x>"]
        assert len(await client.get("/patches/")) == 3
        [seeded] = client.sandbox.seeded
        assert (seeded.patches, seeded.covers, seeded.comments, seeded.others) == (3, 1, 4, 2)


@pytest.mark.parametrize(
    ("date", "kept"),
    [
        ("Mon, 06 Jan 2025 18:30:00 +0530", "2025-01-06T13:00:00"),
        ("Mon, 06 Jan 2025 18:30:00 -0800", "2025-01-07T02:30:00"),
        ("Mon, 06 Jan 2025 18:30:00", "2025-01-06T18:30:00"),
        ("06 Jan 2025 18:30:00 EST", "2025-01-06T23:30:00"),
    ],
)
async def test_dates_are_kept_in_utc(seed: Seed, date: str, kept: str) -> None:
    async with seed.client(mail("[PATCH] x", diff(1), date=date)) as client:
        patch = await client.get("/patches/1/")
        assert patch["date"] == kept
        assert patch["headers"]["Date"] == date


async def test_a_patch_is_complete_once_all_before_it_are_there(seed: Seed) -> None:
    _, *patches = series(1, 5)
    async with seed.client(*(patches[number - 1] for number in (3, 1, 5, 2, 4))) as client:
        events = await client.get("/events/?order=date&category=patch-completed&category=series-completed")
        told = [event["payload"].get("patch", {}).get("name", "")[1:4] for event in events]
        assert told == ["1/5", "2/5", "3/5", "4/5", "5/5", ""]


async def test_no_arrival_reads_the_series_as_a_whole(seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a long series would take a time that grows with the square of its length."""
    with monkeypatch.context() as patched:
        patched.delattr(MailTable, "patches_of_series")
        async with seed.client(*series(1, 20)) as client:
            events = await client.get("/events/?category=patch-completed")
            assert len(events) == 20
            assert client.sandbox.seeded[0].patches == 20


def test_few_names_are_tried_for_one_of_many_lists_with_the_same_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for name in ("row", "value"):
        ask = getattr(Database, name)

        def counted(db: Database, sql: str, *values: Any, ask: Any = ask) -> Any:
            asked.append(sql)
            return ask(db, sql, *values)

        monkeypatch.setattr(Database, name, counted)
    with closing(Store(tmp_path / "s.sqlite3")) as store:
        people = store.patchwork.people
        for number in range(300):
            asked.clear()
            project = people.create_project("x", "lab", f"lab.n{number}.example.com", "lab@example.com")
        assert project.link_name == "lab-300"
        assert len(asked) < 30


async def test_lists_with_the_same_label_get_the_next_free_name(seed: Seed) -> None:
    ids = ["lab-3.example.com", *(f"lab.n{number}.example.com" for number in range(12))]
    mails = [mail("[PATCH] x", diff(1), msgid=f"{n}@x", list_id=one) for n, one in enumerate(ids)]
    async with seed.client(*mails) as client:
        names = [one["link_name"] for one in await client.get("/projects/")]
        assert names[:3] == ["lab-3", "lab", "lab-2"]
        assert names[3:] == [f"lab-{number}" for number in range(4, 14)]


async def test_projects_are_those_of_the_lists(seed: Seed) -> None:
    mails = [
        mail("[PATCH] a", diff(1), msgid="a@x"),
        mail("[PATCH] b", diff(2), msgid="b@x", list_id=None, to="Lab <LAB@lists.example.com>"),
        mail("[PATCH] c", diff(3), msgid="c@x", list_id=None, to="dev@example.com"),
        mail("[PATCH] d", diff(4), msgid="d@x", list_id="lab.other.example.com"),
        mail("just talk", "Hello\n", msgid="e@x", list_id="quiet.example.com"),
        mail("[PATCH] a", diff(1), msgid="a@x", list_id="lab.other.example.com"),
    ]
    async with seed.client(*mails) as client:
        projects = {
            one["link_name"]: (one["name"], one["list_email"]) for one in await client.get("/projects/")
        }
        assert projects == {
            "lab": ("Lab Project", "lab@lists.example.com"),
            "sandbox": ("sandbox", "sandbox@lists.example.com"),
            "lab-2": ("lab", "lab@other.example.com"),
        }
        shown = [(one["name"], one["project"]["link_name"]) for one in await client.get("/patches/")]
        assert shown == [("a", "lab"), ("b", "lab"), ("c", "sandbox"), ("d", "lab-2"), ("a", "lab-2")]


async def test_a_series_says_what_it_depends_on(seed: Seed) -> None:
    needs = [
        "Depends-on: <patch-1-2@lab.example.com>",
        "depends-on: https://lore.example.com/r/cover-2@lab.example.com/",
        "Depends-on: http://127.0.0.1/project/lab/list/?series=3",
        "Depends-on: <nothing@x>",
        "Depends-on: http://127.0.0.1/series/99/",
    ]
    last = mail("[PATCH 0/1] last", "\n".join(needs) + "\n", msgid="z@x")
    async with seed.client(*series(1), *series(2), *series(3), last) as client:
        shown = await client.get("/series/4/")
        assert shown["dependencies"] == [
            f"{client.sandbox.patchwork_url}/api/1.4/series/{n}/" for n in (1, 2, 3)
        ]
        assert (await client.get("/series/1/"))["dependents"] == [shown["url"]]


async def test_a_patch_may_be_attached(seed: Seed) -> None:
    body = (
        "--b\nContent-Type: text/plain\n\nSee there\n--b\nContent-Type: text/html\n\n<p>See</p>\n"
        f"--b\nContent-Type: text/x-patch; name=x\nContent-Disposition: attachment\n\n{diff(1)}\n--b--\n"
    )
    async with seed.client(mail("[PATCH] x", body, Content_Type="multipart/mixed; boundary=b")) as client:
        patch = await client.get("/patches/1/")
        assert (patch["content"], patch["diff"]) == ("See there\n", diff(1))


async def test_the_submitter_is_who_sent_the_first_patch(seed: Seed) -> None:
    mails = [
        mail("[PATCH 0/1] x", sender=DORA),
        mail("[PATCH 1/1] y", diff(1), msgid="b@x"),
        *series(2, sender=DORA),
    ]
    async with seed.client(*mails) as client:
        [user] = await client.get("/users/?q=submitter")
        assert f"{user['first_name']} {user['last_name']} <{user['email']}>" == CARL
