"""What the fuzzer found once, and the inputs it begins with: through its targets in each run of the tests."""

from __future__ import annotations

import random

import pytest

from fuzz.in_memory import InMemory
from fuzz.layout import FLAGS, Layout, dissect
from fuzz.mutation import mutated
from fuzz.seeds import SEEDS, entry, layouts
from fuzz.targets import TARGETS
from pk_upload.archive.checks import preflight

ROUNDS = 400
MIB = 1024 * 1024


def errors(data: bytes) -> list[str]:
    return [problem.code for problem in preflight(InMemory(data)).errors]


def scramble(data: bytes, most: int) -> bytes:
    """Changes, as a fuzzer does, but the same ones in each run."""
    chance = random.Random(data)
    made = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(made) + 1)
        match chance.randrange(3):
            case 0:
                made[at : at + 1] = bytes([chance.getrandbits(8)])
            case 1:
                made[at : at + chance.randrange(1, 20)] = b""
            case _:
                made[at:at] = made[: chance.randrange(1, 20)]
    return bytes(made[:most])


@pytest.mark.parametrize("target", TARGETS)
def test_the_inputs_the_fuzzer_begins_with(target: str) -> None:
    for seed in SEEDS[target]():
        TARGETS[target](seed)


@pytest.mark.parametrize("target", TARGETS)
def test_changes_of_them(target: str) -> None:
    chance = random.Random(0)
    seeds = [*SEEDS[target]()]
    for number in range(ROUNDS):
        made = chance.choice(seeds)
        for _ in range(chance.randrange(1, 4)):
            made = mutated(made, number, 10_000, scramble) if target == "preflight" else scramble(made, 1000)
        TARGETS[target](made)


def test_a_zip_that_is_taken_apart_and_put_together_is_the_same() -> None:
    for layout in layouts():
        data = layout.assemble()
        found = dissect(data)
        if layout.pieces and not layout.gap and found:
            assert found.assemble() == data


def test_each_change_to_a_zip_makes_some_that_are_good_and_some_that_are_not() -> None:
    good = Layout([entry(b"game.exe"), entry(b"data/level0", method=0)]).assemble()
    judged = [bool(errors(mutated(good, seed, 10_000, scramble))) for seed in range(300)]
    assert 30 < sum(judged) < 290


# What was found, made as small as it could be.


def test_a_patch_of_another_file_is_no_content() -> None:
    patch = entry(b"game.exe")
    for numbers in patch.numbers:
        numbers[FLAGS] = 1 << 5
    data = Layout([entry(b"other"), patch]).assemble()
    TARGETS["preflight"](data)
    assert errors(data) == ["method"]


def test_an_end_record_that_is_cut_is_not_passed_over_for_one_before_it() -> None:
    whole = Layout([entry(b"a")]).assemble()
    data = whole + whole[-30:-5]
    TARGETS["preflight"](data)
    assert errors(data) == ["truncated"]


@pytest.mark.parametrize("beyond", [0, 10, 100, 1000])
def test_zeros_that_come_out_after_all_was_taken_in_are_waited_for(beyond: int) -> None:
    TARGETS["preflight"](Layout([entry(b"zeros", bytes(MIB + beyond))]).assemble())


def test_a_part_of_a_larger_archive_is_none() -> None:
    wide = bytearray(Layout([entry(b"a")], wide=True).assemble())
    wide[wide.index(b"PK\6\7") + 4] = 1
    TARGETS["preflight"](bytes(wide))
    assert errors(bytes(wide)) == ["several-disks"]


def test_a_beginning_of_an_end_record_in_the_comment_is_in_doubt() -> None:
    data = Layout([entry(b"a")], comment=b"a comment with PK\5\6 near its end").assemble()
    TARGETS["preflight"](data)
    assert errors(data) == ["damaged-directory"]
