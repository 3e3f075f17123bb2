"""Whoever comes: strangers, web pages, bodies without end, paths and links that lead out."""

from __future__ import annotations

import gzip
import hmac
import logging
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import anyio
import pytest
from server_harness import KEY, Client, sandbox_client, until

from pk_upload.sandbox import SandboxError, forms, serve, server
from pk_upload.sandbox.places import Places
from pk_upload.sandbox.processing import CONTENT, CONTENT_SUMMARY
from pk_upload.sandbox.store import Store
from processes import SandboxProcess, sandbox_process

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


# Who may come


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback is one address")
async def test_it_listens_on_loopback_alone_unless_told_otherwise(client: Client) -> None:
    assert client.sandbox.url.startswith("http://127.0.0.1:")
    port = int(client.sandbox.url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", port)):
        pass  # whoever listens on all addresses listens on this one too


PAGE = "http://evil.test"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": PAGE},
        {"Origin": "null"},
        {"Origin": PAGE, "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_web_page_that_knows_the_key_gets_nothing(client: Client, headers: dict[str, str]) -> None:
    fields = {"name": "game", "platform": "other", "api_key": KEY}
    status, answer = await client.call("POST", "/1/apps", fields, key=None, headers=headers)
    assert (status, answer["symbol"]) == (403, "forbidden")
    assert (await client.call("GET", f"/1/apps?api_key={KEY}", headers=headers))[0] == 403
    assert await client.ok("GET", "/1/apps") == []


@pytest.mark.parametrize("site", ["none", "same-origin"])
async def test_a_person_may_look_with_a_browser(client: Client, site: str) -> None:
    assert await client.ok("GET", f"/1/apps?api_key={KEY}", key=None, headers={"Sec-Fetch-Site": site}) == []


@pytest.mark.parametrize("verdict", [True, False])
async def test_secrets_are_compared_in_constant_time_alone(
    client: Client, monkeypatch: pytest.MonkeyPatch, verdict: bool
) -> None:
    """No other comparison opens a door, nor closes one."""
    upload, presigned = await client.new_upload(3), await client.new_upload(3, storage_type="s3")
    await client.draft()
    monkeypatch.setattr(hmac, "compare_digest", lambda _ours, _theirs: verdict)
    key = "wrong" if verdict else KEY
    form = {"name": "game", "platform": "other", "api_key": key}
    opened = [
        (await client.call("GET", "/1/apps", key=key))[0] == 200,
        (await client.call("GET", f"/1/apps?api_key={key}", key=None))[0] == 200,
        (await client.call("POST", "/1/apps", form, key=None))[0] == 201,
        (await client.chunk(upload, b"abc", "bytes 0-2/3", key=key))[0] == 201,
    ]
    address = f"/_parts/{presigned}/0/3?expires=99999999999&signature=wrong"
    async with client.session.put(client.sandbox.url + address, data=b"abc") as answer:
        opened.append(answer.status == 200)
    assert opened == [verdict] * 5


# What they bring


def head(path: str = "/1/apps", kind: str = "application/x-www-form-urlencoded", *more: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: h", f"X-Api-Key: {KEY}", f"Content-Type: {kind}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


KICKFOLIO = "/kickfolio/api"
TOKEN = "auth_token=sandbox"
MULTIPART = "multipart/form-data; boundary=B"
ENDLESS = "Transfer-Encoding: chunked"
EMPTY_PART = b"--B\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n"
TEXT_PART = b"--B\r\nContent-Disposition: form-data; name=md5\r\n\r\n"
FILE_PART = b'--B\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
ZIPPED_PART = b"--B\r\nContent-Disposition: form-data; name=a\r\nContent-Encoding: gzip\r\n\r\n"
CHUNK = ("/1/uploads/1/chunk", MULTIPART, ENDLESS, "Content-Range: bytes 0-9/10")
PART = b"--B\r\nContent-Disposition: form-data; name=chunk\r\n\r\n"
# What is sent first, and what after it again and again.
BODIES: dict[str, tuple[bytes, bytes]] = {
    "query": (b"GET /1/apps?", b"a=b&" * 10_000),
    "path": (b"GET /1/apps/", b"a/" * 10_000),
    "header": (b"GET /1/apps HTTP/1.1\r\nHost: h\r\nA: ", b"a" * 50_000),
    "headers": (b"GET /1/apps HTTP/1.1\r\nHost: h\r\n", b"A: b\r\n" * 10_000),
    "field": (head("/1/apps", "application/x-www-form-urlencoded", ENDLESS), chunked(b"a" * 60_000)),
    "fields": (head("/1/apps", "application/x-www-form-urlencoded", ENDLESS), chunked(b"a&" * 30_000)),
    "announced": (
        head("/1/apps", "application/x-www-form-urlencoded", "Content-Length: 99999999999"),
        b"a" * 60_000,
    ),
    "JSON": (head("/1/apps", "application/json", ENDLESS), chunked(b"[" * 60_000)),
    "record": (head(f"{KICKFOLIO}/apps?{TOKEN}", "application/json", ENDLESS), chunked(b"[" * 60_000)),
    "no form": (head("/1/uploads/1/gen_chunk_url", "text/plain", ENDLESS), chunked(b"a" * 60_000)),
    "line": (head("/1/apps", MULTIPART, ENDLESS), chunked(b"a" * 60_000)),
    "lines": (head("/1/apps", MULTIPART, ENDLESS), chunked(b"a line of no part\r\n" * 3_000)),
    "parts": (head("/1/apps", MULTIPART, ENDLESS), chunked(EMPTY_PART * 1000)),
    "part's headers": (
        head("/1/apps", MULTIPART, ENDLESS) + chunked(b"--B\r\n"),
        chunked(b"A: b\r\n" * 10_000),
    ),
    "text part": (head("/1/apps", MULTIPART, ENDLESS) + chunked(TEXT_PART), chunked(b"a" * 60_000)),
    "file part": (head("/1/apps", MULTIPART, ENDLESS) + chunked(FILE_PART), chunked(b"a" * 60_000)),
    "chunk": (head(*CHUNK) + chunked(PART), chunked(b"a" * 60_000)),
    "lines before a chunk": (head(*CHUNK), chunked(b"a line of no part\r\n" * 3_000)),
    "text beside a chunk": (head(*CHUNK) + chunked(TEXT_PART), chunked(b"a" * 60_000)),
    "parts beside a chunk": (head(*CHUNK), chunked(EMPTY_PART * 1000)),
    "size of a piece": (head("/1/apps", "application/x-www-form-urlencoded", ENDLESS) + b"1;", b"a" * 60_000),
    "trailers": (
        head("/1/apps", "application/x-www-form-urlencoded", ENDLESS) + b"0\r\n",
        b"A: b\r\n" * 10_000,
    ),
}


async def sent_until_the_end(url: str, first: bytes, again: bytes, most: int | None = None) -> bytes:
    """What is answered, once the server ends the connection or `most` bytes are sent."""
    host, _, port = url.removeprefix("http://").partition(":")
    answer = bytearray()
    async with await anyio.connect_tcp(host, int(port)) as stream, anyio.create_task_group() as tasks:

        async def listen() -> None:
            try:
                async for data in stream:
                    answer[:] = (answer + data)[:1000]
            except anyio.BrokenResourceError:
                pass  # all that matters is that it is over
            tasks.cancel_scope.cancel()

        tasks.start_soon(listen)
        count = len(first)
        try:
            await stream.send(first)
            while most is None or count < most:
                await stream.send(again)
                count += len(again)
        except anyio.BrokenResourceError:
            pass
        if most is not None:
            tasks.cancel_scope.cancel()
    return bytes(answer)


@pytest.mark.parametrize("name", BODIES)
async def test_what_has_no_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(forms, "_LONGEST_WAIT", 0.5)
    monkeypatch.setattr(server, "_LINGER", 0.1)
    async with sandbox_client(tmp_path) as client:
        await client.new_upload(10)
        with anyio.fail_after(60):
            answer = await sent_until_the_end(client.sandbox.url, *BODIES[name])
        assert not answer or answer.split()[1][:1] == b"4", answer
        assert await client.ok("GET", "/1/apps") == []


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with sandbox_process(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("name", BODIES)
async def test_what_is_large_takes_little_memory(process: SandboxProcess, name: str) -> None:
    headers = {"X-Api-Key": KEY}
    async with aiohttp.ClientSession(process.url, headers=headers) as session:
        await session.post("/1/uploads", data={"total_size_bytes": "10"})
        before = process.peak_memory()
        with anyio.move_on_after(10):
            async with anyio.create_task_group() as tasks:
                for _ in range(4):
                    tasks.start_soon(sent_until_the_end, process.url, *BODIES[name], 16 * MIB)
        async with session.get("/1/apps") as answer:
            assert answer.status == 200
    assert process.peak_memory() - before < 32 * MIB


async def test_a_part_that_would_swell_is_taken_as_it_is(client: Client) -> None:
    bomb = gzip.compress(bytes(50 * MIB))
    body = ZIPPED_PART + bomb + b"\r\n--B--\r\n"
    status, _ = await client.call("POST", "/1/apps", body, headers={"Content-Type": MULTIPART})
    assert status == 400


@pytest.mark.parametrize(
    ("charset", "name"),
    [("utf-7", b"+2AA-"), ("unicode_escape", b"\\ud800"), ("zlib_codec", b"a"), ("nonsense", b"a")],
)
async def test_a_text_that_is_none_is_refused(client: Client, charset: str, name: bytes) -> None:
    """Some character sets give characters that no text can have, and that no database keeps."""
    form = {"Content-Type": f"application/x-www-form-urlencoded; charset={charset}"}
    status, answer = await client.call("POST", "/1/apps?platform=other", b"name=" + name, headers=form)
    assert (status, answer["symbol"]) == (400, "bad_body")


@pytest.mark.parametrize("content_type", [MULTIPART, "multipart/mixed; boundary=B", "application/json", "x"])
async def test_a_form_without_a_body_has_no_fields(client: Client, content_type: str) -> None:
    status, answer = await client.call("POST", "/1/apps", headers={"Content-Type": content_type})
    assert status == 400
    assert answer["symbol"] in {"bad_body", "missing_parameter"}


# Where they would like to get


def tree(directory: Path) -> dict[str, bytes]:
    """All files and directories with their content, but for the database."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else b""
        for path in directory.rglob("*")
        if "sqlite3" not in path.name
    }


TRICKS = [
    *(
        "..",
        "../..",
        "../../sandbox.sqlite3",
        "%2e%2e%2f%2e%2e%2fsandbox.sqlite3",
        "..%5c..%5csandbox.sqlite3",
    ),
    *(
        "..\\..\\sandbox.sqlite3",
        "%00",
        "1%00",
        "1.data",
        "1%2fdata",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "C:%5c1",
    ),
    *(
        "-1",
        "1e3",
        "%EF%BC%91",
        "%D9%A1",
        "0x1",
        "1;",
        "1%20",
        "999999999999999999",
        "9" * 5000,
        "%ED%A0%80",
        "%FF",
    ),
    *("%252e%252e%252f", "..;/1", ".%00./", "file:%2f%2f%2fetc%2fpasswd"),
]
TARGETS = [
    ("GET", "/1/apps/{}"),
    ("GET", "/1/apps/{}/versions/1/content_urls"),
    ("GET", "/1/apps/SECRET/versions/{}"),
    ("GET", "/1/apps/SECRET/versions/{}/content_summary"),
    ("PUT", "/1/apps/SECRET/versions/{}/content_file"),
    ("GET", "/1/background_jobs/{}"),
    ("GET", "/_files/{}"),
    ("POST", "/1/uploads/{}/chunk"),
    ("POST", "/1/uploads/{}/gen_chunk_url"),
    ("PUT", "/_parts/{}/0/3?expires=99999999999&signature=wrong"),
    ("GET", f"{KICKFOLIO}/apps/{{}}?{TOKEN}"),
    ("DELETE", f"{KICKFOLIO}/versions/{{}}?{TOKEN}"),
    ("GET", f"{KICKFOLIO}/apps/{{}}/versions/{{}}?{TOKEN}"),
    ("GET", "/kickfolio/images/{}"),
    ("PUT", "/_parts/1/0/{}?expires=99999999999&signature=wrong"),
]


@pytest.mark.parametrize(("verb", "target"), TARGETS)
async def test_no_path_leads_out(client: Client, tmp_path: Path, verb: str, target: str) -> None:
    draft = await client.draft()
    await client.processed(draft)
    target = target.replace("SECRET", draft.split("/")[3])
    host, _, port = client.sandbox.url.removeprefix("http://").partition(":")
    before = tree(tmp_path)
    for trick in TRICKS:
        asked = f"{verb} {target.replace('{}', trick)} HTTP/1.1\r\nHost: h\r\nX-Api-Key: {KEY}\r\n"
        async with await anyio.connect_tcp(host, int(port)) as stream:
            await stream.send(f"{asked}Content-Length: 3\r\nConnection: close\r\n\r\nabc".encode())
            answer = b"".join([data async for data in stream])
        assert answer.split()[1] in {b"400", b"403", b"404", b"405"}, (trick, answer)
        assert b"SQLite" not in answer
        assert b"root:" not in answer
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "..\\evil", "C:\\evil", "a" * 300])
async def test_no_name_becomes_a_file(client: Client, tmp_path: Path, name: str) -> None:
    app = await client.ok("POST", "/1/apps", {"name": name, "platform": "other", "display_name": name})
    version = await client.draft_of(app["secret"], name)
    upload = await client.new_upload(3)
    form = aiohttp.FormData()
    form.add_field("chunk", b"abc", filename=name)
    headers = {"Content-Range": "bytes 0-2/3"}
    assert (await client.call("POST", f"/1/uploads/{upload}/chunk", form, headers=headers))[0] == 201
    await client.job(await client.start_job(version, upload))
    await until(lambda: not [*(tmp_path / "data/uploads").iterdir()], "the end of the upload's file")
    assert app["name"] == name
    assert sorted(tree(tmp_path)) == [
        *("data", "data/content", "data/content/1", "data/content/1/1", f"data/content/1/1/{CONTENT}"),
        *(f"data/content/1/1/{CONTENT_SUMMARY}", "data/uploads"),
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="links take privileges there")
@pytest.mark.parametrize(
    "place",
    [
        *("sandbox.sqlite3", "sandbox.sqlite3-wal", "sandbox.sqlite3-journal", "uploads", "uploads/1.data"),
        *("content", "content/1", "content/1/1", f"content/1/1/{CONTENT_SUMMARY}.part"),
    ],
)
@pytest.mark.parametrize("dangling", [False, True])
async def test_a_link_among_its_files_is_refused(tmp_path: Path, place: str, dangling: bool) -> None:
    outside, planted = tmp_path / "outside", tmp_path / "data" / place
    if not dangling:
        outside.mkdir()
    planted.parent.mkdir(parents=True)
    planted.symlink_to(outside)
    with pytest.raises(SandboxError) as caught:
        async with serve(tmp_path / "data"):
            pass
    assert str(planted) in str(caught.value) or dangling
    assert not outside.exists() if dangling else [*outside.iterdir()] == []


@pytest.mark.skipif(sys.platform == "win32", reason="links take privileges there")
async def test_a_link_put_in_the_place_of_an_upload_is_not_written_through(
    client: Client, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    places = Places(client.sandbox.data_dir)
    first = await client.new_upload(8)
    for upload in (first, first + 1):
        places.upload(upload).unlink(missing_ok=True)
        places.upload(upload).symlink_to(victim)
    status, _ = await client.chunk(first, b"mischief", "bytes 0-7/8")
    assert status == 507
    assert await client.new_upload(8) == first + 1
    assert (await client.chunk(first + 1, b"mischief", "bytes 0-7/8"))[0] == 201
    assert victim.read_bytes() == b"precious"


@pytest.mark.skipif(sys.platform == "win32", reason="links take privileges there")
async def test_the_data_directory_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    async with sandbox_client(tmp_path / "data") as client:
        assert await client.app()
    assert (tmp_path / "disk" / "sandbox.sqlite3").exists()


async def test_what_was_in_the_directory_before_is_left_alone(tmp_path: Path) -> None:
    theirs = [tmp_path / "uploads" / "photos.data", tmp_path / "uploads" / "1.txt", tmp_path / "notes.txt"]
    theirs[0].parent.mkdir()
    for path in theirs:
        path.write_text("theirs")
    async with sandbox_client(tmp_path):
        pass
    assert [path.read_text() for path in theirs] == ["theirs"] * 3


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such permissions")
async def test_its_data_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with sandbox_client(tmp_path / "data"):
            modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "data", *tmp_path.glob("data/*/"))}
    finally:
        os.umask(before)
    assert modes == {0o700}


# What it tells


async def test_no_log_has_the_key_wherever_it_came(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    caplog.set_level(logging.DEBUG)
    form = {"name": "game", "platform": "other", "api_key": f"{KEY}-x"}
    for _ in range(2):
        for path in ("/1/apps", f"/1/apps?api_key={KEY}-x", f"/1/apps?api_key={KEY}-x?api_key={KEY}-x"):
            for verb, fields in (("GET", None), ("POST", form)):
                for header in (None, KEY, f"{KEY}-x"):
                    await client.call(verb, path, fields, key=header)
        monkeypatch.setattr(Store, "apps", fail)
        monkeypatch.setattr(Store, "create_app", fail)
    assert "GET /1/apps 200" in caplog.text
    assert "RuntimeError" in caplog.text
    assert f"{KEY}-x" not in caplog.text
