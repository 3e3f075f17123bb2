"""A sandbox for one run, inside the process and gone afterwards."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from pk_upload.cli.settings import Settings
from pk_upload.errors import UsageError
from pk_upload.events import OnEvent

if TYPE_CHECKING:
    from pk_upload.patchkit import PatchKit

__all__ = ["embedded", "forbid_addresses"]

LOOPBACK = "127.0.0.1"


def forbid_addresses(settings: Settings) -> None:
    """Raises `UsageError` for flags that name a real service: its key and the sandbox never meet."""
    for name in ("api_key", "api_url", "upload_url"):
        if name in settings.given:
            raise UsageError(
                f"--sandbox and --{name.replace('_', '-')} exclude each other",
                hint="With --sandbox nothing leaves this machine; leave one of the two out.",
            )


@asynccontextmanager
async def embedded(settings: Settings, emit: OnEvent) -> AsyncIterator[PatchKit]:
    """A client of a new and empty sandbox. Key and addresses of the environment are not looked at."""
    from pk_upload.patchkit import PatchKit
    from pk_upload.sandbox import serve

    _bypass_proxies()
    directory = tempfile.TemporaryDirectory(prefix="pk-upload-sandbox-", ignore_cleanup_errors=True)
    try:
        async with (
            serve(Path(directory.name), host=LOOPBACK) as sandbox,
            PatchKit(sandbox.api_key, api_url=sandbox.url) as patchkit,
        ):
            yield patchkit.listening(emit, retries=settings.retries)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(directory.cleanup)


def _bypass_proxies() -> None:
    """Makes calls to loopback direct: a proxy would look for the sandbox on a host of its own."""
    for name in ("no_proxy", "NO_PROXY"):  # where both are set the lower-case one alone is read
        hosts = os.environ.get(name) or os.environ.get("NO_PROXY") or ""
        if hosts.strip() != "*":  # an asterisk stands for every host only when it stands alone
            os.environ[name] = f"{hosts},{LOOPBACK}".lstrip(",")
