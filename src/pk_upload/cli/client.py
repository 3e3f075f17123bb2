"""The client of the service that the settings speak of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pk_upload.cli.settings import Settings
from pk_upload.events import OnEvent

if TYPE_CHECKING:
    from pk_upload.patchkit import PatchKit

__all__ = ["connected"]


@asynccontextmanager
async def connected(settings: Settings, emit: OnEvent) -> AsyncIterator[PatchKit]:
    """A client, telling `emit` of repeated calls; raises `UsageError` for what it cannot be made of."""
    import anyio

    from pk_upload.certificates import trust_also
    from pk_upload.http import CONNECT_TIMEOUT, RESPONSE_TIMEOUT
    from pk_upload.patchkit import PatchKit

    bundle = settings.ca_bundle
    context = None if bundle is None else await anyio.to_thread.run_sync(trust_also, bundle)
    async with PatchKit(
        settings.api_key,
        api_url=settings.api_url,
        upload_url=settings.upload_url,
        timeout=settings.response_timeout or RESPONSE_TIMEOUT,
        connect_timeout=settings.connect_timeout or CONNECT_TIMEOUT,
        ssl_context=context,
    ) as patchkit:
        yield patchkit.listening(emit, retries=settings.retries)
