"""Preflight: each problem has its code and names its entry, all are told at once, and none is made up."""

from __future__ import annotations

import json
import struct
import sys
from typing import Any

import pytest

from crafted_zips import DATE, FULL, BuildInMemory, Member, craft, link, record, unix
from executable_heads import pe
from pk_upload.archive.checks import Report, entries, preflight, refuse
from pk_upload.archive.checks.findings import KEPT, printable
from pk_upload.archive.problems import RULES
from pk_upload.errors import PreflightFailed

GAME = Member(content=pe(0x8664))


def look(*members: Member, **how: Any) -> Report:
    return preflight(BuildInMemory(craft(*members, **how)))


def codes(report: Report) -> list[tuple[str, str | None]]:
    return [(problem.code, problem.entry) for problem in report.problems]


def test_a_good_build_has_no_problems() -> None:
    folder, data = Member(b"data/", b""), Member(b"data/level.bin", b"x" * 1000, method=8)
    report = look(GAME, folder, data)
    assert report.problems == ()
    assert (report.format, report.entries, report.files) == ("zip", 3, 2)
    assert report.unpacked == len(GAME.content) + 1000
    refuse(report)


def zip64_field(*numbers: int) -> bytes:
    return struct.pack(f"<2H{len(numbers)}Q", 1, 8 * len(numbers), *numbers)


def large(name: bytes, content: bytes, **others: Any) -> Member:
    """With both sizes in a ZIP64 field, here and there."""
    field = zip64_field(len(content), len(content))
    local = {"size": FULL, "packed": FULL, "extra": field}
    return Member(name, content, size=FULL, packed=FULL, extra=field, local=local, raw=content, **others)


def test_zip64_numbers_are_found_wherever_they_stand() -> None:
    assert look(GAME, large(b"large", b"much"), zip64=True).problems == ()
    far = Member(b"far", offset=FULL, extra=zip64_field(len(craft(GAME)) - len(record(GAME, 0)) - 22))
    assert look(GAME, far).problems == ()


WRONG_ZIP64 = {"size": FULL, "packed": FULL, "extra": zip64_field(7, 8)}
ENTRY_PROBLEMS = [
    ("method", Member(b"bad", method=9)),
    ("method", Member(b"bad", method=12)),
    ("method", Member(b"bad", method=77)),
    ("version", Member(b"bad", version=64)),
    ("encrypted", Member(b"bad", flags=1)),
    ("encrypted", Member(b"bad", flags=1 << 6 | 1)),
    ("impossible-size", Member(b"bad", b"12345", method=0, raw=b"1234")),
    ("impossible-size", Member(b"bad", bytes(10), method=8, size=100_000)),
    ("timestamp", Member(b"bad", date=0)),
    ("timestamp", Member(b"bad", date=DATE & ~0x1E0)),
    ("timestamp", Member(b"bad", date=0x21, extra=struct.pack("<2HBl", 0x5455, 5, 1, 12345))),
    ("timestamp", Member(b"bad", date=0x21, extra=struct.pack("<2H4x2HQ", 10, 16, 1, 24, 10**15))),
    ("folder-with-content", Member(b"bad/")),
    ("special-file", unix(b"bad", b"", 0o020644)),
    ("special-file", unix(b"bad", b"", 0o010644)),
    ("high-ratio", Member(b"bad", bytes(11_000_000), method=8)),
    ("empty-name", Member(b"")),
    ("name-too-long", Member(b"x/" * 2048 + b"x")),
    ("long-path", Member(b"/".join([b"folder"] * 40))),
    ("long-path", Member(b"x" * 256)),
    ("absolute-path", Member(b"/bad")),
    ("absolute-path", Member(b"/bad/bad")),
    ("drive-letter", Member(b"C:bad")),
    ("drive-letter", Member(b"c:/bad")),
    ("parent-path", Member(b"../bad")),
    ("parent-path", Member(b"bad/..")),
    ("parent-path", Member(b"bad/../bad")),
    ("parent-path", Member(b"bad/../")),
    ("backslash", Member(b"bad\\bad")),
    ("backslash", Member(b"bad\\bad/bad")),
    ("control-character", Member(b"bad\0")),
    ("control-character", Member(b"bad\x1f/bad")),
    ("control-character", Member(b"\x7f")),
    ("invalid-utf8", Member(b"bad\xff", flags=1 << 11)),
    ("unclean-path", Member(b"./bad")),
    ("unclean-path", Member(b"bad//bad")),
    ("unclean-path", Member(b"bad/./bad")),
    ("non-ascii", Member("bäd".encode(), flags=1 << 11)),
    ("non-ascii", Member("bäd/bad".encode(), flags=1 << 11)),
    ("non-ascii", Member(b"b\x84d")),
    ("windows-name", Member(b"con")),
    ("windows-name", Member(b"bad/Aux.txt")),
    ("windows-name", Member(b"LPT1/bad")),
    ("windows-name", Member("com¹".encode(), flags=1 << 11)),
    ("windows-name", Member(b"bad.")),
    ("windows-name", Member(b"bad /bad")),
    ("windows-name", Member(b"bad?")),
    ("macos-junk", Member(b"__MACOSX/bad")),
    ("macos-junk", Member(b"bad/.DS_Store")),
    ("out-of-file", Member(b"bad", offset=1_000_000)),
    ("out-of-file", Member(b"bad", offset=FULL, extra=zip64_field(2**64 - 1))),
    ("out-of-file", Member(b"bad", offset=FULL - 1)),
    ("out-of-file", Member(b"bad", packed=500, size=500)),
    ("local-header", Member(b"bad", offset=1)),
    ("local-header", Member(b"b\x84d", local={"flags": 1 << 11})),
    ("local-header", Member(b"bad", size=FULL, packed=FULL, extra=zip64_field(7, 7), local=WRONG_ZIP64)),
    ("local-header", Member(b"bad", local={"name": b"god"})),
    ("local-header", Member(b"bad", local={"method": 8})),
    ("local-header", Member(b"bad", local={"crc": 1})),
    ("local-header", Member(b"bad", local={"size": 1})),
    ("local-header", Member(b"bad", local={"flags": 1})),
    ("local-header", Member(b"bad", flags=8, local={"crc": 0, "packed": 0, "size": 0})),
    ("local-header", Member(b"bad", local={"size": FULL, "packed": FULL, "extra": zip64_field(7, 8)})),
    ("damaged-entry", Member(b"bad", size=FULL)),
    ("damaged-entry", Member(b"bad", disk=1)),
    ("damaged-entry", Member(b"bad", extra=b"\xff\xff\1\0")),
    ("damaged-link", link(b"bad", b"")),
    ("damaged-link", link(b"bad", b"x" * 5000)),
    ("damaged-link", link(b"bad", b"target", method=8, raw=b"\xff\xff", packed=2)),
    ("link-leaves", link(b"bad", b"../outside")),
    ("link-leaves", link(b"bad", b"/etc/passwd", method=8)),
]


