"""Everything unpacked: what the directory does not show is found, within bounds, and can be stopped."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import anyio
import pytest

from crafted_zips import BuildInMemory, Member, craft
from executable_heads import pe
from pk_upload.archive.checks import Report, deep, preflight
from pk_upload.archive.checks.contents import PIECE
from pk_upload.errors import SourceUnreadable

pytestmark = pytest.mark.anyio

GAME = Member(content=pe(0x8664))
NOISE = random.Random(5).randbytes(3 * PIECE + 12_345)


async def unpack(content: bytes) -> tuple[Report, list[float]]:
    build = BuildInMemory(content)
    seen: list[float] = []
    report = await deep(build, preflight(build), on_progress=seen.append)
    return report, seen


async def found(*members: Member) -> list[tuple[str, str | None]]:
    report, _ = await unpack(craft(GAME, *members))
    return [(problem.code, problem.entry) for problem in report.problems]


async def test_a_good_build_is_good_throughout() -> None:
    members = [Member(b"%d" % n, NOISE[: n * 997], method=8 * (n % 2)) for n in range(300)]
    members += [Member(b"stored", NOISE), Member(b"packed", NOISE, method=8), Member(b"empty", b"", method=8)]
    members += [Member(b"nothing", b"", method=8, raw=b""), Member(b"zeros", bytes(9_000_000), method=8)]
    report, seen = await unpack(craft(GAME, *members))
    assert report.problems == ()
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 5


def deflated(content: bytes) -> bytes:
    return Member(content=content, method=8).data()


@pytest.mark.parametrize("content", [b"content" * 100, NOISE])
@pytest.mark.parametrize("method", [0, 8])
async def test_a_wrong_checksum_is_found(content: bytes, method: int) -> None:
    assert await found(Member(b"bad", content, method=method, crc=1)) == [("wrong-crc", "bad")]


@pytest.mark.parametrize("content", [b"content" * 100, NOISE])
async def test_a_wrong_size_is_found(content: bytes) -> None:
    for size in (len(content) - 1, len(content) + 1):
        assert await found(Member(b"bad", content, method=8, size=size)) == [("wrong-size", "bad")]


@pytest.mark.parametrize("content", [b"content" * 100, NOISE])
async def test_data_that_cannot_be_unpacked_is_found(content: bytes) -> None:
    packed = deflated(content)
    for raw in (b"\xff" + packed[1:], packed[:-1], packed + b"x"):
        assert await found(Member(b"bad", content, method=8, raw=raw)) == [("damaged-data", "bad")]


async def test_no_more_is_unpacked_than_the_directory_tells() -> None:
    packed = deflated(bytes(200_000_000))
    members = [Member(b"bomb", size=1000, crc=0, method=8, raw=packed)]
    members += [Member(b"large", size=150_000_000, crc=0, method=8, raw=packed)]
    content = craft(GAME, *members)
    tracemalloc.start()
    report, _ = await unpack(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [problem.entry for problem in report.problems if problem.code == "wrong-size"] == ["bomb", "large"]
    assert peak < 16 * PIECE


async def test_entries_that_overlap_are_not_unpacked() -> None:
    kernel = deflated(bytes(1_000_000))
    first = Member(b"0", bytes(1_000_000), method=8, raw=kernel)
    others = [
        Member(b"%d" % n, b"", size=1_000_000, method=8, raw=b"", packed=len(kernel), offset=0, crc=7)
        for n in range(1, 50)
    ]
    build = BuildInMemory(craft(first, *others, GAME))
    report = preflight(build)
    assert "overlap" in {problem.code for problem in report.errors}
    seen: list[float] = []
    assert await deep(build, report, on_progress=seen.append) == report
    assert seen == []


async def test_what_preflight_refuses_is_not_refused_twice() -> None:
    locked, odd = Member(b"locked", flags=1), Member(b"odd", method=12)
    far, long = Member(b"far", offset=10**9), Member(b"long", packed=500, size=500)
    expected = [("encrypted", "locked"), ("method", "odd"), ("out-of-file", "far"), ("out-of-file", "long")]
    assert sorted(await found(locked, odd, far, long)) == expected


async def test_what_is_no_zip_stays_that() -> None:
    report, seen = await unpack(b"no ZIP")
    assert [problem.code for problem in report.problems] == ["not-a-zip"]
    assert seen == []


@pytest.mark.parametrize(("count", "content"), [(10, NOISE), (10_000, NOISE[:1000])])
async def test_it_can_be_cancelled(count: int, content: bytes) -> None:
    build = BuildInMemory(craft(*(Member(b"%d" % n, content, method=8) for n in range(count))))
    build_report = preflight(build)
    before = build.bytes_read
    with anyio.CancelScope() as scope:
        await deep(build, build_report, on_progress=lambda _: scope.cancel())
    assert scope.cancelled_caught
    assert build.bytes_read - before < build.size / 2


async def test_a_disk_that_fails_ends_it() -> None:
    class Failing(BuildInMemory):
        fails = False

        def read_into(self, view: memoryview, offset: int) -> int:
            if self.fails and offset < PIECE:
                raise SourceUnreadable("the disk fails")
            return super().read_into(view, offset)

    build = Failing(craft(GAME, Member(b"stored", NOISE)))
    report = preflight(build)
    build.fails = True
    with pytest.raises(SourceUnreadable, match="the disk fails"):
        await deep(build, report, on_progress=lambda _: None)


async def test_strict_holds_for_the_content_too() -> None:
    build = BuildInMemory(craft(GAME, Member(b"bad", crc=zlib.crc32(b"other"))))
    report = await deep(build, preflight(build, strict=True), on_progress=lambda _: None)
    assert [problem.code for problem in report.errors] == ["wrong-crc"]
    assert report.meant_for("linux_x86_64").errors[0].code == "wrong-crc"
