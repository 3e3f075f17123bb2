"""What would be started of a build, and whether the platform could: over the layouts that engines make."""

from __future__ import annotations

import plistlib
import stat
import struct
import tracemalloc
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executable_heads import elf, fat, mach_o, pe
from pk_upload.archive.checks.executables import HEAD
from pk_upload.archive.checks.launching import BUNDLES, FILES, XML_LIST, Launch, Launching
from pk_upload.archive.checks.platforms import NAMED, judge

WINDOWS, WINDOWS_32, DLL = pe(0x8664), pe(0x14C), pe(0x8664, traits=0x2022)
LINUX, LINUX_32, LIBRARY = elf(62, kind=3), elf(3, bits=32), elf(62, kind=3, segments=(1, 2))
MAC, MAC_ARM, MAC_32 = mach_o(0x01000007), mach_o(0x0100000C), mach_o(7)
UNIVERSAL = fat((0x01000007, 0x0100000C))
SCRIPT, DATA = b"#!/bin/sh\n", b"some data"
INFO = plistlib.dumps({"CFBundleName": "Game", "CFBundleExecutable": "Game"})
MARKED = stat.S_IFREG | 0o755
PLAIN = stat.S_IFREG | 0o644
WINDOWS_PLATFORMS, LINUX_PLATFORMS = ["windows_x86", "windows_x86_64"], ["linux_x86", "linux_x86_64"]
MAC_PLATFORMS = ["mac_x86", "mac_x86_64", "mac_arm64"]
PLATFORMS = [*WINDOWS_PLATFORMS, *LINUX_PLATFORMS, *MAC_PLATFORMS, "other", None]

Files = Mapping[str, bytes]


def look(files: Files, mode: int | None = MARKED) -> Launch:
    launching: Launching[str] = Launching()
    for name, content in files.items():
        launching.see(name, len(content), mode, name)
    return launching.look(lambda name, most: files[name][:most])


def found(files: Files, platform: str | None, mode: int | None = MARKED) -> list[tuple[str, str | None]]:
    return [(code, entry) for code, entry, _ in judge(look(files, mode), platform)]


def messages(files: Files, platform: str | None, mode: int | None = MARKED) -> str:
    return "\n".join(message for _, _, message in judge(look(files, mode), platform))


def app(program: bytes, name: str = "Game.app", info: bytes = INFO) -> dict[str, bytes]:
    return {
        f"{name}/Contents/Info.plist": info,
        f"{name}/Contents/MacOS/Game": program,
        f"{name}/Contents/Resources/Data/level0": DATA,
        f"{name}/Contents/Frameworks/UnityPlayer.dylib": MAC,
    }


UNITY_WINDOWS = {
    "Game.exe": WINDOWS,
    "UnityPlayer.dll": DLL,
    "Game_Data/Managed/mscorlib.dll": DLL,
    "Game_Data/app.info": DATA,
    "MonoBleedingEdge/EmbedRuntime/mono-2.0-bdwgc.dll": DLL,
    "D3D12/D3D12Core.dll": DLL,
}
UNREAL_WINDOWS = {
    "Game.exe": WINDOWS,
    "Manifest_NonUFSFiles_Win64.txt": DATA,
    "Engine/Extras/Redist/en-us/UEPrereqSetup_x64.exe": WINDOWS_32,
    "Engine/Binaries/Win64/CrashReportClient.exe": WINDOWS,
    "Game/Binaries/Win64/Game-Win64-Shipping.exe": WINDOWS,
    "Game/Content/Paks/Game-WindowsNoEditor.pak": DATA,
}
GODOT_WINDOWS = {"Game.exe": WINDOWS, "Game.pck": DATA, "libsteam.windows.x86_64.dll": DLL}
UNITY_LINUX = {"Game.x86_64": LINUX, "UnityPlayer.so": LIBRARY, "Game_Data/Plugins/lib.so": LIBRARY}
UNREAL_LINUX = {"Game.sh": SCRIPT, "Engine/Binaries/Linux/Tool": LINUX, "Game/Binaries/Linux/Game": LINUX}
GODOT_LINUX = {"Game.x86_64": elf(62), "Game.pck": DATA, "libsteam_api.so.1": LIBRARY, "LICENSE": DATA}
MACS = {
    **app(UNIVERSAL),
    "__MACOSX/Game.app/Contents/MacOS/._Game": DATA,
    ".DS_Store": DATA,
}


