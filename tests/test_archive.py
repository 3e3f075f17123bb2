"""The ZIP as its directory tells it."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pk_upload.archive import directory_digest, preflight
from pk_upload.archive.directory import directory_offset
from pk_upload.errors import PreflightFailed


def test_a_good_build_is_counted(build: Path) -> None:
    found = preflight(build)
    assert found.files == 4
    assert found.unpacked == 100_002 + 150_000 + 8000 + 50_000


def write(path: Path, method: int, name: str = "game.exe") -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(name, b"data" * 100)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_store_and_deflate_pass(tmp_path: Path, method: int) -> None:
    write(tmp_path / "a.zip", method)
    assert preflight(tmp_path / "a.zip").files == 1


@pytest.mark.parametrize(("method", "name"), [(zipfile.ZIP_BZIP2, "BZIP2"), (zipfile.ZIP_LZMA, "LZMA")])
def test_other_methods_are_named(tmp_path: Path, method: int, name: str) -> None:
    write(tmp_path / "a.zip", method)
    with pytest.raises(PreflightFailed, match=f"'game.exe' is packed with the method {name}"):
        preflight(tmp_path / "a.zip")


def patched(path: Path, field: int, value: int) -> None:
    """Sets a two-byte field of the first entry in the directory."""
    content = bytearray(path.read_bytes())
    struct.pack_into("<H", content, content.index(b"PK\x01\x02") + field, value)
    path.write_bytes(content)


def test_deflate64_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", zipfile.ZIP_DEFLATED)
    patched(tmp_path / "a.zip", 10, 9)
    with pytest.raises(PreflightFailed, match="DEFLATE64"):
        preflight(tmp_path / "a.zip")


def test_encrypted_entries_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", zipfile.ZIP_DEFLATED)
    patched(tmp_path / "a.zip", 8, 1)
    with pytest.raises(PreflightFailed, match="encrypted"):
        preflight(tmp_path / "a.zip")


def test_an_archive_of_folders_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", zipfile.ZIP_STORED, name="folder/")
    with pytest.raises(PreflightFailed, match="holds no files"):
        preflight(tmp_path / "a.zip")


@pytest.mark.parametrize(
    "content", [b"no ZIP at all", b"PK\x05\x06", b"\0" * 1000, b"PK\x03\x04" + b"\0" * 90]
)
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(PreflightFailed):
        preflight(tmp_path / "a.zip")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_archive_is_judged_and_never_crashes(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "a.zip"
    write(path, zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    with suppress(PreflightFailed):
        preflight(path)
    directory_digest(path)


@pytest.mark.parametrize("prefix", [b"", b"#!/bin/sh\n" * 20])
@pytest.mark.parametrize("comment", [b"", b"a comment", b"PK\x05"])
def test_the_directory_is_found(prefix: bytes, comment: bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.comment = comment
        for number in range(5):
            archive.writestr(f"file{number}", b"x" * number)
    content = prefix + buffer.getvalue()
    assert directory_offset(io.BytesIO(content), len(content)) == content.index(b"PK\x01\x02")


def test_the_directory_of_a_zip64_is_found() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(65_536):
            archive.writestr(f"{number}", b"")
    content = buffer.getvalue()
    assert b"PK\x06\x06" in content
    assert directory_offset(io.BytesIO(content), len(content)) == content.index(b"PK\x01\x02")


def test_two_builds_never_share_a_digest(tmp_path: Path) -> None:
    one, other = tmp_path / "one.zip", tmp_path / "other.zip"
    for path, byte in ((one, b"a"), (other, b"b")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(zipfile.ZipInfo("big"), byte * 200_000)
            archive.writestr(zipfile.ZipInfo("same"), b"x" * 200_000)
    assert directory_digest(one) != directory_digest(other)


def test_any_other_file_is_told_by_its_end(tmp_path: Path) -> None:
    path = tmp_path / "no.zip"
    content = random.Random(1).randbytes(100_000)
    path.write_bytes(content)
    before = directory_digest(path)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert directory_digest(path) != before
