"""What goes out, what comes back, what is made of it, and that nothing secret is shown."""

from __future__ import annotations

import asyncio
import gc
import gzip
import ipaddress
import json
import logging
import ssl
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import aiohttp
import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from pk_upload import http as http_module
from pk_upload.answers import read_error
from pk_upload.errors import (
    ApiError,
    AuthenticationFailed,
    BadRequest,
    ChunkMismatch,
    Conflict,
    ConnectFailed,
    ConnectionLost,
    Forbidden,
    NotFound,
    PkUploadError,
    RecordInvalid,
    Redirected,
    Refused,
    ServerError,
    TlsFailed,
    UnexpectedAnswer,
    UsageError,
)
from pk_upload.events import Event
from pk_upload.given import base_url, clean_secret
from pk_upload.http import Http, RetryPolicy
from scripted_server import FAST, KEY, Answer, Endless, Serve, Stall, Step, closed_port, serving

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
async def serve(anyio_backend: str) -> AsyncIterator[Serve]:
    async with serving() as start:
        yield start


def session(timeout: float = 30.0, retries: int = 0) -> Http:
    policy = RetryPolicy(retries=retries, first_wait=FAST.first_wait, longest_wait=FAST.longest_wait)
    return Http(auth={"X-Api-Key": KEY}, secrets=(KEY,), retry=policy, timeout=timeout)


async def failure(url: str, timeout: float = 30.0) -> PkUploadError:
    async with session(timeout) as http:
        with pytest.raises(PkUploadError) as caught:
            await http.call("GET", url)
    return caught.value


# What goes out


async def test_the_key_goes_into_its_header_and_nowhere_else(serve: Serve) -> None:
    server = await serve()
    async with session() as http:
        await http.call("POST", f"{server.url}/1/apps", form={"name": "x"})
    (seen,) = server.seen
    assert seen.headers["x-api-key"] == KEY
    assert seen.target == "/1/apps"
    elsewhere = [value for name, value in seen.headers.items() if name != "x-api-key"]
    assert KEY not in seen.body.decode()
    assert not [value for value in elsewhere if KEY in value]


async def test_without_a_key_no_authentication_is_sent(serve: Serve) -> None:
    server = await serve()
    async with Http(auth={}) as http:
        await http.call("GET", server.url)
    assert not {"x-api-key", "authorization", "cookie"} & set(server.seen[0].headers)


async def test_requests_say_who_asks_and_for_what(serve: Serve) -> None:
    server = await serve()
    async with session() as http:
        await http.call("GET", server.url)
    assert server.seen[0].headers["user-agent"] == "pk-upload"
    assert server.seen[0].headers["accept"] == "application/json"


