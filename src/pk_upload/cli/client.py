"""The clients of the services that the settings speak of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

from pk_upload.cli.settings import Settings
from pk_upload.events import OnEvent

if TYPE_CHECKING:
    from ssl import SSLContext

    from pk_upload.kickfolio import Kickfolio
    from pk_upload.patchkit import PatchKit
    from pk_upload.patchwork import Patchwork, Version

__all__ = ["connected", "connected_kickfolio", "connected_patchwork"]


@asynccontextmanager
async def connected(settings: Settings, emit: OnEvent) -> AsyncIterator[PatchKit]:
    """A client, telling `emit` of repeated calls; raises `UsageError` for what it cannot be made of."""
    from pk_upload.http import CONNECT_TIMEOUT, RESPONSE_TIMEOUT
    from pk_upload.patchkit import PatchKit

    async with PatchKit(
        settings.api_key,
        api_url=settings.api_url,
        upload_url=settings.upload_url,
        timeout=settings.response_timeout or RESPONSE_TIMEOUT,
        connect_timeout=settings.connect_timeout or CONNECT_TIMEOUT,
        ssl_context=await _trusted(settings),
    ) as patchkit:
        yield patchkit.listening(emit, retries=settings.retries)


@asynccontextmanager
async def connected_kickfolio(settings: Settings, emit: OnEvent) -> AsyncIterator[Kickfolio]:
    """The same for Kickfolio."""
    from pk_upload.http import CONNECT_TIMEOUT, RESPONSE_TIMEOUT
    from pk_upload.kickfolio import Kickfolio

    url, token = settings.require_kickfolio()
    async with Kickfolio(
        token,
        url=url,
        timeout=settings.response_timeout or RESPONSE_TIMEOUT,
        connect_timeout=settings.connect_timeout or CONNECT_TIMEOUT,
        ssl_context=await _trusted(settings),
    ) as kickfolio:
        yield kickfolio.listening(emit, retries=settings.retries)


@asynccontextmanager
async def connected_patchwork(
    settings: Settings, emit: OnEvent, *, version: Version | Literal["newest"] = "1.4"
) -> AsyncIterator[Patchwork]:
    """The same for Patchwork, whose API is asked for in this `version` where the user names none."""
    from pk_upload.http import CONNECT_TIMEOUT, RESPONSE_TIMEOUT
    from pk_upload.patchwork import Patchwork
    from pk_upload.patchwork.versions import version_asked

    url, token = settings.require_patchwork()
    async with Patchwork(
        url,
        token=token,
        # A flag is one of those that there are.
        version=version_asked(settings.patchwork_version or version, "PATCHWORK_API_VERSION"),
        timeout=settings.response_timeout or RESPONSE_TIMEOUT,
        connect_timeout=settings.connect_timeout or CONNECT_TIMEOUT,
        ssl_context=await _trusted(settings),
    ) as patchwork:
        yield patchwork.listening(emit, retries=settings.retries)


async def _trusted(settings: Settings) -> SSLContext | None:
    """Which certificates are, if that is not left to the system alone."""
    import anyio

    from pk_upload.certificates import trust_also

    bundle = settings.ca_bundle
    return None if bundle is None else await anyio.to_thread.run_sync(trust_also, bundle)
