"""Whether the service will take the build, and whether it is one for the app's platform."""

from __future__ import annotations

from dataclasses import dataclass

from pk_upload.archive import Build, preflighted, refuse, warn
from pk_upload.errors import BadRequest, Conflict, Forbidden, NotFound, UnexpectedAnswer
from pk_upload.events import OnEvent
from pk_upload.patchkit import PatchKit

__all__ = ["Inspection"]


@dataclass(frozen=True, slots=True)
class Inspection:
    """Looks at a build that is meant for `app`; with `strict`, warnings are errors."""

    patchkit: PatchKit
    app: str
    emit: OnEvent
    strict: bool

    async def look(self, build: Build) -> None:
        """Tells of warnings. Raises `PreflightFailed`, before the service is asked for anything if it can.

        Raises also `SourceUnreadable`, `SourceChanged`, and what `PatchKit` raises.
        """
        report = await preflighted(build, strict=self.strict)
        refuse(report)
        report = report.meant_for(await self._platform())
        warn(report.warnings, self.emit)
        refuse(report)

    async def _platform(self) -> str | None:
        """That of the app, if the service tells: who may not see it may still be allowed to make versions."""
        try:
            return (await self.patchkit.app(self.app)).platform
        except (BadRequest, Conflict, Forbidden, NotFound, UnexpectedAnswer):
            return None
