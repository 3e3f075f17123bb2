"""No run, however it fails, shows a secret: not on stdout or stderr, nor in any file it leaves behind."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import secrets
import signal
import socket
import ssl
import sys
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape, unescape
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, unquote
from urllib.request import urlopen

import aiohttp
import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import pk_upload
from pk_upload import PatchKit, TransferConfig
from pk_upload.errors import PkUploadError
from pk_upload.events import Event
from processes import PROGRAM
from scripted_server import DROP, FAST, TRUNCATED, Answer, Serve, Stall, Step, serving

pytestmark = pytest.mark.anyio

KEY = f"Kx+{secrets.token_hex(8)}/{secrets.token_urlsafe(12)}="
PASSWORD = f"pass@{secrets.token_hex(6)}/%"
SIGNATURE = secrets.token_hex(16)  # of an address that somebody else has signed
VERSION = {"id": 1, "label": "1.0", "draft": True}
MODES = {
    "words": ("--verbose",),
    "JSON": ("--verbose", "--json", "--progress", "json"),
}


@pytest.fixture
async def serve(anyio_backend: str) -> AsyncIterator[Serve]:
    async with serving() as start:
        yield start


# What is looked for, and where


def disguises(secret: str) -> Iterator[str]:
    """The forms of `secret` that nobody may read, in small letters; a part of it is enough."""
    yield from (secret, secret[:12], secret[-12:], quote(secret, safe=""), quote(quote(secret, safe="")))
    yield from (json.dumps(secret)[1:-1], secret.replace("/", "\\/"), escape(secret))
    for before in ("", ":", "me"):  # in base64 it begins anywhere among three bytes
        yield b64encode(f"{before}{secret}".encode()).decode()[4:-4]


def assert_hidden(text: str, *more: str) -> None:
    """No secret of these tests is in `text`, whatever it is read as."""
    readings = [reading.lower() for reading in (text, unquote(text), unescape(text), text.replace("\\", ""))]
    for secret in (KEY, PASSWORD, SIGNATURE, *more):
        for form in disguises(secret):
            for reading in readings:
                assert form.lower() not in reading, f"{form} is shown"


def files_under(directory: Path) -> str:
    """The names and the content of all files, but for the build that is uploaded."""
    found = [path for path in directory.rglob("*") if path.is_file() and path.name != "build.zip"]
    return "\n".join(f"{path}\n{path.read_bytes().decode('utf-8', 'replace')}" for path in found)


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    def shows_no_secret(self, directory: Path) -> None:
        assert self.code not in {0, 2}, f"it was to fail, and not by a mistake of the call: {self}"
        assert_hidden(self.out + self.err + files_under(directory))


def environment(home: Path, **more: str) -> dict[str, str]:
    places = {name: str(home) for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "TMPDIR")}
    return {**os.environ, **places, "PATCHKIT_API_KEY": KEY, "PYTHONASYNCIODEBUG": "1", **more}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where a process finds the user's home and the place for temporary files."""
    home = tmp_path / "home"
    home.mkdir()
    return home


async def run(url: str, home: Path, *arguments: str | Path, **env: str) -> Ended:
    command = [*PROGRAM, *map(str, arguments), "--api-url", url, "--retries", "1"]
    done = await anyio.run_process(command, check=False, env=environment(home, **env))
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


# Ways to fail


def said(value: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())


def raw(head: str, body: str = "") -> bytes:
    return f"{head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