@pytest.mark.parametrize(("code", "member"), ENTRY_PROBLEMS)
def test_a_bad_entry_is_named_with_its_code(code: str, member: Member) -> None:
    report = look(GAME, member)
    found = {problem.code: problem for problem in report.problems}
    assert code in found, report.problems
    encoding = "utf-8" if member.flags & 1 << 11 else "cp437"
    name = member.name.decode(encoding, "backslashreplace")
    folder, slash, _ = name.partition("/")
    # What is wrong with a folder's own name is told of the folder.
    assert found[code].entry in {printable(name), printable(folder + slash)}
    assert found[code].severity == RULES[code].severity
    assert found[code].hint
    json.dumps(report.to_dict())


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("not-a-zip", b"no ZIP"),
        ("truncated", craft(GAME)[:-5]),
        ("several-disks", craft(GAME, disk=1)),
        ("damaged-directory", craft(GAME, entries=2)),
        ("damaged-directory", craft(GAME, entries=0)),
        ("damaged-directory", craft(GAME).replace(b"PK\1\2", b"PK\1\1")),
        ("damaged-directory", craft(GAME, size=20)),
        ("no-files", craft()),
        ("no-files", craft(Member(b"folder/", b""))),
        ("leading-bytes", b"#!/bin/sh\n" + craft(GAME)),
        ("trailing-bytes", craft(GAME) + b"\0"),
        ("unused-bytes", craft(GAME, gap=b"gap")),
        ("unused-bytes", craft(Member(b"a", after=b"gap"), GAME)),
    ],
)
def test_a_bad_archive_is_told_with_its_code(code: str, content: bytes) -> None:
    report = preflight(BuildInMemory(content))
    assert code in {problem.code for problem in report.problems}
    assert (report.format is None) == (code == "not-a-zip")
    assert report.size == len(content)


def test_of_a_part_of_an_archive_nothing_else_is_said() -> None:
    inner = craft(Member(b"inner"))
    outer = craft(Member(b"data.zip", inner), GAME)
    cut = outer[: outer.index(inner) + len(inner)]
    assert codes(preflight(BuildInMemory(cut))) == [("truncated", None)]


