"""What of the sandbox's Patchwork outlives a restart and a kill, and what faults make of it."""

from __future__ import annotations

import errno
import json
import sqlite3
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cli_harness import start
from patchwork_harness import (
    READER,
    TOKEN,
    PatchworkClient,
    diff,
    mail,
    patchwork_client,
    series,
    write_mbox,
)

from pk_upload.sandbox import SandboxError, serve
from pk_upload.sandbox.patchwork.series_table import SeriesTable
from pk_upload.sandbox.schema import STEPS
from pk_upload.sandbox.store import Store

LISTS = ("/projects/", "/users/", "/people/", "/patches/", "/covers/", "/series/", "/events/", "/bundles/")


async def everything(client: PatchworkClient) -> dict[str, Any]:
    found = {path: await client.get(f"{path}?per_page=250") for path in LISTS}
    found["checks"] = await client.get("/patches/1/checks/")
    found["patch"] = await client.get("/patches/1/")
    text = json.dumps(found).replace(client.sandbox.patchwork_url, "")
    parsed: dict[str, Any] = json.loads(text)
    return parsed


async def work(client: PatchworkClient) -> None:
    await client.done("PATCH", "/patches/1/", {"state": "accepted", "delegate": 1, "related": [2]})
    await client.done("POST", "/patches/1/checks/", {"state": "success"})
    await client.done("POST", "/bundles/", {"name": "n", "patches": [1]}, token=READER)
    await client.done("PATCH", "/users/1/", {"settings": {"show_ids": True}})
    await client.done("PATCH", "/projects/lab/", {"web_url": "https://x.example.com"})


@pytest.mark.anyio
async def test_all_of_it_outlives_a_restart_and_seeding_again_adds_nothing(tmp_path: Path) -> None:
    mbox = write_mbox(tmp_path / "m", series(1))
    async with patchwork_client(tmp_path / "data", mbox, mbox) as client:
        await work(client)
        before = await everything(client)
        assert [(one.patches, one.known) for one in client.sandbox.seeded] == [(3, 0), (0, 4)]
    async with patchwork_client(tmp_path / "data", mbox) as client:
        assert await everything(client) == before
        assert client.sandbox.seeded[0].known == 4
    async with patchwork_client(tmp_path / "data") as client:
        assert await everything(client) == before


@pytest.mark.anyio
async def test_a_project_without_mails_stays_when_others_come(tmp_path: Path) -> None:
    async with patchwork_client(tmp_path / "data"):
        pass
    async with patchwork_client(tmp_path / "data", write_mbox(tmp_path / "m", series(1))) as client:
        assert [one["link_name"] for one in await client.get("/projects/")] == ["sandbox", "lab"]


@pytest.mark.anyio
async def test_a_series_goes_on_in_a_later_mbox(tmp_path: Path) -> None:
    cover, one, two, three = series(1)
    first = write_mbox(tmp_path / "a", [cover, one])
    async with patchwork_client(tmp_path / "data", first) as client:
        assert not (await client.get("/series/1/"))["received_all"]
    answer = mail("Re: x", "Fine\n", msgid="c@x", answers="patch-1-1@lab.example.com")
    second = write_mbox(tmp_path / "b", [three, two, answer, mail("[PATCH] new", diff(9), msgid="n@x")])
    async with patchwork_client(tmp_path / "data", first, second) as client:
        shown = await client.get("/series/1/")
        assert (shown["received_all"], [one["id"] for one in shown["patches"]]) == (True, [1, 3, 2])
        assert len(await client.get("/series/")) == 2
        assert len(await client.get("/patches/1/comments/")) == 1


def ask(verb: str, url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=verb)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_what_was_answered_outlives_a_kill(tmp_path: Path) -> None:
    mbox = write_mbox(tmp_path / "m", [mail for part in range(1, 9) for mail in series(part)])
    flags = (
        "--port",
        "0",
        "--json",
        "--patchwork-token",
        TOKEN,
        "--seed-mbox",
        mbox,
        "--data-dir",
        tmp_path / "d",
    )
    made: list[int] = []
    for _ in range(3):
        process = start("sandbox", *flags)
        assert process.stdout is not None
        api = f"{json.loads(process.stdout.readline())['patchwork_url']}/api/1.4"
        assert [one["id"] for one in ask("GET", f"{api}/patches/1/checks/")] == made
        for number in range(5):
            body = {"state": "success", "context": f"c{number}"}
            made += [ask("POST", f"{api}/patches/1/checks/", body)["id"]]
        process.kill()
        assert process.wait(timeout=60) != 0
        process.communicate()
    process = start("sandbox", *flags)
    assert process.stdout is not None
    api = f"{json.loads(process.stdout.readline())['patchwork_url']}/api/1.4"
    assert [one["id"] for one in ask("GET", f"{api}/patches/1/checks/?per_page=250")] == made
    assert len(ask("GET", f"{api}/patches/?per_page=250")) == 24
    assert len(ask("GET", f"{api}/series/?per_page=250")) == 8
    process.terminate()
    process.communicate(timeout=60)


