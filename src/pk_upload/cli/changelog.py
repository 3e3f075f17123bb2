"""The text of a changelog, from the command line or from a file."""

from __future__ import annotations

from pathlib import Path

from pk_upload.errors import UsageError

__all__ = ["read_changelog"]


def read_changelog(given: str | None) -> str | None:
    """`given`, or with an @ in front the text of the file it names. Raises `UsageError`."""
    if given is None or not given.startswith("@"):
        return given
    path = Path(given[1:])
    try:
        return path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(
            f"the changelog {path} cannot be read: {reason}",
            hint="Check the path, the permissions and the encoding.",
        ) from None