def test_entries_that_overlap_are_named_in_pairs() -> None:
    report = look(GAME, Member(b"twin", offset=0, local={"name": b"game.exe"}))
    assert ("overlap", "twin") in codes(report)
    assert "it overlaps game.exe" in str([problem.message for problem in report.problems])


def test_entries_in_any_order_do_not_overlap() -> None:
    one, other = Member(b"one", b"1"), Member(b"other", b"2")
    first = 30 + len(GAME.name) + len(GAME.content)
    body = craft(GAME, one, other)
    backwards = record(other, first + 34) + record(one, first) + record(GAME, 0)
    start = body.index(b"PK\1\2")
    content = body[:start] + backwards + body[start + len(backwards) :]
    assert preflight(BuildInMemory(content)).problems == ()


def test_every_problem_is_told_and_not_only_the_first() -> None:
    report = look(Member(b"/abs"), Member(b"a\\b", method=9, flags=1), Member(b"../up"), link(b"out", b".."))
    assert set(codes(report)) >= {
        ("absolute-path", "/abs"),
        ("backslash", "a\\b"),
        ("method", "a\\b"),
        ("encrypted", "a\\b"),
        ("parent-path", "../up"),
        ("link-leaves", "out"),
    }


def test_deflate64_is_told_by_name() -> None:
    report = look(GAME, Member(b"bad", method=9))
    assert "DEFLATE64" in report.problems[0].message


@pytest.mark.parametrize("prefix", [b"", b"#!/bin/sh\n" * 100_000])
def test_a_self_extractor_is_read_as_any_other(prefix: bytes) -> None:
    content = prefix + craft(GAME, Member(b"data/level", method=8), large(b"large", b"x"), zip64=True)
    report = preflight(BuildInMemory(content))
    assert [problem.code for problem in report.problems] == (["leading-bytes"] if prefix else [])


DESCRIBED = {"crc": 0, "packed": 0, "size": 0}


@pytest.mark.parametrize("magic", [b"PK\7\x08", b""])
@pytest.mark.parametrize("layout", ["<3L", "<L2Q"])
@pytest.mark.parametrize("content", [b"", b"content"])
def test_descriptors_of_any_kind_are_part_of_the_entry(magic: bytes, layout: str, content: bytes) -> None:
    member = Member(b"described", content, flags=8, local=DESCRIBED)
    values = member.values()
    member.after = magic + struct.pack(layout, values["crc"], values["packed"], values["size"])
    assert look(member, GAME).problems == ()
    member.after = member.after[:-1] + b"\1"
    # That of an empty entry is not needed: it says what the local header does.
    expected = ("local-header", "described") if content else ("unused-bytes", None)
    assert expected in codes(look(member, GAME))


def test_headers_may_differ_in_what_nobody_reads() -> None:
    local = {"flags": 1 << 11 | 1 << 1, "date": DATE + 1, "extra": b"\xff\xff\0\0"}
    assert look(GAME, Member(b"data", local=local)).problems == ()


def test_a_descriptor_that_nobody_needs_may_be_missing() -> None:
    assert look(Member(b"described", flags=8), GAME).problems == ()


def test_warnings_are_errors_if_it_is_strict() -> None:
    content = craft(GAME, Member(b"aux"))
    assert not preflight(BuildInMemory(content)).errors
    strict = preflight(BuildInMemory(content), strict=True)
    assert [problem.code for problem in strict.errors] == ["windows-name"]
    assert not strict.warnings


def test_the_platform_may_be_told_later() -> None:
    report = preflight(BuildInMemory(craft(GAME)), platform="windows_x86_64")
    assert report.problems == ()
    other = report.meant_for("linux_x86_64")
    assert other.problems
    assert other == preflight(BuildInMemory(craft(GAME)), platform="linux_x86_64")
    assert other.meant_for("windows_x86_64") == report
    strict = preflight(BuildInMemory(craft(GAME)), strict=True)
    assert strict.meant_for("linux_x86_64").errors


def test_the_json_form_has_five_keys() -> None:
    found = look(GAME, Member(b"bad\x07", method=9)).to_dict()
    assert list(found) == ["source", "format", "entries", "size", "problems"]
    assert [*found["problems"][0]] == ["code", "severity", "entry", "message", "hint"]
    assert json.loads(json.dumps(found)) == found
    assert {problem["entry"] for problem in found["problems"]} == {"bad\\x07"}