@pytest.mark.parametrize("build", [UNITY_WINDOWS, UNREAL_WINDOWS, GODOT_WINDOWS])
def test_usual_builds_for_windows_are_fine(build: Files) -> None:
    for mode in (None, PLAIN, MARKED):
        assert not found(build, "windows_x86_64", mode)
        assert not found(build, None, mode)
    assert found(build, "windows_x86") == [("wrong-architecture", "Game.exe")]


@pytest.mark.parametrize("build", [UNITY_LINUX, UNREAL_LINUX, GODOT_LINUX])
def test_usual_builds_for_linux_are_fine(build: Files) -> None:
    assert not found(build, "linux_x86_64")
    assert not found(build, None)
    name = next(iter(build))
    assert found(build, "linux_x86_64", PLAIN) == [("not-executable", name)]
    assert found(build, "linux_x86_64", None) == [("not-executable", name)]


def test_a_usual_build_for_macos_is_fine() -> None:
    for platform in ("mac_x86_64", "mac_arm64", None):
        assert not found(MACS, platform)
    assert found(MACS, "mac_arm64", PLAIN) == [("not-executable", "Game.app/Contents/MacOS/Game")]


def test_the_crash_handler_beside_the_game_is_named() -> None:
    build = UNITY_WINDOWS | {"UnityCrashHandler64.exe": WINDOWS}
    for platform in ("windows_x86_64", None):
        assert found(build, platform) == [("several-executables", None)]
        assert "Game.exe, UnityCrashHandler64.exe" in messages(build, platform)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_nothing_to_start(platform: str | None) -> None:
    build = {"readme.txt": DATA, "game.dll": DLL, "lib.so.2": LIBRARY, "code": DLL, "library": LIBRARY}
    build |= {"bin/game.exe": WINDOWS, "bin/game": LINUX, "maps/island.app": MAC, "empty.exe": b""}
    assert found(build, platform) == ([] if platform == "other" else [("no-executable", None)])


def test_what_is_not_named_like_a_program_is_none() -> None:
    build = {"Game.x86_64": LINUX, "libc.so.6": LINUX, "notes.txt": SCRIPT, "Game.debug": LINUX}
    assert not found(build, "linux_x86_64")
    assert found({"saver.scr": WINDOWS}, "windows_x86_64") == [("no-executable", None)]


def test_what_is_only_named_like_a_program_is_told() -> None:
    build = {"Game.exe": b"version https://git-lfs.github.com/spec/v1\n", "data": DATA}
    assert "Game.exe" in messages(build, "windows_x86_64")
    assert found(build, "windows_x86_64") == [("no-executable", None)]


@pytest.mark.parametrize(
    ("build", "platform", "entry"),
    [
        (UNITY_WINDOWS, "linux_x86_64", "Game.exe"),
        (UNITY_WINDOWS, "mac_arm64", "Game.exe"),
        (UNITY_LINUX, "windows_x86_64", "Game.x86_64"),
        (UNREAL_LINUX, "windows_x86_64", "Game.sh"),
        (UNITY_LINUX, "mac_x86_64", "Game.x86_64"),
        (MACS, "windows_x86", "Game.app"),
        (MACS, "linux_x86", "Game.app"),
        ({"game": MAC}, "linux_x86_64", "game"),
        (UNITY_WINDOWS | UNITY_LINUX, "mac_x86", None),
    ],
)
def test_a_build_for_another_system(build: Files, platform: str, entry: str | None) -> None:
    assert found(build, platform) == [("wrong-platform", entry)]