async def test_forms_are_url_encoded(serve: Serve) -> None:
    form = {"label": "1.0 & more = 100 %+", "changelog": "zwölf\nŠtefan 🎮", "empty": ""}
    server = await serve()
    async with session() as http:
        await http.call("POST", server.url, form=form)
    assert server.seen[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert server.seen[0].form == form


async def test_a_call_without_fields_has_no_body(serve: Serve) -> None:
    server = await serve()
    async with session() as http:
        await http.call("GET", server.url)
        await http.call("POST", server.url, form={})
    assert [seen.body for seen in server.seen] == [b"", b""]


async def test_cookies_are_not_kept(serve: Serve) -> None:
    server = await serve(Answer(headers={"Set-Cookie": "session=1; Path=/"}))
    async with session() as http:
        await http.call("GET", server.url)
        await http.call("GET", server.url)
    assert "cookie" not in server.seen[1].headers


@pytest.mark.parametrize(
    "auth", [{"X-Api-Key": KEY}, {"Authorization": f"Bearer {KEY}"}], ids=["key", "token"]
)
async def test_credentials_of_a_netrc_file_are_not_sent(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, auth: dict[str, str]
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server = await serve()
    async with Http(auth=auth) as http:
        await http.call("GET", server.url)
    assert server.seen[0].headers.get("authorization") == auth.get("Authorization")


async def test_a_streamed_body_goes_out_once_with_its_headers(serve: Serve) -> None:
    server = await serve(Answer(500), Answer())
    with aiohttp.MultipartWriter("form-data") as body:
        body.append("abc").set_content_disposition("form-data", name="md5")
    async with session(retries=3) as http:
        with pytest.raises(ServerError):
            await http.send("POST", server.url, body=body, headers={"Content-Range": "bytes 0-2/3"})
    (seen,) = server.seen
    assert seen.form == {"md5": "abc"}
    assert seen.headers["content-range"] == "bytes 0-2/3"
    assert seen.headers["x-api-key"] == KEY


async def test_a_session_that_is_not_open_says_so() -> None:
    with pytest.raises(RuntimeError, match="outside its `async with` block"):
        await session().call("GET", "http://127.0.0.1")


# What the answer says


@pytest.mark.parametrize(
    ("status", "kind", "exit_code"),
    [
        (400, BadRequest, 1),
        (401, AuthenticationFailed, 3),
        (403, Forbidden, 3),
        (404, NotFound, 4),
        (408, Refused, 7),
        (409, Conflict, 5),
        (412, ChunkMismatch, 9),
        (422, RecordInvalid, 2),
        (429, Refused, 7),
        (500, ServerError, 7),
        (502, ServerError, 7),
        (503, Refused, 7),
        (599, ServerError, 7),
        (0, ApiError, 1),
        (999, ServerError, 7),
    ],
)
async def test_each_status_has_its_error(
    serve: Serve, status: int, kind: type[ApiError], exit_code: int
) -> None:
    body = b'{"message": "so it is", "symbol": "REASON"}'
    server = await serve(b"HTTP/1.1 %03d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
    error = await failure(server.url)
    assert type(error) is kind
    assert isinstance(error, ApiError)
    assert (error.status, error.exit_code, error.symbol) == (status, exit_code, "REASON")
    assert error.message == f"127.0.0.1 answered {status}: so it is"


async def test_a_page_instead_of_json_speaks_of_the_address(serve: Serve) -> None:
    body = b"<html><title>Not here</title></html>"
    server = await serve(b"HTTP/1.1 404 X\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    error = await failure(server.url)
    assert isinstance(error, NotFound)
    assert error.hint == UnexpectedAnswer.default_hint


async def test_an_answer_that_leaves_http_is_no_success(serve: Serve) -> None:
    server = await serve(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: else\r\n\r\n{}")
    error = await failure(server.url)
    assert type(error) is ApiError
    assert error.message == "127.0.0.1 answered 101: Switching Protocols"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_every_success_gives_the_body(serve: Serve, status: int) -> None:
    body = b"" if status == 204 else b"[1]"
    server = await serve(Answer(status, body, {"Connection": "close"}))
    async with session() as http:
        assert await http.call("GET", server.url) == body


ERROR_BODIES = {
    "message": (b'{"message": "no such app"}', "no such app"),
    "message and symbol": (b'{"message": "no such app", "symbol": "GONE"}', "no such app"),
    "error": (b'{"error": "no such app"}', "no such app"),
    "message before error": (b'{"error": "short", "message": "long"}', "long"),
    "error when the message is blank": (b'{"error": "short", "message": "  "}', "short"),
    "html title": (b"<html><head><title>502 Bad\n Gateway</title></head><p>x", "502 Bad Gateway"),
    "html without title": (b"<h1>It is</h1><p>broken &amp; sad</p>", "It is broken & sad"),
    "html entities in the title": (b"<TITLE lang=en>A &lt;b&gt; C</TITLE>", "A <b> C"),
    "plain text": (b"upstream is away\n", "upstream is away"),
    "empty": (b"", "Not Found"),
    "blank": (b" \r\n\t ", "Not Found"),
    "empty object": (b"{}", "Not Found"),
    "tags only": (b"<p><br/></p>", "Not Found"),
    "invalid JSON": (b'{"message": "cut', '{"message": "cut'),
    "list": (b'["a", "b"]', "a b"),
    "detail": (b'{"detail": "Invalid page."}', "Invalid page."),
    "list of details": (
        b'{"detail": ["Expected a dictionary,", "but got list."]}',
        "Expected a dictionary, but got list.",
    ),
    "null": (b"null", "null"),
    "message is a number": (b'{"message": 5}', "Not Found"),
    "message is an object": (b'{"message": {"label": ["taken"]}}', "Not Found"),
    "message is null": (b'{"message": null, "error": null}', "Not Found"),
    "message of a wrong type beside an error": (b'{"message": [], "error": "short"}', "short"),
    "control characters": (b'{"message": "a\\u001b[31mb\\r\\n\\u0000c\\u202ed"}', "a [31mb c d"),
    "control characters in text": (b"a\x1b[2Jb\x07\x00c", "a [2Jb c"),
    "control characters in entities": (b"a&#27;[2Jb", "a[2Jb"),
    "only control characters": (b'{"message": "\\u0007\\u0007"}', "Not Found"),
    "not UTF-8": (b"caf\xe9 \xff", "caf\ufffd \ufffd"),
    "not UTF-8 in JSON": (b'{"message": "caf\xe9"}', '{"message": "caf\ufffd"}'),
}


@pytest.mark.parametrize(("body", "expected"), ERROR_BODIES.values(), ids=ERROR_BODIES.keys())
async def test_an_error_is_explained_by_whatever_came(serve: Serve, body: bytes, expected: str) -> None:
    server = await serve(Answer(404, body))
    error = await failure(server.url)
    assert isinstance(error, NotFound)
    assert error.message == f"127.0.0.1 answered 404: {expected}"


async def test_a_status_without_a_phrase_is_told_without_explanation(serve: Serve) -> None:
    server = await serve(Answer(499, b""))
    assert (await failure(server.url)).message == "127.0.0.1 answered 499: no explanation"


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"message": "long " * 500_000, "symbol": "S" * 500_000}).encode(),
        b"<title>" + b"long " * 500_000,
        b"long " * 500_000,
        b"[" * 500_000,
        b'{"x":' * 500_000,
        b"<" * 500_000,
        b"<title" * 100_000,
        b"<title>" * 100_000,
    ],
    ids=["JSON", "HTML", "text", "lists", "objects", "tags", "half titles", "titles"],
)
async def test_a_huge_error_becomes_a_short_one(serve: Serve, body: bytes) -> None:
    server = await serve(Answer(400, body))
    error = await failure(server.url)
    assert isinstance(error, BadRequest)
    assert len(error.message) <= 350
    assert len(error.symbol or "") <= 300


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [("null", None), ("5", None), ('""', None), ('"GONE"', "GONE"), ('"A\\u001b[2J"', "A [2J")],
)
async def test_a_symbol_is_a_short_text_or_nothing(serve: Serve, symbol: str, expected: str | None) -> None:
    server = await serve(Answer(404, f'{{"message": "m", "symbol": {symbol}}}'.encode()))
    error = await failure(server.url)
    assert isinstance(error, ApiError)
    assert error.symbol == expected


