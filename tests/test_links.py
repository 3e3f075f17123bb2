"""Symbolic links of an archive: followed as a system follows them, and compared with one that does."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from pk_upload.archive.checks.links import HOPS, LONGEST, PARTS, leaves

NAMES = ("a", "b", "c")
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
link_targets = st.lists(st.sampled_from((*NAMES, "..", "..", ".", "")), min_size=1, max_size=6).map("/".join)
maps = st.dictionaries(paths, link_targets.filter(lambda target: target.strip("/")), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("target", "out"),
    [
        ("libgame.so.1", False),
        ("../lib/libgame.so", False),
        ("./../bin/./tool", False),
        ("Versions/A/Resources", False),
        ("..", False),
        ("../..", True),
        ("../../bin/game", True),  # out and in again, under a name nobody knows
        ("/etc/passwd", True),
        ("C:/Windows", True),
        ("c:game.exe", True),
        ("\\\\server\\share", True),
        ("..\\..\\x", True),
        ("tool\\x", False),
        ("x\\y/../..", False),
        ("x\\y/../../..", True),  # two folders up where a backslash is a letter
        ("", False),
    ],
)
def test_one_link(target: str, out: bool) -> None:
    assert leaves("bin/link", {"bin/link": target}) is out


def test_a_link_to_here_hides_how_deep_a_path_is() -> None:
    targets = {"a/s": ".", "a/out": "s/s/../..", "a/in": "s/s/.."}
    assert leaves("a/out", targets)
    assert not leaves("a/in", targets)


def test_links_are_followed_through_the_folder_that_holds_them() -> None:
    targets = {"deep": "a/b", "deep/link": "../../..", "a/b/fine": "../.."}
    assert leaves("deep/link", targets)
    assert not leaves("deep/link", targets | {"deep/link": "../.."})
    assert not leaves("a/b/fine", targets)
    assert leaves("up/link", {"up": ".", "up/link": ".."})


def test_whatever_leads_out_takes_others_along() -> None:
    targets = {"one": "two", "two": "three/file", "three": "/usr", "four": "five"}
    assert [link for link in targets if leaves(link, targets)] == ["one", "two", "three"]


def test_a_loop_leads_nowhere() -> None:
    assert leaves("a", {"a": "a"})
    assert leaves("a", {"a": "b", "b": "a"})
    assert leaves("a/b", {"a/b": "../a/b/c"})


def test_a_chain_may_have_as_many_links_as_a_system_follows() -> None:
    chain = {f"l{number}": f"l{number + 1}" for number in range(100)}
    assert not leaves(f"l{100 - HOPS}", chain)
    assert leaves(f"l{100 - HOPS - 1}", chain)


def test_a_link_whose_name_is_spelt_oddly_is_followed() -> None:
    assert leaves("./a//link", {"./a//link": "../.."})
    assert leaves("a/link/", {"a/link/": "../../.."})


def test_paths_that_no_system_takes_lead_nowhere() -> None:
    assert not leaves("a", {"a": "b/" * (PARTS // 2 - 1)})
    assert leaves("a", {"a": "b/../" * PARTS})
    assert leaves("a", {"a": "b" * (LONGEST + 1)})
    assert leaves("a", {"a": "b" + "/" + "c" * (LONGEST - 3), "b": "dddd"})


class Counted(dict[str, str]):
    """Counts how often it is asked."""

    asked = 0

    def __contains__(self, link: object) -> bool:
        self.asked += 1
        return super().__contains__(link)


def test_links_that_multiply_each_other_cost_little() -> None:
    targets = Counted({f"l{number}": "/".join([f"l{number + 1}"] * 500) for number in range(1000)})
    targets |= {f"m{number}": "x/../" * 400 + f"m{number + 1}" for number in range(1000)}
    assert leaves("l0", targets)
    assert leaves("m0", targets)
    assert targets.asked < 10 * PARTS


@given(targets=maps)
@example(targets={"a/b": ".", "c": "a/b/b/../.."})
@example(targets={"a": "b", "b": "c", "c": "a"})
def test_agrees_with_a_file_system(targets: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve() / "root-of-the-archive"  # no target can come back to it by its name
        made = unpack(targets, root)
        for link in made:
            assert leaves(link, made) is leaves_in(root, link), (link, made)


def unpack(targets: dict[str, str], root: Path) -> dict[str, str]:
    """Those links that can stand beside each other, made below `root` with the folders a path may name."""
    made = {
        link: target
        for link, target in targets.items()
        if not any(link.startswith(other + "/") for other in targets)
    }
    root.mkdir()
    for link, target in sorted(made.items()):
        (root / link).parent.mkdir(parents=True, exist_ok=True)
        (root / link).symlink_to(target)
    folders = [root]
    for _ in range(4):
        folders = [folder / name for folder in folders for name in NAMES]
        folders = [folder for folder in folders if not folder.is_symlink()]
        for folder in folders:
            folder.mkdir(exist_ok=True)
    return made


def leaves_in(root: Path, link: str) -> bool:
    try:
        (root / link).stat()
    except OSError as error:
        event(errno.errorcode[error.errno or 0])
        if error.errno == errno.ELOOP:
            return True
    return not Path(os.path.realpath(root / link)).is_relative_to(root)
