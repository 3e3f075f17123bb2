"""Fetching the bundles of pending versions: each ends up ready, or failed for a reason.

A version stays pending until then, so that a restart, at whatever moment, fetches it again. A fetch that
nobody waits for any more is broken off.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from pk_upload.sandbox.kickfolio.bundle import Unfit, read_bundle
from pk_upload.sandbox.kickfolio.download import Unfetched, download
from pk_upload.sandbox.places import reason_of

if TYPE_CHECKING:
    from pk_upload.sandbox.call import Server
    from pk_upload.sandbox.kickfolio.records import Bundle, Version

__all__ = ["WORKERS", "fetch_forever"]

_log = logging.getLogger(__name__)

WORKERS = 8
"""Bundles that are fetched at once: a host that hangs must not hold up all others."""


async def fetch_forever(server: Server) -> None:
    """Fetch all bundles that are waited for, the oldest first, as long as the server runs."""
    under_way: dict[tuple[int, int], anyio.CancelScope] = {}
    reading = anyio.CapacityLimiter(1)  # a large directory takes its memory once
    table = server.store.kickfolio
    async with anyio.create_task_group() as tasks:
        while True:
            server.fetches_waiting.clear()
            for (number, fetch), scope in under_way.items():
                if not table.is_awaited(number, fetch):
                    scope.cancel()
            while len(under_way) < WORKERS and (version := table.to_fetch(under_way)) is not None:
                scope = under_way[version.number, version.fetch] = anyio.CancelScope()
                tasks.start_soon(_work, server, version, under_way, reading)
            await server.fetches_waiting.wait()


async def _work(
    server: Server,
    version: Version,
    under_way: dict[tuple[int, int], anyio.CancelScope],
    reading: anyio.CapacityLimiter,
) -> None:
    key = version.number, version.fetch
    try:
        with under_way[key]:
            await _settle(server, version, reading)
    finally:
        del under_way[key]
        server.fetches_waiting.set()  # there is room for another


async def _settle(server: Server, version: Version, reading: anyio.CapacityLimiter) -> None:
    table = server.store.kickfolio
    try:
        bundle = await _fetched(server, version, reading)
    except (Unfetched, Unfit) as failure:
        table.fail(version, str(failure))
    except OSError as error:
        _log.warning("The bundle of version %s cannot be kept: %s", version.id, reason_of(error))
        table.fail(version, f"This server cannot write or read the bundle: {reason_of(error)}.")
    except Exception as error:
        _log.exception("The fetch for version %s ended by an error of the sandbox.", version.id)
        table.fail(version, f"The fetch ended by an error of this server ({type(error).__name__}).")
    else:
        table.succeed(version, bundle)


async def _fetched(server: Server, version: Version, reading: anyio.CapacityLimiter) -> Bundle:
    path = server.places.bundle(version.number, version.fetch)
    server.places.discard_bundle(path)  # debris that could not be deleted
    try:
        await download(version.bundle_url, path, anywhere=server.fetch_anywhere)
        return await to_thread.run_sync(read_bundle, path, limiter=reading)
    finally:
        server.places.discard_bundle(path)