SIGNED = f"https://s3.test/part?X-Amz-Credential=AKIA%2F{SIGNATURE}&X-Amz-Signature={SIGNATURE}"
DELIVERED = (said(VERSION, 201), said({"id": 7}, 201), said({"id": 7}, 201), said({"job_guid": "g"}))
DONE = said({"guid": "g", "finished": True, "status": 0})
FOUND = [{"severity": "warning", "message": f"for {KEY}"}, {"severity": "error", "message": f"{KEY} fails"}]
WAYS: dict[str, tuple[Step, ...]] = {
    "wrong key": (said({"message": f"{KEY} is not a key", "symbol": f"no_{KEY}"}, 401),),
    "page": (Answer(500, f"<title>500 {KEY}</title><p>{KEY}".encode()),),
    "page that escapes": (Answer(500, f"<p>{escape(KEY)} {quote(KEY, safe='')}".encode()),),
    "text": (Answer(500, f"X-Api-Key: {KEY}\nAuthorization: Basic {SIGNATURE}".encode()),),
    "base64": (Answer(400, f"key {b64encode(KEY.encode()).decode()}".encode()),),
    "other letter case": (Answer(400, KEY.swapcase().encode()),),
    "broken JSON": (Answer(400, f'{{"api_key": "{KEY}", "token": "{SIGNATURE}"'.encode()),),
    "somebody else's address": (said({"message": f"cannot store at {SIGNED}, sorry"}, 400),),
    "somebody else's token": (said({"error": f"Bearer {SIGNATURE} and upload_token={SIGNATURE}"}, 403),),
    "redirect to a path": (Answer(302, headers={"Location": f"http://h.test/{KEY}?api_key={KEY}"}),),
    "redirect to a user": (Answer(307, headers={"Location": f"http://{quote(KEY, safe='')}:x@h.test/"}),),
    "redirect to nowhere": (Answer(308, headers={"Location": f"http://[{KEY}"}),),
    "phrase and header": (raw(f"HTTP/1.1 500 {KEY}\r\nX-Echo: {KEY}"),),
    "status line": (raw(f"{KEY} 200 OK"),),
    "header without colon": (raw(f"HTTP/1.1 200 OK\r\nX Echo {KEY}"),),
    "half a head": (f"HTTP/1.1 200 OK\r\nX-Echo: {KEY}\r\n".encode(),),
    "bad length": (f"HTTP/1.1 200 OK\r\nContent-Length: {KEY}\r\n\r\n".encode(),),
    "cut at once": (DROP,),
    "cut in the answer": (TRUNCATED,),
    "stall": (Stall(f"HTTP/1.1 200 OK\r\nX-Echo: {KEY}\r\n\r\n{KEY}".encode()),),
    "not what was promised": (said({"id": KEY, KEY: KEY}),),
    "draft in the way": (said({"message": "no"}, 403), said([{**VERSION, "label": KEY, "changelog": KEY}])),
    "chunk refused": (*DELIVERED[:2], said({"message": f"{KEY}: bad chunk"}, 400)),
    "chunk refused for a moment": (*DELIVERED[:2], said({"message": f"{KEY}: later"}, 503)),
    "job failed": (*DELIVERED, said({"guid": "g", "finished": True, "status": 1, "status_message": KEY})),
    "build found bad": (*DELIVERED, DONE, said({**VERSION, "processing_messages": FOUND})),
    "job named after the key": (*DELIVERED[:3], said({"job_guid": KEY}), said({"message": "gone"}, 400)),
    "mark of the key": (
        *(*DELIVERED, DONE, said({**VERSION, "processing_finished_at": KEY})),
        said({"message": "no"}, 403),
    ),
    "publishing refused": (*DELIVERED, DONE, said(VERSION), said({"message": f"{KEY} may not"}, 403)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
async def test_a_push_that_fails_shows_no_secret(
    serve: Serve, build: Path, home: Path, tmp_path: Path, way: str, mode: str
) -> None:
    server = await serve(*WAYS[way])
    push = ("push", build, "--app", "app", "--label", "1.0", "--publish", "--timeout", "3")
    ended = await run(server.url, home, *push, *MODES[mode])
    assert server.seen[0].headers["x-api-key"] == KEY
    ended.shows_no_secret(tmp_path)
    if mode == "JSON":
        assert [*json.loads(ended.out)] == ["error"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_release_that_fails_shows_no_secret(
    serve: Serve, build: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    caplog.set_level(logging.DEBUG)
    server = await serve(*WAYS[way])
    config = TransferConfig(retries=1, state_dir=tmp_path / "state")
    events: list[Event] = []
    async with PatchKit(KEY, api_url=server.url, retry=FAST, timeout=0.5) as patchkit:
        with pytest.raises(PkUploadError) as caught:
            await pk_upload.release(
                patchkit, build, app="app", label="1.0", publish=True, config=config, on_event=events.append
            )
    told = [json.dumps(event.to_dict()) + repr(event) for event in events]
    log = [record.getMessage() + str(record.exc_text) for record in caplog.records]
    assert_hidden("\n".join([*told, *log, *whatever_shows(caught.value), files_under(tmp_path)]))


def whatever_shows(error: BaseException) -> Iterator[str]:
    """All that a program could print or send off of an error and of those behind it."""
    behind: list[BaseException | None] = [error]
    for each in behind:
        if each is not None:
            yield from (str(each), repr(each), repr(vars(each)), *traceback.format_exception(each))
            yield from getattr(each, "__notes__", ())
            behind += {each.__cause__, each.__context__}.difference(behind)


async def test_a_key_taken_for_an_identifier_is_not_logged(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = await serve(said({"message": "busy"}, 503), said({"message": "no"}, 404))
    events: list[Event] = []
    async with PatchKit(KEY, api_url=server.url, retry=FAST) as patchkit:
        with pytest.raises(PkUploadError):
            await patchkit.listening(events.append).app(KEY)
    assert len(events) == 1
    assert "GET /1/apps/" in caplog.text
    assert_hidden(caplog.text + str(events))


async def test_what_a_service_calls_its_apps_is_shown_without_the_key(
    serve: Serve, home: Path, tmp_path: Path
) -> None:
    app = {"id": 1, "secret": "public", "name": f"game {KEY}", "display_name": KEY, "author": SIGNED}
    server = await serve(said([app]))
    for how in ((), ("--json",)):
        ended = await run(server.url, home, "app", "list", *how)
        assert ended.code == 0
        assert "public" in ended.out
        assert "game [redacted]" in ended.out
        assert_hidden(ended.out + ended.err + files_under(tmp_path))


async def test_a_key_of_the_command_line_is_not_shown_where_the_line_is_wrong(home: Path) -> None:
    for wrong in (("push", KEY, "--nonsense"), ("app", "show", "a", KEY), ("--progress", KEY), (KEY,)):
        ended = await run(
            "http://127.0.0.1:1", home, *wrong, "--api-key", KEY, "--verbose", PATCHKIT_API_KEY=""
        )
        assert ended.code == 2
        assert_hidden(ended.out + ended.err)


async def test_what_speaks_no_tls_is_told_nothing(home: Path, tmp_path: Path) -> None:
    received = []

    async def answer(stream: SocketStream) -> None:
        async with stream:
            received.append(await stream.receive())
            await stream.send(raw(f"HTTP/1.1 400 {KEY}", KEY))

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, answer)
        port = listener.extra(SocketAttribute.local_port)
        ended = await run(f"https://127.0.0.1:{port}", home, "app", "list", "--verbose")
        tasks.cancel_scope.cancel()
    assert received
    assert KEY.encode() not in b"".join(received)
    ended.shows_no_secret(tmp_path)


PROXY = f"me:{quote(PASSWORD, safe='')}@"
REFUSAL = raw(f"HTTP/1.1 407 {PASSWORD}", f"{aiohttp.encode_basic_auth('me', PASSWORD)} is not me:{PASSWORD}")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "answer", [REFUSAL, DROP, raw(f"{PASSWORD} 200 OK")], ids=["refuses", "drops", "babbles"]
)
async def test_a_proxy_that_fails_shows_no_password(
    serve: Serve, home: Path, tmp_path: Path, scheme: str, answer: bytes
) -> None:
    proxy = await serve(answer)
    env = {f"{scheme}_proxy": proxy.url.replace("//", f"//{PROXY}"), "no_proxy": ""}
    for mode in ("words", "JSON"):
        ended = await run(f"{scheme}://patchkit.test", home, "app", "list", *MODES[mode], **env)
        ended.shows_no_secret(tmp_path)
    assert proxy.seen[0].headers["proxy-authorization"] == aiohttp.encode_basic_auth("me", PASSWORD)


@pytest.mark.parametrize(
    "address",
    [f"http://{PROXY}h:99999", f"{PROXY}[h", f"socks5://{PROXY}h", f"http://me:{PASSWORD}@h:1"],
    ids=["port", "bracket", "scheme", "not encoded"],
)
async def test_a_proxy_that_is_none_shows_no_password(home: Path, address: str) -> None:
    ended = await run(
        "https://patchkit.test", home, "app", "list", "--verbose", https_proxy=address, no_proxy=""
    )
    assert ended.code in {2, 7}
    assert_hidden(ended.out + ended.err)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize("mode", ["words", "JSON"])
@pytest.mark.parametrize("signals", [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGTERM)])
async def test_a_run_that_is_interrupted_shows_no_secret(
    serve: Serve, build: Path, home: Path, tmp_path: Path, mode: str, signals: tuple[signal.Signals, ...]
) -> None:
    server = await serve(*DELIVERED[:2], Stall(f"HTTP/1.1 200 {KEY}\r\nX-Echo: {KEY}\r\n".encode()))
    push = ("push", str(build), "--app", "app", "--label", "1.0", "--api-url", server.url, *MODES[mode])
    async with await anyio.open_process([*PROGRAM, *push], env=environment(home)) as process:
        while len(server.seen) < 3:  # noqa: ASYNC110 - the server tells of its first request alone
            await anyio.sleep(0.01)
        for each in signals:
            process.send_signal(each)
        assert process.stdout is not None
        assert process.stderr is not None
        out = b"".join([part async for part in process.stdout])
        err = b"".join([part async for part in process.stderr])
        ended = Ended(await process.wait(), out.decode(), err.decode())
    assert ended.code in {130, 143}
    assert "interrupted" in ended.err
    assert "journal" in files_under(tmp_path)
    ended.shows_no_secret(tmp_path)


BUG = """
import logging, sys
from pk_upload.http import Http
from pk_upload.cli import main

key, password = sys.argv.pop(), sys.argv.pop()

async def call(self, *_, **how):
    logging.getLogger("pk_upload.http").debug("asked with %s", self._auth)
    logging.getLogger("aiohttp.client").warning("through me:%s@proxy", password)
    logging.getLogger("asyncio").error("at http://me:%s@proxy/ with X-Api-Key: %s", password, key)
    try:
        try:
            raise ValueError(f"{key!r} and {password!r}")
        except ValueError as error:
            error.add_note(f"with {key}")
            raise LookupError(key) from error
    except LookupError:
        raise RuntimeError(f"Authorization: {key}")

Http.call = call
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("mode", MODES)
async def test_a_bug_shows_no_secret(home: Path, tmp_path: Path, mode: str) -> None:
    command = [sys.executable, "-c", BUG, "app", "list", *MODES[mode], PASSWORD, KEY]
    proxy = {"http_proxy": f"http://{PROXY}proxy.test:1"}
    done = await anyio.run_process(command, check=False, env=environment(home, **proxy))
    ended = Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "unexpected RuntimeError" in ended.err + ended.out
    assert "Traceback" in ended.err
    ended.shows_no_secret(tmp_path)


async def test_lines_of_json_stay_json_whatever_they_tell_of(serve: Serve, build: Path, home: Path) -> None:
    server = await serve(said({"message": "no"}, 400))
    push = ("push", build, "--app", "app", "--label", "token=\n\\", "--progress", "json", "--json")
    ended = await run(server.url, home, *push)
    assert json.loads(ended.out)["error"]["type"] == "BadRequest"
    assert [json.loads(line)["event"] for line in ended.err.splitlines()] == ["stage"]


# Nothing goes to another host


@pytest.fixture
def neighbour() -> Iterator[socket.socket]:
    """A port of this machine that nobody has any business with."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def address(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def assert_no_visitor(listener: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize("status", [302, 307, 308])
@pytest.mark.parametrize("reached", [0, 2], ids=["call", "chunk"])
async def test_a_redirect_takes_neither_key_nor_bytes_to_another_port(
    serve: Serve, build: Path, home: Path, tmp_path: Path, neighbour: socket.socket, status: int, reached: int
) -> None:
    elsewhere = Answer(status, headers={"Location": f"{address(neighbour)}/1/uploads/7/chunk?api_key={KEY}"})
    server = await serve(*DELIVERED[:reached], elsewhere)
    push = ("push", build, "--app", "app", "--label", "1.0", "--verbose", "--timeout", "30")
    ended = await run(server.url, home, *push)
    assert (ended.code, len(server.seen)) == (9, reached + 1)
    assert "sends on to http://127.0.0.1:" in ended.err
    assert_no_visitor(neighbour)
    ended.shows_no_secret(tmp_path)


def self_signed(path: Path) -> ssl.SSLContext:
    """A server's side of TLS for 127.0.0.1; `path` gets the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    hosts = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    begins = datetime.now(UTC) - timedelta(days=1)
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).add_extension(hosts, critical=False)
    )
    builder = builder.not_valid_before(begins).not_valid_after(begins + timedelta(days=2))
    certificate = builder.public_key(key.public_key()).serial_number(1).sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def test_a_redirect_does_not_end_the_encryption(
    serve: Serve, home: Path, tmp_path: Path, neighbour: socket.socket
) -> None:
    tls = self_signed(tmp_path / "server.pem")
    server = await serve(Answer(307, headers={"Location": f"{address(neighbour)}/1/apps"}), tls=tls)
    trust = {"SSL_CERT_FILE": str(tmp_path / "server.pem")}
    ended = await run(server.url, home, "app", "list", "--verbose", "--timeout", "30", **trust)
    assert server.seen[0].headers["x-api-key"] == KEY
    assert ended.code == 9
    assert_no_visitor(neighbour)
    ended.shows_no_secret(home)


# The sandbox


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be killed so that its files stay")
async def test_the_sandbox_keeps_no_key(build: Path, home: Path, tmp_path: Path) -> None:
    """Wherever clients put it: not in its data, also while it runs, and not in the log of its faults."""
    faults = ("lost-answer@app:count=1", "drop@job:count=1", "status=500@uploads:count=1", "fail-job")
    options = [
        *("--data-dir", str(tmp_path / "data"), "--port", "0", "--api-key", KEY, "--verbose", "--json")
    ]
    command = [*PROGRAM, "sandbox", *options, *(f"--fault={fault}" for fault in faults)]
    async with await anyio.open_process(command, env=environment(home, PATCHKIT_API_KEY="")) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        welcome = json.loads(await process.stdout.receive())
        assert welcome["api_key"] == KEY  # to whom it belongs, and on stdout alone
        url, key = welcome["url"], quote(KEY, safe="")
        made = await run(url, home, "app", "create", "--name", "game", "--platform", "other", "--json")
        app = json.loads(made.out)["secret"]
        for form in (None, f"name=a&platform=other&api_key={key}".encode()):
            await anyio.to_thread.run_sync(fetch, f"{url}/1/apps?api_key={key}", form)
        for path in (key, f"{app}/versions/{key}", f"{app}?api_key={key}"):
            await anyio.to_thread.run_sync(fetch, f"{url}/1/apps/{path}", None)
        push = await run(url, home, "push", build, "--app", app, "--label", "1.0", "--verbose")
        process.kill()
        told = b"".join([part async for part in process.stderr]).decode()
    assert push.code == 6
    assert "POST /1/apps" in told
    assert_hidden(told + push.out + push.err + files_under(tmp_path))


def fetch(url: str, form: bytes | None) -> None:
    try:
        with urlopen(url, form) as answer:  # without a proxy, as all tests
            answer.read()
    except (HTTPError, ConnectionError):
        pass
