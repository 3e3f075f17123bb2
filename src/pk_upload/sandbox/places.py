"""Where the sandbox keeps its files: one data directory, all names made of numbers of its own."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Places", "SandboxError", "reason_of"]


class SandboxError(OSError):
    """The sandbox cannot start; the text is one sentence that says why."""


def reason_of(error: OSError) -> str:
    """Why it failed, in the system's words and without a path."""
    return error.strerror or type(error).__name__


@dataclass(frozen=True, slots=True)
class Places:
    """The files under the data directory `root`."""

    root: Path

    @classmethod
    def prepare(cls, root: Path) -> Places:
        """The places under `root`, made if need be. SandboxError when that is not possible."""
        places = cls(root.absolute())
        try:
            for directory in (root, places.uploads, places.content):
                directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SandboxError(f"The data directory {root} cannot be made: {reason_of(error)}.") from error
        return places

    @property
    def database(self) -> Path:
        """The SQLite database."""
        return self.root / "sandbox.sqlite3"

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

    def create_upload(self, upload_id: int, total: int) -> None:
        """Make the sparse file of an upload of `total` bytes. OSError when there can be no such file."""
        with self.upload(upload_id).open("wb") as file:
            file.truncate(total)

    def discard_upload(self, upload_id: int) -> None:
        """Delete an upload's file; one that is still open on Windows goes at the next start."""
        with contextlib.suppress(OSError):
            self.upload(upload_id).unlink(missing_ok=True)

    def sweep(self, wanted: set[int]) -> None:
        """Delete the files of all uploads but the `wanted` ones."""
        for path in self.uploads.glob("*.data"):
            if not (path.stem.isdecimal() and int(path.stem) in wanted):
                with contextlib.suppress(OSError):
                    path.unlink()
