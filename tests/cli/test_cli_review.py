"""`push --check`: a patch on Patchwork is told how a release goes, and nothing of that changes it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_harness import Done, Live, finish, pk, sandbox, start, under_way
from patchwork_harness import series, write_mbox

from pk_upload.cli import settings
from pk_upload.reporting import CONTEXT
from recorded_patchwork import TOKEN, RecordedPatchwork

NOBODY = "http://127.0.0.1:1"
SLOW = ("--limit-rate", "20K", "--chunk-size", "20K", "--concurrency", "1", "--progress", "json")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A sandbox with patches, which is both services."""
    folder = tmp_path_factory.mktemp("review")
    seed = write_mbox(folder / "m", series(1, 20))
    with sandbox(folder / "data", "--seed-mbox", str(seed)) as running:
        yield running


@pytest.fixture(scope="module")
def patches() -> Iterator[int]:
    return iter(range(1, 21))


@pytest.fixture
def patch(patches: Iterator[int]) -> int:
    """A patch of which nobody was told anything so far."""
    return next(patches)


def environment(site: Live) -> dict[str, str | None]:
    return {**site.env, "PATCHWORK_URL": f"{site.url}/patchwork", "PATCHWORK_TOKEN": "sandbox"}


def push(site: Live, source: Path, *arguments: str, **env: str | None) -> Done:
    flags = ("--app", site.app(), "--label", "1.0", *arguments)
    return pk("push", source, *flags, env={**environment(site), **env})


def told(site: Live, patch: int, context: str = "pk-upload") -> list[tuple[str, str]]:
    """The states and descriptions of the patch's checks, the oldest first."""
    done = pk("patchwork", "check", "list", str(patch), "--json", env=environment(site))
    assert all(check["context"] == context for check in done.json)
    return [(check["state"], check["description"]) for check in done.json]


def wait_until_told(site: Live, patch: int) -> None:
    for _ in range(200):
        if told(site, patch):
            return
        time.sleep(0.05)
    raise AssertionError("nothing was told")


def test_a_published_build_is_a_success_with_the_link_of_its_version(
    site: Live, build: Path, patch: int
) -> None:
    done = push(site, build, "--publish", "--json", "--check", str(patch), "--check-context", "nightly")
    assert done.code == 0, done.out
    version = done.json["version_id"]
    assert told(site, patch, "nightly") == [
        ("pending", "the release has started"),
        ("success", f"version {version} (1.0) is published"),
    ]
    listed = pk("patchwork", "check", "list", str(patch), "--json", env=environment(site)).json
    assert listed[1]["target_url"] == f"{site.url}/1/apps/{done.json['app']}/versions/{version}"
    assert "target_url" not in listed[0] or listed[0]["target_url"] is None


def test_a_build_that_is_refused_is_a_failure_with_the_reason(site: Live, tmp_path: Path, patch: int) -> None:
    (tmp_path / "bad.zip").write_bytes(b"this is no ZIP")
    done = push(site, tmp_path / "bad.zip", "--json", "--check", str(patch))
    assert done.code == 10
    [_, (state, reason)] = told(site, patch)
    assert state == "fail"
    assert reason == done.error["message"]


def test_what_is_left_to_the_service_stays_pending(site: Live, build: Path, patch: int) -> None:
    assert push(site, build, "--no-wait", "--check", str(patch)).code == 0
    assert told(site, patch)[1] == ("pending", "version 1 (1.0) was accepted and is being processed")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_push_is_a_failure_until_it_goes_on(
    site: Live, build: Path, patch: int, signum: int
) -> None:
    flags = ("push", build, "--app", site.app(), "--label", "1.0", "--check", str(patch))
    process = start(*flags, *SLOW, env=environment(site))
    before = under_way(process)
    wait_until_told(site, patch)
    process.send_signal(signum)
    assert finish(process, before).code == 128 + signum
    assert told(site, patch) == [
        ("pending", "the release has started"),
        ("fail", "the release was interrupted"),
    ]
    assert pk(*flags, env=environment(site)).code == 0
    assert [state for state, _ in told(site, patch)] == ["pending", "fail", "pending", "success"]


