"""What a file is by its first bytes: made by hand, by this machine's compilers, and by chance."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from executable_heads import elf, fat, mach_o, pe
from pk_upload.archive.checks.executables import HEAD, Executable, recognise

compiler = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
FAT = [b"\xca\xfe\xba\xbe", b"\xbf\xba\xfe\xca"]
MAGICS = [b"MZ", b"\x7fELF\1\1", b"\x7fELF\2\2", b"#!", b"\xfe\xed\xfa\xcf", *FAT]


def known(head: bytes) -> Executable:
    found = recognise(head)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("machine", "name"), [(0x14C, "x86"), (0x8664, "x86_64"), (0xAA64, "arm64"), (0x1F0, "machine 0x1f0")]
)
def test_a_windows_program(machine: int, name: str) -> None:
    assert recognise(pe(machine)) == Executable("PE", frozenset({name}), runnable=True)
    assert recognise(pe(machine, start=0x400)) == recognise(pe(machine))


def test_a_windows_library_a_driver_and_an_object_are_no_programs() -> None:
    assert not known(pe(0x8664, traits=0x2022)).runnable
    assert not known(pe(0x8664, traits=0x1022)).runnable
    assert not known(pe(0x8664, traits=0x0020)).runnable


def test_a_program_for_dos_is_none_for_windows() -> None:
    assert recognise(b"MZ" + bytes(HEAD - 2)) is None
    assert recognise(pe(0x8664).replace(b"PE\0\0", b"NE\0\0")) is None
    assert recognise(b"MZ" + bytes(0x3A) + b"\xff\xff\xff\xff" + bytes(HEAD)) is None


def test_a_windows_header_beyond_the_head_leaves_the_machine_open() -> None:
    assert recognise(pe(0x8664, start=HEAD + 8)[:HEAD]) == Executable("PE", frozenset(), runnable=True)
    assert recognise(pe(0x8664, start=0x200)[:0x100]) is None  # where the file ends before it


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize(
    ("machine", "name"), [(3, "x86"), (62, "x86_64"), (183, "arm64"), (8, "machine 0x8")]
)
def test_a_linux_program(order: str, bits: int, machine: int, name: str) -> None:
    assert recognise(elf(machine, bits=bits, order=order)) == Executable(
        "ELF", frozenset({name}), runnable=True
    )


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [32, 64])
def test_a_shared_object_is_a_program_if_it_names_an_interpreter(order: str, bits: int) -> None:
    assert known(elf(62, bits=bits, order=order, kind=3, segments=(6, 3, 1))).runnable
    assert not known(elf(62, bits=bits, order=order, kind=3, segments=(1, 1, 2))).runnable
    assert not known(elf(62, bits=bits, order=order, kind=3, segments=())).runnable


def test_an_object_file_and_a_core_are_no_programs() -> None:
    assert not known(elf(62, kind=1)).runnable
    assert not known(elf(62, kind=4)).runnable


def test_where_the_segments_are_beyond_the_head_the_entry_point_tells() -> None:
    head = elf(62, kind=3, segments=(3,), table=HEAD * 2).ljust(HEAD, b"\0")
    assert known(head[:HEAD]).runnable
    assert not known(head[:24] + bytes(8) + head[32:HEAD]).runnable


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("cpu", "name"), [(7, "x86"), (0x01000007, "x86_64"), (0x0100000C, "arm64"), (18, "machine 0x12")]
)
def test_a_macos_program(order: str, cpu: int, name: str) -> None:
    assert recognise(mach_o(cpu, order=order)) == Executable("Mach-O", frozenset({name}), runnable=True)
    assert not known(mach_o(cpu, order=order, kind=6)).runnable
    assert not known(mach_o(cpu, order=order, kind=8)).runnable


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("wide", [False, True])
def test_a_fat_file_has_the_architectures_of_its_slices(order: str, wide: bool) -> None:
    head = fat((0x01000007, 0x0100000C), order=order, wide=wide)
    assert recognise(head) == Executable("Mach-O", frozenset({"x86_64", "arm64"}), runnable=True)


def test_a_java_class_is_no_fat_file() -> None:
    for version in range(45, 70):
        assert recognise(b"\xca\xfe\xba\xbe\0\0" + bytes([0, version]) + bytes(HEAD)) is None
    assert recognise(b"\xca\xfe\xba\xbe\0\3\0\x2d" + bytes(HEAD)) is None
    class_of_8 = b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(20) + b"\0\0\0\7"  # which is a processor's number, too
    assert recognise(class_of_8 + bytes(HEAD)) is None
    assert recognise(fat((0, 99))) is None
    assert recognise(fat(())) is None


def test_a_script() -> None:
    assert recognise(b"#!/bin/sh\necho") == Executable("script", frozenset(), runnable=True)


@pytest.mark.parametrize(
    "head", [b"", b"M", b"MZ", b"\x7fELF", b"\x7fELF\2", b"\x7fELF\3\1" + bytes(99), b"PK\3\4"]
)
def test_data_are_nothing(head: bytes) -> None:
    assert recognise(head) is None


@given(start=st.sampled_from([b"", *MAGICS]), rest=st.binary(max_size=200))
@example(start=b"\x7fELF\2\1", rest=struct.pack("<10xHHIQQ14xHH", 3, 62, 1, 1, 2**64 - 1, 65535, 65535))
def test_nothing_raises_whatever_the_bytes(start: bytes, rest: bytes) -> None:
    recognise(start + rest)


@given(data=st.data())
def test_no_cut_or_changed_header_raises(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([pe(0x8664), elf(62, kind=3, segments=(3,)), mach_o(7), fat((7, 12))]))
    head = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4)) if head else 0):
        head[data.draw(st.integers(0, len(head) - 1))] = data.draw(st.integers(0, 255))
    recognise(bytes(head))


def test_this_interpreter_is_a_program() -> None:
    with Path(sys.executable).resolve().open("rb") as file:
        assert known(file.read(HEAD)).runnable


@compiler
@pytest.mark.parametrize(
    ("flags", "runnable"),
    [(["-pie", "-fPIE"], True), (["-no-pie"], True), (["-shared", "-fPIC"], False), (["-c"], False)],
)
def test_what_a_compiler_makes(tmp_path: Path, flags: list[str], runnable: bool) -> None:
    (tmp_path / "game.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", *flags, "-o", "game", "game.c"], cwd=tmp_path, check=True, timeout=60)
    found = known((tmp_path / "game").read_bytes()[:HEAD])
    assert (found.format, found.runnable) == ("ELF", runnable)
