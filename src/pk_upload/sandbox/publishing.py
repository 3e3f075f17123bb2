"""Publishing: a version's way from pending to published, in the background and across restarts."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from pk_upload.sandbox.call import Server
    from pk_upload.sandbox.records import Version

__all__ = ["begin", "publish_forever"]

_TICK = 0.05
_LONGEST_WAIT = 60.0  # a scheduled time is looked at again at least this often, should the clock be set


def begin(server: Server, version: Version) -> Version:
    """The version, pending from now on."""
    if not version.pending_publish:
        version = server.store.update_version(
            version.app_id,
            version.id,
            pending_publish=True,
            publish_progress=0.0,
            publish_started=time.time(),
        )
    server.publishing_waiting.set()
    return version


async def publish_forever(server: Server) -> None:
    """Move all pending versions on, as long as the server runs."""
    while True:
        server.publishing_waiting.clear()
        wait = min(
            (_advance(server, version) for version in server.store.being_published()), default=math.inf
        )
        with anyio.move_on_after(wait):
            await server.publishing_waiting.wait()


def _advance(server: Server, version: Version) -> float:
    """Move one version on; the seconds until it is to be moved on again."""
    now = time.time()
    progress = 1.0 if server.pace <= 0 else (now - version.publish_started) / server.pace
    progress = min(1.0, max(progress, version.publish_progress))
    if progress < 1.0:
        server.store.update_version(version.app_id, version.id, publish_progress=progress)
        return _TICK
    if version.publish_time > now:
        # Scheduled: everything is ready, and the version stays unpublished until then.
        server.store.update_version(version.app_id, version.id, publish_progress=1.0)
        return min(version.publish_time - now, _LONGEST_WAIT)
    server.store.update_version(
        version.app_id,
        version.id,
        publish_progress=1.0,
        pending_publish=False,
        published=True,
        draft=False,
        publish_date=int(now),
    )
    return math.inf
