"""Names that cannot stand beside each other, found by hashes as a plain look at all names finds them."""

from __future__ import annotations

import itertools
import unicodedata
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pk_upload.archive.checks import collisions
from pk_upload.archive.checks.collisions import Collisions, fold
from pk_upload.archive.checks.names import is_plain, is_plain_folder, part_faults, path_faults

Found = Counter[tuple[str, str]]


def look(names: list[str]) -> Found:
    seen, found = Collisions(), Found()
    raw = [name.encode() for name in names]
    last = b""
    for name in raw:
        folder, base = name[: name.rfind(b"/") + 1], name[name.rfind(b"/") + 1 :]
        if folder != last:
            seen.enter(folder)
            last = folder
        seen.see(base)
    seen.report(raw, lambda code, entry, _: found.update([(code, str(entry))]))
    return found


def folded(text: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def split(name: str) -> tuple[list[str], str]:
    *folders, base = name.split("/")
    return [part for part in folders if part not in ("", ".")], base


def difference(name: str, first: str) -> str:
    if [part for part in name.split("/") if part not in ("", ".")] == [
        part for part in first.split("/") if part not in ("", ".")
    ]:
        return "duplicate-name"
    same_form = unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", first)
    return "unicode-collision" if same_form else "case-collision"


def naive(names: list[str]) -> Found:
    """What is said of the names, by comparing them all with one another."""
    found = Found(("duplicate-name", name) for name, count in Counter(names).items() if count > 1)
    files: dict[str, list[str]] = {}
    folders: dict[str, list[str]] = {}
    for name in names:
        parts, base = split(name)
        for end in range(1, len(parts) + 1):
            path = "/".join(parts[:end]) + "/"
            folders.setdefault(folded(path).rstrip("/"), []).append(path)
        if base:
            files.setdefault(folded("/".join([*parts, base])), []).append(name)
    for groups in (files, folders):
        for first, *others in (dict.fromkeys(group) for group in groups.values()):
            found.update((difference(other, first), other) for other in others)
    found.update(("file-and-folder", files[key][0]) for key in files.keys() & folders.keys())
    return found


PART = st.text("aAbé\u0301Ée\u03c3\u03c2.", min_size=0, max_size=2)
NAME = st.builds(
    lambda parts, end: "/".join(parts) + end, st.lists(PART, max_size=4), st.sampled_from(["", "/", "x"])
)


@example(["a", "A"])
@example(["a/b", "A/c"])
@example(["a", "a/b"])
@example(["A/", "a"])
@example(["a/", "a/"])
@example(["./a", "a"])
@example(["\u00e9", "e\u0301"])
@example(["\u00e9/1", "e\u0301/2", "\u00c9/3"])
@given(st.lists(NAME, max_size=8))
def test_collisions_are_found_as_by_comparing_all_names(names: list[str]) -> None:
    names = [unicodedata.normalize("NFC", name) if index % 2 else name for index, name in enumerate(names)]
    assert look(names) == naive(names)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a", "A", True),
        ("É", "e\u0301", True),
        ("\u03c3", "\u03c2", True),
        ("straße", "strasse", False),  # two files on every system
        ("STRASSE", "strasse", True),
        ("ß", "SS", False),
        ("ßA", "ßa", True),
        ("\u0131", "i", False),
        ("İ", "i\u0307", True),
        ("\u212a", "k", True),
    ],
)
def test_names_are_the_same_as_file_systems_have_it(one: str, other: str, *, same: bool) -> None:
    assert (fold(one.encode()) == fold(other.encode())) is same


def test_a_small_part_is_compared_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collisions, "BUCKET", 7)
    names = [f"folder/{number}" for number in range(100)] + ["folder/50", "Folder/51"]
    assert look(names) == naive(names)


def test_of_endless_collisions_the_first_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collisions, "NAMED", 20)
    names = [f"{number}" for number in range(100)]
    found = look(names + names)
    assert 10 <= found.total() <= 21
    assert found["duplicate-name", "0"] == 1
    assert found["duplicate-name", "None"] == 1  # says that there are more
    assert look([f"{'aA'[number % 2]}/{number}" for number in range(100)]).total() == 1


def test_the_first_names_find_their_counterparts_however_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collisions, "NAMED", 20)
    found = look([f"a{number}" for number in range(100)] + [f"A{number}" for number in range(100)])
    assert {("case-collision", f"A{number}") for number in range(10)} <= found.keys()
    assert found.total() == 11
    spellings = ["".join(letters) for letters in itertools.product("aA", repeat=7)]
    assert look(spellings).total() == 20


def test_endless_folders_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collisions, "MOST_FOLDERS", 10)
    seen = Collisions()
    for number in range(20):
        seen.enter(b"%d/" % number)
    assert seen.too_many_folders


def test_each_folder_is_new_once() -> None:
    seen = Collisions()
    assert seen.enter(b"a/b/c/") == [b"a/", b"a/b/", b"a/b/c/"]
    assert seen.enter(b"a/b/d/") == [b"a/b/d/"]
    assert seen.enter(b"a/b/c/") == []
    assert seen.enter(b"") == []


ODD = st.binary(max_size=6) | st.sampled_from(
    [b"CON", b"aux.txt", b"..", b".", b"a ", b"x:", b"a\\b", b".DS_Store"]
)


@given(
    st.lists(ODD.map(lambda part: part.replace(b"/", b"")).filter(lambda part: _is_utf8(part)), min_size=1)
)
def test_what_is_plain_has_no_faults(parts: list[bytes]) -> None:
    *folders, base = parts
    folder = b"".join(part + b"/" for part in folders)
    for part in parts:
        if is_plain(part):
            assert not [*part_faults(part)], part
    if is_plain_folder(folder) and base and is_plain(base) and len(folder + base) <= 260:
        assert not [*path_faults(folder + base)]


def _is_utf8(part: bytes) -> bool:
    try:
        part.decode()
    except UnicodeDecodeError:
        return False
    return True
