"""The lab that the recordings of a running Patchwork server were made in, built again in a sandbox.

Its mails come in three mboxes: what was done to the patches lies between them, and numbers the events.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from patchwork_harness import CARL, SUBMITTER, PatchworkClient, diff, mail, patchwork_client, write_mbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

STATES = [
    *("new", "under-review", "accepted", "rejected", "rfc", "not-applicable"),
    *("changes-requested", "awaiting-upstream", "superseded", "deferred"),
]
SIZES = (5, 3, 1, 8, 2, 12, 4, 1, 6, 5, 3, 1, 8, 2, 12, 4, 1, 6, 5, 4, 1, 8, 2, 4)
"""How many patches each of the first 24 series has."""
ALONE = frozenset({3, 8, 12, 17, 21})
"""The series without a cover letter."""
DEVS = [f"Dev {letter} <dev{letter.lower()}@example.org>" for letter in "ABCDE"]
LAB = {
    "web_url": "https://lab.example.com/",
    "scm_url": "git://git.example.com/lab.git",
    "webscm_url": "https://git.example.com/lab",
    "list_archive_url": "https://lore.example.com/lab/",
    "list_archive_url_format": "https://lore.example.com/r/{}",
    "commit_url_format": "https://git.example.com/lab/commit/?id={}",
}
OTHER: dict[str, Any] = {
    "to": "other@lists.example.com",
    "list_id": "Other Project <other.lists.example.com>",
}
BEGIN = datetime(2025, 1, 6, 16, tzinfo=UTC)
NAMES = {1: CARL, 2: DEVS[0], 10: "Dev F <devf@example.org>"}


def name_of(part: int, number: int) -> str:
    return f"patch-{part}-{number}@lab.example.com"


class Lab:
    """The mails, patch by patch."""

    def __init__(self) -> None:
        self.patch = 0
        self.names: dict[int, tuple[str, str]] = {}
        self.senders: dict[int, str] = {}

    def series(
        self, part: int, title: str, length: int, *, date: datetime, mark: str = "PATCH", **more: Any
    ) -> list[str]:
        """A series of which the first `length` patches came."""
        sender, total = more.pop("sender"), more.pop("total", length)
        more |= {"sender": sender}
        mails, cover = [], f"cover-{part}@lab.example.com"
        if part not in ALONE:
            text = f"Cover letter text for {title}\n\nregards\n"
            needed = more.pop("needed", "")
            mails.append(mail(f"[{mark} 0/{total}] {title}", text + needed, msgid=cover, date=date, **more))
        for number in range(1, length + 1):
            self.patch += 1
            place = f"{mark} {number}/{total}" if part not in ALONE else mark
            step = f"{title} step {number}"
            shown = f"[{place.removeprefix('PATCH').strip().replace(' ', ',')}] {step}"
            self.names[self.patch] = (name_of(part, number), shown)
            self.senders[self.patch] = sender
            body = f"This does {step}.\n\nSigned-off-by: {sender}\n\n{diff(self.patch)}"
            moment = date + timedelta(minutes=number)
            answers = cover if part not in ALONE else None
            msgid = name_of(part, number)
            mails.append(mail(f"[{place}] {step}", body, msgid=msgid, date=moment, answers=answers, **more))
        return mails

    def patches(self) -> list[str]:
        mails: list[str] = []
        for part, length in enumerate(SIZES, 1):
            sender = NAMES.get(part) or DEVS[{4: 2, 22: 2, 23: 3, 24: 4}.get(part, 1)]
            date = BEGIN + timedelta(hours=7 * (part - 1))
            mails += self.series(part, f"widget: rework part {part}", length, date=date, sender=sender)
        more: dict[str, Any] = {
            "date": BEGIN + timedelta(hours=7 * 24),
            "sender": DEVS[0],
            "mark": "PATCH v2",
        }
        mails += self.series(25, "widget: rework part 1", 5, **more)
        more = {"date": BEGIN + timedelta(hours=7 * 25), "sender": DEVS[1], "total": 4}
        needed = f"\nDepends-on: <{name_of(25, 1)}>\n"
        mails += self.series(26, "gadget: incomplete series", 2, needed=needed, **more)
        more = {"date": BEGIN + timedelta(hours=7 * 26), "sender": DEVS[2]}
        mails += self.series(27, "other: stuff", 6, **more, **OTHER)
        pull = "Pull please\n\n  git://git.example.com/dev.git tags/for-next\n"
        msgid, date = "pull-1/with slash@lab.example.com", datetime(2025, 1, 14, 7, tzinfo=UTC)
        return [*mails, mail("[GIT PULL] please pull", pull, msgid=msgid, sender=DEVS[3], date=date)]

    def comments(self) -> list[str]:
        mails: list[str] = []
        for number in range(40):
            msgid, subject = self.names[number % 12 + 1]
            mails.append(
                mail(
                    f"Re: {subject}",
                    f"> This does\n\nLooks good.\n\nReviewed-by: {DEVS[number % 2]}\n",
                    sender=DEVS[number % 2],
                    msgid=f"comment-{number}@lab.example.com",
                    answers=msgid,
                    date=datetime(2025, 1, 14, 6, number, tzinfo=UTC),
                )
            )
        for number, part in enumerate((1, 2, 4, 5, 6)):
            mails.append(
                mail(
                    f"Re: [0/{SIZES[part - 1]}] widget: rework part {part}",
                    "Thanks\n",
                    sender=DEVS[1],
                    msgid=f"ccomment-{number}@lab.example.com",
                    answers=f"cover-{part}@lab.example.com",
                    date=datetime(2025, 1, 14, 6, 50 + number, tzinfo=UTC),
                )
            )
        return mails


def samples() -> list[str]:
    """Three small series by somebody else: with a cover letter, without one, and a second version."""
    mails: list[str] = []
    for mark, stem, moments in (
        ("PATCH", "1473632524-8585-{}", (22 * 60 + 2, 22 * 60 + 3, 22 * 60 + 4)),
        ("PATCH", "1473633236-10676-{}", (None, 33 * 60 + 55, 33 * 60 + 56)),
        ("PATCH v2", "1473632795-9971-{}", (26 * 60 + 33, 26 * 60 + 34, 26 * 60 + 35)),
    ):
        first = 1
        for number, second in enumerate(moments):
            if second is None:
                continue
            title = ("A sample series", "test: Add some lorem ipsum", "test: Convert to Markdown")[number]
            here = f"{stem.format(number + 1 if moments[0] else number)}-git-send-email-sample@example.org"
            top = f"{stem.format(first)}-git-send-email-sample@example.org"
            mails.append(
                mail(
                    f"[{mark} {number}/2] {title}",
                    f"{title}\n\n{diff(1000 + number) if number else ''}",
                    msgid=here,
                    answers=None if here == top else top,
                    sender="Sam Sample <sample@example.org>",
                    date=datetime(2016, 9, 11, 22, tzinfo=UTC) + timedelta(seconds=second),
                )
            )
    return mails


async def _decide(client: PatchworkClient) -> None:
    """The maintainer's work on the patches, from the first to the last."""
    for place, patch in enumerate([*range(1, 116), 122]):
        state = STATES[(place - 1) // 3 % 10]
        if place % 3 == 1 and state != "new":
            more: dict[str, Any] = {"archived": True} if patch in {8, 113} else {}
            more |= {"commit_ref": "00000000000aad0ed32fa6e85d50f85c40000000"} if patch == 8 else {}
            await client.done("PATCH", f"/patches/{patch}/", {"state": state, **more})
        if place % 10 == 3:
            await client.done("PATCH", f"/patches/{patch}/", {"delegate": 1})


_CHECKED = {2: ("success", "fail"), 4: ("pending",), 8: ("pending", "pending"), 10: ("warning",)}
_CHECKED |= {12: ("success", "warning", "success"), 30: ("success", "success", "pending")}


async def _check(client: PatchworkClient) -> None:
    for place in range(30):
        patch, contexts = place + 1, ("build", "style", "unit-tests")[: place % 3 + 1]
        states = _CHECKED.get(patch, ("success",) * 3)
        for run, (context, state) in enumerate(zip(contexts, states, strict=False)):
            body = {"state": state, "context": context, "description": f"run {run}"}
            body["target_url"] = f"https://ci.example.com/{patch}/{context}"
            await client.done("POST", f"/patches/{patch}/checks/", body)


async def _bundle(client: PatchworkClient) -> None:
    body: dict[str, Any] = {"name": "for-next", "patches": [1, 2, 3, 4], "public": True}
    await client.done("POST", "/bundles/", body)
    await client.done("POST", "/bundles/", {"name": "private-one", "patches": [6]})
    body = {"name": "contrib-pub", "patches": [7], "public": True}
    await client.done("POST", "/bundles/", body, token=SUBMITTER)


@asynccontextmanager
async def laboratory(folder: Path) -> AsyncIterator[PatchworkClient]:
    """A client of a sandbox that is as the server was when the recordings began."""
    lab, data = Lab(), folder / "data"
    first = write_mbox(folder / "patches.mbox", lab.patches())
    async with patchwork_client(data, first) as client:
        await client.done("PATCH", "/projects/lab/", LAB)
        await client.done("PATCH", "/projects/other/", {"show_dependencies": False})
        await _decide(client)
    second = write_mbox(folder / "comments.mbox", lab.comments())
    async with patchwork_client(data, first, second) as client:
        await _check(client)
        await client.done("PATCH", "/patches/109/", {"related": [1]})
        await _bundle(client)
    third = write_mbox(folder / "samples.mbox", samples())
    async with patchwork_client(data, first, second, third) as client:
        yield client
