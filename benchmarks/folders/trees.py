"""The folders that are sent and packed, and the archives that they are compared with."""

from __future__ import annotations

import os
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from functools import partial
from itertools import count, islice
from pathlib import Path

import anyio

from benchmarks.settings import KIB, MIB
from pk_upload.archive import fill
from pk_upload.archive.folder.checksums import checksums
from pk_upload.archive.folder.packing import pack
from pk_upload.archive.folder.stored import StoredFolder
from pk_upload.archive.folder.tree import walk

__all__ = ["ENTRIES", "make_many", "make_noise", "make_packed", "make_software", "make_stored", "size_of"]

MIXTURE = (32 * MIB, *[4 * MIB] * 4, *[512 * KIB] * 16, *[64 * KIB] * 32)
PACK = 64 * MIB
ENTRIES = 100_000


def make_noise(root: Path, size: int) -> None:
    """Files of random bytes, `size` in all: 1 of 32 MiB, 4 of 4 MiB, 16 of 512 KiB, 32 of 64 KiB, again."""
    left = size
    for turn in count():
        folder = root / f"level{turn}"
        folder.mkdir(parents=True)
        for number, most in enumerate(MIXTURE):
            if not left:
                return
            (folder / f"{number:02}.bin").write_bytes(os.urandom(min(most, left)))
            left -= min(most, left)


def make_software(root: Path, size: int) -> None:
    """What compresses as programs and their data do, `size` bytes or a little more, without a random byte.

    Half of it are this Python's modules, extension modules and library, in the order of their names and as
    often as it takes; the other half is the same, joined in files of 64 MiB.
    """
    loose = 0
    for number, path in _software():
        if loose >= size // 2:
            break
        target = root / f"copy{number}" / path.name
        if target.exists():  # modules of two packages
            target = target.with_name(f"{path.parent.name}.{path.name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        loose += target.stat().st_size
    left, software = size - size // 2, _software()
    for number in count():
        if left <= 0:
            return
        with (root / f"data{number}.pak").open("wb") as file:
            while left > 0 and file.tell() < PACK:
                left -= file.write(next(software)[1].read_bytes()[:left])


def _software() -> Iterator[tuple[int, Path]]:
    """The files, over and over, each with the number of the turn."""
    library = Path(sysconfig.get_path("stdlib"))
    shared = Path(sysconfig.get_config_var("LIBDIR") or library) / (
        sysconfig.get_config_var("LDLIBRARY") or ""
    )
    files = [path for path in sorted(library.rglob("*")) if path.suffix in {".py", ".so", ".pyd"}]
    files = [path for path in files if "site-packages" not in path.parts and path.stat().st_size]
    files.append(shared if shared.suffix == ".so" and shared.is_file() else Path(sys.executable).resolve())
    for turn in count():
        yield from ((turn, path) for path in files)


def size_of(root: Path) -> int:
    return sum(member.size for member in walk(root).members)


def make_stored(root: Path, path: Path) -> None:
    """The very ZIP as which the folder is sent."""
    build = StoredFolder(walk(root))
    build.checksums = anyio.run(partial(checksums, build.tree, on_progress=_silent))
    with path.open("wb") as file:
        buffer = memoryview(bytearray(4 * MIB))
        for start in range(0, build.size, len(buffer)):
            piece = buffer[: min(len(buffer), build.size - start)]
            fill(build, piece, start)
            file.write(piece)


def make_packed(root: Path, path: Path) -> None:
    """The ZIP as which the folder is sent when it is packed."""
    with path.open("wb") as file:
        anyio.run(partial(pack, walk(root), file, on_progress=_silent))


def make_many(path: Path, entries: int = ENTRIES) -> None:
    """An archive of so many entries of a few bytes, in folders of a hundred."""
    with zipfile.ZipFile(path, "w") as archive:
        for number in islice(count(), entries):
            archive.writestr(f"data/{number // 100:04}/{number % 100:02}.txt", f"{number}\n")


def _silent(done: int, total: int) -> None:
    """Nobody waits for it in front of a screen."""
