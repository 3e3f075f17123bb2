"""What it means that `--timeout` is over: before a version is asked for, and while it is waited for."""

from __future__ import annotations

from dataclasses import dataclass

from pk_upload.errors import DeadlineExceeded, GaveUpWaiting, PkUploadError

__all__ = ["Waiting"]


@dataclass
class Waiting:
    """The id of the `version` that is waited for, once there is one."""

    version: str | None = None

    def too_late(self, timeout: float) -> PkUploadError:
        if self.version is None:
            return DeadlineExceeded(f"the time of {timeout:g} s was over", hint="Allow more with --timeout.")
        return GaveUpWaiting(
            f"version {self.version} is not ready within the {timeout:g} s of --timeout",
            hint="The service still works on it; `pk-upload kickfolio version show` tells its state.",
        )
