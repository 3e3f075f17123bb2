"""How fast uploads to a server have been, from one run to the next: the choice of compression goes by it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from pk_upload.archive import Rate
from pk_upload.transfer.private import open_private
from pk_upload.transfer.state_dir import prepare

__all__ = ["expected_rate", "remember_rate"]

MIB = 1024 * 1024
TELLING = 16 * MIB  # bytes; less says more about the first seconds than about the line
MOST = 100  # servers
NAME = "rates.json"
LINE, MACHINE = 12.5e6, 400e6  # bytes a second: 100 Mbit/s, and what loopback takes
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
LARGEST = 64 * 1024  # bytes of the file

_Rates = dict[str, Annotated[float, msgspec.Meta(gt=0)]]


def expected_rate(limit: int | None, directory: Path | None, server: str) -> Rate:
    """How fast an upload to the address `server` will be: at the user's limit, or as the last one was.

    Bytes a second. Where no upload was measured, that of a good line, or of the machine itself.
    """
    host = urlsplit(server).netloc
    if limit is not None:
        return Rate(limit, "given by --limit-rate")
    if directory is not None and (measured := _known(directory / NAME).get(host)) is not None:
        return Rate(measured, f"as measured by the last upload to {host}")
    if urlsplit(server).hostname in LOOPBACK:
        return Rate(MACHINE, "assumed within this machine")
    return Rate(LINE, "assumed, for no upload was measured yet")


def remember_rate(directory: Path, server: str, size: int, seconds: float) -> None:
    """Keeps in mind that `size` bytes took so many seconds. Where that cannot be, nothing is lost."""
    host = urlsplit(server).netloc
    if size < TELLING or seconds <= 0:
        return
    path = directory / NAME
    rates = _known(path)
    rates.pop(host, None)
    rates = dict([*rates.items(), (host, round(size / seconds))][-MOST:])
    draft = path.with_suffix(".new")
    with suppress(OSError):
        prepare(directory)
        try:
            with open(draft, "wb", opener=open_private) as file:
                file.write(msgspec.json.encode(rates))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def _known(path: Path) -> _Rates:
    """What the file says; nothing if it is missing or not what was written."""
    try:
        with open(path, "rb", opener=open_private) as file:
            return msgspec.json.decode(file.read(LARGEST), type=_Rates)
    except (OSError, ValueError):  # msgspec's errors are ValueErrors
        return {}
