"""`pk-upload check`, as scripts and people see it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from cli_harness import Live, live, pk

from conftest import PROGRAM

__all__ = ["live"]

KEYS = ["source", "format", "entries", "size", "problems"]


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A ZIP with a path that leaves it, folders that collide, and names that not every system takes."""
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("../up", "Data/a", "data/a", "CON", "café"):
            archive.writestr(name, name)
    return path


def write(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_good_build(build: Path) -> None:
    done = pk("check", build)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{build}: 4 files, {build.stat().st_size / 1024:.1f} KiB: nothing is wrong with it\n"
    done = pk("check", build, "--json", "--platform", "windows_x86_64")
    assert done.code == 0
    assert done.json == {
        "source": str(build), "format": "zip", "entries": 4, "size": build.stat().st_size, "problems": [],
    }  # fmt: skip


def test_every_problem_is_named_with_what_to_do_about_it(bad: Path) -> None:
    done = pk("check", bad, "--json")
    assert (done.code, list(done.json)) == (10, KEYS)
    problems = done.json["problems"]
    assert all(list(each) == ["code", "severity", "entry", "message", "hint"] for each in problems)
    assert all(each["message"] and each["hint"] for each in problems)
    found = {(each["severity"], each["code"], each["entry"]) for each in problems}
    assert {
        ("error", "parent-path", "../up"),
        ("error", "case-collision", "data/a"),
        ("warning", "windows-name", "CON"),
        ("warning", "non-ascii", "café"),
    } <= found


def test_in_words(bad: Path) -> None:
    done = pk("check", bad)
    assert (done.code, done.err) == (10, "")
    lines = done.out.splitlines()
    assert "error: ../up: its path holds `..` [parent-path]" in lines
    assert any(line.startswith("    hint: ") for line in lines)
    first_warning = next(index for index, line in enumerate(lines) if line.startswith("warning"))
    assert not any(line.startswith("error") for line in lines[first_warning:])
    assert lines[-1].startswith(f"{bad}: 5 files, ")


def test_warnings_are_errors_if_that_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"game.exe": PROGRAM, "café": b""})
    assert pk("check", path).code == 0
    done = pk("check", path, "--strict", "--json")
    assert (done.code, [each["severity"] for each in done.json["problems"]]) == (10, ["error"])


def test_the_platform_is_judged(build: Path) -> None:
    for platform in ("linux_x86_64", "mac_arm64"):
        done = pk("check", build, "--platform", platform, "--json")
        assert (done.code, [each["code"] for each in done.json["problems"]]) == (0, ["wrong-platform"])
    assert pk("check", build, "--platform", "amiga").code == 2


def test_what_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("this is no ZIP" * 100)
    done = pk("check", tmp_path / "text.zip", "--json")
    assert (done.code, done.json["format"]) == (10, None)
    assert [each["code"] for each in done.json["problems"]] == ["not-a-zip"]


def test_what_is_missing_is_no_problem_but_a_mistake(tmp_path: Path) -> None:
    done = pk("check", tmp_path / "missing.zip", "--json")
    assert (done.code, done.error["type"]) == (2, "SourceUnreadable")


def test_deep_finds_what_only_the_content_shows(build: Path) -> None:
    content = bytearray(build.read_bytes())
    content[150_000] ^= 1
    build.write_bytes(content)
    assert pk("check", build).code == 0
    done = pk("check", build, "--deep", "--json", "--progress", "json")
    assert done.code == 10
    assert {each["code"] for each in done.json["problems"]} <= {"wrong-crc", "damaged-data", "wrong-size"}
    assert {each["entry"] for each in done.json["problems"]} == {"data/level1.bin"}
    told = [each["progress"] for each in done.events if each["event"] == "progress"]
    assert told == sorted(told)
    assert told[-1] == 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / ".git").mkdir(parents=True)
    (folder / "game.exe").write_bytes(PROGRAM)
    (folder / "notes.txt").write_text("notes")
    return folder


