"""A folder with everything that a build may hold."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pk_upload.archive.folder import deflating, pieces
from pk_upload.archive.folder.deflating import BLOCK
from pk_upload.archive.folder.packing import pack
from pk_upload.archive.folder.tree import Tree

NOISE = random.Random(3)
TEXT = b"".join(b"%d bottles of beer on the wall, %x\n" % (n, n * n) for n in range(60_000))  # 2.5 MB
FILES = {
    "Game.x86_64": b"\x7fELF" + TEXT[:70_000],
    "data/level.pak": TEXT + NOISE.randbytes(3 * BLOCK) + TEXT + bytes(2 * BLOCK),
    "data/movie.webm": NOISE.randbytes(2 * BLOCK + 17),
    "data/one block": TEXT[:BLOCK],
    "data/one byte more": TEXT[: BLOCK + 1],
    "data/noise": NOISE.randbytes(200_000),
    "data/short": b"ab",
    "data/żółw ☃.txt": b"slow\n" * 100,
    "empty": b"",
}
FOLDERS = ["saves/", "mods/none yet/"]
LINK, TARGET = "data/latest", "level.pak"


def make_build(root: Path) -> Path:
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    (root / LINK).symlink_to(TARGET)
    (root / "Game.x86_64").chmod(0o755)
    (root / "data/short").chmod(0o640)
    return root


def silent(done: int, total: int) -> None:
    """Progress that nobody listens to."""


async def packed(tree: Tree, threads: int | None = None) -> bytes:
    file = io.BytesIO()
    await pack(tree, file, on_progress=silent, threads=threads)
    return file.getvalue()


@contextmanager
def small_blocks() -> Iterator[None]:
    """Blocks, batches and samples so small that small files are cut and judged as large ones are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "BLOCK", 3000)
        patch.setattr(pieces, "MOST", 3)
        patch.setattr(deflating, "PROBE", 32)
        patch.setattr(deflating, "LARGEST_VERBATIM", 700)
        yield
