"""Publishing, asked for once and watched to its end."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from pk_upload.errors import Conflict, Forbidden, PublishingFailed
from pk_upload.events import OnEvent, Progress
from pk_upload.patchkit import PatchKit, Version
from pk_upload.polling import poll_until
from pk_upload.settling import settled
from pk_upload.steps.run import Run
from pk_upload.transfer.records import PublishAsked

__all__ = ["publish", "publish_version", "scheduled_for"]

# A version reads as pending before publishing is acknowledged; to look a few times more costs nothing.
LOOKS = 4


def scheduled_for(version: Version, now: float) -> int | None:
    """The Unix time at which the service will publish by itself, if that is still to come.

    The service's documentation: a `publish_time` other than 0 while `published` is false.
    """
    if version.published or not version.publish_time or version.publish_time <= now:
        return None
    return version.publish_time


async def publish(run: Run, version: Version) -> Version:
    """The version, published or scheduled, or only begun with; see `publish_version`."""

    async def remember() -> None:
        if scheduled_for(version, time.time()) is None:  # or a time found later would tell nothing
            await run.journal.record(PublishAsked())

    run.begin("publishing", f"version {version.id}")
    return await publish_version(
        run.patchkit,
        run.wishes.app,
        version,
        wait=run.wishes.wait,
        timeout=run.wishes.publishing_timeout,
        emit=run.emit,
        asked=run.journal.state.publish_asked,
        before_asking=remember,
    )


async def publish_version(
    patchkit: PatchKit,
    app: str,
    version: Version,
    *,
    wait: bool,
    timeout: float,
    emit: OnEvent,
    asked: bool = False,
    before_asking: Callable[[], Awaitable[None]] | None = None,
) -> Version:
    """The version, published or scheduled; only begun with where that is not to be waited for.

    `asked` is whether an earlier run asked for it while it had no `publish_time`, so that one it has now
    shows that this was carried out; `before_asking` is called before this run asks.
    Raises `PublishingFailed` when the service lets go of it, and `GaveUpWaiting`.
    """
    if not _asked(version, asked):
        if before_asking is not None:
            await before_asking()
        version = await _ask(patchkit, app, version, emit)
    if not wait:
        return version
    looks = LOOKS

    def over(now: Version) -> bool:
        nonlocal looks
        emit(Progress("publishing", now.publish_progress or 0.0))
        if now.draft and not now.pending_publish:
            looks -= 1
        return now.published or scheduled_for(now, time.time()) is not None or looks == 0

    version = await poll_until(
        over,
        lambda: patchkit.version(app, version.id),
        what=f"publishing (version {version.id})",
        timeout=timeout,
        flag="--publishing-timeout",
    )
    if not version.published and scheduled_for(version, time.time()) is None:
        raise PublishingFailed(f"version {version.id} is neither published nor being published")
    return version


def _asked(version: Version, time_is_ours: bool) -> bool:
    """Whether publishing was asked for already: by us, by somebody else, or by the service itself.

    A draft that merely has a `publish_time` still has to be published to be scheduled, unless that time
    came with our own request.
    """
    if version.published or version.pending_publish:
        return True
    if scheduled_for(version, time.time()) is None:
        return False
    return time_is_ours or not version.draft or bool(version.publish_progress)


async def _ask(patchkit: PatchKit, app: str, version: Version, emit: OnEvent) -> Version:
    async def ask(client: PatchKit) -> Version:
        await client.publish_version(app, version.id)
        return version

    had_no_time = scheduled_for(version, time.time()) is None

    async def find() -> Version | None:
        found = await patchkit.version(app, version.id)
        return found if _asked(found, time_is_ours=had_no_time) else None

    try:
        return await settled(patchkit, emit, f"the request to publish version {version.id}", ask, find)
    except (Forbidden, Conflict):
        # Somebody else, or the service itself, was faster.
        found = await find()
        if found is None:
            raise
        return found
