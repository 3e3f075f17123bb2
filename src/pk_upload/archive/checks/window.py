"""A window onto a build: wide where small things lie side by side, narrow where they are far apart."""

from __future__ import annotations

from pk_upload.archive.build import Build, read

__all__ = ["Window"]

NEAR = 64 * 1024  # bytes: how far from the last window the next may begin to be wide
NARROW = 1024


class Window:
    """What was last read: `data`, from `start` on."""

    def __init__(self, build: Build, *, wide: int = NEAR) -> None:
        self._build = build
        self._wide = wide
        self.start = 0
        self.data = b""

    def reach(self, offset: int, size: int) -> int:
        """Where in `data` those bytes are now; -1 if the build does not hold them all.

        Raises what `build` raises.
        """
        at = offset - self.start
        if 0 <= at <= len(self.data) - size:
            return at
        if not 0 <= offset <= self._build.size - size:
            return -1
        is_near = bool(self.data) and 0 <= at < len(self.data) + NEAR
        self.data = read(self._build, offset, max(size, self._wide if is_near else NARROW))
        self.start = offset
        return 0

    def bytes(self, offset: int, size: int) -> bytes:
        """Those bytes, none if the build does not hold them all. Raises what `build` raises."""
        at = self.reach(offset, size)
        return self.data[at : at + size] if at >= 0 else b""
