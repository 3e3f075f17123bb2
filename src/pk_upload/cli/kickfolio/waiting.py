"""Waiting for a version, and what it means that `--timeout` is over before, or while it is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from pk_upload.errors import DeadlineExceeded, GaveUpWaiting, PkUploadError
from pk_upload.events import OnEvent, Stage

if TYPE_CHECKING:
    from pk_upload.kickfolio import Kickfolio, Version

__all__ = ["Waiting", "wait_option"]

wait_option = click.option("--wait", is_flag=True, help="Wait until the service has the bundle.")


@dataclass
class Waiting:
    """The id of the `version` that is waited for, once there is one."""

    version: str | None = None

    async def until_ready(
        self, kickfolio: Kickfolio, version: Version, timeout: float, emit: OnEvent
    ) -> Version:
        """The version once it is ready, within `timeout` seconds. Raises what the client's wait raises."""
        self.version = version.id
        emit(Stage("processing", f"version {version.id}"))
        return await kickfolio.wait_until_ready(version.id, timeout=timeout)

    def too_late(self, timeout: float) -> PkUploadError:
        if self.version is None:
            return DeadlineExceeded(f"the time of {timeout:g} s was over", hint="Allow more with --timeout.")
        again = f"`pk-upload kickfolio version show {self.version} --wait` goes on waiting"
        return GaveUpWaiting(
            f"version {self.version} is not ready within the {timeout:g} s of --timeout",
            hint=f"The service still works on it; {again}.",
        )
