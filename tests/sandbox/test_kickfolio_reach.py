"""Where the sandbox's Kickfolio goes for a bundle, by itself or led by redirects, and where it must not."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kickfolio_harness import Host, KickfolioClient, bundle, bundle_host, kickfolio_client, ok, redirect

from pk_upload.sandbox.kickfolio import download
from test_tls import Authority

pytestmark = pytest.mark.anyio

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


@pytest.mark.parametrize("user", ["me:secret@", ":secret@", "me@"])
@pytest.mark.parametrize("scheme", ["http:", ""])
async def test_a_redirect_logs_in_nowhere(
    kickfolio: KickfolioClient, host: Host, user: str, scheme: str
) -> None:
    target = host.serves("/bundle.zip", ok(bundle())).replace("http://", f"{scheme}//{user}")
    reason = await kickfolio.reason(host.serves("/first", redirect(target)))
    assert "must not have a user" in reason
    assert "secret" not in reason
    assert [head.split()[1] for head in host.asked] == ["/first"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["../b/bundle.zip?x=1#part", "?x=1", "/b/bundle.zip?x=1"])
async def test_a_redirect_may_be_relative(
    kickfolio: KickfolioClient, host: Host, status: int, target: str
) -> None:
    path = "/b/bundle.zip" if target == "?x=1" else "/a/first"
    host.serves("/b/bundle.zip?x=1", ok(bundle()))
    url = host.serves(path, redirect(target).replace(b"302", str(status).encode()))
    assert (await kickfolio.fetched(url))["state"] == "ready"


@pytest.mark.parametrize("status", ["300 Choices", "304 Same", "302 Found"])
async def test_what_leads_nowhere_is_no_redirect(kickfolio: KickfolioClient, host: Host, status: str) -> None:
    head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n"
    if status != "302 Found":
        head += f"Location: {host.serves('/bundle.zip', ok(bundle()))}\r\n"
    reason = await kickfolio.reason(host.serves("/first", f"{head}\r\n".encode()))
    assert status[:3] in reason


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