def test_a_folder(folder: Path) -> None:
    done = pk("check", folder, "--json", "--deep")
    assert (done.code, done.json["format"], done.json["problems"]) == (0, "folder", [])
    assert done.json["entries"] == 2
    assert pk("check", folder, "--json", "--ignore", "*.txt").json["entries"] == 1
    (folder / "Notes.txt").touch()
    done = pk("check", folder, "--json")
    assert (done.code, [each["code"] for each in done.json["problems"]]) == (10, ["case-collision"])


def test_many_of_a_kind_are_named_only_if_that_is_asked_for(tmp_path: Path) -> None:
    files = {"game.exe": PROGRAM} | {f"é{number}": b"" for number in range(30)}
    path = write(tmp_path / "a.zip", files)
    assert "    and 20 more of these; --verbose names them" in pk("check", path).out.splitlines()
    assert "é29: " in pk("check", path, "--verbose").out
    assert len(pk("check", path, "--json").json["problems"]) == 30


def test_a_push_names_the_errors_and_sends_nothing(live: Live, bad: Path) -> None:
    app = live.app()
    done = live.pk("push", bad, "--app", app, "--label", "1.0", "--json")
    assert (done.code, done.error["type"]) == (10, "PreflightFailed")
    for told in ("3 errors", "../up: its path holds `..`", "data/a: it differs"):
        assert told in done.error["message"]
    assert f"pk-upload check {bad}" in done.error["hint"]
    assert live.pk("version", "list", "--app", app, "--json").json == []


def test_a_push_tells_warnings_and_goes_on(live: Live, tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"game": b"no program", "café": b""})
    app = live.app()
    done = live.pk("push", path, "--app", app, "--label", "1.0")
    assert done.code == 0
    told = [line for line in done.err.splitlines() if line.startswith("warning: ")]
    assert any("café" in line for line in told)
    assert any("program" in line for line in told), "the app's platform is known"
    done = live.pk("push", path, "--app", app, "--label", "2.0", "--strict", "--json")
    assert (done.code, done.error["type"]) == (10, "PreflightFailed")


def test_a_push_knows_the_platform_of_the_app(live: Live, build: Path) -> None:
    made = live.pk("app", "create", "--name", "game", "--platform", "linux_x86_64", "--json")
    done = live.pk("push", build, "--app", made.json["secret"], "--label", "1.0")
    assert done.code == 0
    told = "warning: game.exe: nothing is for linux_x86_64, but for Windows: game.exe"
    assert told in done.err.splitlines()
    assert "warning" not in live.pk("push", build, "--app", live.app(), "--label", "1.0").err


def test_many_warnings_are_not_all_told_in_a_push(live: Live, tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"game.exe": PROGRAM} | {f"é{number}": b"" for number in range(30)})
    done = live.pk("push", path, "--app", live.app(), "--label", "1.0", "--dry-run")
    told = [line for line in done.err.splitlines() if line.startswith("warning: ")]
    assert len(told) == 11
    assert told[-1] == "warning: 20 more; `pk-upload check --verbose` names all"


def test_what_is_empty_is_reported_as_anything_else(tmp_path: Path) -> None:
    (tmp_path / "empty.zip").touch()
    done = pk("check", tmp_path / "empty.zip", "--json")
    assert (done.code, list(done.json), done.json["format"]) == (10, KEYS, None)
    assert [each["code"] for each in done.json["problems"]] == ["not-a-zip"]


def test_wishes_for_a_folder_are_refused_for_a_file(build: Path) -> None:
    for source in ("check", "push"):
        more = ("--app", "x", "--label", "1", "--dry-run") if source == "push" else ()
        done = pk(source, build, *more, "--ignore", "*.pdb", "--json")
        assert (done.code, done.error["type"]) == (2, "UsageError")
        assert "--ignore" in done.error["hint"]
