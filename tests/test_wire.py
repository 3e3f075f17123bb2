"""What really goes over the wire under back-pressure: plain and TLS, asyncio and uvloop, through a proxy."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import ipaddress
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pk_upload import PatchKit, TransferConfig, upload
from pk_upload.errors import AuthenticationFailed

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize(
        "anyio_backend",
        [
            pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
            pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
        ],
    ),
]

SIZE, CHUNK = 30_000_000, 6_000_000


class Sink:
    """Takes chunks reluctantly: it reads a little and rests, so that the sender's buffers fill up."""

    def __init__(self) -> None:
        self.content = bytearray(SIZE)
        self.arrived: Counter[int] = Counter()

    async def create(self, request: web.Request) -> web.Response:
        await request.post()
        return web.json_response({"id": 1}, status=201)

    async def chunk(self, request: web.Request) -> web.Response:
        first = int(request.headers["Content-Range"].split()[1].split("-")[0])
        body = bytearray()
        while part := await request.content.read(700_001):
            body += part
            await asyncio.sleep(0.001)
        head, _, rest = bytes(body).partition(b"\r\n\r\n")
        boundary = head.split(b"\r\n")[0]
        data, _, tail = rest.partition(b"\r\n" + boundary + b"\r\n")
        assert hashlib.md5(data).hexdigest().encode() in tail
        self.content[first : first + len(data)] = data
        self.arrived[first] += 1
        return web.json_response({"id": 1}, status=201)

    @asynccontextmanager
    async def listening(self, context: ssl.SSLContext | None) -> AsyncIterator[str]:
        app = web.Application(client_max_size=2**30)
        app.router.add_post("/1/uploads", self.create)
        app.router.add_post("/1/uploads/1/chunk", self.chunk)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
            yield f"{'https' if context else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def certificate(folder: Path) -> Path:
    """A key and a certificate for 127.0.0.1, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sink")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "sink.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@asynccontextmanager
async def proxy() -> AsyncIterator[str]:
    """A proxy for plain HTTP: it passes on what it gets, the absolute address turned into a path."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        _, address, _ = head.split(b" ", 2)
        host, path = address.removeprefix(b"http://").split(b"/", 1)
        name, port = host.decode().split(":")
        onward_reader, onward = await asyncio.open_connection(name, int(port))
        onward.write(head.replace(address, b"/" + path, 1))

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            sink.close()

        async with anyio.create_task_group() as group:
            group.start_soon(pump, reader, onward)
            group.start_soon(pump, onward_reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Every 64 KiB of it differ, so that nothing can stand in for anything else."""
    path = tmp_path / "source.bin"
    block = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(256)) * 8
    with path.open("wb") as file:
        number = 0
        while file.tell() < SIZE:
            file.write(number.to_bytes(8, "big") + block[8:])
            number += 1
        file.truncate(SIZE)
    return path


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's context and the client's."""
    pem = certificate(tmp_path)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(pem)
    return theirs, ssl.create_default_context(cafile=pem)


@pytest.mark.parametrize("rate", [None, 40_000_000])
@pytest.mark.parametrize("way", ["plain", "TLS", "proxy"])
async def test_what_arrives_is_what_is_on_disk(
    source: Path,
    tmp_path: Path,
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    rate: int | None,
) -> None:
    theirs, ours = tls if way == "TLS" else (None, None)
    sink = Sink()
    async with sink.listening(theirs) as url, proxy() as proxy_url:
        if way == "proxy":
            monkeypatch.setenv("http_proxy", proxy_url)
        async with PatchKit("key", api_url=url, ssl_context=ours) as patchkit:
            config = TransferConfig(
                chunk_size=CHUNK, concurrency=5, limit_rate=rate, state_dir=tmp_path / "state"
            )
            await upload(patchkit, source, config=config)
    assert hashlib.sha256(sink.content).digest() == hashlib.sha256(source.read_bytes()).digest()
    assert set(sink.arrived.values()) == {1}


@pytest.mark.parametrize("way", ["plain", "TLS"])
async def test_a_refusal_before_the_chunk_was_read_is_understood(
    source: Path, tls: tuple[ssl.SSLContext, ssl.SSLContext], way: str
) -> None:
    """The server answers and hangs up with megabytes unread, which resets the connection."""
    theirs, ours = tls if way == "TLS" else (None, None)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/chunk " in head:
            writer.write(b"HTTP/1.1 401 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        else:
            made = b'HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 9\r\n\r\n{"id": 1}'
            await reader.readuntil(b"total_size_bytes=%d" % SIZE)
            writer.write(made)
        await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Lanes that the first refusal ends may have connected and asked for nothing yet.
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=theirs)
    async with server:
        url = f"{'https' if theirs else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with PatchKit("key", api_url=url, ssl_context=ours) as patchkit:
            with pytest.raises(AuthenticationFailed):
                await upload(patchkit, source, config=TransferConfig(resume=False))
