"""Archives damaged at random: whatever is done to them, processing makes an outcome of it."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_processing_archive import Raw, contents, deflated, raw_zip, run, zipped

FILES = {"game.exe": b"MZ" + bytes(range(256)), "data/a": b"a" * 500}
ARCHIVES = {
    "zipfile": zipped(FILES),
    "mixed": raw_zip(*(Raw(k.encode(), v, 8, packed=deflated(v)) for k, v in FILES.items()), Raw(b"c")),
}
KNOWN = {*FILES.values(), b"data"}


def survives(archive: bytes) -> None:
    """Either it fails with an error or what came out is what once went in."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        outcome = run(archive, out, platform="windows_x86_64")
        if outcome.failed:
            assert list(out.iterdir()) == []
        else:
            assert set(contents(out).values()) <= KNOWN


@pytest.mark.parametrize("kind", ARCHIVES)
@pytest.mark.parametrize("seed", [7])
def test_a_flipped_bit_in_every_third_byte(kind: str, seed: int) -> None:
    bits = random.Random(seed)
    for at in range(bits.randrange(3), len(ARCHIVES[kind]), 3):
        damaged = bytearray(ARCHIVES[kind])
        damaged[at] ^= 1 << bits.randrange(8)
        survives(bytes(damaged))


@pytest.mark.parametrize("kind", ARCHIVES)
def test_truncation_at_any_byte(kind: str, tmp_path: Path) -> None:
    for length in range(len(ARCHIVES[kind])):
        assert run(ARCHIVES[kind][:length], tmp_path / "out").failed


@given(st.data())
def test_several_bytes_replaced(data: st.DataObject) -> None:
    archive = bytearray(ARCHIVES[data.draw(st.sampled_from(sorted(ARCHIVES)))])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(archive) - 1))
        value = data.draw(st.sampled_from([b"\0", b"\xff\xff\xff\xff", b"PK\5\6", b"PK\1\2", b"\x7f"]))
        archive[at : at + len(value)] = value
    survives(bytes(archive))


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_noise_around_an_archive(before: bytes, after: bytes) -> None:
    survives(before + ARCHIVES["zipfile"] + after)
    survives(before + b"PK\5\6" + after)