def test_programs_of_other_systems_beside_the_right_one_are_let_be() -> None:
    build = UNITY_WINDOWS | UNITY_LINUX | MACS
    for platform in ("windows_x86_64", "linux_x86_64", "mac_arm64", None):
        assert not found(build, platform)


@pytest.mark.parametrize(
    ("program", "platform", "runs"),
    [
        (WINDOWS_32, "windows_x86", True),
        (WINDOWS_32, "windows_x86_64", True),
        (WINDOWS, "windows_x86", False),
        (pe(0xAA64), "windows_x86_64", False),
        (LINUX_32, "linux_x86", True),
        (LINUX_32, "linux_x86_64", True),
        (LINUX, "linux_x86", False),
        (elf(183), "linux_x86_64", False),
        (MAC, "mac_x86_64", True),
        (MAC, "mac_arm64", True),
        (MAC, "mac_x86", False),
        (MAC_32, "mac_x86", True),
        (MAC_32, "mac_x86_64", False),
        (MAC_32, "mac_arm64", False),
        (MAC_ARM, "mac_arm64", True),
        (MAC_ARM, "mac_x86_64", False),
        (UNIVERSAL, "mac_x86_64", True),
        (UNIVERSAL, "mac_x86", False),
        (fat((7, 18)), "mac_x86", True),
        (SCRIPT, "linux_x86", True),
    ],
)
def test_architectures(program: bytes, platform: str, runs: bool) -> None:
    build = app(program) if platform.startswith("mac") else {"Game.exe": program}
    codes = [code for code, _ in found(build, platform)]
    assert codes == ([] if runs else ["wrong-architecture"])


@pytest.mark.parametrize("program", [WINDOWS, LINUX])
def test_a_bundle_with_a_program_of_another_system(program: bytes) -> None:
    assert found(app(program), "mac_arm64") == [("wrong-platform", "Game.app/Contents/MacOS/Game")]


def test_a_folder_around_the_build() -> None:
    builds = {"windows_x86_64": UNITY_WINDOWS, "linux_x86_64": UNITY_LINUX, "mac_arm64": MACS}
    for platform, build in builds.items():
        around = {f"My Game/{name}": content for name, content in build.items() if not name.startswith("__")}
        around |= {"__MACOSX/My Game/._Game": DATA, ".DS_Store": DATA}
        assert found(around, platform) == found(around, None) == [("single-folder", None)]
        assert "My Game" in messages(around, platform)
        dotted = {f"./{name}": content for name, content in around.items()}
        assert found(dotted, platform) == [("single-folder", None)]
        assert "no-executable" in str(found(around | {"readme.txt": DATA}, platform))


def test_a_folder_around_the_build_hides_nothing_else() -> None:
    build = {"Game/Game.exe": WINDOWS, "Game/Crash.exe": WINDOWS}
    assert found(build, "windows_x86") == [
        ("single-folder", None), ("several-executables", None), ("wrong-architecture", "Game/Game.exe"),
        ("wrong-architecture", "Game/Crash.exe"),
    ]  # fmt: skip
    assert found({"Game/Bin/Game.exe": WINDOWS}, "windows_x86") == [("no-executable", None)]
    assert found({"Game/Game.exe": WINDOWS}, "linux_x86") == [("wrong-platform", "Game/Game.exe")]


def test_scripts_count_where_they_are_marked_or_alone() -> None:
    build = {"start.sh": SCRIPT, "tools.py": SCRIPT}
    assert found(build, "linux_x86_64") == [("several-executables", None)]
    assert found(build, "linux_x86_64", PLAIN) == [("no-executable", None)]
    assert found(build, "windows_x86_64", PLAIN) == [("no-executable", None)]
    build = UNITY_LINUX | {"tools.py": SCRIPT}
    assert found(build, "linux_x86_64", PLAIN) == [("not-executable", "Game.x86_64")]


def test_modes_are_told() -> None:
    assert "0644" in messages(UNITY_LINUX, "linux_x86_64", PLAIN)
    assert "made where there are no such marks" in messages(UNITY_LINUX, "linux_x86_64", None)
    assert "made where there are no such marks" in messages(UNITY_LINUX, "linux_x86_64", 0)