def test_no_more_than_some_problems_of_a_kind_are_kept() -> None:
    report = look(*(Member(b"%d" % number, method=9, flags=1) for number in range(KEPT + 500)))
    for code in ("method", "encrypted"):
        kept = [problem for problem in report.problems if problem.code == code]
        assert len(kept) == KEPT + 1
        assert kept[-1].message == "and 500 more such"
        assert report.problems.index(kept[-1]) - report.problems.index(kept[0]) == KEPT


def test_an_archive_of_too_many_entries_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "MOST_ENTRIES", 10)
    assert not look(GAME, *(Member(b"%d" % number) for number in range(9))).errors
    report = look(GAME, *(Member(b"%d" % number) for number in range(10)))
    assert codes(report) == [("too-many-entries", None)]


def test_endless_names_are_not_compared() -> None:
    endless = Member(b"x" * 5000)
    assert {code for code, _ in codes(look(GAME, endless, endless))} == {"name-too-long"}


def test_a_directory_beyond_all_measure_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["pk_upload.archive.checks.preflight"], "MOST_BYTES", 100)
    assert look(GAME).problems == ()
    report = look(GAME, Member(b"second"))
    assert codes(report) == [("too-many-entries", None)]
    assert report.entries == 0


def test_what_is_refused_is_named() -> None:
    with pytest.raises(
        PreflightFailed, match=r"build.zip: bad: it is packed with the method BZIP2"
    ) as caught:
        refuse(look(GAME, Member(b"bad", method=12)))
    assert caught.value.hint == RULES["method"].hint
    with pytest.raises(PreflightFailed) as caught:
        refuse(look(*(Member(b"%d" % number, method=9) for number in range(30))))
    message = str(caught.value)
    assert message.startswith("build.zip has 30 errors: 0: it is packed with")
    assert message.count("; the service takes STORE") == 10
    assert message.endswith("; and 20 more")
    assert "pk-upload check build.zip" in caught.value.hint


def test_every_rule_says_what_to_do() -> None:
    for code, rule in RULES.items():
        assert code == code.lower().replace(" ", "-").replace("_", "-")
        assert rule.hint.endswith((".", '"', "zip"))
        assert rule.severity in ("error", "warning")


def test_names_from_unix_are_read_as_they_were_written() -> None:
    """Info-ZIP does not say that they are UTF-8; only what is none is taken for the code page of DOS."""
    upper, lower = "Ä.txt".encode(), "ä.txt".encode()
    report = look(GAME, unix(upper), unix(lower))
    assert ("case-collision", "ä.txt") in codes(report)
    assert ("non-ascii", "Ä.txt") in codes(report)
    assert ("non-ascii", "Ä.txt".encode().decode("cp437")) in codes(look(GAME, Member(upper)))
    assert ("non-ascii", b"caf\x82".decode("cp437")) in codes(look(GAME, unix(b"caf\x82")))


def test_a_link_is_followed_through_names_that_are_not_marked_as_utf_8() -> None:
    report = look(GAME, unix(b"dir/file"), link("dir/ü".encode(), b".."), link(b"x", "dir/ü/..".encode()))
    assert ("link-leaves", "x") in codes(report)


def test_macos_has_modes_and_links_as_unix_has() -> None:
    made_by = 19 << 8 | 20
    out = Member(b"out", b"../../etc/passwd", made_by=made_by, mode=0o120777)
    assert ("link-leaves", "out") in codes(look(GAME, out))


def test_a_link_to_what_is_not_there_is_told_of() -> None:
    links = (
        link(b"lib/gone.so", b"gone.so.1"),
        link(b"lib/real.so", b"real.so.1"),
        link(b"folder", b"lib"),
        link(b"chain", b"folder/real.so"),
        link(b"here", b"."),
    )
    report = look(GAME, unix(b"lib/real.so.1"), *links)
    assert codes(report) == [("dangling-link", "lib/gone.so")]
    assert "lib/gone.so.1" in report.problems[0].message


def test_a_folder_with_a_bad_name_is_told_of_once() -> None:
    name = "ä/ö".encode()
    report = look(GAME, Member(name, flags=1 << 11), Member(name + b"2", flags=1 << 11))
    assert codes(report) == [("non-ascii", "ä/"), ("non-ascii", "ä/ö"), ("non-ascii", "ä/ö2")]


def test_the_hint_is_a_command_to_paste() -> None:
    report = preflight(BuildInMemory(craft(Member(b"../a"), Member(b"../b")), "my build.zip"), strict=True)
    with pytest.raises(PreflightFailed) as caught:
        refuse(report)
    assert "`pk-upload check 'my build.zip' --strict --verbose`" in caught.value.hint
