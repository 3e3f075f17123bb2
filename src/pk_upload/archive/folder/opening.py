"""From a folder to a build: walked, looked at, and then read where it lies, or packed."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio

from pk_upload.archive.build import Inspect
from pk_upload.archive.folder.checksums import checksums
from pk_upload.archive.folder.choosing import Choice, Rate, choose
from pk_upload.archive.folder.config import Packing
from pk_upload.archive.folder.ignoring import IGNORE_FILE
from pk_upload.archive.folder.packed import PackedFolder, room
from pk_upload.archive.folder.sampling import sample
from pk_upload.archive.folder.stored import StoredFolder
from pk_upload.archive.folder.tree import Tree, walk
from pk_upload.events import OnEvent, Progress, Stage, Warned
from pk_upload.units import counted, size

__all__ = ["Known", "Packed", "open_folder", "survey"]

Packed = Literal["store", "deflate"]

MOST = 5  # names that are told of


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to know beforehand: how fast the bytes will go, and what an interrupted run left.

    `compression` is how that run packed the folder, and must be kept to; `checksums` finds those it made, if
    the tree is still the same.
    """

    rate: Rate
    compression: Packed | None = None
    checksums: Callable[[Tree], array[int] | None] = lambda _: None


async def open_folder(
    path: Path, packing: Packing, known: Known, *, emit: OnEvent, inspect: Inspect
) -> StoredFolder | PackedFolder:
    """The folder as a ZIP, stored or deflated. `inspect` sees it stored, before its files are read.

    Raises what `walk` and `inspect` raise, `SourceChanged`, and `SourceUnreadable`.
    """
    stored = await survey(path, packing, emit=emit)
    await inspect(stored)
    choice = await _chosen(stored, packing, known)
    emit(Stage("packing", choice.reason))

    told = -1

    def on_progress(done: int, total: int) -> None:
        nonlocal told
        percent = 100 * done // total if total else 100
        if percent > told:
            told = percent
            emit(Progress("packing", done / total if total else 1.0))

    if choice.compression == "deflate":
        return await PackedFolder.packed(stored.tree, packing.ignore, on_progress=on_progress)
    sums = await anyio.to_thread.run_sync(known.checksums, stored.tree)
    stored.checksums = sums or await checksums(stored.tree, on_progress=on_progress)
    await anyio.to_thread.run_sync(lambda: stored.fingerprint)  # made once, and not on the event loop
    return stored


async def survey(path: Path, packing: Packing, *, emit: OnEvent) -> StoredFolder:
    """What of the folder goes in, and where; what stays behind is told of. Raises what `walk` raises."""
    stored = await anyio.to_thread.run_sync(_surveyed, path, packing.ignore, abandon_on_cancel=True)
    emit(Stage("preflight", _told(stored.tree)))
    if special := stored.tree.special:
        emit(Warned(f"left out, for no ZIP holds sockets, pipes and devices: {_listed(special)}"))
    return stored


def _surveyed(path: Path, ignore: tuple[str, ...]) -> StoredFolder:
    return StoredFolder(walk(path, ignore), ignore)


async def _chosen(stored: StoredFolder, packing: Packing, known: Known) -> Choice:
    if packing.compression == "auto" and known.compression is not None:
        return Choice(known.compression, f"{known.compression}: as the run did that is gone on with")
    return await anyio.to_thread.run_sync(_weighed, stored, packing, known.rate)


def _weighed(stored: StoredFolder, packing: Packing, rate: Rate) -> Choice:
    if packing.compression != "auto":
        return Choice(packing.compression, f"{packing.compression}: as asked for")
    content = sum(member.size for member in stored.tree.members)
    looks = sample(stored.tree)
    return choose(content, headers=stored.size - content, sample=looks, rate=rate, room=room())


def _told(tree: Tree) -> str:
    files = sum(not member.name.endswith("/") for member in tree.members)
    told = f"{counted(files, 'file')}, {size(sum(member.size for member in tree.members))}"
    left_out = []
    if tree.version_control:
        left_out.append(_listed(tree.version_control))
    if tree.ignored:
        left_out.append(f"{tree.ignored} that {IGNORE_FILE} or --ignore names")
    return f"{told}; left out: {' and '.join(left_out)}" if left_out else told


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(sorted(names)[:MOST]) + more
