"""What the sandbox's Kickfolio does under faults, and what of it outlives a restart."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest
from kickfolio_harness import Host, bundle, kickfolio_client, ok

from pk_upload.sandbox import SandboxError
from pk_upload.sandbox.schema import STEPS
from pk_upload.sandbox.store import Store

URL = "http://127.0.0.1:1/bundle.zip"


@pytest.mark.anyio
async def test_faults_strike_in_kickfolios_own_words(tmp_path: Path) -> None:
    faults = ("status=500@kickfolio-apps:count=1", "lost-answer@POST/kickfolio-versions:count=1")
    async with kickfolio_client(tmp_path, faults=faults) as kickfolio:
        status, answer = await kickfolio.call("POST", "/apps", {"app": {"name": "n"}})
        assert (status, answer.keys()) == (500, {"message", "code"})
        app = await kickfolio.app()
        with pytest.raises(aiohttp.ClientConnectionError):
            await kickfolio.version(app, URL)
        assert len(await kickfolio.ok("GET", "/versions")) == 1
        assert len(await kickfolio.ok("GET", "/apps")) == 1


@pytest.mark.anyio
async def test_all_of_it_outlives_a_restart(tmp_path: Path, host: Host) -> None:
    async with kickfolio_client(tmp_path) as kickfolio:
        app = await kickfolio.app()
        await kickfolio.settled(await kickfolio.version(app, host.serves("/b", ok(bundle()))))
        before = [await kickfolio.call("GET", path) for path in ("/apps", "/versions")]
        icon = before[0][1]["apps"][0]["icon"].removeprefix(kickfolio.sandbox.url)
    async with kickfolio_client(tmp_path, port=int(kickfolio.sandbox.url.rpartition(":")[2])) as kickfolio:
        assert [await kickfolio.call("GET", path) for path in ("/apps", "/versions")] == before
        async with kickfolio.session.get(kickfolio.sandbox.url + icon) as answer:
            assert (answer.status, answer.content_type) == (200, "image/png")
    assert len(host.asked) == 1


def test_a_database_from_before_there_was_a_kickfolio_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite3"
    with closing(sqlite3.connect(path)) as older:
        older.executescript(STEPS[0])
        older.execute("INSERT INTO setting VALUES ('signing_key', x'6b657074')")
        older.execute("PRAGMA user_version = 1")
        older.commit()
    with closing(Store(path)) as store:
        assert store.kickfolio.create_app("n").name == "n"
        assert store.signing_key() == b"kept"
    with closing(Store(path)) as store:
        assert [app.name for app in store.kickfolio.apps(None)] == ["n"]


def test_a_database_of_a_newer_sandbox_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite3"
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    with pytest.raises(SandboxError, match="newer"):
        Store(path)
