"""The proxy on the way to a host, as the environment or the system's settings name it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

import aiohttp
import anyio
from yarl import URL

__all__ = ["Proxies", "Proxy"]


class Proxy(NamedTuple):
    """Where requests go first, and the headers that are the proxy's alone."""

    url: URL | None
    headers: Mapping[str, str] | None

    def __repr__(self) -> str:
        return f"Proxy(url={self.url})"  # the headers have the password


class Proxies:
    """Looked up once for each host: aiohttp itself would look again, in a thread, for every request."""

    def __init__(self) -> None:
        self._known: dict[URL, Proxy] = {}

    async def on_the_way_to(self, url: URL) -> Proxy:
        """The proxy, if any, for all requests to that host; `ValueError` for a setting that is no address."""
        origin = url.origin()
        if origin not in self._known:
            # Some systems ask a configuration service, or the resolver.
            self._known[origin] = await anyio.to_thread.run_sync(_look_up, origin)
        return self._known[origin]


def _look_up(origin: URL) -> Proxy:
    named = getproxies().get(origin.scheme)
    if not named or proxy_bypass(origin.host or ""):
        return Proxy(None, None)
    url = _parsed(named if "://" in named else f"http://{named}")
    if url.scheme not in {"http", "https"}:
        raise ValueError("no proxy that HTTP can go through")
    if url.user is None:
        return Proxy(url, None)
    credentials = aiohttp.encode_basic_auth(url.user, url.password or "")
    return Proxy(url.with_user(None), {"Proxy-Authorization": credentials})


def _parsed(address: str) -> URL:
    """The address; an empty one for what is none, because the error would show the password in it."""
    try:
        return URL(address)
    except (ValueError, IndexError):  # an index error is what yarl makes of "http://[]@"
        return URL()
