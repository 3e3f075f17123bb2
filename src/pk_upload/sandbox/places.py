"""Where the sandbox keeps its files: one data directory, all names made of numbers of its own.

Nothing outside it is written to: a link that somebody put in the place of a file or directory is refused.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Places", "SandboxError", "no_link", "reason_of"]

_DATABASE = "sandbox.sqlite3"
_BUNDLE = re.compile(r"[0-9]+-[0-9]+\.bundle")


class SandboxError(OSError):
    """The sandbox cannot start; the text is one sentence that says why."""


def reason_of(error: OSError) -> str:
    """Why it failed, in the system's words and without a path."""
    return error.strerror or type(error).__name__


def no_link(path: str, flags: int) -> int:
    """An opener for `open` that fails for a link, where the system can tell."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)


@dataclass(frozen=True, slots=True)
class Places:
    """The files under the data directory `root`."""

    root: Path

    @classmethod
    def prepare(cls, root: Path) -> Places:
        """The places under `root`, made if need be, for their owner alone.

        SandboxError when that is not possible, or when there is a link among them; `root` itself may be one.
        """
        places = cls(root.absolute())
        try:
            for directory in (root, places.uploads, places.content):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            link = next((path for path in places._present() if path.is_symlink()), None)
        except OSError as error:
            raise SandboxError(f"The data directory {root} cannot be made: {reason_of(error)}.") from error
        if link is not None:
            raise SandboxError(f"{link} is a link, which could lead out of the data directory; remove it.")
        return places

    def _present(self) -> Iterator[Path]:
        """All that is there under names of the sandbox's own."""
        yield from self.root.glob(f"{_DATABASE}*")
        yield from (self.uploads, self.content)
        yield from self.uploads.iterdir()
        for pattern in ("*", "*/*", "*/*/*"):
            yield from self.content.glob(pattern)

    @property
    def database(self) -> Path:
        """The SQLite database."""
        return self.root / _DATABASE

    @property
    def uploads(self) -> Path:
        """The directory of what was uploaded and is not processed yet."""
        return self.root / "uploads"

    @property
    def content(self) -> Path:
        """The directory of what processing made."""
        return self.root / "content"

    def upload(self, upload_id: int) -> Path:
        """The file that an upload's chunks are written into."""
        return self.uploads / f"{upload_id:d}.data"

    def output(self, app_id: int, version_id: int) -> Path:
        """The directory that the processing of a version fills."""
        return self.content / f"{app_id:d}" / f"{version_id:d}"

    def bundle(self, number: int, fetch: int) -> Path:
        """The file that a Kickfolio bundle is fetched into."""
        return self.uploads / f"{number:d}-{fetch:d}.bundle"

    def discard_bundle(self, path: Path) -> None:
        """Delete a bundle's file, or leave it to the next start where it is still open on Windows."""
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)

    def create_upload(self, upload_id: int, total: int) -> None:
        """Make the sparse file of an upload of `total` bytes. OSError when there can be no such file."""
        path = self.upload(upload_id)
        path.unlink(missing_ok=True)  # debris of an upload that was never committed
        with path.open("xb") as file:
            file.truncate(total)

    def discard_upload(self, upload_id: int) -> None:
        """Delete an upload's file; one that is still open on Windows goes at the next start."""
        with contextlib.suppress(OSError):
            self.upload(upload_id).unlink(missing_ok=True)

    def sweep(self, wanted: set[int]) -> None:
        """Delete the files of all uploads but the `wanted` ones, and of all bundles; nothing else is."""
        unwanted = [
            *(
                path
                for path in self.uploads.glob("*.data")
                if path.stem.isdecimal() and int(path.stem) not in wanted
            ),
            *(path for path in self.uploads.glob("*.bundle") if _BUNDLE.fullmatch(path.name)),
        ]
        for path in unwanted:
            with contextlib.suppress(OSError):
                path.unlink()
