"""The README does what it says: every command in it is run."""

from __future__ import annotations

import functools
import json
import os
import plistlib
import re
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from patchwork_harness import series, write_mbox

from processes import SandboxProcess, sandbox_process

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
# As the machine has it, for an installation may need what the other tests do without.
ENVIRONMENT = dict(os.environ)


def blocks(mark: str) -> list[str]:
    """The code under each comment `mark`."""
    return re.findall(rf"<!-- {mark} -->\n```\w+\n(.*?)```", README, re.DOTALL)


def test_every_command_is_run_by_a_test() -> None:
    marked = re.findall(r"<!-- (\w+) -->\n```(?:sh|python)\n", README)
    assert len(marked) == len(re.findall(r"```(?:sh|python)\n", README))
    assert set(marked) == {
        "try",
        "tests",
        "run",
        "kickfolio",
        "bundle",
        "patchwork",
        "review",
        "patches",
        "sandbox",
        "library",
        "benchmark",
    }


def test_the_first_command_pushes_the_repository_from_a_fresh_clone(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tmp_path / "clone")], check=True)
    [command] = blocks("try")
    assert len(command.splitlines()) == 1, "one line to paste"
    # The lines of a run that is not in a terminal tell of chunks and stages, the result of the publication.
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=tmp_path / "clone",
        env=ENVIRONMENT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "is published" in done.stdout
    assert "uploading: 100 %" in done.stderr
    assert "Traceback" not in done.stderr


