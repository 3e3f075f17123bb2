"""Which file is taken for the one that starts the game."""

from __future__ import annotations

import io
import re
import stat
import zipfile
from typing import TYPE_CHECKING

import pytest
from test_processing_archive import run

if TYPE_CHECKING:
    from pathlib import Path

ELF = b"\x7fELF\x02\x01\x01"
PROGRAM = stat.S_IFREG | 0o755
PLAIN = stat.S_IFREG | 0o644
LINK = stat.S_IFLNK | 0o777

Files = dict[str, tuple[int, bytes]]


def archive_of(files: Files) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (mode, data) in files.items():
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = mode << 16
            archive.writestr(info, data)
    return target.getvalue()


WINDOWS: list[tuple[Files, str | None, str | None]] = [
    ({"Game.EXE": (0, b"MZ"), "readme.txt": (0, b""), "tools/edit.exe": (0, b"MZ")}, "Game.EXE", None),
    ({"bin/game.exe": (0, b"MZ")}, None, "no executable"),
    ({"a.exe": (0, b"MZ"), "b.exe": (0, b"MZ")}, None, '2 executables at the top level .* "a.exe", "b.exe"'),
]
LINUX: list[tuple[Files, str | None, str | None]] = [
    (
        {"game": (0, ELF), "libx.so": (PROGRAM, ELF), "libx.so.1.2": (0, ELF), "a.txt": (PLAIN, b"ELF")},
        "game",
        None,
    ),
    (
        {"run.sh": (PROGRAM, b"#!/bin/sh"), "data/game": (PROGRAM, ELF), "current": (LINK, b"run.sh")},
        "run.sh",
        None,
    ),
    (
        {"run.sh": (PLAIN, b"#!/bin/sh"), "empty": (PLAIN, b""), "short": (PLAIN, b"\x7fE")},
        None,
        "no executable",
    ),
    ({"run.sh": (PROGRAM, b"#!/bin/sh"), "game": (PLAIN, ELF)}, None, "2 executables"),
]
MAC: list[tuple[Files, str | None, str | None]] = [
    (
        {"Game.app/Contents/MacOS/Game": (PROGRAM, b"x"), "Game.app/Info.plist": (PLAIN, b"x")},
        "Game.app",
        None,
    ),
    ({"build/Game.app/Info.plist": (PLAIN, b"x")}, None, "no .app bundle"),
    ({"Game.app": (PLAIN, b"x")}, None, "no .app bundle"),
    ({f"{name}.app/x": (PLAIN, b"x") for name in "abcdefg"}, None, "7 .app bundles .*, \\.\\.\\."),
]
CASES = [
    *(("windows_x86_64", *case) for case in WINDOWS),
    *(("linux_x86_64", *case) for case in LINUX),
    *(("mac_arm64", *case) for case in MAC),
    ("other", {"a": (PROGRAM, ELF), "b": (PROGRAM, ELF)}, None, None),
]


@pytest.mark.parametrize(("platform", "files", "name", "warning"), CASES)
def test_main_executable(
    tmp_path: Path, platform: str, files: Files, name: str | None, warning: str | None
) -> None:
    outcome = run(archive_of(files), tmp_path / "out", platform=platform)
    assert outcome.main_executable == name
    assert [finding.severity for finding in outcome.findings] == ([] if warning is None else ["warning"])
    if warning is not None:
        assert re.search(warning, outcome.findings[0].message)