def test_the_list_of_a_bundle_tells_its_program() -> None:
    build = app(MAC) | {"Game.app/Contents/MacOS/helper": MAC_32}
    assert not found(build, "mac_x86_64")
    binary = plistlib.dumps({"CFBundleExecutable": "HELPER"}, fmt=plistlib.FMT_BINARY)
    build["Game.app/Contents/Info.plist"] = binary
    assert found(build, "mac_x86_64") == [("wrong-architecture", "Game.app/Contents/MacOS/helper")]
    build["Game.app/Contents/Info.plist"] = plistlib.dumps({"CFBundleExecutable": "gone"})
    assert found(build, "mac_x86_64") == found(build, None) == [("no-executable", "Game.app")]
    assert "gone" in messages(build, "mac_x86_64")
    assert found(build, "windows_x86_64") == [("wrong-platform", "Game.app")]


def test_an_accent_may_be_put_in_two_ways() -> None:
    build = {
        "Été.app/Contents/Info.plist": plistlib.dumps({"CFBundleExecutable": "E\u0301te\u0301"}),
        "Été.app/Contents/MacOS/\u00c9t\u00e9": MAC,
        "Été.app/Contents/MacOS/other": MAC_32,
    }
    assert not found(build, "mac_x86_64")


HOSTILE_LISTS = [
    b"",
    DATA,
    plistlib.dumps(["no", "dictionary"]),
    plistlib.dumps({"CFBundleExecutable": 7}),
    plistlib.dumps({"CFBundleExecutable": "../../../bin/sh"}),
    b"<plist>" + b"<array>" * 30000,
    b'<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><plist><string>&b;</string></plist>',
    b"<plist><dict><integer>" + b"9" * 20000 + b"</integer></dict></plist>",
    b"bplist00" + b"\xdf" * 100 + bytes(32),
    b"bplist00" + b"\xa1\0" + b"\x08" + struct.pack(">6xBBQQQ", 1, 1, 1, 0, 10),  # an array that holds itself
    b"bplist00" + struct.pack(">6xBBQQQ", 8, 8, 2**60, 0, 8),
    b"bplist00" + bytes(5000),
    plistlib.dumps({"CFBundleExecutable": "gone", "more": "x" * 4096}, fmt=plistlib.FMT_BINARY),
    INFO + b" " * XML_LIST,
]


@pytest.mark.parametrize("info", HOSTILE_LISTS, ids=range(len(HOSTILE_LISTS)))
def test_a_list_that_tells_nothing_leaves_the_only_program(info: bytes) -> None:
    assert found(app(MAC, info=info), "mac_x86") == [("wrong-architecture", "Game.app/Contents/MacOS/Game")]
    assert not found(app(MAC, info=info) | {"Game.app/Contents/MacOS/other": MAC}, "mac_x86")


@given(info=st.binary(max_size=300), magic=st.sampled_from([b"", b"bplist00", b"<?xml", b"<plist>"]))
def test_no_list_raises(info: bytes, magic: bytes) -> None:
    look(app(MAC, info=magic + info))


def test_faults_of_bundles() -> None:
    assert found({"Game.app/Contents/Info.plist": INFO}, "mac_x86_64") == [("no-executable", "Game.app")]
    assert found({"Game.app/Contents/Info.plist": DATA}, "mac_x86_64") == [("no-executable", "Game.app")]
    assert found(app(DATA), "mac_x86_64") == [("no-executable", "Game.app")]
    assert found(app(MAC) | app(MAC, "Editor.app"), "mac_x86_64") == [("several-executables", None)]
    assert "Editor.app" in messages(app(MAC) | app(MAC, "Editor.app"), None)
    assert found({"Game.app/Game": MAC}, "mac_x86_64") == [("no-executable", None)]


