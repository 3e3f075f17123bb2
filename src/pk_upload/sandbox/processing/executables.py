"""Which file at the top level starts the game, by platform.

The service's guides say: on Windows and Linux exactly one executable at the top level, on macOS the
.app bundle at the top.
"""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO

from pk_upload.sandbox.processing.entries import read_entry
from pk_upload.sandbox.processing.findings import Findings, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pk_upload.sandbox.processing.archive import Entry

__all__ = ["find_main_executable"]

_ELF = b"\x7fELF"
_LIBRARY = re.compile(r"\.so(\.\d+)*$")
_SHOWN = 5


def find_main_executable(
    archive: BinaryIO, entries: Sequence[Entry], platform: str, findings: Findings
) -> str | None:
    """The name of the one executable; None, and a warning, when there is none or more than one.

    Looks at the data of the archive, which have to be sound. For the platform "other" there is none
    and no warning.
    """
    found, kind = _candidates(archive, entries, platform)
    if kind is None:
        return None
    if not found:
        findings.warning(f"There is no {kind} at the top level of the ZIP.")
    elif len(found) > 1:
        shown = ", ".join(quoted(name) for name in found[:_SHOWN]) + (", ..." if len(found) > _SHOWN else "")
        findings.warning(
            f"There are {len(found)} {kind}s at the top level of the ZIP, where one is expected: {shown}."
        )
    return found[0] if len(found) == 1 else None


def _candidates(archive: BinaryIO, entries: Sequence[Entry], platform: str) -> tuple[list[str], str | None]:
    top = [entry for entry in entries if "/" not in entry.path]
    if platform.startswith("windows"):
        return [entry.path for entry in top if entry.path.lower().endswith(".exe")], "executable"
    if platform.startswith("linux"):
        return [entry.path for entry in top if _runs_on_linux(archive, entry)], "executable"
    if platform.startswith("mac"):
        return _bundles(entries), ".app bundle"
    return [], None


def _runs_on_linux(archive: BinaryIO, entry: Entry) -> bool:
    """Shared libraries are ELF files too, often with the same mode, and lie beside the game."""
    if _LIBRARY.search(entry.path):
        return False
    return entry.executable or _head(archive, entry) == _ELF


def _head(archive: BinaryIO, entry: Entry) -> bytes:
    head = b""
    with closing(read_entry(archive, entry)) as pieces:
        for piece in pieces:
            head += piece[: len(_ELF) - len(head)]
            if len(head) == len(_ELF):
                break
    return head


def _bundles(entries: Iterable[Entry]) -> list[str]:
    tops = (entry.path.partition("/") for entry in entries)
    return list(dict.fromkeys(top for top, inside, _ in tops if inside and top.lower().endswith(".app")))
