"""A version's way from pending to ready, or to failed and why, over real connections."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
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
    bundle_host,
    hang,
    kickfolio_client,
    ok,
    redirect,
    until,
    zipped,
)

from pk_upload.sandbox.kickfolio import download
from pk_upload.sandbox.kickfolio.fetching import WORKERS
from processes import sandbox_process
from test_tls import Authority

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


# Where it may go


OUTSIDE = [
    *("10.0.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0", "8.8.8.8", "[::]", "[fe80::1]", "[fd00::1]"),
    *("[::ffff:10.0.0.1]", "[::ffff:0.0.0.0]", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "10.1"),
]


@pytest.mark.parametrize("address", OUTSIDE)
@pytest.mark.parametrize("by_redirect", [False, True])
async def test_it_does_not_leave_this_machine(
    kickfolio: KickfolioClient,
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    by_redirect: bool,
) -> None:
    def connect(*_: object) -> None:
        raise AssertionError("a socket was made")

    url = f"http://{address}:1/bundle.zip"
    if by_redirect:
        url = host.serves("/bundle.zip", redirect(url))
    else:
        monkeypatch.setattr(download, "socket", SimpleNamespace(socket=connect))
    assert re.search("leads out of this machine|cannot be fetched", await kickfolio.reason(url))


async def test_a_name_that_means_an_address_outside_is_refused(
    kickfolio: KickfolioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outside(*_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80))]

    monkeypatch.setattr("pk_upload.sandbox.kickfolio.lookup.socket.getaddrinfo", outside)
    assert "leads out of this machine" in await kickfolio.reason("http://localhost/bundle.zip")


async def test_it_may_be_told_to_go_anywhere(tmp_path: Path, host: Host) -> None:
    url = host.serves("/bundle.zip", ok(bundle())).replace("127.0.0.1", "0.0.0.0")  # not loopback, and near
    async with kickfolio_client(tmp_path, fetch_anywhere=True) as kickfolio:
        assert (await kickfolio.fetched(url))["state"] == "ready"


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "0x7f000001", "[::ffff:127.0.0.1]"])
async def test_loopback_has_many_names(kickfolio: KickfolioClient, host: Host, name: str) -> None:
    url = host.serves("/bundle.zip", ok(bundle())).replace("127.0.0.1", name)
    assert (await kickfolio.fetched(url))["state"] == "ready"


async def test_redirects_are_followed_but_not_for_ever(kickfolio: KickfolioClient, host: Host) -> None:
    url = host.serves("/bundle.zip", ok(bundle()))
    for number in range(5):
        url = host.serves(f"/{number}", redirect(url))
    assert (await kickfolio.fetched(url))["state"] == "ready"
    assert "redirects" in await kickfolio.reason(host.serves("/loop", redirect("/loop")))


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a", "http://", "http://[::1"])
async def test_a_redirect_to_what_is_no_page_is_refused(
    kickfolio: KickfolioClient, host: Host, target: str
) -> None:
    reason = await kickfolio.reason(host.serves("/bundle.zip", redirect(target)))
    assert "cannot be fetched" in reason


async def test_nothing_of_this_machine_goes_along(
    kickfolio: KickfolioClient, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with bundle_host() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("all_proxy", proxy.url)
        cookie = redirect(host.serves("/bundle.zip", ok(bundle())))
        cookie = cookie.replace(b"Location", b"Set-Cookie: a=b\r\nLocation")
        assert (await kickfolio.fetched(host.serves("/first", cookie)))["state"] == "ready"
        assert proxy.asked == []
    names = {line.partition(":")[0].lower() for head in host.asked for line in head.splitlines()[1:]} - {""}
    assert names == {"host", "accept", "accept-encoding", "user-agent", "connection"}


@pytest.mark.parametrize("trusted", [False, True])
async def test_certificates_are_looked_at(
    kickfolio: KickfolioClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    ours, other = Authority(tmp_path, "ours"), Authority(tmp_path, "other")
    monkeypatch.setenv("SSL_CERT_FILE", str((ours if trusted else other).file))
    async with bundle_host(ours.server("127.0.0.1")) as host:
        version = await kickfolio.fetched(host.serves("/bundle.zip", ok(bundle())))
    assert version["state"] == ("ready" if trusted else "failed")
    assert trusted or "certificate" in version["state_reason"]