def test_ci_runs_the_tests_command_as_printed() -> None:
    [command] = blocks("tests")
    assert len(command.splitlines()) == 1
    script = (ROOT / ".ci" / "run").read_text()
    [program] = re.findall(r"awk '(.*)' README\.md", script)
    read = subprocess.run(["awk", program, "README.md"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert read.stdout == command


@pytest.fixture
def sandbox(tmp_path: Path, build: Path) -> Iterator[SandboxProcess]:
    """A sandbox whose environment is that of the README: the key, the app, a ZIP, and the folder of it."""
    with zipfile.ZipFile(build) as archive:
        archive.extractall(build.parent / "build")
    with sandbox_process(tmp_path / "sandbox") as process:
        yield process


def environment(sandbox: SandboxProcess) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**sandbox.env, "PATH": path, "PATCHKIT_APP": sandbox.make_app()}


def test_the_commands_of_daily_use(sandbox: SandboxProcess, build: Path) -> None:
    env = environment(sandbox)
    commands = [
        line.split("  #")[0].strip()
        for block in blocks("run")
        for line in block.splitlines()
        if not line.startswith("export")
    ]
    assert len(commands) >= 6
    for command in commands:
        done = subprocess.run(
            ["bash", "-ec", command], cwd=build.parent, env=env, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout


def test_the_command_of_the_pipeline(sandbox: SandboxProcess, build: Path) -> None:
    (build.parent / "notes.txt").write_text("What is new")
    [command] = re.findall(r"- run: (pk-upload push .*)", README)
    env = {**environment(sandbox), "GITHUB_REF_NAME": "v1.4.2"}
    subprocess.run(["bash", "-ec", command], cwd=build.parent, env=env, check=True)
    assert '"published":true' in (build.parent / "release.json").read_text().replace(" ", "")


def test_the_sandbox_with_faults(tmp_path: Path) -> None:
    [command] = blocks("sandbox")
    command = command.replace("8720", "0").replace("pk-upload", f"exec {sys.executable} -m pk_upload")
    with subprocess.Popen(["bash", "-ec", command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(6)]
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert any("export PATCHKIT_API_URL=http://127.0.0.1:" in line for line in lines)
    assert process.returncode == 130


def test_the_library_sample(sandbox: SandboxProcess, build: Path) -> None:
    [program] = blocks("library")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=build.parent,
        env=environment(sandbox),
        check=True,
        capture_output=True,
        text=True,
    )
    size = build.stat().st_size
    assert done.stdout.splitlines()[-1] == f"1 1 True {size} 0"


@pytest.fixture
def bundle_url(tmp_path: Path) -> Iterator[str]:
    """Where a sandbox can fetch a ZIP of an .app bundle: the README's is nowhere."""
    (tmp_path / "bundles").mkdir()
    with zipfile.ZipFile(tmp_path / "bundles" / "game.zip", "w") as archive:
        archive.writestr("Game.app/Info.plist", plistlib.dumps({"CFBundleIdentifier": "com.example.game"}))
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "bundles"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/game.zip"
    server.shutdown()
    thread.join()
    server.server_close()


def kickfolio_environment(sandbox: SandboxProcess) -> dict[str, str]:
    own = {"KICKFOLIO_URL": f"{sandbox.url}/kickfolio", "KICKFOLIO_AUTH_TOKEN": "sandbox"}
    return {**environment(sandbox), **own}


def test_the_commands_for_kickfolio(sandbox: SandboxProcess, bundle_url: str) -> None:
    env, key = kickfolio_environment(sandbox), ""
    [block] = blocks("kickfolio")
    first, *commands = block.replace("https://builds.example.com/game.zip", bundle_url).splitlines()
    assert first.startswith("export KICKFOLIO_URL=")
    assert bundle_url in commands[0]
    for command in commands:
        done = subprocess.run(
            ["bash", "-ec", command.replace("ABCD123", key)],
            env=env,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout
        if "app list" in command:
            key = re.findall(r"(\S+) +My game", done.stdout)[0]


def test_the_library_sample_for_kickfolio(sandbox: SandboxProcess, bundle_url: str) -> None:
    [program] = blocks("bundle")
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            program.replace("https://builds.example.com/game.zip", bundle_url),
        ],
        env=kickfolio_environment(sandbox),
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "ready 1.4.3 My game com.example.game\n"


@pytest.fixture
def patchwork(tmp_path: Path, build: Path) -> Iterator[dict[str, str]]:
    """The environment for a sandbox that has patches too."""
    seed = write_mbox(tmp_path / "list.mbox", series(1))
    with sandbox_process(tmp_path / "data", "--seed-mbox", str(seed)) as process:
        own = {"PATCHWORK_URL": f"{process.url}/patchwork", "PATCHWORK_TOKEN": "sandbox"}
        yield {**environment(process), **own}


def test_the_commands_for_patchwork(patchwork: dict[str, str], build: Path) -> None:
    [block], [push] = blocks("patchwork"), blocks("review")
    first, *commands = block.splitlines()
    assert first.startswith("export PATCHWORK_URL=")
    for command in [*commands, push]:
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=build.parent,
            env=patchwork,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout
    listed = [sys.executable, "-m", "pk_upload", "patchwork", "check", "list", "2", "--json"]
    checks = json.loads(subprocess.run(listed, env=patchwork, check=True, capture_output=True).stdout)
    assert [check["state"] for check in checks if check["context"] == "pk-upload"] == ["pending", "success"]
    assert checks[-1]["target_url"].endswith("/versions/1")


def test_the_library_sample_for_patchwork(patchwork: dict[str, str], build: Path) -> None:
    [program] = blocks("patches")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=build.parent,
        env=patchwork,
        check=True,
        capture_output=True,
        text=True,
    )
    *patches, last = done.stdout.splitlines()
    assert len(patches) == 3
    assert last == "1 ['pending', 'success']"


def test_the_benchmarks_are_started_as_printed() -> None:
    [command] = blocks("benchmark")
    install, _, measure = command.strip().partition(" && ")
    assert install == '.venv/bin/pip install -q -e ".[benchmark]"'
    # That would take half an hour; what it measures is tried in small elsewhere.
    asked = f"{measure.replace('.venv/bin/python', sys.executable)} --help"
    done = subprocess.run(["bash", "-ec", asked], cwd=ROOT, check=True, capture_output=True, text=True)
    assert "throughput" in done.stdout


def test_the_tables_are_the_newest() -> None:
    shown = re.findall(r"<!-- table (\w+): (.*?) -->\n(.*?)\n\n", README, re.DOTALL)
    assert len(shown) >= 2
    for name, title, table in shown:
        found = (ROOT / "benchmarks" / "results" / f"{name}.md").read_text()
        assert f"## {title}\n\n{table}\n\n" in found, f"{title}: not what {name}.md has"


def test_what_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert all(link.startswith("https:") or (ROOT / link).exists() for link in links)