def test_a_kill_while_seeding_leaves_whole_mails_and_the_rest_comes_next_time(tmp_path: Path) -> None:
    mbox = write_mbox(tmp_path / "m", [mail for part in range(1, 401) for mail in series(part)])
    flags = (
        "--port",
        "0",
        "--json",
        "--patchwork-token",
        TOKEN,
        "--seed-mbox",
        mbox,
        "--data-dir",
        tmp_path / "d",
    )
    process = start("sandbox", *flags)
    database, deadline = tmp_path / "d" / "sandbox.sqlite3-wal", time.monotonic() + 60
    try:
        while not database.exists() or database.stat().st_size < 500_000:
            assert process.poll() is None
            assert time.monotonic() < deadline, "the mails do not come to the database"
            time.sleep(0.002)
    finally:
        process.kill()
        process.communicate(timeout=60)
    with closing(Store(tmp_path / "d" / "sandbox.sqlite3")) as store:
        assert store.patchwork.mails.patch(1) is not None
    process = start("sandbox", *flags)
    assert process.stdout is not None
    api = f"{json.loads(process.stdout.readline())['patchwork_url']}/api/1.4"
    events = ask("GET", f"{api}/events/?order=date&per_page=250&category=series-completed&page=last")
    assert len(events) == 150
    assert ask("GET", f"{api}/patches/1200/")["name"] == "[3/3] widget: part 400 step 3"
    process.terminate()
    process.communicate(timeout=60)


@pytest.mark.anyio
@pytest.mark.parametrize("broken", ["[PATCH 0/3] widget: part 1", "[PATCH 1/3] widget: part 1 step 1"])
async def test_a_mail_is_kept_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """The last thing that is noted of a mail fails: nothing of it is to be there."""
    need = SeriesTable.need

    def full(table: SeriesTable, series: int, needed: Any) -> None:
        need(table, series, needed)
        if broken.startswith("[PATCH 0") or "1" in seen:
            raise OSError(errno.ENOSPC, "No space left on device")
        seen.append("1")

    seen: list[str] = []
    monkeypatch.setattr(SeriesTable, "need", full)
    mbox = write_mbox(tmp_path / "m", series(1))
    with pytest.raises(SandboxError, match="No space left"):
        async with patchwork_client(tmp_path / "data", mbox):
            raise AssertionError
    monkeypatch.undo()
    with closing(sqlite3.connect(tmp_path / "data" / "sandbox.sqlite3")) as database:
        kept = [
            database.execute(f"SELECT COUNT(*) FROM patchwork_{table}").fetchone()[0]
            for table in ("cover", "series", "patch", "event")
        ]
    assert kept == ([0, 0, 0, 0] if broken.startswith("[PATCH 0") else [1, 1, 0, 2])
    async with patchwork_client(tmp_path / "data", mbox) as client:
        assert [one["id"] for one in (await client.get("/series/1/"))["patches"]] == [1, 2, 3]


@pytest.mark.anyio
async def test_faults_strike_in_patchworks_own_words(tmp_path: Path) -> None:
    faults = (
        "status=503@patchwork-patches:count=1:retry-after=7",
        "status=429@patchwork-series-list:count=1",
        "status=302@PATCH/patchwork-patch:count=1",
        "lost-answer@POST/patchwork-checks:count=1",
        "status=502@patchwork-mbox:count=1",
    )
    mbox = write_mbox(tmp_path / "m", series(1))
    async with patchwork_client(tmp_path / "data", mbox, faults=faults) as client:
        answer = await client.call("GET", "/patches/")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert (await client.call("GET", "/patches/")).status == 200
        answer = await client.call("GET", "/series/")
        assert (answer.status, set(answer.json), answer.headers["Retry-After"]) == (429, {"detail"}, "1")
        assert (await client.call("PATCH", "/patches/1/", {"state": "rfc"})).status == 302
        assert (await client.get("/patches/1/"))["state"] == "new"
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.call("POST", "/patches/1/checks/", {"state": "fail"})
        assert len(await client.get("/patches/1/checks/")) == 1
        url = (await client.get("/patches/1/"))["mbox"]
        assert [(await client.raw("GET", url)).status for _ in range(2)] == [502, 200]


def test_a_database_from_before_there_was_a_patchwork_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite3"
    with closing(sqlite3.connect(path)) as older:
        for step in STEPS[:2]:
            older.executescript(step)
        older.execute("PRAGMA user_version = 2")
        older.commit()
    with closing(Store(path)) as store:
        assert store.patchwork.people.sender("Carl", "c@example.com").id == 1


@pytest.mark.anyio
async def test_an_empty_token_would_let_everybody_in(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        async with serve(tmp_path, patchwork_token=""):
            raise AssertionError
