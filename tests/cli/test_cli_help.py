"""What is answered without doing anything: help, the version, and mistakes in the arguments."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import get_args

import pytest
from cli_harness import pk

import pk_upload
from pk_upload.cli.app import PLATFORMS
from pk_upload.errors import (
    GaveUpWaiting,
    PkUploadError,
    PreflightFailed,
    StateError,
    UploadFailed,
)
from pk_upload.patchkit import Platform

COMMANDS = [
    (),
    ("push",),
    ("upload",),
    ("app",),
    ("app", "list"),
    ("app", "show"),
    ("app", "create"),
    ("version",),
    ("version", "list"),
    ("version", "show"),
    ("version", "create"),
    ("version", "update"),
    ("version", "publish"),
    ("job",),
    ("kickfolio",),
    ("kickfolio", "publish"),
    *(("kickfolio", kind) for kind in ("app", "version")),
    *(
        ("kickfolio", kind, command)
        for kind in ("app", "version")
        for command in ("list", "show", "create", "update", "delete")
    ),
    ("sandbox",),
]
LISTEN = """
import contextlib, io, sys
from pk_upload.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    code = main(sys.argv[1:])
print(code, *sorted({"aiohttp", "anyio", "asyncio", "msgspec", "rich"} & set(sys.modules)))
"""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command: tuple[str, ...]) -> None:
    done = pk(*command, "-h")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: {' '.join(('pk-upload', *command))} ")
    for option in ("--api-key", "--api-url", "--upload-url", "--json", "--progress", "--quiet", "--verbose"):
        assert f"  {option}" in done.out
    assert "..." not in done.out.replace("[ARGS]...", "").replace("NUMBER]...", "")


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "push --help",
        "sandbox --help",
        "kickfolio version create --help",
        "kickfolio app delete x",
        "push --nope",
        "push x.zip",
        "version show",
        "push x --app y",
    ],
)
def test_help_and_mistakes_import_nothing_heavy(arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LISTEN, *arguments.split()], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0" if "--help" in arguments else "2"]


def test_the_help_lists_every_exit_code() -> None:
    text = pk("--help").out
    codes = {error.exit_code for error in (GaveUpWaiting, PkUploadError, PreflightFailed, StateError)}
    for code in codes | {0, 2, 3, 4, 5, 6, 7, 8, UploadFailed.exit_code, 130, 143}:
        assert f" {code} " in text


def test_the_version() -> None:
    assert pk("--version").out == f"pk-upload {pk_upload.__version__}\n"
    assert pk("--json", "--version").json == {"version": pk_upload.__version__}


def test_platforms_are_those_of_the_client() -> None:
    assert get_args(Platform) == PLATFORMS


@pytest.mark.parametrize(
    "group", [(), ("app",), ("version",), ("kickfolio",), ("kickfolio", "app")], ids=" ".join
)
def test_no_command_is_a_mistake_that_shows_help(group: tuple[str, ...]) -> None:
    done = pk(*group)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: ")
    assert "Commands:" in done.err
    assert pk(*group, "--json").code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        "--json --nope",
        "push --json",
        "push x.zip --json --app y",
        "--json push x.zip --label 1",
        "--json push x.zip --app y --label 1 --concurrency many",
        "version --json publish latest",
        "version show 0 --app y --json",
        "version update 1 --app y --api-key k --json",
        "app create --json --name x --platform amiga",
        "app show a --app b --json",
        "app list --json",
        "sandbox --json --fault nonsense",
        "sandbox --json --port 70000",
        "push x.zip --json --app y --label 1 --api-key k --timeout 0",
        "push x.zip --json --app y --label 1 --api-key k --concurrency 99",
        "push x.zip --json --sandbox --api-key k",
        "push x.zip --json --sandbox --api-url http://127.0.0.1",
        "frobnicate --json",
    ],
)
def test_mistakes_are_one_json_object(arguments: str) -> None:
    done = pk(*arguments.split())
    assert done.error["type"] == "UsageError"
    assert done.code == 2
    assert done.error["hint"]
    assert done.err == ""


def test_mistakes_in_words() -> None:
    done = pk("push", "--nope")
    assert (done.code, done.out) == (2, "")
    error, hint = done.err.splitlines()
    assert error.startswith("error: No such option")
    assert hint == "hint: `pk-upload push --help` shows how it is used."


@pytest.mark.parametrize(
    "arguments", ["push x.zip --app y --label 1", "upload x.zip", "app list", "version publish 1 --app y"]
)
def test_a_missing_key_is_a_mistake(arguments: str) -> None:
    done = pk(*arguments.split(), env={"PATCHKIT_API_KEY": ""})
    assert (done.code, done.out) == (2, "")
    error, hint = done.err.splitlines()
    assert error == "error: no API key"
    assert "PATCHKIT_API_KEY" in hint
    assert "--api-key" in hint


def test_a_value_that_looks_like_a_flag_is_a_value() -> None:
    done = pk("push", "x.zip", "--sandbox", "--dry-run", "--label", "--json")
    assert done.code == 2
    assert done.err.startswith("error: x.zip does not exist")


def test_a_program_error_is_one_sentence() -> None:
    program = (
        "import sys, pk_upload.cli.push as push\n"
        "def fail(_): raise RuntimeError('the key is s3cret-key')\n"
        "push.read_changelog = fail\n"
        "from pk_upload.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = ["push", "x.zip", "--app", "y", "--label", "1", "--api-key", "s3cret-key"]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, *arguments, *more]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    plain, told, verbose = run(), run("--json"), run("--verbose")
    assert plain.returncode == told.returncode == verbose.returncode == 1
    assert plain.stderr.splitlines() == [
        "error: unexpected RuntimeError: the key is [redacted]",
        "hint: This is a bug; please report it with what --verbose prints.",
    ]
    assert json.loads(told.stdout)["error"]["type"] == "RuntimeError"
    assert told.stderr == ""
    assert "Traceback" in verbose.stderr
    assert "s3cret" not in plain.stderr + told.stdout + verbose.stderr
