"""Whatever an archive claims, preflight ends, soon, in little memory, and with nothing but a report."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crafted_zips import FULL, BuildInMemory, Member, craft, link, unix
from executable_heads import pe
from pk_upload.archive.build import read
from pk_upload.archive.checks import Report, deep, preflight, symlinks
from pk_upload.archive.checks.content import beginning
from pk_upload.archive.checks.entries import Listing
from pk_upload.archive.directory import Directory, find_directory
from pk_upload.archive.problems import RULES

GAME = Member(content=pe(0x8664))
MIB = 1024 * 1024


@contextmanager
def peak_of_memory() -> Iterator[list[int]]:
    peak: list[int] = []
    tracemalloc.start()
    try:
        yield peak
        peak.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def many(count: int) -> bytes:
    names = (b"Game_Data/Level%04d/asset_%07d.bin" % (number // 200, number) for number in range(count))
    return craft(*(Member(name) for name in names), zip64=True)


def test_memory_hardly_grows_with_the_entries() -> None:
    content = many(100_000)
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert len(archive.namelist()) == 100_000
    with peak_of_memory() as peak:
        report = preflight(BuildInMemory(content))
    assert (report.entries, report.files) == (100_000, 100_000)
    assert not report.errors
    assert peak[0] < 16 * MIB


def test_memory_is_bounded_if_everything_is_wrong() -> None:
    names = (b"bad\\" + b"x" * 1000 + b"%d" % (number // 2) for number in range(20_000))
    content = craft(*(Member(name, method=9, flags=1, date=0, offset=0) for name in names))
    with peak_of_memory() as peak:
        report = preflight(BuildInMemory(content))
    found = {problem.code for problem in report.errors}
    assert {"duplicate-name", "backslash", "method", "encrypted"} <= found
    assert peak[0] < 64 * MIB


def test_of_large_entries_only_the_headers_are_read() -> None:
    build = BuildInMemory(craft(GAME, *(Member(b"%d" % number, bytes(3 * MIB)) for number in range(20))))
    assert preflight(build).problems == ()
    assert build.bytes_read < MIB


def test_a_deep_path_costs_no_more_than_its_length() -> None:
    names = [b"/".join([b"%d" % (number % 7)] * 1000) for number in range(200)]
    report = preflight(BuildInMemory(craft(GAME, *(Member(name, b"") for name in names))))
    assert "duplicate-name" in {problem.code for problem in report.errors}


@pytest.mark.parametrize("method", [0, 8])
def test_of_content_no_more_is_made_than_asked_for(method: int) -> None:
    content = craft(Member(b"zeros", bytes(10 * MIB), method=method), Member(b"short", b"123", method=method))
    build = BuildInMemory(content)
    directory = find_directory(partial(read, build), build.size)
    assert isinstance(directory, Directory)
    zeros, short = Listing(build, directory, lambda *_: None)
    before = build.bytes_read
    assert beginning(build, zeros, 5000) == bytes(5000)
    assert beginning(build, short, 5000) == b"123"
    assert beginning(build, zeros._replace(size=7), 5000) == bytes(7)
    assert beginning(build, zeros._replace(offset=1), 5000) == b""
    assert build.bytes_read - before < 50_000


def test_endless_links_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symlinks, "ROOM", 10_000)
    report = preflight(BuildInMemory(craft(GAME, *(link(b"%d" % n, b"x" * 1000) for n in range(100)))))
    assert [problem.code for problem in report.errors] == ["too-many-links"]
    assert "the first 10 were" in report.errors[0].message


def check(content: bytes) -> Report:
    """Looks at it in every way; compares what has no errors with what zipfile makes of it."""
    build = BuildInMemory(content)
    report = preflight(build)
    assert all(problem.code in RULES for problem in report.problems)
    if report.errors:
        return report
    report = anyio.run(partial(deep, build, report, on_progress=lambda _: None))
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert len(archive.infolist()) == report.entries
        if not report.errors:
            assert archive.testzip() is None
    return report


def samples() -> list[bytes]:
    text = b"some text, again and again " * 20
    described = Member(b"described", text, flags=8, local={"crc": 0, "packed": 0, "size": 0}, method=8)
    values = described.values()
    described.after = b"PK\7\x08" + struct.pack("<3L", values["crc"], values["packed"], values["size"])
    large = b"\1\0\x10\0" + len(text).to_bytes(8, "little") * 2
    zip64 = Member(
        b"large", text, size=FULL, packed=FULL, extra=large, raw=text,
        local={"size": FULL, "packed": FULL, "extra": large},
    )  # fmt: skip
    return [
        craft(GAME, Member(b"data/text", text, method=8), comment=b"a comment"),
        craft(zip64, Member(b"data/", b""), described, zip64=True),
        b"#!/bin/sh\n" + craft(described, link(b"data/link", b"../described"), unix(b"run", text, 0o100755)),
    ]


@settings(max_examples=400)
@given(data=st.data())
def test_a_damaged_archive_is_judged_and_never_crashes(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(samples())))
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    check(bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))]))


NUMBERS = st.sampled_from([0, 1, 30, 1000, 2**16 - 1, 2**31, 2**32 - 1])
MEMBERS = st.builds(
    Member,
    name=st.binary(max_size=8) | st.sampled_from([b"a", b"A", b"a/", b"a/b", b"../a", b"con", b"l"]),
    content=st.binary(max_size=40),
    method=st.sampled_from([0, 8, 9]),
    flags=st.sampled_from([0, 1, 8, 1 << 11]),
    made_by=st.sampled_from([20, 3 << 8 | 20]),
    mode=st.sampled_from([0, 0o100755, 0o120777, 0o020644]),
    version=st.sampled_from([20, 45, 64]),
    date=st.integers(0, 65535),
    crc=st.none() | NUMBERS,
    packed=st.none() | NUMBERS,
    size=st.none() | NUMBERS,
    offset=st.none() | NUMBERS,
    disk=st.sampled_from([0, 0, 0, 1]),
    extra=st.binary(max_size=20) | st.builds(lambda tail: b"\1\0\x18\0" + tail, st.binary(max_size=24)),
    after=st.binary(max_size=4),
)


@settings(max_examples=400)
@given(members=st.lists(MEMBERS, max_size=5), zip64=st.booleans(), prefix=st.binary(max_size=5))
def test_whatever_is_put_together_is_judged_and_never_crashes(
    members: list[Member], prefix: bytes, *, zip64: bool
) -> None:
    check(craft(*members, zip64=zip64, prefix=prefix))
