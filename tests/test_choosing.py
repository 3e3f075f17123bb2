"""Whether a folder is packed before it is sent: the sample of it, and the decision."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pk_upload.archive.folder.choosing import Rate, choose
from pk_upload.archive.folder.sampling import PLACES, SIZE, Sample, sample
from pk_upload.archive.folder.tree import Member, Tree, walk

MIB, GIB = 1024**2, 1024**3
HALF = Sample(ratio=0.5, all_cores=160 * MIB)


def rate(per_second: float) -> Rate:
    return Rate(per_second, "as measured by the last upload to example.org")


def test_a_slow_line_is_worth_packing_for() -> None:
    choice = choose(2 * GIB, headers=0, sample=HALF, rate=rate(4 * MIB), room=None)
    assert choice.compression == "deflate"
    assert choice.reason == (
        "deflate: at 4.0 MiB/s, as measured by the last upload to example.org, packing 2.0 GiB to about"
        " 1.0 GiB and sending that takes 4 min; sending it as it is would take 9 min"
    )


def test_a_fast_line_is_not() -> None:
    choice = choose(2 * GIB, headers=0, sample=HALF, rate=Rate(400 * MIB, "given by --limit-rate"), room=None)
    assert choice.compression == "store"
    assert choice.reason == (
        "store: at 400.0 MiB/s, given by --limit-rate, sending 2.0 GiB takes 7.1 s; packing it first would"
        " end after 15 s"
    )


@pytest.mark.parametrize("size", [0, 1, 1000, 8 * MIB])
def test_a_small_folder_is_not_packed(size: int) -> None:
    assert choose(size, headers=0, sample=HALF, rate=rate(4 * MIB), room=None).compression == "store"


def test_what_a_zip_adds_does_not_shrink() -> None:
    """Of many small files much is names, and is there twice."""
    tiny = Sample(ratio=0.1, all_cores=160 * MIB)
    assert choose(100 * MIB, headers=0, sample=tiny, rate=rate(MIB), room=None).compression == "deflate"
    choice = choose(100 * MIB, headers=2 * GIB, sample=tiny, rate=rate(MIB), room=None)
    assert choice.compression == "store"


def test_a_tie_is_not_packed() -> None:
    hardly = Sample(ratio=0.97, all_cores=160 * MIB)
    assert choose(20 * GIB, headers=0, sample=hardly, rate=rate(MIB), room=None).compression == "store"


def test_what_cannot_be_sampled_is_not_packed() -> None:
    choice = choose(0, headers=0, sample=None, rate=rate(1), room=None)
    assert choice.compression == "store"
    assert choice.reason == "store: there is nothing to pack"


def test_what_does_not_fit_is_not_packed() -> None:
    def room_for(room: int | None) -> str:
        return choose(2 * GIB, headers=0, sample=HALF, rate=rate(MIB), room=room).reason

    assert room_for(None).startswith("deflate: ")
    assert room_for(2 * GIB).startswith("deflate: ")
    assert room_for(GIB + 10 * MIB) == (
        "store: packing would end sooner but needs about 1.0 GiB, and the directory for temporary files has"
        " 1.0 GiB left"
    )


SIZES = st.integers(0, 10**13)
RATES = st.floats(0, 1e11)
SAMPLES = st.builds(Sample, st.floats(0.001, 1.01), st.floats(1e3, 1e10))


@given(size=SIZES, taken=SAMPLES, one=RATES, other=RATES)
def test_the_slower_the_line_the_more_packing_pays(
    size: int, taken: Sample, one: float, other: float
) -> None:
    slower, faster = (
        choose(size, headers=0, sample=taken, rate=rate(each), room=None) for each in sorted((one, other))
    )
    for choice in (slower, faster):
        assert choice.reason.startswith(f"{choice.compression}: ")
    if faster.compression == "deflate":
        assert slower.compression == "deflate"


@given(size=SIZES, taken=SAMPLES, per_second=st.floats(1, 1e11))
def test_packing_is_only_chosen_where_it_ends_sooner(size: int, taken: Sample, per_second: float) -> None:
    choice = choose(size, headers=0, sample=taken, rate=rate(per_second), room=None)
    if choice.compression == "deflate":
        packing = size / min(taken.all_cores, GIB)
        assert packing + taken.ratio * size / per_second < size / GIB + size / per_second


def write(root: Path, **contents: bytes) -> Tree:
    for name, content in contents.items():
        (root / name).write_bytes(content)
    return walk(root)


def ratio(tree: Tree) -> float:
    found = sample(tree)
    assert found is not None
    assert found.all_cores > 0
    return found.ratio


def test_a_sample_tells_how_much_a_folder_shrinks(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(12 * MIB)
    (tmp_path / "noise").mkdir()
    (tmp_path / "both").mkdir()
    assert ratio(write(tmp_path / "noise", a=noise, b=noise[:300_000])) == 1
    mixed = write(tmp_path / "both", a=bytes(6 * MIB), b=noise, c=bytes(6 * MIB))
    assert 0.45 < ratio(mixed) < 0.55
    assert ratio(mixed) == ratio(mixed)


def test_small_files_count_for_no_more_than_they_are(tmp_path: Path) -> None:
    noise = random.Random(1)
    small = {f"small{number}": noise.randbytes(100) for number in range(500)}
    assert ratio(write(tmp_path, **small)) == 1
    assert ratio(write(tmp_path, large=bytes(20 * MIB))) < 0.05


def test_a_sample_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 100 * GIB)
    taken = list[int]()
    read_into = Tree.read_into

    def counted(tree: Tree, member: Member, view: memoryview, offset: int) -> None:
        taken.append(len(view))
        read_into(tree, member, view, offset)

    tree = walk(tmp_path)
    monkeypatch.setattr(Tree, "read_into", counted)
    assert ratio(tree) < 0.01
    assert taken == [SIZE] * PLACES


def test_there_may_be_nothing_to_sample(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    assert sample(write(tmp_path, empty=b"")) is None
    assert sample(Tree(tmp_path)) is None


def test_files_that_are_gone_or_something_else_are_passed_over(tmp_path: Path) -> None:
    tree = write(tmp_path, a=bytes(MIB), b=bytes(MIB), c=random.Random(1).randbytes(MIB))
    (tmp_path / "a").unlink()
    (tmp_path / "b").unlink()
    os.mkfifo(tmp_path / "b")
    assert ratio(tree) == 1
    (tmp_path / "c").write_bytes(b"")
    assert sample(tree) is None