@given(st.one_of(st.binary(), st.text().map(str.encode)))
@settings(deadline=None)
def test_no_error_body_does_harm(body: bytes) -> None:
    text, symbol = read_error(body)
    assert isinstance(text, str)
    assert isinstance(symbol, str)


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("later", None)])
async def test_an_error_knows_the_wait_that_was_asked_for(
    serve: Serve, header: str, seconds: float | None
) -> None:
    server = await serve(Answer(429, headers={"Retry-After": header}))
    error = await failure(server.url)
    assert isinstance(error, Refused)
    assert error.retry_after == seconds


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_a_redirect_is_not_followed(serve: Serve, status: int, method: str) -> None:
    other = await serve()
    server = await serve(Answer(status, headers={"Location": f"{other.url}/1/apps"}))
    async with session(retries=3) as http:
        with pytest.raises(Redirected, match=r"127\.0\.0\.1 sends on to ") as caught:
            await http.call(method, server.url, form={"label": "1.0"})
    assert f"sends on to {other.url}; " in caught.value.message
    assert caught.value.exit_code == 9
    assert len(server.seen) == 1
    assert other.seen == []


@pytest.mark.parametrize(
    ("location", "told"),
    [
        *(
            (nowhere, "another address")
            for nowhere in ("http://[::1", "http://[]@", "http://h:99999/", "http://h:x/")
        ),
        ("https://127.0.0.1/1/apps?key=7", "https://127.0.0.1"),
        ("http://me:word@example.com/1", "http://example.com"),
        ("/login?next=/1/apps", "/login"),
        ("", "another address"),
    ],
)
async def test_where_a_redirect_leads_is_told(serve: Serve, location: str, told: str) -> None:
    server = await serve(Answer(302, headers={"Location": location} if location else {}))
    error = await failure(server.url)
    assert isinstance(error, Redirected)
    assert f" sends on to {told}; " in error.message


