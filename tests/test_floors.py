"""The architecture, enforced: floors import downward only, files have one size, names say something."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pk_upload

PACKAGE = Path(pk_upload.__file__).parent

# From the ground up; what stands on one line must not import one another.
FLOORS = [
    {"connections", "errors", "proxies", "redaction", "resources", "units"},
    {"certificates", "events", "given", "polling"},
    {"answers"},
    {"failures"},
    {"http"},
    {"client"},
    {"kickfolio", "patchkit", "patchwork", "settling"},
    {"archive"},
    {"transfer"},
    {"steps"},
    {"bundles", "release", "reviews"},
    {"reporting"},
    {"cli"},
    {"__main__"},
]
HEIGHT = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(module: Path) -> Iterator[tuple[str, int]]:
    """The rooms of this package that the file imports from, anywhere in it, with the line."""
    for node in ast.walk(ast.parse(module.read_text())):
        match node:
            case ast.ImportFrom(module=str(name), level=0) if name.startswith("pk_upload."):
                yield name.split(".")[1], node.lineno
            case ast.ImportFrom(module="pk_upload", level=0, names=names):
                yield from ((alias.name, node.lineno) for alias in names)
            case ast.ImportFrom(level=level) if level:
                yield "a relative import", node.lineno
            case ast.Import(names=names):
                for alias in names:
                    if alias.name.startswith("pk_upload."):
                        yield alias.name.split(".")[1], node.lineno


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downward_only(module: Path) -> None:
    room = room_of(module)
    if room == "__init__":
        return  # the front door names what it offers, lazily
    for other, line in imported_rooms(module):
        where = f"{module.relative_to(PACKAGE)}:{line} imports {other}"
        if room == "sandbox":
            assert other in {"sandbox", "errors"}, f"{where}: the sandbox stands apart"
        elif other == "sandbox":
            assert room == "cli", f"{where}: only the command line starts a sandbox"
        elif other != room and other != "__version__":
            assert other in HEIGHT, where
            assert HEIGHT[other] < HEIGHT[room], where


def test_every_room_has_its_floor() -> None:
    assert {room_of(module) for module in MODULES} == {"__init__", "sandbox", *HEIGHT}


DECISIONS = {
    "transfer": ("plan", "confirmed", "schedule", "pacing", "concurrency", "records", "config"),
    "archive/checks": ("executables", "links", "names", "platforms", "collisions"),
    "archive/folder": ("choosing", "config", "layout", "records"),
    "patchwork": ("filters", "pages", "query", "requests", "resources", "versions"),
}


@pytest.mark.parametrize("name", [f"{room}/{name}.py" for room, names in DECISIONS.items() for name in names])
def test_decisions_know_no_loop_and_no_clock(name: str) -> None:
    for node in ast.walk(ast.parse((PACKAGE / name).read_text())):
        if isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {str(node.module)}
        else:
            assert not isinstance(node, ast.AsyncFunctionDef | ast.Await)
            continue
        assert not names & {"asyncio", "anyio", "aiohttp", "time"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_has_one_subject(module: Path) -> None:
    assert module.stem not in {"utils", "util", "helpers", "common", "manager", "base", "misc"}
    assert len(module.read_text().splitlines()) <= 400


@pytest.mark.parametrize("first", ["pk_upload", "pk_upload.release", "pk_upload.transfer"])
def test_the_names_of_the_library_are_there_in_any_order(first: str) -> None:
    program = f"import {first}, pk_upload\n"
    program += "for name in pk_upload.__all__: assert getattr(pk_upload, name)\n"
    program += "assert callable(pk_upload.release) and callable(pk_upload.upload)\n"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_importing_the_package_costs_next_to_nothing() -> None:
    program = "import sys, pk_upload; print(*{'aiohttp', 'anyio', 'msgspec', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError):
        pk_upload.nothing  # noqa: B018 - the access is what is tested


def test_the_front_door_says_what_it_offers() -> None:
    assert dir(pk_upload) == sorted(pk_upload.__all__)
