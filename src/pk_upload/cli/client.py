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
    """A client, telling `emit` of repeated calls."""
    from pk_upload.patchkit import PatchKit

    async with PatchKit(
        settings.api_key, api_url=settings.api_url, upload_url=settings.upload_url
    ) as patchkit:
        yield patchkit.listening(emit, retries=settings.retries)