async def test_a_redirect_that_no_address_is_in_is_a_redirect(serve: Serve) -> None:
    server = await serve(Answer(302, headers={"Location": "\xff"}))
    assert isinstance(await failure(server.url), Redirected)


# TLS


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's side of TLS with a certificate for 127.0.0.1 that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def test_a_certificate_that_is_not_trusted_ends_it(serve: Serve, self_signed: ssl.SSLContext) -> None:
    server = await serve(tls=self_signed)
    events: list[Event] = []
    async with session() as http:
        with pytest.raises(TlsFailed, match=r"127\.0\.0\.1 cannot be trusted") as caught:
            await http.listening(events.append, retries=3).call("GET", server.url)
    assert caught.value.exit_code == 7
    assert "certificate" in caught.value.message
    assert events == []
    assert server.seen == []


async def test_a_server_without_tls_gets_nothing() -> None:
    received = bytearray()

    async def speak_plainly(stream: ByteStream) -> None:
        async with stream:
            received.extend(await stream.receive())
            await stream.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, speak_plainly)
            error = await failure(f"https://127.0.0.1:{port}")
            tasks.cancel_scope.cancel()
    assert isinstance(error, ConnectFailed)
    assert b"Key" not in received
    assert KEY.encode() not in received


# Proxies


async def test_requests_go_through_the_proxy_of_the_environment(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await serve(Answer(body=b"[1]"))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    async with session() as http:
        assert await http.call("GET", "http://patchkit.test/1/apps") == b"[1]"
    assert [seen.target for seen in proxy.seen] == ["http://patchkit.test/1/apps"]


async def test_the_credentials_of_a_proxy_reach_it_and_nobody_else(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, server = await serve(Answer(body=b"[1]")), await serve()
    monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//somebody:pa55word@"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with session() as http:
        await http.call("GET", "http://patchkit.test/1/apps")
        await http.call("GET", f"{server.url}/1/apps")
    [through], [direct] = proxy.seen, server.seen
    assert through.headers["proxy-authorization"] == aiohttp.encode_basic_auth("somebody", "pa55word")
    assert "proxy-authorization" not in direct.headers


async def test_a_proxy_may_be_named_without_a_scheme(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = await serve(Answer(body=b"[1]"))
    monkeypatch.setenv("http_proxy", proxy.url.removeprefix("http://"))
    async with session() as http:
        assert await http.call("GET", "http://patchkit.test/1/apps") == b"[1]"


async def test_a_proxy_of_another_kind_is_not_spoken_to(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await serve()
    monkeypatch.setenv("http_proxy", proxy.url.replace("http://", "socks5://"))
    error = await failure("http://patchkit.test/1/apps")
    assert isinstance(error, UsageError)
    assert "proxy" in error.hint
    assert proxy.seen == []


async def test_a_tunnel_is_asked_for_with_the_credentials_of_the_proxy(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await serve(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//somebody:pa55word@"))
    await failure("https://patchkit.test/1/apps")
    assert proxy.seen[0].headers["proxy-authorization"] == aiohttp.encode_basic_auth("somebody", "pa55word")


@pytest.mark.parametrize("exempt", ["127.0.0.1", "*", "example.test,127.0.0.1"])
async def test_no_proxy_names_what_is_asked_directly(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, exempt: str
) -> None:
    proxy, server = await serve(), await serve()
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", exempt)
    async with session() as http:
        await http.call("GET", f"{server.url}/1/apps")
    assert proxy.seen == []
    assert [seen.target for seen in server.seen] == ["/1/apps"]


async def test_a_tunnel_is_asked_for_without_the_key(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = await serve(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    error = await failure("https://patchkit.test/1/apps")
    assert isinstance(error, ConnectFailed)
    assert [(seen.method, seen.target) for seen in proxy.seen] == [("CONNECT", "patchkit.test:443")]
    assert KEY not in str(proxy.seen)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("proxy", ["//u:pa55word@127.0.0.1:1", "//u:pa55word@h:99999", "u:pa55word@h:1"])
async def test_the_password_of_a_useless_proxy_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, scheme: str, proxy: str
) -> None:
    caplog.set_level(logging.DEBUG)
    address = f"http:{proxy}" if proxy.startswith("//") else proxy
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", address)
    error = await failure(f"{scheme}://patchkit.test/1/apps")
    assert isinstance(error, ConnectFailed | UsageError)
    assert "proxy" in error.hint
    assert "pa55word" not in everything_shown(error)
    assert "pa55word" not in caplog.text


# Answers that mean no good


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x00\xff\xfe garbage\r\n\r\n",
        b'{"id": 1}',
        b"HTTP/3.0 200 OK\r\n\r\n{}",
        b"HTTP/1.1 20 OK\r\n\r\n{}",
        b"HTTP/1.1 2000 OK\r\n\r\n{}",
        OK + b"No Colon Here\r\n\r\n{}",
        OK + b"X-A: a\x00b\r\n\r\n{}",
        OK + b"X-A: " + b"a" * 40_000 + b"\r\n\r\n{}",
        OK + b"X-A: a\r\n" * 20_000 + b"\r\n{}",
        OK + b"Content-Length: two\r\n\r\n{}",
        OK + b"Content-Length: -2\r\n\r\n{}",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 10\r\n\r\n0123456789",
        OK + b"Content-Type",
        b"HTT",
        b"",
    ],
    ids=lambda answer: repr(answer[:40]),
)
async def test_bad_http_is_a_typed_error(serve: Serve, answer: bytes) -> None:
    server = await serve(answer)
    error = await failure(server.url)
    assert isinstance(error, UnexpectedAnswer | ConnectionLost)
    assert error.exit_code == 7
    assert len(error.message) < 500
    assert error.message.isprintable()


async def test_an_answer_that_is_too_large_is_not_read_to_its_end(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "LARGEST_ANSWER", 100_000)
    server = await serve(Endless(OK + b"Connection: close\r\n\r\n", b"x" * 10_000))
    error = await failure(server.url)
    assert isinstance(error, UnexpectedAnswer)
    assert error.message == "127.0.0.1 answers more than 100000 bytes"


async def test_an_answer_that_swells_when_unpacked_is_too_large(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "LARGEST_ANSWER", 100_000)
    packed = gzip.compress(bytes(50_000_000))
    assert len(packed) < 100_000
    server = await serve(Answer(body=packed, headers={"Content-Encoding": "gzip"}))
    assert isinstance(await failure(server.url), UnexpectedAnswer)


async def test_an_answer_as_large_as_allowed_is_read(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "LARGEST_ANSWER", 100_000)
    server = await serve(Answer(body=b"x" * 100_000))
    async with session() as http:
        assert len(await http.call("GET", server.url)) == 100_000


@pytest.mark.parametrize(
    "step",
    [
        Stall(),
        Stall(b"HTTP/1.1 200"),
        Stall(OK),
        Stall(OK + b"Content-Length: 9\r\n\r\n{"),
        Stall(b"HTTP/1.1 500 X\r\nContent-Length: 9\r\n\r\n{"),
        Endless(OK + b"Connection: close\r\n\r\n", b""),
        Endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["nothing", "half a line", "half a head", "half a body", "half an error", "no end", "100s"],
)
async def test_an_answer_without_end_is_ended_by_the_deadline(serve: Serve, step: Step) -> None:
    server = await serve(step)
    error = await failure(server.url, timeout=0.3)
    assert isinstance(error, ConnectionLost)
    assert error.message == "127.0.0.1 did not answer within 0.3 s"


async def test_texts_that_no_request_can_carry_are_a_usage_error(serve: Serve) -> None:
    server = await serve()
    async with session() as http:
        with pytest.raises(UsageError, match="cannot be made"):
            await http.call("POST", server.url, form={"label": "half a pair \ud83c"})
    assert server.seen == []


# Nothing secret is shown


def everything_shown(error: BaseException) -> str:
    """All that a log, a terminal or a crash report would show of `error`, in small letters."""
    parts = [str(error), repr(error), *traceback.format_exception(error), *map(str, error.args)]
    if isinstance(error, PkUploadError):
        parts.append(json.dumps(error.to_dict()))
    if isinstance(error, ApiError):
        parts.append(str(error.symbol))
    return "\n".join(parts).lower()


def reply(status: int, body: str, headers: str = "") -> bytes:
    return (
        f"HTTP/1.1 {status} {KEY}\r\nContent-Length: {len(body)}\r\nX-Echo: {KEY}\r\n{headers}\r\n{body}"
    ).encode()


ECHOES = {
    "message": reply(400, json.dumps({"message": f"the key {KEY} is unknown"})),
    "escaped message": reply(400, json.dumps({"message": KEY}).replace("/", "\\/")),
    "error": reply(400, json.dumps({"error": f"the key {KEY} is unknown"})),
    "symbol": reply(400, json.dumps({"message": "m", "symbol": f"S_{KEY}"})),
    "title": reply(500, f"<title>{KEY}</title>"),
    "text": reply(401, f"X-Api-Key: {KEY}"),
    "broken JSON": reply(401, f'{{"key": "{KEY}"'),
    "other letter case": reply(401, KEY.upper()),
    "quoted for a URL": reply(401, f"/1/apps?api_key={quote(KEY, safe='')}"),
    "where the message is cut": reply(400, "x" * 280 + f" {KEY} and more " + "x" * 100),
    "location's path": reply(302, "", f"Location: http://h.test/{KEY}?api_key={KEY}\r\n"),
    "location's user": reply(302, "", f"Location: http://{quote(KEY, safe='')}:x@h.test/\r\n"),
    "location's host": reply(302, "", f"Location: http://{KEY.split('/')[0]}.test/\r\n"),
    "broken location": reply(302, "", f"Location: http://[{KEY}\r\n"),
    "status line": f"{KEY} 200 OK\r\n\r\n".encode(),
    "header without colon": OK + f"X Echo {KEY}\r\n\r\n".encode(),
    "header with a bad byte": OK + f"X-Echo: \x00{KEY}\r\n\r\n".encode(),
    "header that is too long": OK + b"X-Echo: " + KEY.encode() * 3000 + b"\r\n\r\n",
    "half a head": OK + f"X-Echo: {KEY}\r\n".encode(),
    "length": OK + f"Content-Length: {KEY}\r\n\r\n".encode(),
    "encoding": OK + f"Content-Encoding: {KEY}\r\nContent-Length: 5\r\n\r\n{{".encode(),
    "chunk's size": OK + f"Transfer-Encoding: chunked\r\n\r\n{KEY}\r\n".encode(),
    "after the answer": reply(500, "") + KEY.encode(),
}
# The host of a location ends at a slash, so that a part of the key can stand there alone.
PARTLY = {"location's host"}


@pytest.mark.parametrize(("name", "answer"), ECHOES.items(), ids=ECHOES.keys())
async def test_a_key_that_comes_back_is_not_shown(
    serve: Serve, caplog: pytest.LogCaptureFixture, name: str, answer: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    server = await serve(answer)
    events: list[Event] = []
    secret = KEY.split("/")[0] if name in PARTLY else KEY
    policy = RetryPolicy(retries=1, first_wait=0.001, longest_wait=0.002)
    async with Http(auth={"X-Api-Key": secret}, secrets=(secret,), retry=policy) as http:
        with pytest.raises(PkUploadError) as caught:
            await http.listening(events.append, retries=1).call("GET", f"{server.url}/1/apps")
    assert server.seen[0].headers["x-api-key"] == secret
    shown = everything_shown(caught.value) + caplog.text.lower() + str(events).lower()
    for form in (secret, quote(secret, safe=""), secret[:10]):
        assert form.lower() not in shown


async def test_a_debug_log_tells_what_was_asked_without_the_key(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = await serve(Answer(headers={"X-Echo": KEY}))
    async with session() as http:
        await http.call("GET", f"{server.url}/1/apps/a%0Ab")
    assert "GET /1/apps/a%0Ab -> 200" in caplog.text
    assert KEY not in caplog.text


async def test_a_connection_that_fails_shows_no_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    error = await failure(closed_port())
    assert isinstance(error, ConnectFailed)
    assert KEY.lower() not in everything_shown(error) + caplog.text.lower()


async def test_without_a_secret_nothing_is_cut_out(serve: Serve) -> None:
    server = await serve(Answer(400, b'{"message": "all of it"}'))
    async with Http(auth={}, secrets=("",)) as http:
        with pytest.raises(BadRequest, match="all of it"):
            await http.call("GET", server.url)


# Keys and addresses that cannot be


@pytest.mark.parametrize("text", ["k3y", "k3y\n", "  k3y\r\n", "\tk3y"])
def test_white_space_around_a_key_is_dropped(text: str) -> None:
    assert clean_secret(text, "API key") == "k3y"


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "k3y\nX-Evil: 1", "k3y k3y", "k3y\tk3y", "k3y\x00", "k3y\x7f", "k3ý", "k3y\u200b"]
)
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        clean_secret(text, "API key")
    assert "API key" in caught.value.message
    assert caught.value.exit_code == 2
    assert "k3" not in everything_shown(caught.value).replace("clean_secret", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://api2.patchkit.net", "https://api2.patchkit.net"),
        ("https://api2.patchkit.net/", "https://api2.patchkit.net"),
        (" http://127.0.0.1:8720\n", "http://127.0.0.1:8720"),
        ("http://[::1]:8720/", "http://[::1]:8720"),
        ("HTTPS://Example.TEST/some/path//", "https://example.test/some/path"),
        ("http://zwölf.test", "http://xn--zwlf-6qa.test"),
    ],
)
def test_an_address_is_kept_in_one_form(text: str, expected: str) -> None:
    assert base_url(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api2.patchkit.net",
        "localhost:8720",
        "//h",
        "/1/apps",
        "ftp://h",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://:80",
        "http://h:99999",
        "http://h:port",
        "http://[::1",
        "http://.",
        "http://a..b",
        "http://[]@",
        "http://a b",
        "http://a :",
        "http://xn--",
        f"http://{'a' * 64}.test",
        "http://\udc80",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not an address") as caught:
        base_url(text)
    assert "https://" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "https://s3cret@h",
        "https://user:s3cret@h",
        "https://h/?api_key=s3cret",
        "https://h/#s3cret",
        "ftp://user:s3cret@h",
        "s3cret",
    ],
)
def test_an_address_that_may_hold_a_secret_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        base_url(text)
    assert "s3cret" not in everything_shown(caught.value)


@given(
    st.one_of(st.text(), st.text().map("http://{}".format), st.text("[]%:/@?#.a1-ß ").map("http://{}".format))
)
@settings(deadline=None)
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    try:
        url = base_url(text)
    except UsageError:
        return
    assert url.startswith(("http://", "https://"))
    assert base_url(url) == url


# Cancellation


@pytest.mark.parametrize(
    "step", [Stall(), Stall(OK + b"Content-Length: 9\r\n\r\n{")], ids=["before the answer", "in the answer"]
)
async def test_a_cancelled_call_leaves_nothing_behind(serve: Serve, step: Step) -> None:
    before = asyncio.all_tasks()
    server = await serve(step, Answer(body=b"[1]"))
    async with session() as http:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(http.call, "GET", server.url)
            await server.arrived.wait()
            tasks.cancel_scope.cancel()
        assert await http.call("GET", server.url) == b"[1]"  # the session is as good as before
    await server.stop()
    gc.collect()  # what was not closed would warn now, and warnings fail
    assert asyncio.all_tasks() <= before


async def test_a_cancelled_wait_between_attempts_ends_at_once(serve: Serve) -> None:
    server = await serve(Answer(503, headers={"Retry-After": "500"}))
    waiting = anyio.Event()

    def on_event(event: Event) -> None:
        waiting.set()

    async with session() as http, anyio.create_task_group() as tasks:
        tasks.start_soon(http.listening(on_event, retries=3).call, "GET", server.url)
        await waiting.wait()
        tasks.cancel_scope.cancel()
    assert len(server.seen) == 1


async def test_a_deadline_of_the_caller_stays_the_callers(serve: Serve) -> None:
    server = await serve(Stall())
    async with session() as http:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await http.call("GET", server.url)


# What is a service's own


async def test_a_service_says_what_it_accepts_and_what_helps(serve: Serve) -> None:
    server = await serve(Answer(401, b"{}"))
    hints = {AuthenticationFailed: "Ask the porter."}
    for how, accepted, hint in (
        ({}, "application/json", AuthenticationFailed.default_hint),
        ({"accept": "text/x", "hints": hints}, "text/x", "Ask the porter."),
    ):
        async with Http(auth={}, **how) as http:  # type: ignore[arg-type]
            with pytest.raises(AuthenticationFailed) as caught:
                await http.call("GET", server.url)
        assert server.seen[-1].headers["accept"] == accepted
        assert caught.value.hint == hint


async def test_the_hint_of_an_error_beats_that_of_its_kind(serve: Serve) -> None:
    server = await serve(Answer(404, b"<html>"))
    async with Http(auth={}, hints={NotFound: "Ask the porter."}) as http:
        with pytest.raises(NotFound) as caught:
            await http.call("GET", server.url)
    assert caught.value.hint == UnexpectedAnswer.default_hint


async def test_a_body_can_be_json(serve: Serve) -> None:
    server = await serve()
    async with session() as http:
        await http.call("PUT", server.url, json={"app": {"name": "K\u00e4se"}})
        await http.call("PUT", server.url, json={})
        await http.call("PUT", server.url)
    assert [seen.body for seen in server.seen] == ['{"app":{"name":"K\u00e4se"}}'.encode(), b"{}", b""]
    assert [seen.headers["content-type"] for seen in server.seen[:2]] == ["application/json"] * 2
