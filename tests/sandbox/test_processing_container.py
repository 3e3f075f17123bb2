"""The encrypted container: what goes in comes out, and nothing that was tampered with does."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pk_upload.sandbox.processing.container import (
    SEGMENT,
    ContainerError,
    ContainerReader,
    ContainerWriter,
    decrypt,
)

KEY = bytes(range(32))
HEADER = 24
SMALL = 64
SEALED = SMALL + 16


def sealed(plain: bytes, *, pieces: int = 1_000_000, segment_size: int = SMALL) -> bytes:
    target = io.BytesIO()
    writer = ContainerWriter(target, KEY, segment_size=segment_size)
    for start in range(0, len(plain), pieces):
        writer.write(plain[start : start + pieces])
    writer.finish()
    assert writer.size == len(plain)
    assert writer.file_size == len(target.getvalue())
    return target.getvalue()


def opened(container: bytes, key: bytes = KEY) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "c")
        path.write_bytes(container)
        return b"".join(decrypt(path, key))


near_a_boundary = st.builds(lambda n, d: max(0, n * SMALL + d), st.integers(0, 5), st.integers(-2, 2))


@given(near_a_boundary, st.integers(1, 3 * SMALL))
@example(0, 1)
@example(SMALL, SMALL)
def test_round_trip(size: int, pieces: int) -> None:
    plain = os.urandom(size)
    container = sealed(plain, pieces=pieces)
    assert opened(container) == plain
    assert len(container) == HEADER + size + 16 * max(1, -(-size // SMALL))


def test_round_trip_with_real_segments() -> None:
    for size in (SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT):
        plain = os.urandom(size)
        assert opened(sealed(plain, segment_size=SEGMENT)) == plain


@given(st.data(), near_a_boundary)
def test_reading_from_any_place(data: st.DataObject, size: int) -> None:
    plain = os.urandom(size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "c")
        path.write_bytes(sealed(plain))
        with ContainerReader(path, KEY) as reader:
            assert reader.size == size
            for _ in range(5):
                start = data.draw(st.integers(0, size))
                length = data.draw(st.integers(0, size - start))
                assert reader.read(start, length) == plain[start : start + length]
            for start, length in ((0, size + 1), (size + 1, 0), (-1, 1), (0, -1)):
                with pytest.raises(ContainerError):
                    reader.read(start, length)


def test_every_changed_byte_is_noticed() -> None:
    container = sealed(os.urandom(2 * SMALL + 5))
    for at in range(len(container)):
        changed = bytearray(container)
        changed[at] ^= 1
        with pytest.raises(ContainerError):
            opened(bytes(changed))


@pytest.mark.parametrize("size", [0, 5, SMALL, 2 * SMALL, 2 * SMALL + 5])
def test_every_truncation_is_noticed(size: int) -> None:
    container = sealed(os.urandom(size))
    for length in range(len(container)):
        with pytest.raises(ContainerError):
            opened(container[:length])


def test_truncation_is_noticed_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(sealed(bytes(3 * SMALL))[: HEADER + 2 * SEALED])
    with pytest.raises(ContainerError):
        ContainerReader(path, KEY)


def test_reordered_repeated_and_foreign_segments_are_noticed() -> None:
    container = sealed(bytes(4 * SMALL))
    other = sealed(bytes(4 * SMALL))
    head, segments = container[:HEADER], [container[HEADER + n * SEALED :][:SEALED] for n in range(4)]
    foreign = other[HEADER : HEADER + SEALED]
    for order in (
        [segments[1], segments[0], *segments[2:]],
        [segments[0], segments[0], *segments[2:]],
        [segments[0], *segments[2:]],
        [*segments, segments[3]],
        [foreign, *segments[1:]],
    ):
        with pytest.raises(ContainerError):
            opened(head + b"".join(order))


def test_another_key_is_refused() -> None:
    with pytest.raises(ContainerError):
        opened(sealed(b"secret"), key=bytes(32))
    with pytest.raises(ValueError, match="32 bytes"):
        ContainerWriter(io.BytesIO(), b"short")


def test_equal_contents_do_not_look_equal() -> None:
    assert sealed(b"secret") != sealed(b"secret")
    assert b"secret" not in sealed(b"secret" * 100)
