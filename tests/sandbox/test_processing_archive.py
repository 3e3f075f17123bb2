"""What the processing finds in archives, fault by fault."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from pk_upload.sandbox.processing import CONTENT, CONTENT_SUMMARY, Outcome, decrypt, process
from pk_upload.sandbox.processing.archive import DIRECTORY_LIMIT
from pk_upload.sandbox.processing.formats import ContentSummary, load

KEY = bytes(range(32))


def run(
    archive: bytes | Path, out: Path, *, previous: Path | None = None, platform: str = "other"
) -> Outcome:
    """Processes an archive, written beside `out` when it is given as bytes."""
    if isinstance(archive, bytes):
        path = out.with_suffix(".zip")
        path.write_bytes(archive)
    else:
        path = archive
    return process(path, out, key=KEY, previous=previous, platform=platform, progress=lambda _f, _m: None)


def contents(out: Path) -> dict[str, bytes]:
    """Every file of a processed version, out of its encrypted content."""
    plain = b"".join(decrypt(out / CONTENT, KEY))
    summary = load(out / CONTENT_SUMMARY, ContentSummary)
    return {file.path: plain[file.offset : file.offset + file.size] for file in summary.files}


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


@dataclass
class Raw:
    """An entry written as told, right or wrong."""

    name: bytes
    data: bytes = b"data"
    method: int = 0
    flags: int = 0
    size: int | None = None
    crc: int | None = None
    packed: bytes | None = None
    local_name: bytes | None = None
    local_method: int | None = None
    local_size: int | None = None
    offset: int | None = None
    maker: int = 0
    attributes: int = 0


def raw_zip(*entries: Raw, announced: int | None = None) -> bytes:
    """A ZIP that zipfile would not write."""
    body, directory = b"", b""
    for entry in entries:
        packed = entry.data if entry.packed is None else entry.packed
        crc = zlib.crc32(entry.data) if entry.crc is None else entry.crc
        size = len(entry.data) if entry.size is None else entry.size
        offset = len(body) if entry.offset is None else entry.offset
        local_name = entry.name if entry.local_name is None else entry.local_name
        method = entry.method if entry.local_method is None else entry.local_method
        declared = size if entry.local_size is None else entry.local_size
        body += struct.pack(
            "<4s5H3L2H",
            *(b"PK\3\4", 20, entry.flags, method, 0, 33, crc, len(packed), declared, len(local_name), 0),
        )
        body += local_name + packed
        directory += struct.pack(
            "<4sBB5H3L5H2L",
            *(b"PK\1\2", 20, entry.maker, 20, entry.flags, entry.method, 0, 33, crc, len(packed), size),
            *(len(entry.name), 0, 0, 0, 0, entry.attributes, offset),
        )
        directory += entry.name
    count = len(entries) if announced is None else announced
    return (
        body
        + directory
        + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0)
    )


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def test_a_sound_archive(tmp_path: Path) -> None:
    files = {"game.bin": os.urandom(300_000), "empty": b"", "data/levels/one": b"level" * 100_000}
    outcome = run(zipped(files), tmp_path / "out")
    assert outcome == Outcome((), None, has_diff=False)
    assert not outcome.failed
    assert contents(tmp_path / "out") == files


def test_the_hand_written_archive_is_sound(tmp_path: Path) -> None:
    assert not run(raw_zip(Raw(b"a"), Raw(b"b", b"more")), tmp_path / "out").findings


FAULTS = [
    pytest.param(b"", "not a ZIP archive", id="empty"),
    pytest.param(b"\x1f\x8b" + bytes(500), "not a ZIP archive", id="gzip"),
    pytest.param(zipped({"a": b"1"})[:-30], "cut off: its directory", id="truncated"),
    pytest.param(
        zipped({"a": b"1"}).replace(b"PK\1\2", b"PK\1\3"), "directory of the ZIP is damaged", id="directory"
    ),
    pytest.param(raw_zip(Raw(b"a"), announced=3), "lists 1 entries and announces 3", id="count"),
    pytest.param(raw_zip(), "no files", id="no entries"),
    pytest.param(raw_zip(Raw(b"folder/", b"")), "no files", id="only folders"),
    pytest.param(
        raw_zip(Raw(b"folder/", b"x"), Raw(b"a")), '"folder/" is a folder with 1 bytes', id="fat folder"
    ),
    pytest.param(raw_zip(Raw(b"/etc/passwd")), '"/etc/passwd" has an absolute path', id="absolute"),
    pytest.param(raw_zip(Raw(b"a/../../b")), '"a/../../b" leaves the folder', id="dots"),
    pytest.param(raw_zip(Raw(b"..")), '".." leaves the folder', id="only dots"),
    pytest.param(raw_zip(Raw(b"a\\b")), "backslash", id="backslash"),
    pytest.param(raw_zip(Raw(b"C:/a")), '"C:/a" has a drive letter', id="drive"),
    pytest.param(raw_zip(Raw(b"c:a")), "drive letter", id="drive without a slash"),
    pytest.param(raw_zip(Raw(b"a\0b")), r'"a\x00b" has a NUL', id="nul"),
    pytest.param(raw_zip(Raw(b"a/" * 3000)), "more than 4096 characters", id="long"),
    pytest.param(raw_zip(Raw(b"")), "empty name", id="nameless"),
    pytest.param(raw_zip(Raw(b"\xff", flags=0x800)), "not valid UTF-8", id="utf-8"),
    pytest.param(raw_zip(Raw(b"a"), Raw(b"a")), '"a" is in the ZIP more than once.', id="twice"),
    pytest.param(
        raw_zip(Raw(b"a/b"), Raw(b"a/./b")), '"a/b" is in the ZIP more than once.', id="twice by dots"
    ),
    pytest.param(raw_zip(Raw(b"Aa"), Raw(b"aA")), 'upper and lower case ("Aa")', id="twice by case"),
    pytest.param(
        raw_zip(Raw(b"A/b/c"), Raw(b"a b"), Raw(b"a.b"), Raw(b"a")),
        '"a" is both a file and a folder',
        id="file and folder",
    ),
    pytest.param(raw_zip(Raw(b"a", method=9)), '"a" is compressed with DEFLATE64', id="deflate64"),
    pytest.param(raw_zip(Raw(b"a", method=77)), "method 77", id="unknown method"),
    pytest.param(zipped({"a": b"1"}, zipfile.ZIP_BZIP2), "BZIP2", id="bzip2"),
    pytest.param(zipped({"a": b"1"}, zipfile.ZIP_LZMA), "LZMA", id="lzma"),
    pytest.param(raw_zip(Raw(b"a", method=93)), "ZSTD", id="zstd"),
    pytest.param(raw_zip(Raw(b"a", flags=1)), '"a" is encrypted', id="encrypted"),
    pytest.param(raw_zip(Raw(b"a", flags=0x40 | 1)), "encrypted", id="strongly encrypted"),
    pytest.param(raw_zip(Raw(b"a", method=99)), "encrypted", id="aes"),
    pytest.param(raw_zip(Raw(b"a", flags=0x20)), "patch data", id="patched"),
    pytest.param(raw_zip(Raw(b"a", crc=1)), '"a" is damaged: its checksum', id="crc"),
    pytest.param(raw_zip(Raw(b"a", size=9)), "stored in 4 bytes but declares 9", id="stored size"),
    pytest.param(
        raw_zip(Raw(b"a", b"x" * 900, 8, packed=deflated(b"x" * 900)[:-3])), "no end", id="cut deflate"
    ),
    pytest.param(
        raw_zip(Raw(b"a", method=8, packed=b"\xff" * 9)), "compressed data cannot be read", id="deflate"
    ),
    pytest.param(
        raw_zip(Raw(b"a", method=8, packed=deflated(b"data") + b"!")), "more follows", id="after deflate"
    ),
    pytest.param(
        raw_zip(Raw(b"a", b"x" * 4_000_000, 8, size=10, packed=deflated(b"x" * 4_000_000))),
        "more than the 10 bytes it declares",
        id="bomb",
    ),
    pytest.param(
        raw_zip(Raw(b"a", method=8, size=5, packed=deflated(b"data"))), "declares 5", id="too short"
    ),
    pytest.param(raw_zip(Raw(b"a", local_name=b"b")), "names another entry", id="local name"),
    pytest.param(raw_zip(Raw(b"a", local_method=8)), "another compression method", id="local method"),
    pytest.param(raw_zip(Raw(b"a", local_size=5)), "another size", id="local size"),
    pytest.param(raw_zip(Raw(b"a"), Raw(b"b", offset=1)), "overlaps", id="overlap"),
    pytest.param(raw_zip(Raw(b"a", offset=1000)), "overlaps", id="offset past the end"),
    pytest.param(
        raw_zip(Raw(b"a")).replace(b"PK\3\4", b"PK\3\5"), "local header is missing", id="local header"
    ),
]


@pytest.mark.parametrize(("archive", "expected"), FAULTS)
def test_faults_are_errors_in_a_sentence(tmp_path: Path, archive: bytes, expected: str) -> None:
    out = tmp_path / "out"
    outcome = run(archive, out, platform="windows_x86")
    assert outcome.failed
    assert outcome.main_executable is None
    errors = [finding.message for finding in outcome.findings if finding.severity == "error"]
    assert any(expected in message for message in errors), errors
    assert all(message.isprintable() and message.endswith(".") for message in errors)
    assert list(out.iterdir()) == []


def test_entries_sharing_their_data_are_refused_unread(tmp_path: Path) -> None:
    """The overlapping kind of bomb: each of its entries is sound by itself."""
    bomb = bytes(10_000_000)
    entry = Raw(b"0", bomb, 8, packed=deflated(bomb))
    archive = raw_zip(entry, *(Raw(b"0", bomb, 8, packed=entry.packed, offset=0) for _ in range(3)))
    assert "overlaps" in run(archive, tmp_path / "out").findings[0].message


def test_a_directory_too_large_for_memory_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "big.zip"
    with archive.open("wb") as file:
        file.write(b"PK\3\4")
        file.seek(DIRECTORY_LIMIT + 10)
        file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, DIRECTORY_LIMIT + 1, 4, 0))
    (finding,) = run(archive, tmp_path / "out").findings
    assert "larger than 64 MiB" in finding.message


def test_every_damaged_entry_is_named_but_only_so_many(tmp_path: Path) -> None:
    archive = raw_zip(*(Raw(b"entry%02d" % number, crc=1) for number in range(45)))
    messages = [finding.message for finding in run(archive, tmp_path / "out").findings]
    assert len(messages) == 21
    assert '"entry19"' in messages[19]
    assert messages[20] == "... and 25 more errors like these."


def test_names_that_are_not_printable_ascii_are_warned_of(tmp_path: Path) -> None:
    outcome = run(zipped({"sch\u00f6n.txt": b"1", "bell\a": b"2", "plain": b"3"}), tmp_path / "out")
    assert [finding.severity for finding in outcome.findings] == ["warning", "warning"]
    assert '"sch\u00f6n.txt"' in outcome.findings[0].message
    assert r'"bell\x07"' in outcome.findings[1].message
    assert contents(tmp_path / "out")["sch\u00f6n.txt"] == b"1"


def test_a_leading_dot_is_no_part_of_the_path(tmp_path: Path) -> None:
    assert not run(raw_zip(Raw(b"./", b""), Raw(b"./a//b")), tmp_path / "out").findings
    assert contents(tmp_path / "out") == {"a/b": b"data"}


def test_long_names_are_shortened_in_the_message(tmp_path: Path) -> None:
    (finding,) = run(raw_zip(Raw(b"/" + b"n" * 60_000)), tmp_path / "out").findings
    assert len(finding.message) < 300


def test_data_before_the_archive_are_skipped(tmp_path: Path) -> None:
    assert not run(b"#!/bin/sh\n" + zipped({"a": b"1"}), tmp_path / "out").findings
    assert contents(tmp_path / "out") == {"a": b"1"}


def test_an_archive_that_is_not_there_is_no_finding(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run(tmp_path / "missing.zip", tmp_path / "out")
