"""A version's way from pending to ready, or to failed and why, over real connections."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from kickfolio_harness import (
    INFO,
    PNG,
    TOKEN,
    Host,
    KickfolioClient,
    bundle,
    hang,
    kickfolio_client,
    ok,
    until,
    zipped,
)

from pk_upload.sandbox.kickfolio import download
from pk_upload.sandbox.kickfolio.fetching import WORKERS
from processes import sandbox_process

pytestmark = pytest.mark.anyio


def leftovers(kickfolio: KickfolioClient) -> list[Path]:
    return [*(kickfolio.sandbox.data_dir / "uploads").iterdir()]


# It goes well


async def test_the_app_learns_what_its_bundle_tells(kickfolio: KickfolioClient, host: Host) -> None:
    lying = {
        "UISupportedInterfaceOrientations": ["UIInterfaceOrientationLandscapeRight"],
        "UIDeviceFamily": [2],
    }
    landscape = {"Default-Landscape.png": PNG + b"landscape"}
    app = await kickfolio.app()
    url = host.serves("/bundle.zip", ok(bundle(INFO | lying, **landscape)))
    version = await kickfolio.settled(await kickfolio.version(app, url))
    assert (version["state"], version["version_string"]) == ("ready", "1.0")
    assert "state_reason" not in version
    app = await kickfolio.ok("GET", f"/apps/{app['id']}")
    assert (app["bundle"], app["default_to_landscape"]) == ("com.kickfolio.app", True)
    assert (app["device_type"], app["versions"]) == ("iPad", [version["id"]])
    images = (app["icon"], version["default_image"], version["default_image_landscape"])
    for address, data in zip(images, (b"icon", b"default", b"landscape"), strict=True):
        async with kickfolio.session.get(address) as answer:
            assert await answer.read() == PNG + data
            assert (answer.content_type, answer.headers["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert leftovers(kickfolio) == []


async def test_a_string_that_was_given_beats_the_bundles(kickfolio: KickfolioClient, host: Host) -> None:
    url = host.serves("/bundle.zip", ok(bundle()))
    version = await kickfolio.version(await kickfolio.app(), url, version_string="9.9")
    assert (await kickfolio.settled(version))["version_string"] == "9.9"


async def test_another_bundle_is_fetched_and_the_same_one_is_not(
    kickfolio: KickfolioClient, host: Host
) -> None:
    first = host.serves("/1", ok(bundle()))
    second = host.serves("/2", ok(bundle(INFO | {"CFBundleShortVersionString": "2.0"})))
    version = await kickfolio.fetched(first)
    path = f"/apps/{version['app_id']}/versions/{version['id']}"
    same = await kickfolio.ok("PUT", path, {"version": {"bundle_url": first}})
    assert (same["state"], same["version_string"]) == ("ready", "1.0")
    other = await kickfolio.ok("PUT", path, {"version": {"bundle_url": second}})
    assert (other["state"], other["version_string"], other["default_image"]) == ("pending", None, None)
    assert (await kickfolio.settled(version))["version_string"] == "2.0"
    assert [head.split()[1] for head in host.asked] == ["/1", "/2"]


async def test_a_bundle_that_could_not_be_fetched_is_tried_again_when_asked_for(
    kickfolio: KickfolioClient, host: Host
) -> None:
    url = host.serves("/bundle.zip", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    version = await kickfolio.fetched(url)
    assert version["state"] == "failed"
    assert "503" in version["state_reason"]
    host.serves("/bundle.zip", ok(bundle()))
    path = f"/apps/{version['app_id']}/versions/{version['id']}"
    again = await kickfolio.ok("PUT", path, {"version": {"bundle_url": url}})
    assert again["state"] == "pending"
    assert "state_reason" not in again
    assert (await kickfolio.settled(version))["state"] == "ready"


async def test_a_host_that_hangs_holds_nobody_up(kickfolio: KickfolioClient, host: Host) -> None:
    app = await kickfolio.app()
    hung = [await kickfolio.version(app, host.serves(f"/{number}", hang)) for number in range(WORKERS - 1)]
    assert (await kickfolio.fetched(host.serves("/good", ok(bundle()))))["state"] == "ready"
    states = [version["state"] for version in await kickfolio.ok("GET", f"/apps/{app['id']}/versions")]
    assert states == ["pending"] * len(hung)


@pytest.mark.parametrize("meanwhile", ["another bundle", "deleted", "app deleted"])
@pytest.mark.parametrize("half", [False, True])
async def test_fetches_that_nobody_waits_for_any_more_make_room(
    kickfolio: KickfolioClient, host: Host, meanwhile: str, half: bool
) -> None:
    async def stall(writer: asyncio.StreamWriter) -> None:
        if half:
            writer.write(ok(bundle())[:-100])
            await writer.drain()
        await asyncio.sleep(3600)

    good = host.serves("/good", ok(bundle()))
    app = await kickfolio.app()
    hung = [await kickfolio.version(app, host.serves(f"/{number}", stall)) for number in range(WORKERS)]
    await until(lambda: len(host.asked) == WORKERS and (not half or len(leftovers(kickfolio)) == WORKERS))
    if meanwhile == "app deleted":
        await kickfolio.call("DELETE", f"/apps/{app['id']}")
    for version in hung if meanwhile != "app deleted" else ():
        path, body = f"/versions/{version['id']}", {"version": {"app_id": app["id"], "bundle_url": good}}
        await kickfolio.call(*(("DELETE", path) if meanwhile == "deleted" else ("PUT", path, body)))
    with anyio.fail_after(20):  # the hosts hang for longer, and are given up later
        assert (await kickfolio.fetched(good))["state"] == "ready"
        if meanwhile == "another bundle":
            assert {(await kickfolio.settled(version))["state"] for version in hung} == {"ready"}
        await until(lambda: not leftovers(kickfolio))


@pytest.mark.parametrize("meanwhile", ["another bundle", "deleted", "app deleted"])
async def test_a_fetch_that_nobody_waits_for_any_more_changes_nothing(
    kickfolio: KickfolioClient, host: Host, meanwhile: str
) -> None:
    go_on = asyncio.Event()

    async def dawdle(writer: asyncio.StreamWriter) -> None:
        reply = ok(bundle(INFO | {"CFBundleIdentifier": "old"}))
        writer.write(reply[:200])
        await go_on.wait()
        writer.write(reply[200:])
        await writer.drain()

    app = await kickfolio.app()
    version = await kickfolio.version(app, host.serves("/old", dawdle))
    await until(lambda: leftovers(kickfolio))
    path = f"/apps/{app['id']}/versions/{version['id']}"
    if meanwhile == "another bundle":
        new = host.serves("/new", ok(bundle(INFO | {"CFBundleIdentifier": "new"})))
        await kickfolio.ok("PUT", path, {"version": {"bundle_url": new}})
        await kickfolio.settled(version)
    else:
        await kickfolio.call("DELETE", path if meanwhile == "deleted" else f"/apps/{app['id']}")
    go_on.set()
    await until(lambda: not leftovers(kickfolio))
    bundles = [app["bundle"] for app in await kickfolio.ok("GET", "/apps")]
    assert bundles == {"another bundle": ["new"], "deleted": [None], "app deleted": []}[meanwhile]


async def test_what_was_pending_is_fetched_after_a_restart(tmp_path: Path, host: Host) -> None:
    async with kickfolio_client(tmp_path) as kickfolio:
        version = await kickfolio.version(await kickfolio.app(), host.serves("/bundle.zip", hang))
        await until(lambda: host.asked)
    host.serves("/bundle.zip", ok(bundle()))
    async with kickfolio_client(tmp_path) as kickfolio:
        assert (await kickfolio.settled(version))["state"] == "ready"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
async def test_what_was_pending_survives_a_kill(tmp_path: Path, host: Host) -> None:
    async def half(writer: asyncio.StreamWriter) -> None:
        writer.write(ok(bundle())[:-100])
        await writer.drain()
        await asyncio.sleep(3600)

    url = host.serves("/bundle.zip", half)

    def prepare() -> None:
        with sandbox_process(tmp_path, "--kickfolio-token", TOKEN) as process:
            anyio.run(begin, process.url)
            os.kill(process.process.pid, signal.SIGKILL)
            process.process.wait(20)

    async def begin(address: str) -> None:
        import aiohttp
        from kickfolio_harness import basic

        async with aiohttp.ClientSession(headers={"Authorization": basic(TOKEN)}) as session:
            api = f"{address}/kickfolio/api"
            async with session.post(f"{api}/apps", json={"app": {"name": "n"}}) as answer:
                app = (await answer.json())["app"]
            body = {"version": {"app_id": app["id"], "bundle_url": url}}
            async with session.post(f"{api}/versions", json=body) as answer:
                assert answer.status == 201
            await until(lambda: [*(tmp_path / "uploads").glob("*.bundle")])

    await anyio.to_thread.run_sync(prepare)
    host.serves("/bundle.zip", ok(bundle()))
    async with kickfolio_client(tmp_path) as kickfolio:
        [version] = await kickfolio.ok("GET", "/versions")
        assert (await kickfolio.settled(version))["state"] == "ready"
        assert leftovers(kickfolio) == []


async def test_what_an_earlier_run_left_is_swept_away(tmp_path: Path) -> None:
    async with kickfolio_client(tmp_path):
        pass
    debris, theirs = tmp_path / "uploads" / "7-2.bundle", tmp_path / "uploads" / "photos.bundle"
    for path in (debris, theirs):
        path.write_bytes(b"x")
    async with kickfolio_client(tmp_path) as kickfolio:
        assert leftovers(kickfolio) == [theirs]


# It goes wrong


async def test_a_host_that_hangs_is_given_up(
    kickfolio: KickfolioClient, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(ok(b"", "Content-Length: 1000000"))
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async def say_a_little(writer: asyncio.StreamWriter) -> None:
        writer.write(ok(b"PK", "Content-Length: 1000000"))
        await writer.drain()
        await asyncio.sleep(3600)

    monkeypatch.setattr(download, "LONGEST", 0.5)
    assert "too long" in await kickfolio.reason(host.serves("/trickle", trickle))
    monkeypatch.setattr(download, "LONGEST", 300.0)
    monkeypatch.setattr(download, "LONGEST_SILENCE", 0.2)
    assert "too long" in await kickfolio.reason(host.serves("/hang", hang))
    assert "too long" in await kickfolio.reason(host.serves("/little", say_a_little))
    assert leftovers(kickfolio) == []


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        writer.write(bytes(65536))
        await writer.drain()


BOMB = b"\x1f\x8b" + bytes(100)
WRONG: dict[str, tuple[Any, str]] = {
    "nothing": (b"", "broke the connection off"),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", "proper HTTP"),
    "404": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"),
    "part": (b"HTTP/1.1 206 Partial\r\nContent-Length: 2\r\n\r\nPK", "206"),
    "empty": (ok(b""), "not a ZIP"),
    "a page": (ok(b"<html></html>"), "not a ZIP"),
    "too short": (ok(bundle(), "Content-Length: 1000000"), "ends before it is complete"),
    "too short, in pieces": (ok(b"5\r\nPK", "Transfer-Encoding: chunked"), "ends before it is complete"),
    "too long": (ok(bundle(), "Content-Length: 200"), "proper HTTP"),
    "cut": (ok(bundle()[:200]), "is cut off"),
    "too large": (ok(b"", "Content-Length: 99999999999"), "larger than"),
    "larger than it says": (endless, "larger than"),
    "a length that is none": (ok(b"", "Content-Length: -1"), "proper HTTP"),
    "compressed": (ok(BOMB, "Content-Encoding: gzip"), "compressed"),
    "head without an end": (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 1_000_000, "proper HTTP"),
    "no bundle": (ok(zipped({"readme.txt": b""})), "no .app bundle"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_no_bundle_is_told_apart(
    kickfolio: KickfolioClient, host: Host, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(download, "LARGEST", 10 << 20)
    reply, said = WRONG[name]
    reason = await kickfolio.reason(host.serves("/bundle.zip?signature=secret", reply))
    assert said in reason
    assert "secret" not in reason
    assert reason.endswith(".")
    assert leftovers(kickfolio) == []


async def test_where_nobody_listens(kickfolio: KickfolioClient) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}/"
        assert "Nothing answers" in await kickfolio.reason(url)
    assert "no address" in await kickfolio.reason("http://nowhere.invalid/bundle.zip")
    assert "no address" in await kickfolio.reason(f"http://{'a' * 64}.invalid/bundle.zip")
