"""Fetching a bundle from wherever a client says, without being led anywhere it must not go.

Which addresses are allowed is decided where the socket is made, for the very address that is connected to: no
name that means another address the next time, no odd way to write one and no redirect gets around that. So
redirects are followed, as storage services answer with them, to whatever a bundle_url may be itself. Nothing
of this machine goes along: no proxy, no credentials, no cookies.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import asynccontextmanager, contextmanager
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
from anyio import to_thread
from yarl import URL

from pk_upload.sandbox.kickfolio.lookup import Resolver
from pk_upload.sandbox.kickfolio.texts import fault_of_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

__all__ = ["Unfetched", "download"]

LARGEST = 1 << 30
"""Bytes of a bundle."""
LONGEST = 300.0
"""Seconds for all of it."""
LONGEST_SILENCE = 30.0
"""Seconds until a connection stands, and without a byte of the answer."""
MOST_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_PIECE = 1 << 20


class Unfetched(Exception):
    """The bundle cannot be had; the text is one sentence that says why, and does not quote the address."""


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "The host of the bundle_url took too long."),
    (aiohttp.InvalidURL, "The bundle_url leads to an address that cannot be fetched."),
    (aiohttp.ClientConnectorDNSError, "The host of the bundle_url has no address."),
    (aiohttp.ClientSSLError, "The host of the bundle_url has no trustworthy certificate."),
    (aiohttp.ClientConnectorError, "Nothing answers at the host of the bundle_url."),
    (aiohttp.ClientPayloadError, "The answer of the bundle_url ends before it is complete."),
    (aiohttp.ClientConnectionError, "The host of the bundle_url broke the connection off."),
    (aiohttp.ClientError, "The host of the bundle_url does not speak proper HTTP."),
    (ConnectionError, "The host of the bundle_url broke the connection off."),
)
"""What is said of an error: the first line that fits."""


async def download(url: str, path: Path, *, anywhere: bool) -> None:
    """Write what `url` answers with to the new file `path`.

    Only from loopback addresses unless `anywhere`. Raises Unfetched, or OSError when the file cannot be made.
    """
    door = _Door(anywhere)
    with _explained(door), anyio.fail_after(LONGEST):
        async with _answer(url, door) as response:
            _judge(response)
            await _keep(response, path)


class _Door:
    """Makes sockets, but none to an address that is not allowed."""

    def __init__(self, anywhere: bool) -> None:
        self._anywhere = anywhere
        self.closed_to_some = False

    def __call__(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, proto, _, address = info
        if not self._anywhere and not _is_loopback(str(address[0])):
            self.closed_to_some = True
            raise OSError("an address outside this machine")
        return socket.socket(family, kind, proto)


def _is_loopback(host: str) -> bool:
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


@contextmanager
def _explained(door: _Door) -> Iterator[None]:
    """Errors of the network as Unfetched; those of the disk, which are none of these, stay what they are."""
    try:
        yield
    except tuple(kind for kind, _ in _REASONS) as error:
        if door.closed_to_some and isinstance(error, aiohttp.ClientConnectorError):
            raise Unfetched(
                "The bundle_url leads out of this machine; this sandbox fetches from loopback addresses"
                " alone unless it is started with --fetch-anywhere."
            ) from error
        raise Unfetched(next(reason for kind, reason in _REASONS if isinstance(error, kind))) from error


@asynccontextmanager
async def _answer(url: str, door: _Door) -> AsyncIterator[aiohttp.ClientResponse]:
    context = await to_thread.run_sync(ssl.create_default_context)
    connector = aiohttp.TCPConnector(
        ssl=context, resolver=Resolver(), socket_factory=door, use_dns_cache=False, force_close=True
    )
    async with (
        aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(connect=LONGEST_SILENCE, sock_read=LONGEST_SILENCE),
            headers={"Accept-Encoding": "identity", "User-Agent": "pk-upload-sandbox"},
            auto_decompress=False,
            trust_env=False,
        ) as session,
        await _followed(session, url) as response,
    ):
        yield response


async def _followed(session: aiohttp.ClientSession, url: str) -> aiohttp.ClientResponse:
    """The answer at the end of all redirects; Unfetched if there are too many, or one leads astray."""
    for _ in range(1 + MOST_REDIRECTS):
        fault = fault_of_url(url)
        if fault is not None:
            raise Unfetched(f"The bundle_url leads to an address that cannot be fetched: it {fault}.")
        response = await session.get(url, allow_redirects=False)
        target = response.headers.get("Location")
        if response.status not in _REDIRECTS or not target:
            return response
        response.close()
        url = _resolved(URL(url), target)
    raise Unfetched(f"The bundle_url leads to more than {MOST_REDIRECTS} redirects.")


def _resolved(page: URL, target: str) -> str:
    """The address that `target` is on `page`; it may be one that cannot be fetched."""
    try:
        url = URL(target)
        return str(url if url.scheme else page.join(url))
    except ValueError:
        return target


def _judge(response: aiohttp.ClientResponse) -> None:
    if response.status != 200:
        raise Unfetched(f"The bundle_url answers with the status {response.status}.")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Unfetched("The answer of the bundle_url is compressed beyond the ZIP.")
    if (response.content_length or 0) > LARGEST:
        raise _too_large()


async def _keep(response: aiohttp.ClientResponse, path: Path) -> None:
    size = 0
    with await to_thread.run_sync(path.open, "xb") as file:
        async for piece in response.content.iter_chunked(_PIECE):
            size += len(piece)
            if size > LARGEST:
                raise _too_large()
            await to_thread.run_sync(file.write, piece)


def _too_large() -> Unfetched:
    return Unfetched(f"The bundle is larger than {LARGEST} bytes.")
