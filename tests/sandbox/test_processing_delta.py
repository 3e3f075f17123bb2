"""The delta: what it says, that it is small where it can be, and that it leads where it should."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path
from typing import Any

import hdiffpatch
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_processing_archive import KEY, contents, run, zipped

from pk_upload.sandbox.processing import (
    CONTENT,
    CONTENT_SUMMARY,
    DIFF,
    DIFF_SUMMARY,
    ContainerError,
    DiffSummary,
    PatchError,
    apply_diff,
    windows,
)
from pk_upload.sandbox.processing.formats import load
from pk_upload.sandbox.processing.steps import Kind, Step, joined
from pk_upload.sandbox.processing.windows import FAR, WINDOW

Tree = dict[str, bytes]
NOISE = random.Random(11).randbytes(4 * WINDOW)


def upgraded(folder: Path, old: Tree, new: Tree) -> DiffSummary:
    """Processes both versions, checks that the diff makes the new one, and returns its summary."""
    assert not run(zipped(old, 0), folder / "old").failed
    outcome = run(zipped(new, 0), folder / "new", previous=folder / "old")
    assert not outcome.failed
    assert outcome.has_diff
    assert contents(folder / "new") == new
    (folder / "new" / CONTENT).unlink()
    pieces = list(apply_diff(folder / "old", folder / "new", key=KEY))
    assert b"".join(pieces) == b"".join(new.values())
    assert max(map(len, pieces), default=0) <= WINDOW
    summary = load(folder / "new" / DIFF_SUMMARY, DiffSummary)
    assert summary.file_size == (folder / "new" / DIFF).stat().st_size
    return summary


def test_what_became_of_every_file(tmp_path: Path) -> None:
    old = {"same": b"s" * 5000, "changed": NOISE[:5000], "gone": b"g", "moved from": NOISE[-5000:]}
    new = {
        "same": b"s" * 5000,
        "changed": NOISE[:2000] + b"!" + NOISE[2000:5000],
        "new": b"n" * 5000,
        "moved": NOISE[-5000:],
        "empty": b"",
    }
    summary = upgraded(tmp_path, old, new)
    assert [file.path for file in summary.added_files] == ["new", "moved", "empty"]
    assert [file.path for file in summary.modified_files] == ["changed"]
    assert summary.removed_files == ("gone", "moved from")
    assert summary.unchanged_files == ("same",)
    assert summary.size < 400
    assert summary.base_hash_code != summary.content_hash_code


def test_nothing_changed(tmp_path: Path) -> None:
    summary = upgraded(tmp_path, {"a": NOISE[:9999]}, {"a": NOISE[:9999]})
    assert summary.size == 0
    assert summary.unchanged_files == ("a",)


CHANGES: dict[str, tuple[bytes, int]] = {
    "nothing but an edit": (NOISE[:2_000_000] + b"EDIT" + NOISE[2_000_004:], 1000),
    "many edits": (b"".join(NOISE[n : n + 4090] + b"EDIT" for n in range(0, len(NOISE), 4094)), 60_000),
    "something put in": (NOISE[:1_500_000] + b"put in" * 1000 + NOISE[1_500_000:], 10_000),
    "something long put in": (NOISE[:1_500_000] + bytes(FAR + WINDOW) + NOISE[1_500_000:], 2 * WINDOW),
    "something taken out": (NOISE[:1_500_000] + NOISE[1_600_000:], 2000),
    "more at the end": (NOISE + b"more", 500),
    "less at the end": (NOISE[:-12345], 500),
    "something put in twice": (
        NOISE[:700_000] + b"one" * 9000 + NOISE[700_000:2_200_000] + b"two" * 9000 + NOISE[2_200_000:],
        4000,
    ),
    "all zeros": (bytes(len(NOISE)), 40_000),
    "nothing left": (b"", 0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_a_file_of_several_windows(tmp_path: Path, change: str) -> None:
    new, largest = CHANGES[change]
    summary = upgraded(tmp_path, {"a": b"before", "file": NOISE}, {"file": new})
    assert summary.size <= largest


def test_a_file_with_nothing_in_common_is_taken_as_it_is(tmp_path: Path) -> None:
    new = os.urandom(3 * WINDOW)
    summary = upgraded(
        tmp_path, {"file": NOISE[: 3 * WINDOW], "was empty": b""}, {"file": new, "was empty": b"x"}
    )
    assert len(new) < summary.size < len(new) + 500


def test_what_is_nowhere_near_is_looked_for_but_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two kinds of noise that compress well: a delta gains something on them wherever it looks."""
    looked: list[int] = []
    diff = hdiffpatch.diff

    def counted(base: bytes, data: bytes, **how: Any) -> bytes:
        looked.append(len(base))
        delta: bytes = diff(base, data, **how)
        return delta

    monkeypatch.setattr(hdiffpatch, "diff", counted)
    monkeypatch.setattr(windows, "WINDOW", 100_000)
    monkeypatch.setattr(windows, "NEAR", 1000)
    old, new = (bytes(random.Random(seed).choices(b"ab", k=200_000)) for seed in (1, 2))
    upgraded(tmp_path, {"file": old}, {"file": new})
    assert len(looked) == 2
    assert max(looked) <= 102_000