def test_a_link_is_not_read_as_a_program() -> None:
    launching: Launching[str] = Launching()
    launching.see("game", 10, stat.S_IFLNK | 0o777, "link")
    launching.see("Game.app/Contents/MacOS/Game", 10, stat.S_IFLNK | 0o777, "link")
    launch = launching.look(lambda *_: pytest.fail("read"))
    assert not list(judge(launch, "mac_arm64"))
    assert [code for code, _, _ in judge(launch, "linux_x86")] == ["wrong-platform"]


def test_nothing_is_missed_on_account_of_what_cannot_be_read() -> None:
    launching: Launching[str] = Launching()
    for name in ("Game.exe", "Game.app/Contents/Info.plist", "Game.app/Contents/MacOS/Game"):
        launching.see(name, 100, MARKED, name)
    launch = launching.look(lambda *_: b"")
    assert [list(judge(launch, platform)) for platform in PLATFORMS] == [[]] * len(PLATFORMS)


class Reader:
    """Gives the same content for every entry, and remembers how much of it was asked for."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: list[int] = []

    def __call__(self, _: object, most: int) -> bytes:
        self.asked.append(most)
        return self.content[:most]


def test_no_list_is_read_that_is_too_long() -> None:
    launching: Launching[str] = Launching()
    launching.see("Game.exe", 100, None, "")
    launching.see("Game.app/Contents/Info.plist", XML_LIST + 1, None, "")
    launching.see("Game.app/Contents/MacOS/Game", 100, None, "")
    reader = Reader(WINDOWS)
    launching.look(reader)
    assert reader.asked == [HEAD, HEAD]


@pytest.mark.parametrize("around", ["", "x/"])
@pytest.mark.parametrize("name", ["{}", "{}.exe", "{}.app/Contents/Info.plist", "a.app/Contents/MacOS/{}"])
def test_a_hundred_thousand_candidates_are_not_held(around: str, name: str) -> None:
    launching: Launching[int] = Launching()
    reader = Reader(LINUX)
    tracemalloc.start()
    for number in range(100_000):
        launching.see(around + name.format(number), 100, None, number)
    launch = launching.look(reader)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1024 * 1024
    assert len(reader.asked) <= FILES + BUNDLES
    assert not launch.complete
    assert all("no-executable" not in code for code, _, _ in judge(launch, "windows_x86"))
    assert all(len(message) < 1000 for _, _, message in judge(launch, None))


def test_a_program_is_found_behind_a_thousand_files_of_unknown_kind() -> None:
    build = {f"file{number}": DATA for number in range(FILES)} | {"Game.exe": WINDOWS}
    assert [program.name for program in look(build, None).programs] == ["Game.exe"]
    assert not found(build, "windows_x86_64", None)


def test_a_bundle_with_too_many_files_is_not_said_to_lack_one() -> None:
    build = {"Game.app/Contents/Info.plist": INFO}
    build |= {f"Game.app/Contents/MacOS/{number}": DATA for number in range(FILES)}
    assert found(build, "mac_arm64") == []
    del build["Game.app/Contents/MacOS/0"]
    assert found(build, "mac_arm64") == [("no-executable", "Game.app")]


def test_of_many_programs_some_are_named() -> None:
    build = {f"tool{number}.exe": WINDOWS for number in range(NAMED + 7)}
    assert f"tool{NAMED - 1}.exe and 7 more" in messages(build, None)


PARTS = ["", ".", "a.exe", "b.app", "Contents", "MacOS", "Info.plist", "x"]


@given(
    names=st.lists(st.lists(st.sampled_from(PARTS), max_size=5).map("/".join), max_size=6),
    content=st.sampled_from([b"", DATA, WINDOWS, LINUX, MAC, INFO, SCRIPT]),
    platform=st.sampled_from(PLATFORMS),
    mode=st.sampled_from([None, 0, PLAIN, MARKED, stat.S_IFLNK | 0o777]),
)
def test_any_names_are_judged(
    names: list[str], content: bytes, platform: str | None, mode: int | None
) -> None:
    list(judge(look(dict.fromkeys(names, content), mode), platform))
