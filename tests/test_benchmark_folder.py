"""The benchmark of folders measures what it says."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from benchmarks.folders import trees
from benchmarks.folders.packing import PACKERS
from benchmarks.folders.sending import FOLDER, READY, ZIPPED
from benchmarks.settings import KIB, MIB
from test_benchmarks import benchmark


def test_a_folder_is_sent_beside_a_ready_zip_and_beside_zipping_first(tmp_path: Path) -> None:
    found = benchmark(tmp_path, "folder", "--only", "ready,zipping")
    ready, zipping = ({row["client"]: row for row in table["rows"]} for table in found["tables"])
    assert list(ready) == [READY, FOLDER]
    assert list(zipping) == [FOLDER, ZIPPED]
    assert ready[FOLDER]["ratio"]["median"] > 0 < zipping[ZIPPED]["ratio"]["median"]
    assert all(sample["seconds"] > 0 < sample["cpu_seconds"] for sample in found["samples"])
    assert found["command"] == "python -m benchmarks folder --runs 1 --only ready,zipping --quick"


def test_packing_is_measured_in_speed_and_in_size(tmp_path: Path) -> None:
    found = benchmark(tmp_path, "folder", "--only", "packing")
    rows = {row["packer"]: row for row in found["tables"][0]["rows"]}
    assert list(rows) == list(PACKERS)
    sizes = [row["size_ratio"]["median"] for row in rows.values() if "size_ratio" in row]
    assert len(set(sizes)) == 1, "the same archive, on any number of cores"
    assert 0.8 < sizes[0] < 1.1
    assert all(row["packed"]["median"] < row["size"] / 2 for row in rows.values())


def test_checking_is_measured(tmp_path: Path) -> None:
    found = benchmark(tmp_path, "folder", "--only", "checking")
    rows = found["tables"][0]["rows"]
    assert [row["archive"].partition(" ")[0] for row in rows] == ["5,000", "a"]
    assert all(row["check"]["median"] > 0 < row["list"]["median"] for row in rows)


@pytest.mark.parametrize("size", [1, 100 * KIB, 33 * MIB])
def test_a_folder_of_noise_has_its_size_and_the_stored_zip_is_what_is_sent(tmp_path: Path, size: int) -> None:
    trees.make_noise(tmp_path / "noise", size)
    assert trees.size_of(tmp_path / "noise") == size
    trees.make_stored(tmp_path / "noise", tmp_path / "noise.zip")
    with zipfile.ZipFile(tmp_path / "noise.zip") as archive:
        assert archive.testzip() is None
        assert sum(entry.compress_size for entry in archive.infolist()) == size


def test_a_folder_of_software_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one", "other"):
        trees.make_software(tmp_path / name, 3 * MIB)
        trees.make_packed(tmp_path / name, tmp_path / f"{name}.zip")
    assert 3 * MIB <= trees.size_of(tmp_path / "one") < 12 * MIB
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()
