"""The whole way: what is left in the directory, what is told on the way, and how it is aborted."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

from test_processing_archive import KEY, contents, run, zipped

from pk_upload.sandbox.processing import (
    CONTENT,
    CONTENT_SUMMARY,
    DIFF,
    DIFF_SUMMARY,
    ContentSummary,
    DiffSummary,
    process,
)
from pk_upload.sandbox.processing.formats import load

if TYPE_CHECKING:
    from pathlib import Path

MADE = {CONTENT, CONTENT_SUMMARY}
MADE_WITH_DIFF = MADE | {DIFF, DIFF_SUMMARY}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_content_summary_describes_the_content(tmp_path: Path) -> None:
    files = {"one": b"1" * 1000, "folder/two": b"2" * 10, "empty": b""}
    out = tmp_path / "out"
    run(zipped(files), out)
    summary = load(out / CONTENT_SUMMARY, ContentSummary)
    content = (out / CONTENT).read_bytes()
    assert summary.size == 1010
    assert (summary.file_size, summary.hash_code) == (len(content), hashlib.sha256(content).hexdigest())
    assert {file.path: (file.hash, file.size, file.offset) for file in summary.files} == {
        "one": (hashlib.sha256(files["one"]).hexdigest(), 1000, 0),
        "folder/two": (hashlib.sha256(files["folder/two"]).hexdigest(), 10, 1000),
        "empty": (hashlib.sha256(b"").hexdigest(), 0, 1010),
    }
    assert summary.encryption.method == "AES-256-GCM"
    assert summary.encryption.nonce_prefix == content[16:24].hex()
    described = json.loads((out / CONTENT_SUMMARY).read_bytes())
    assert (described["format_version"], described["hashing_method"]) == (1, "sha256")
    assert KEY.hex() not in (out / CONTENT_SUMMARY).read_text()


def test_the_diff_summary_describes_the_diff(tmp_path: Path) -> None:
    run(zipped({"a": b"1"}), tmp_path / "old")
    run(zipped({"a": b"2"}), tmp_path / "new", previous=tmp_path / "old")
    diff = load(tmp_path / "new" / DIFF_SUMMARY, DiffSummary)
    assert diff.hash_code == hashlib.sha256((tmp_path / "new" / DIFF).read_bytes()).hexdigest()
    assert diff.base_hash_code == load(tmp_path / "old" / CONTENT_SUMMARY, ContentSummary).hash_code
    assert diff.content_hash_code == load(tmp_path / "new" / CONTENT_SUMMARY, ContentSummary).hash_code


class Stop(Exception):
    pass


def versions(tmp_path: Path) -> tuple[Path, Path]:
    """A processed version, and an archive of the next whose delta takes several windows."""
    data = os.urandom(9 << 20)
    assert not run(zipped({"game": data, "gone": b""}, 0), tmp_path / "old").failed
    archive = tmp_path / "next.zip"
    archive.write_bytes(zipped({"game": data[:5_000_000] + b"!" + data[5_000_000:], "new": b"n"}, 0))
    return tmp_path / "old", archive


def test_progress_rises_from_nothing_to_all(tmp_path: Path) -> None:
    previous, archive = versions(tmp_path)
    calls: list[tuple[float, str]] = []

    def progress(fraction: float, message: str) -> None:
        calls.append((fraction, message))

    process(archive, tmp_path / "new", key=KEY, previous=previous, platform="other", progress=progress)
    fractions = [fraction for fraction, _ in calls]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert list(dict.fromkeys(message for _, message in calls)) == [
        "checking the archive",
        "encrypting the content",
        "making the delta",
        "done",
    ]
    assert sum(message == "making the delta" for _, message in calls) == 10  # for each window
    assert len(calls) <= 16


def test_aborted_at_any_call_it_leaves_what_was_there(tmp_path: Path) -> None:
    previous, archive = versions(tmp_path)
    out = tmp_path / "new"
    for last in range(100):
        left = last

        def progress(_fraction: float, _message: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Stop

        try:
            outcome = process(archive, out, key=KEY, previous=previous, platform="other", progress=progress)
        except Stop:
            assert not out.exists() or names(out) == set()
        else:
            break
    assert last >= 8
    assert outcome.has_diff
    assert names(out) == MADE_WITH_DIFF


def test_it_can_run_again_over_what_a_killed_run_left(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in (f"{CONTENT}.part", f"{DIFF}.part", CONTENT, DIFF):
        (out / name).write_bytes(b"half")
    assert not run(zipped({"a": b"1"}), out).failed
    assert names(out) == MADE
    assert contents(out) == {"a": b"1"}


def test_a_second_run_replaces_the_first(tmp_path: Path) -> None:
    run(zipped({"a": b"1"}), tmp_path / "old")
    out = tmp_path / "new"
    run(zipped({"a": b"2"}), out, previous=tmp_path / "old")
    assert names(out) == MADE_WITH_DIFF
    run(zipped({"a": b"3"}), out)
    assert names(out) == MADE
    assert contents(out) == {"a": b"3"}
    assert run(b"no ZIP", out).failed
    assert names(out) == set()
