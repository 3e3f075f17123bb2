"""How a folder is to become a ZIP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from pk_upload.errors import UsageError

__all__ = ["Compression", "Packing"]

Compression = Literal["auto", "store", "deflate"]


@dataclass(frozen=True, slots=True)
class Packing:
    """What goes in and how, where the source is a folder.

    `compression` is "store", which reads the files where they are, "deflate", which packs them into a
    temporary file first, or "auto": whichever is likely to end sooner. `ignore` are patterns in git's syntax,
    after those of the folder's `.pkignore`. Raises `UsageError` for values that make no sense.
    """

    compression: Compression = "auto"
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.compression not in get_args(Compression):
            raise UsageError(f"the compression is one of {', '.join(get_args(Compression))}")
        kinds = {type(pattern) for pattern in self.ignore}
        if type(self.ignore) is not tuple or kinds - {str}:
            raise UsageError("the patterns to ignore are a tuple of texts")
