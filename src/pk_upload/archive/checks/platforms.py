"""Whether the service would find the one program it starts, and whether the platform could run it.

The service's rule: exactly one executable at the top level; on macOS that is the .app bundle there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pk_upload.archive.checks.findings import printable
from pk_upload.archive.checks.launching import Launch, Program
from pk_upload.archive.problems import (
    NO_EXECUTABLE,
    NOT_EXECUTABLE,
    SEVERAL_EXECUTABLES,
    SINGLE_FOLDER,
    WRONG_ARCHITECTURE,
    WRONG_PLATFORM,
)

__all__ = ["Finding", "judge"]

Finding = tuple[str, str | None, str]
"""A problem's code, the entry it is about if there is one, and its message."""

_KINDS = {"windows": "Windows program (.exe)", "linux": "Linux program", "mac": ".app bundle"}
"""What the service starts, by system."""

_FORMATS = {"windows": {"PE"}, "linux": {"ELF", "script"}, "mac": {"Mach-O", "script"}}
_SYSTEMS = {"PE": "Windows", "ELF": "Linux", "Mach-O": "macOS", "script": "Unix"}

_RUNS = {
    "windows_x86_64": {"x86", "x86_64"},
    "linux_x86_64": {"x86", "x86_64"},  # with the libraries for it, as many games have always asked
    "mac_arm64": {"x86_64", "arm64"},
}
"""The architectures that a platform runs, where that is not the one it is called after alone."""

NAMED = 20  # names in one message; there may be a thousand


def judge(launch: Launch, platform: str | None) -> Iterator[Finding]:
    """What is wrong with starting the build on `platform`, one of the service's names for it.

    Without one, or with one that is not known here, what would be wrong on any. Nothing is known of how
    "other" starts a build, so there is nothing wrong.
    """
    if platform == "other":
        return
    system = (platform or "").partition("_")[0]
    if system not in _KINDS:
        system = ""
    startable = {each: _startable(launch, each) for each in ([system] if system else _KINDS)}
    if launch.folder is not None and any(startable.values()):
        yield SINGLE_FOLDER, None, f"all lies in one folder, {printable(launch.folder)}, the program too"
    for each, names in startable.items():
        if len(names) > 1:
            message = f"{len(names)} lie at the top level, each a {_KINDS[each]}: {_listed(names)}"
            yield SEVERAL_EXECUTABLES, None, message
    if launch.complete and not any(startable.values()):
        yield _nothing(launch, platform, system)
    if system != "windows" and system != "linux":
        yield from _faulty_bundles(launch)
    if platform and system:
        for program in _programs(launch, system):
            yield from _judge_program(program, platform, system)


def _startable(launch: Launch, system: str) -> list[str]:
    if system == "mac":
        return [bundle.name for bundle in launch.bundles]
    return [program.name for program in _programs(launch, system)]


def _programs(launch: Launch, system: str) -> list[Program]:
    if system == "mac":
        return [bundle.program for bundle in launch.bundles if bundle.program]
    fitting = [program for program in launch.programs if _format(program) in _FORMATS[system]]
    programs = [program for program in fitting if not _is_loose(program)]
    return programs or (fitting if len(fitting) == 1 else [])


def _format(program: Program) -> str:
    return program.executable.format if program.executable else ""


def _is_marked(program: Program) -> bool:
    return bool((program.mode or 0) & 0o111)


def _is_loose(program: Program) -> bool:
    """Any text may begin like a script: without a mark it is a program only where there is nothing else."""
    return _format(program) == "script" and not _is_marked(program)


def _nothing(launch: Launch, platform: str | None, system: str) -> Finding:
    """Why there is nothing to start: all is for another system, or there is no program."""
    foreign = _foreign(launch, system) if system else {}
    if foreign:
        entry = next(iter(foreign)) if len(foreign) == 1 else None
        systems = " and ".join(dict.fromkeys(foreign.values()))
        return WRONG_PLATFORM, entry, f"nothing is for {platform}, but for {systems}: {_listed([*foreign])}"
    message = f"there is no {_KINDS.get(system, 'program')} at the top level"
    if named := [program.name for program in launch.programs if program.executable is None]:
        message += f"; named like one, but none: {_listed(named)}"
    return NO_EXECUTABLE, None, message


def _foreign(launch: Launch, system: str) -> dict[str, str]:
    """The system of each program that is not for this one."""
    foreign = {
        program.name: _SYSTEMS[_format(program)]
        for program in launch.programs
        if program.executable and _format(program) not in _FORMATS[system] and not _is_loose(program)
    }
    return foreign | {bundle.name: "macOS" for bundle in launch.bundles}


def _faulty_bundles(launch: Launch) -> Iterator[Finding]:
    for bundle in launch.bundles:
        if bundle.fault and launch.complete:
            yield NO_EXECUTABLE, bundle.name, f"{printable(bundle.name)} {bundle.fault}"


def _judge_program(program: Program, platform: str, system: str) -> Iterator[Finding]:
    name, format_ = printable(program.name), _format(program)
    built = program.executable.architectures if program.executable else frozenset()
    fitting = _RUNS.get(platform, {platform.partition("_")[2]})
    if format_ not in _FORMATS[system]:
        yield WRONG_PLATFORM, program.name, f"{name} is for {_SYSTEMS[format_]}, not for {platform}"
    elif built and built.isdisjoint(fitting):
        message = f"{name} is built for {' and '.join(sorted(built))} and does not run on {platform}"
        yield WRONG_ARCHITECTURE, program.name, message
    if system != "windows" and not _is_marked(program):
        yield NOT_EXECUTABLE, program.name, f"{name} {_unmarked(program.mode)}"


def _unmarked(mode: int | None) -> str:
    if mode is None:
        return "is not marked executable, for the ZIP was made where there are no such marks"
    return f"is not marked executable: its mode is {mode & 0o7777:04o}"


def _listed(names: Sequence[str]) -> str:
    shown = [printable(name) for name in names[:NAMED]]
    return ", ".join(shown) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