@contextmanager
def reporting_its_end(
    site: Live, source: Path, stdout: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    """A push that has ended but for its last check, which a Patchwork holds."""
    held, over = threading.Event(), threading.Event()

    def hold(_: object) -> bool:
        held.set()
        return over.wait(60)

    with RecordedPatchwork() as slow:
        slow.trouble("POST patches/checks", lambda _: False, hold, hold)
        env = {**environment(site), "PATCHWORK_URL": slow.url, "PATCHWORK_TOKEN": TOKEN}
        flags = ("--app", site.app(), "--label", "1.0", "--publish", "--json", "--check", "8")
        process = start("push", source, *flags, env=env, stdout=stdout)
        try:
            assert held.wait(60)
            yield process
        finally:
            over.set()


def test_a_release_that_is_over_is_a_success_though_its_report_is_interrupted(
    site: Live, build: Path
) -> None:
    with reporting_its_end(site, build) as process:
        process.send_signal(signal.SIGTERM)
        done = finish(process)
    assert done.code == 0
    assert done.json["published"]
    assert "could not be set to success" in done.err
    assert "interrupted" not in done.err
    assert "run the same command again" not in done.err, "it would publish another version"


def test_why_a_release_failed_is_told_though_its_report_is_interrupted(site: Live, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"this is no ZIP")
    with reporting_its_end(site, tmp_path / "bad.zip") as process:
        process.send_signal(signal.SIGINT)
        done = finish(process)
    assert (done.code, done.error["type"]) == (10, "PreflightFailed")


@pytest.mark.parametrize("bad", [False, True])
def test_a_second_signal_does_not_hide_how_it_ended(
    site: Live, build: Path, tmp_path: Path, bad: bool
) -> None:
    (tmp_path / "bad.zip").write_bytes(b"this is no ZIP")
    with reporting_its_end(site, tmp_path / "bad.zip" if bad else build) as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        told = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        done = finish(process)
    assert done.code == (10 if bad else 0)
    assert json.loads(told).keys() >= ({"error"} if bad else {"published", "version_id"})
    assert done.out == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_an_end_that_cannot_be_written_is_an_error_though_its_report_is_interrupted(
    site: Live, build: Path
) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with reporting_its_end(site, build, stdout=full) as process:
            process.send_signal(signal.SIGINT)
            done = finish(process)
    finally:
        os.close(full)
    assert done.code == 1
    assert "the result cannot be written: No space left on device" in done.err


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"PATCHWORK_URL": NOBODY}, "cannot be reached"),
        ({"PATCHWORK_TOKEN": "f" * 40}, "Invalid token."),
        ({"PATCHWORK_TOKEN": "sandbox-reader"}, "You do not have permission to perform this action."),
    ],
)
def test_a_check_that_cannot_be_posted_is_a_warning(
    site: Live, build: Path, env: dict[str, str], said: str
) -> None:
    done = push(site, build, "--publish", "--json", "--check", "1", **env)
    assert done.code == 0
    assert done.json["published"]
    warnings = re.findall(r"the check of patch 1 could not be set to (\w+): .*", done.err)
    assert warnings == ["pending", "success"]
    assert said in done.err
    assert "f" * 40 not in done.err


def test_a_rehearsal_tells_nobody(site: Live, build: Path, patch: int) -> None:
    assert push(site, build, "--dry-run", "--check", str(patch)).code == 0
    assert told(site, patch) == []


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["--check", "1"], {"PATCHWORK_URL": None}, "no address of Patchwork"),
        (["--check", "1"], {"PATCHWORK_TOKEN": None}, "no token of Patchwork"),
        (["--check", "0"], {}, "'0' is no id"),
        (["--check-context", "nightly"], {}, "there is no patch to tell"),
        (["--check-url", "https://ci.example.com/1"], {}, "there is no patch to tell"),
        (["--patchwork-url", "https://patchwork.example.com"], {}, "there is no patch to tell"),
        (["--check", "1", "--check-url", "not an address"], {}, "is not an address"),
        (["--check", "1"], {"PATCHWORK_API_VERSION": "2"}, "PATCHWORK_API_VERSION is one of"),
        (["--patchwork-api-version", "1.2"], {}, "there is no patch to tell"),
        (["--check", "1", "--check-context", "two words", "--dry-run"], {}, "the context 'two words'"),
        (["--check", "one"], {}, "--check"),
        (["--check", "1", "--check-context", "two words"], {}, "the context 'two words'"),
        (["--check", "1", "--patchwork-url", "nowhere"], {}, "is not an address"),
    ],
)
def test_mistakes_end_it_before_anything_is_sent(
    site: Live, build: Path, arguments: list[str], env: dict[str, str | None], said: str
) -> None:
    app = site.app()
    done = pk(
        "push", build, "--app", app, "--label", "1.0", "--json", *arguments, env={**environment(site), **env}
    )
    assert done.code == 2
    assert said in done.error["message"]
    assert site.pk("version", "list", "--app", app, "--json").json == []


def test_flags_beat_the_environment(site: Live, build: Path, patch: int) -> None:
    env: dict[str, str | None] = {"PATCHWORK_URL": NOBODY, "PATCHWORK_TOKEN": "f" * 40}
    own = ("--patchwork-url", f"{site.url}/patchwork", "--patchwork-token", "sandbox")
    done = push(site, build, "--check", str(patch), *own, **env)
    assert (done.code, "could not" in done.err) == (0, False)
    assert [state for state, _ in told(site, patch)] == ["pending", "success"]


def test_the_link_can_be_another_one(site: Live, build: Path, patch: int) -> None:
    url = "https://panel.example.org/apps/1"
    assert push(site, build, "--check", str(patch), "--check-url", url).code == 0
    listed = pk("patchwork", "check", "list", str(patch), "--json", env=environment(site)).json
    assert listed[1]["target_url"] == url


def test_an_older_site_is_told_as_well(site: Live, build: Path) -> None:
    with RecordedPatchwork() as older:
        older.versions = ("1.0", "1.1")
        own = ("--patchwork-url", older.url, "--patchwork-token", TOKEN)
        for how in ((), ("--patchwork-api-version", "1.0")):
            done = push(site, build, "--check", "8", *own, *how)
            assert (done.code, "could not" in done.err) == (0, False)
        asked = [seen.path for seen in older.requests("POST patches/checks")]
        assert asked == [f"/api/{version}/patches/8/checks/" for version in ("1.1", "1.1", "1.0", "1.0")]


def test_the_sandbox_of_one_run_has_no_patches(build: Path) -> None:
    done = pk("push", build, "--sandbox", "--check", "1", "--json")
    assert done.code == 2
    assert done.error["message"] == "--sandbox and --check exclude each other"


def test_what_is_repeated_is_what_the_library_has() -> None:
    assert settings.Settings([], {}).check_context == CONTEXT
