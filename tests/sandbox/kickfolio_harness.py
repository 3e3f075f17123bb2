"""What the tests of the sandbox's Kickfolio share: a client by hand, bundles, and a host that has them."""

from __future__ import annotations

import asyncio
import io
import plistlib
import zipfile
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import server_harness
from server_harness import PATIENCE

from pk_upload.sandbox import Sandbox, serve

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from pathlib import Path

TOKEN = "token-of-the-sandbox"
PNG = b"\x89PNG\r\n\x1a\n"
INFO: dict[str, Any] = {
    "CFBundleIdentifier": "com.kickfolio.app",
    "CFBundleShortVersionString": "1.0",
    "CFBundleIconFiles": ["Icon.png"],
}


def zipped(entries: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def bundle(info: dict[str, Any] | None = None, **more: bytes) -> bytes:
    """A ZIP with an .app bundle that has an icon and a default image; `more` are other files in it."""
    content = plistlib.dumps(INFO if info is None else info, fmt=plistlib.FMT_BINARY)
    files = {"Info.plist": content, "Icon.png": PNG + b"icon", "Default.png": PNG + b"default", **more}
    return zipped({f"Kickfolio.app/{name}": data for name, data in files.items()})


def basic(text: str) -> str:
    return f"Basic {b64encode(text.encode()).decode()}"


Reply = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def ok(body: bytes, *headers: str) -> bytes:
    """An answer of status 200 that says its length, unless a header says something else."""
    lines = ["HTTP/1.1 200 OK", "Connection: close", *headers]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def redirect(target: str) -> bytes:
    return (
        f"HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
    )


@dataclass
class Host:
    """A server of bundles that sends the very bytes it was given; `asked` are the heads of all requests."""

    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def serves(self, path: str, reply: Reply) -> str:
        """The URL at which this is answered from now on."""
        self.replies[path] = reply
        return self.url + path

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(head)
            reply = self.replies.get(head.split()[1], b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            if isinstance(reply, bytes):
                writer.write(reply)
                await writer.drain()
            else:
                await reply(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def bundle_host(context: ssl.SSLContext | None = None) -> AsyncIterator[Host]:
    host = Host()
    server = await asyncio.start_server(host.handle, "127.0.0.1", 0, ssl=context)
    scheme = "http" if context is None else "https"
    host.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield host
    finally:
        server.close()


async def until(good: Callable[[], object]) -> None:
    """Wait until it is so."""
    await server_harness.until(good, "it to be so")


async def hang(writer: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.sleep(3600)


@dataclass
class KickfolioClient:
    """Requests as a client sends them; every answer as its status and its JSON."""

    session: aiohttp.ClientSession
    sandbox: Sandbox

    async def call(
        self, verb: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """The answer. `headers` stand instead of those that authenticate; a `body` of bytes goes as it is."""
        sent = {"Authorization": basic(TOKEN)} if headers is None else headers
        accept = {"Accept": "application/vnd.kickfolio.v1"}
        how: dict[str, Any] = {"data": body} if isinstance(body, bytes | io.BytesIO) else {"json": body}
        url = f"{self.sandbox.kickfolio_url}/api{path}"
        request = self.session.request(verb, url, headers=accept | sent, **(how if body is not None else {}))
        async with request as answer:
            text = await answer.read()
            return answer.status, await answer.json() if text else None

    async def ok(self, verb: str, path: str, body: Any = None) -> Any:
        """What is under the one name in the answer."""
        status, answer = await self.call(verb, path, body)
        assert status in {200, 201}, (status, answer)
        [resource] = answer.values()
        return resource

    async def app(self, name: str = "Kickfolio") -> dict[str, Any]:
        app: dict[str, Any] = await self.ok("POST", "/apps", {"app": {"name": name}})
        return app

    async def version(self, app: dict[str, Any], url: str, **more: Any) -> dict[str, Any]:
        body = {"version": {"bundle_url": url, **more}}
        version: dict[str, Any] = await self.ok("POST", f"/apps/{app['id']}/versions", body)
        return version

    async def settled(self, version: dict[str, Any]) -> dict[str, Any]:
        """The version, once it is pending no more."""
        found: dict[str, Any] = version
        with anyio.move_on_after(PATIENCE):
            while True:
                found = await self.ok("GET", f"/versions/{version['id']}")
                if found["state"] != "pending":
                    return found
                await anyio.sleep(0.01)
        raise AssertionError(f"after {PATIENCE:g} s the version is still {found}")

    async def fetched(self, url: str) -> dict[str, Any]:
        """A version of a new app, once it is pending no more."""
        return await self.settled(await self.version(await self.app(), url))

    async def reason(self, url: str) -> str:
        """Why the bundle there cannot be had."""
        version = await self.fetched(url)
        assert version["state"] == "failed", version
        return str(version["state_reason"])


@asynccontextmanager
async def kickfolio_client(
    data_dir: Path, *, token: str = TOKEN, **how: Any
) -> AsyncIterator[KickfolioClient]:
    """A sandbox on `data_dir`, and a client of its Kickfolio."""
    async with (
        serve(data_dir, kickfolio_token=token, **how) as sandbox,
        aiohttp.ClientSession() as session,
    ):
        yield KickfolioClient(session, sandbox)
