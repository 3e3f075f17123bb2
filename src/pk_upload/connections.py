"""The connections of a session: how a host's address is found, and which connections are used again.

A lookup cannot be ended, and the threads of the event loop keep a program alive until the last of them has
come back: with them, a resolver that hangs would outlast every deadline.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection

__all__ = ["Connector"]

# Less than servers commonly keep an idle connection: a POST is not to meet one that has just been closed.
KEEPALIVE = 4.0
MOST_STALE = 20  # connections that spoke out of turn, before one is taken all the same

# Some systems define the flag without taking it.
ADDRCONFIG = socket.AI_ADDRCONFIG & getattr(socket, "AI_MASK", -1)
NUMERIC_NAMES = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV


class Connector(aiohttp.TCPConnector):
    """Connections without a bound to their number: lanes bound it. Must be made on a running event loop."""

    def __init__(self, ssl_context: ssl.SSLContext | None) -> None:
        super().__init__(limit=0, keepalive_timeout=KEEPALIVE, ssl=ssl_context or True, resolver=_Resolver())

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        """A connection on which nothing has been said yet that the next request would take for its answer."""
        for _ in range(MOST_STALE):
            connection = await super().connect(*args, **kwargs)
            if connection.protocol is None or not connection.protocol.should_close:
                break
            connection.close()
        return connection


class _Resolver(AbstractResolver):
    """The system's resolver. A lookup that is cancelled goes on, and the program may end before it."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host`; raises `OSError` if it has none."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[ResolveResult]] = loop.create_future()

        def tell(addresses: list[ResolveResult] | None, error: Exception | None) -> None:
            if found.done():
                return
            if addresses is None:
                found.set_exception(error or OSError("no address"))
            else:
                found.set_result(addresses)

        def run() -> None:
            addresses, failure = None, None
            try:
                addresses = _look_up(host, port, family)
            except Exception as error:
                failure = error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(tell, addresses, failure)

        threading.Thread(target=run, name="pk-upload resolver", daemon=True).start()
        return await found

    async def close(self) -> None:
        """Nothing is kept."""


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    try:
        infos = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=ADDRCONFIG)
    except socket.gaierror:
        # Windows without a network has no address configured that could be localhost's.
        if os.name != "nt" or host.rstrip(".").casefold() != "localhost":
            raise
        infos = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    return [
        ResolveResult(
            # With the interface that a link-local address holds for.
            host=socket.getnameinfo(address, NUMERIC_NAMES)[0]
            if kind == socket.AF_INET6
            else str(address[0]),
            hostname=host,
            port=port,
            family=kind,
            proto=proto,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, proto, _, address in infos
    ]
