"""Where a ZIP's directory lies, told by its last records, and the digest that tells builds apart."""

from __future__ import annotations

import hashlib
import io
import random
import zipfile
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crafted_zips import BuildInMemory, Member, craft
from pk_upload.archive.build import read
from pk_upload.archive.directory import Directory, directory_digest, find_directory


def find(content: bytes) -> Directory:
    found = find_directory(partial(read, BuildInMemory(content)), len(content))
    assert isinstance(found, Directory), found
    return found


def fault(content: bytes) -> str:
    found = find_directory(partial(read, BuildInMemory(content)), len(content))
    faults = found.faults if isinstance(found, Directory) else (found,)
    return ", ".join(f"{fault.code}: {fault.message}" for fault in faults)


def digest(content: bytes) -> str:
    return directory_digest(partial(read, BuildInMemory(content)), len(content))


def zipped(count: int = 5, comment: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.comment = comment
        for number in range(count):
            archive.writestr(f"file{number}", b"x" * (number % 7))
    return buffer.getvalue()


@pytest.mark.parametrize("prefix", [b"", b"#!/bin/sh\n" * 20])
@pytest.mark.parametrize("comment", [b"", b"a comment", b"PK\x05", b"x" * 65535])
def test_the_directory_is_found(prefix: bytes, comment: bytes) -> None:
    content = prefix + zipped(comment=comment)
    found = find(content)
    assert found.offset == content.index(b"PK\x01\x02")
    assert (found.entries, found.shift, found.faults) == (5, len(prefix), ())
    assert content[found.offset + found.size :].startswith(b"PK\x05\x06")


def test_the_directory_of_a_zip64_is_found() -> None:
    content = zipped(65_536)
    assert b"PK\x06\x06" in content
    for prefix in (b"", b"prefix"):
        found = find(prefix + content)
        assert found.offset == (prefix + content).index(b"PK\x01\x02")
        assert (found.entries, found.shift, found.faults) == (65_536, len(prefix), ())


def test_a_longer_zip64_record_is_found_where_the_locator_tells() -> None:
    content = bytearray(craft(Member(), zip64=True))
    at = content.index(b"PK\6\6")
    content[at + 4 : at + 12] = (44 + 100).to_bytes(8, "little")
    content[at + 56 : at + 56] = bytes(100)
    locator = content.index(b"PK\6\7")
    content[locator + 8 : locator + 16] = at.to_bytes(8, "little")
    assert find(bytes(content)).faults == ()
    assert find(bytes(content)).offset == content.index(b"PK\1\2")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"no ZIP at all", "not-a-zip"),
        (b"\0" * 1000, "not-a-zip"),
        (b"", "not-a-zip"),
        (b"PK\x05\x06", "truncated"),
        (b"PK\x03\x04" + b"\0" * 90, "truncated"),
        (craft(Member())[:-1], "truncated"),
        (craft(Member(), comment=b"a comment")[:-1], "truncated"),
        (b"PK\x07\x08" + b"\0" * 90, "several-disks"),
        (craft(Member(), disk=1), "several-disks"),
        (craft(Member(), here=0), "several-disks"),
        (craft(Member(), zip64=True, disks=2), "several-disks"),
        (craft(Member(), zip64=True).replace(b"PK\6\7\0", b"PK\6\7\1"), "several-disks"),
        (craft(Member(), size=10_000), "damaged-directory"),
        (craft(Member(), offset=10_000), "damaged-directory"),
        (craft(Member(), size=20), "damaged-directory"),
        (craft(Member()) + b"trailing", "trailing-bytes"),
        (craft(Member(), comment=craft(Member())[-22:]), "damaged-directory"),
        (craft(Member(), comment=craft(Member())[-22:] + b"x"), "damaged-directory"),
        (craft(Member(), zip64=True).replace(b"PK\6\6", b"PK\6\5"), "damaged-directory"),
        (craft(Member(), zip64=True).replace(b"PK\6\6\x2c", b"PK\6\6\x2d"), "damaged-directory"),
    ],
)
def test_what_is_wrong_with_the_end_is_told(content: bytes, code: str) -> None:
    assert fault(content).startswith(code + ":")


def test_records_that_disagree_are_damage() -> None:
    content = bytearray(craft(Member(), zip64=True))
    content[-12:-10] = (2).to_bytes(2, "little")  # the end record's count, beside that of the ZIP64 one
    assert "damaged-directory: the end record and the ZIP64 end record disagree" in fault(bytes(content))


def test_a_zip_cut_inside_a_stored_zip_is_no_self_extractor() -> None:
    inner = craft(Member(b"inner"))
    outer = craft(Member(b"data.zip", inner), Member(b"after", b"x" * 1000))
    cut = outer[: outer.index(inner) + len(inner) + 300]
    assert "truncated: it begins with" in fault(cut)


@pytest.mark.parametrize(
    ("head", "kind"), [(b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\x07\1\0", "RAR"), (b"\x1f\x8b\x08", "gzip")]
)
def test_another_archive_is_told_by_its_kind(head: bytes, kind: str) -> None:
    assert kind in fault(head + bytes(100))


def test_the_digest_is_that_of_the_directory_and_all_that_follows() -> None:
    for content in (zipped(), b"prefix" + zipped(comment=b"a comment"), zipped(65_536)):
        expected = hashlib.sha256(content[content.index(b"PK\1\2") :]).hexdigest()
        assert digest(content) == expected


def test_two_builds_never_share_a_digest() -> None:
    one = craft(Member(b"big", b"a" * 200_000), Member(b"same"))
    other = craft(Member(b"big", b"b" * 200_000), Member(b"same"))
    assert digest(one) != digest(other)


def test_any_other_file_is_told_by_its_last_64_kib() -> None:
    content = random.Random(1).randbytes(100_000)
    assert digest(content) == hashlib.sha256(content[-65535:]).hexdigest()


@given(content=st.binary(max_size=300), offset=st.integers(0, 2**32 - 1), size=st.integers(0, 2**32 - 1))
def test_anything_has_a_digest_or_an_offset_within(content: bytes, offset: int, size: int) -> None:
    content += craft(size=size, offset=offset)
    digest(content)
    found = find_directory(partial(read, BuildInMemory(content)), len(content))
    assert not isinstance(found, Directory) or 0 <= found.offset <= len(content)
