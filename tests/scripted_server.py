"""A server that answers from a script, one step a request, and writes down what arrives.

It reads requests by hand and answers raw bytes, so that it can also do what no HTTP library lets a server
do. Each step is an `Answer`, bytes after which the connection is closed (none at all: it is dropped), a
`Stall` or an `Endless`; the last step stands for all requests after it. As it takes whatever target a
request line holds, it also does for a proxy.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qsl

import anyio
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSListener

from pk_upload.http import RetryPolicy

KEY = "Key+0123456789/abcdef="
FAST = RetryPolicy(retries=3, first_wait=0.001, longest_wait=0.002)
DROP = b""
TRUNCATED = b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id'


@dataclass(frozen=True)
class Answer:
    """A proper HTTP answer; the connection is kept unless the headers say otherwise."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


@dataclass(frozen=True)
class Stall:
    """These bytes, then silence for as long as the client listens."""

    first: bytes = b""


@dataclass(frozen=True)
class Endless:
    """These bytes, then `chunk` again and again for as long as the client listens."""

    first: bytes
    chunk: bytes


Step = Answer | bytes | Stall | Endless


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; the names of headers in small letters."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form-encoded or a multipart body."""
        kind = self.headers.get("content-type", "")
        if kind == "application/x-www-form-urlencoded":
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True))
        if not kind.startswith("multipart/form-data"):
            return {}
        message = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + self.body)
        fields = {}
        for part in message.walk():
            if name := part.get_param("name", header="content-disposition"):
                payload = part.get_payload(decode=True)
                assert isinstance(payload, bytes)
                fields[str(name)] = payload.decode()
        return fields


class ScriptedServer:
    """`url` is its address, `seen` the requests so far, `arrived` is set by the first of them."""

    def __init__(self, url: str, script: tuple[Step, ...]) -> None:
        self.url = url
        self.seen: list[Seen] = []
        self.arrived = anyio.Event()
        self.stopped = anyio.Event()
        self.scope = anyio.CancelScope()
        self._script = list(script) or [Answer()]

    async def stop(self) -> None:
        """Closes the port and all connections."""
        self.scope.cancel()
        await self.stopped.wait()

    async def handle(self, stream: ByteStream) -> None:
        reader = BufferedByteReceiveStream(stream)
        async with stream:
            try:
                while await self._answer(reader, stream):
                    pass
            except (
                anyio.EndOfStream,
                anyio.IncompleteRead,
                anyio.BrokenResourceError,
                anyio.ClosedResourceError,
            ):
                pass  # the client has left

    async def _answer(self, reader: BufferedByteReceiveStream, stream: ByteStream) -> bool:
        """Whether the connection stays open for another request."""
        self.seen.append(await _read_request(reader))
        self.arrived.set()
        match self._script.pop(0) if len(self._script) > 1 else self._script[0]:
            case Answer() as answer:
                await stream.send(answer.encode())
                return answer.headers.get("Connection") != "close"
            case Stall(first):
                if first:
                    await stream.send(first)
                await reader.receive()
            case Endless(first, chunk):
                await stream.send(first)
                while True:
                    await stream.send(chunk)
            case bytes() as raw:
                if raw:
                    await stream.send(raw)
        return False


async def _read_request(reader: BufferedByteReceiveStream) -> Seen:
    head = await reader.receive_until(b"\r\n\r\n", 65536)
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    size = int(headers.get("content-length", "0"))
    return Seen(method, target, headers, await reader.receive_exactly(size) if size else b"")


class Serve(Protocol):
    async def __call__(self, *script: Step, tls: ssl.SSLContext | None = None) -> ScriptedServer: ...


@asynccontextmanager
async def serving() -> AsyncIterator[Serve]:
    """Gives what starts servers, on free ports of this machine; they end with the block."""
    async with anyio.create_task_group() as tasks:

        async def start(*script: Step, tls: ssl.SSLContext | None = None) -> ScriptedServer:
            listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
            port = listener.extra(SocketAttribute.local_port)
            server = ScriptedServer(f"{'https' if tls else 'http'}://127.0.0.1:{port}", script)

            async def run() -> None:
                secured = TLSListener(listener, tls, standard_compatible=False) if tls else listener
                with server.scope:
                    async with secured:
                        await secured.serve(server.handle)
                server.stopped.set()

            tasks.start_soon(run)
            return server

        yield start
        tasks.cancel_scope.cancel()


def closed_port() -> str:
    """An address of this machine where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"