trees = st.dictionaries(
    st.sampled_from(["a", "b", "c/d", "c/e", "f"]),
    st.one_of(
        st.binary(max_size=200),
        st.builds(
            lambda start, cut, extra: NOISE[start:cut] + extra + NOISE[cut : cut + 5000],
            *(st.integers(0, 3000), st.integers(0, 9000), st.binary(max_size=30)),
        ),
    ),
    min_size=1,
)


@settings(max_examples=60, deadline=None)
@given(trees, trees)
def test_any_tree_from_any_other(old: Tree, new: Tree) -> None:
    with tempfile.TemporaryDirectory() as folder:
        summary = upgraded(Path(folder), old, new)
    told = [*summary.added_files, *summary.modified_files]
    assert {*(file.path for file in told), *summary.unchanged_files} == new.keys()
    assert set(summary.removed_files) == old.keys() - new.keys()


def test_neighbouring_copies_become_one() -> None:
    copies = [Step(Kind.COPY, 10, 5, 5), Step(Kind.COPY, 15, 7, 7), Step(Kind.COPY, 30, 1, 1)]
    plain = Step(Kind.PLAIN, 0, 0, 1, b"x")
    assert list(joined([*copies, plain])) == [Step(Kind.COPY, 10, 12, 12), copies[2], plain]
    assert list(joined([])) == []


def test_a_diff_for_other_versions_is_refused(tmp_path: Path) -> None:
    upgraded(tmp_path, {"a": b"1"}, {"a": b"2"})
    run(zipped({"a": b"1"}), tmp_path / "old")
    with pytest.raises(PatchError, match="other versions"):
        list(apply_diff(tmp_path / "old", tmp_path / "new", key=KEY))


def test_a_changed_summary_is_noticed(tmp_path: Path) -> None:
    upgraded(tmp_path, {"a": b"1", "b": b"2"}, {"a": b"1", "b": b"3"})
    path = tmp_path / "new" / DIFF_SUMMARY
    summary = load(path, DiffSummary)
    (made,) = summary.modified_files
    for changed in (
        msgspec.structs.replace(summary, unchanged_files=()),
        msgspec.structs.replace(summary, modified_files=(), unchanged_files=("a", "b")),
        msgspec.structs.replace(summary, modified_files=(msgspec.structs.replace(made, length=0),)),
    ):
        path.write_bytes(msgspec.json.encode(changed))
        with pytest.raises(PatchError):
            list(apply_diff(tmp_path / "old", tmp_path / "new", key=KEY))


def test_steps_at_the_wrong_place_are_noticed(tmp_path: Path) -> None:
    upgraded(tmp_path, {"a": b"1"}, {"a": b"22222"})
    path = tmp_path / "new" / DIFF_SUMMARY
    summary = load(path, DiffSummary)
    (made,) = summary.modified_files
    for length in (made.length - 1, made.length + 40):
        broken = msgspec.structs.replace(made, length=length)
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(summary, modified_files=(broken,))))
        with pytest.raises(ContainerError):
            list(apply_diff(tmp_path / "old", tmp_path / "new", key=KEY))


def test_the_version_before_has_to_be_sound(tmp_path: Path) -> None:
    run(zipped({"a": b"1"}), tmp_path / "old")
    content = tmp_path / "old" / CONTENT
    content.write_bytes(content.read_bytes()[:-1])
    with pytest.raises(ContainerError):
        run(zipped({"a": b"2"}), tmp_path / "new", previous=tmp_path / "old")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "old" / CONTENT_SUMMARY).unlink()
    with pytest.raises(FileNotFoundError):
        run(zipped({"a": b"2"}), tmp_path / "new", previous=tmp_path / "old")
