"""What is driven by the fuzzer: takes any bytes, and raises if anything is wrong with how they are judged."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from unittest import mock

import anyio

from fuzz.in_memory import InMemory
from pk_upload.archive.build import read
from pk_upload.archive.checks import Report, collisions, contents, deep, entries, window
from pk_upload.archive.checks import preflight as inspect
from pk_upload.archive.checks.executables import HEAD, recognise
from pk_upload.archive.checks.launching import Launching
from pk_upload.archive.checks.links import HOPS, LONGEST, PARTS, leaves
from pk_upload.archive.checks.platforms import judge
from pk_upload.archive.directory import directory_digest
from pk_upload.archive.problems import RULES

__all__ = ["TARGETS"]

PLATFORMS = [
    None, "windows_x86", "windows_x86_64", "mac_x86", "mac_x86_64", "mac_arm64", "linux_x86", "linux_x86_64",
    "other",
]  # fmt: skip
# Bytes read of any build, and for each entry: windows onto headers and contents.
READ, READ_EACH = 4 * 1024 * 1024, 256 * 1024
MOST_UNPACKED = 1 << 24  # bytes; more would only take time


def preflight(data: bytes) -> None:
    """A ZIP is judged without an exception; one without errors is a good one to others, too."""
    build = InMemory(data)
    platform = PLATFORMS[zlib.crc32(data) % len(PLATFORMS)]
    report = inspect(build, platform=platform)
    assert build.was_read <= READ + READ_EACH * report.entries + 4 * len(data), build.was_read
    _look_at(report, data)
    with _small_pieces():
        again = inspect(InMemory(data), platform=platform, strict=True)
    assert not again.warnings
    assert _told(again) == _told(report)
    assert len(directory_digest(partial(read, build), build.size)) == 64
    if not report.errors:
        _compare(report, data)


SMALL = {
    collisions: {"BUCKET": 3},
    contents: {"PIECE": 64, "FED": 16, "BATCH_SIZE": 100, "BATCH_COUNT": 2},
    entries: {"PIECE": 48},
    window: {"NEAR": 64, "NARROW": 40},
}
"""In pieces so small that a small archive is read in several of them."""


@contextmanager
def _small_pieces() -> Iterator[None]:
    with ExitStack() as stack:
        for module, sizes in SMALL.items():
            for name, size in sizes.items():
                stack.enter_context(mock.patch.object(module, name, size))
        yield


def _told(report: Report) -> list[tuple[str, str, str]]:
    return sorted((problem.code, str(problem.entry), problem.message) for problem in report.problems)


def _look_at(report: Report, data: bytes) -> None:
    told = report.to_dict()
    assert list(told) == ["source", "format", "entries", "size", "problems"]
    assert told["size"] == len(data)
    assert json.dumps(told).isascii()
    assert len(report.problems) <= 1001 * len(RULES)
    for problem in report.problems:
        assert problem.code in RULES
        assert problem.message.isprintable(), problem
        assert problem.entry is None or problem.entry.isprintable(), problem


def _compare(report: Report, data: bytes) -> None:
    """With what Python's own readers make of an archive that has no errors."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    found = archive.infolist()
    files = [entry for entry in found if not entry.is_dir()]
    assert (report.entries, report.files) == (len(found), len(files))
    assert report.unpacked == sum(entry.file_size for entry in files)
    if sum(entry.file_size for entry in found) > MOST_UNPACKED:
        return
    looked = anyio.run(partial(deep, InMemory(data), report, on_progress=lambda _: None))
    with _small_pieces():
        again = anyio.run(partial(deep, InMemory(data), report, on_progress=lambda _: None))
    assert _told(again) == _told(looked)
    damaged = [entry for entry in found if not _is_sound(entry, data)]
    assert len(looked.errors) == len(damaged), (looked.errors, damaged)
    if not damaged:
        assert archive.testzip() is None


def _is_sound(entry: zipfile.ZipInfo, data: bytes) -> bool:
    """Whether the content is what was packed, the whole of it and nothing else."""
    named, extras = struct.unpack_from("<2H", data, entry.header_offset + 26)
    start = entry.header_offset + 30 + named + extras
    content = data[start : start + entry.compress_size]
    if entry.compress_type == zipfile.ZIP_DEFLATED and (content or entry.file_size):
        inflater = zlib.decompressobj(-15)
        try:
            content = inflater.decompress(content)
        except zlib.error:
            return False
        if not inflater.eof or inflater.unused_data:
            return False
    return (len(content), zlib.crc32(content)) == (entry.file_size, entry.CRC)


def executables(data: bytes) -> None:
    found = recognise(data)
    assert recognise(data[:HEAD]) == found or len(data) > HEAD
    assert found is None or all(name.isascii() for name in found.architectures)


def launching(data: bytes) -> None:
    """Lines of a name, a zero and the content of that file."""
    files = [(name.decode("latin-1"), content) for name, _, content in _halves(data)]
    launching: Launching[bytes] = Launching()
    for name, content in files:
        launching.see(name, len(content), (None, 0o100755, 0o120777)[len(name) % 3], content)
    launch = launching.look(lambda content, most: content[:most])
    for platform in PLATFORMS:
        for code, _, message in judge(launch, platform):
            assert RULES[code].severity == "warning"
            assert message.isprintable()


def links(data: bytes) -> None:
    """Lines of a link, a zero and its target: followed as another, simpler way to follow them says."""
    targets = {link.decode("latin-1"): target.decode("latin-1") for link, _, target in _halves(data)}
    slashes = {link: target.replace("\\", "/") for link, target in targets.items()}
    for link in targets:
        found = leaves(link, targets)
        expected = _rewritten(link, targets), _rewritten(link, slashes)
        assert None in expected or found is any(expected), (link, targets)


def _rewritten(link: str, targets: Mapping[str, str]) -> bool | None:
    """Replaces the first link or ".." of a path again and again; `None` where that grows too long."""
    target = targets[link]
    parts = [*link.split("/")[:-1], *target.split("/")]
    hops, passed = 1, len(parts)
    while not _leads_out(target) and hops <= HOPS:
        parts = [part for part in parts if part not in ("", ".")]
        if passed >= PARTS or len("/".join(parts)) > LONGEST:
            return None
        paths = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        first = next((at for at, path in enumerate(paths) if parts[at] == ".." or path in targets), None)
        if first is None:
            return False
        if parts[first] != "..":
            target = targets[paths[first]]
            parts[first : first + 1] = target.split("/")
            hops, passed = hops + 1, passed + target.count("/") + 1
        elif first == 0:
            return True
        else:
            del parts[first - 1 : first + 1]
    return True


def _leads_out(target: str) -> bool:
    return target.startswith("/") or (target[1:2] == ":" and target[0].isascii() and target[0].isalpha())


def _halves(data: bytes) -> list[tuple[bytes, bytes, bytes]]:
    return [line.partition(b"\0") for line in data.split(b"\n")[:50]]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "preflight": preflight,
    "executables": executables,
    "links": links,
    "launching": launching,
}
