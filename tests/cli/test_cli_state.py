"""`pk-upload state`: what can be resumed, listed, shown and forgotten."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from cli_harness import Live, finish, live, pk, start

from pk_upload.transfer.lock import acquire, release

__all__ = ["live"]

FIELDS = {
    "id",
    "source",
    "app",
    "label",
    "api_url",
    "step",
    "version_id",
    "upload_id",
    "job_guid",
    "chunk_size",
    "bytes_total",
    "bytes_confirmed",
    "updated",
    "held_by",
    "damage",
}
SLOW = ("--chunk-size", "20K", "--limit-rate", "200K", "--progress", "json")


@pytest.fixture
def left(live: Live, build: Path) -> str:
    """The app of a push that was interrupted with some chunks confirmed."""
    app = live.app()
    process = start("push", build, "--app", app, "--label", "1.0", *SLOW, env=live.env)
    assert process.stderr is not None
    for line in process.stderr:
        if '"confirmed":' in line and '"confirmed":0' not in line:
            break
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 130
    return app


def test_what_can_be_resumed_is_listed(live: Live, build: Path, left: str) -> None:
    [each] = pk("state", "list", "--json").json
    assert set(each) == FIELDS
    assert (each["source"], each["app"], each["label"]) == (str(build), left, "1.0")
    assert (each["step"], each["api_url"], each["chunk_size"]) == ("upload", live.url, 20 * 1024)
    assert 0 < each["bytes_confirmed"] < each["bytes_total"] == build.stat().st_size
    assert (each["held_by"], each["damage"]) == (None, None)
    text = pk("state", "list").out
    assert each["id"][:8] in text
    assert str(build) in text


def test_one_is_shown_by_the_beginning_of_its_id(left: str) -> None:
    [each] = pk("state", "list", "--json").json
    assert pk("state", "show", each["id"][:5], "--json").json == each
    shown = pk("state", "show", each["id"])
    assert f"app: {left}\n" in shown.out


def test_what_is_forgotten_begins_anew(live: Live, build: Path, left: str) -> None:
    [each] = pk("state", "list", "--json").json
    forgotten = pk("state", "forget", each["id"][:8], "--json")
    assert (forgotten.code, forgotten.json) == (0, {"forgotten": [each["id"]]})
    assert pk("state", "list", "--json").json == []
    again = live.pk("push", build, "--app", left, "--label", "1.0", "--overwrite-draft", "--json")
    assert again.json["bytes_resumed"] == 0


def test_a_run_that_ends_well_leaves_nothing(live: Live, build: Path, left: str) -> None:
    done = live.pk("push", build, "--app", left, "--label", "1.0", "--publish", "--json")
    assert done.json["bytes_resumed"] > 0
    assert pk("state", "list", "--json").json == []
    assert "nothing" in pk("state", "list").out


def test_what_a_run_is_at_work_on_is_named_and_not_forgotten(left: str, tmp_path: Path) -> None:
    [journal] = (tmp_path / "state").glob("*.journal")
    lock = acquire(journal)
    try:
        [each] = pk("state", "list", "--json").json
        assert each["held_by"] is not None
        assert f"process {each['held_by']}" in pk("state", "list").out
        refused = pk("state", "forget", each["id"], "--json")
        assert (refused.code, refused.error["type"]) == (11, "StateLocked")
        assert pk("state", "forget", "--all", "--json").json == {"forgotten": []}
    finally:
        release(lock, journal)
    assert pk("state", "forget", "--all").code == 0
    assert list((tmp_path / "state").iterdir()) == []


def test_a_damaged_one_is_listed_and_can_be_forgotten(left: str, tmp_path: Path) -> None:
    [journal] = (tmp_path / "state").glob("*.journal")
    journal.write_bytes(journal.read_bytes().replace(b"upload", b"uplood", 1))
    [each] = pk("state", "list", "--json").json
    assert "not what was written" in each["damage"]
    assert "damaged" in pk("state", "list").out
    assert pk("state", "forget", each["id"]).code == 0
    assert pk("state", "list", "--json").json == []


@pytest.mark.parametrize("command", ["show", "forget"])
def test_an_id_that_is_none(command: str) -> None:
    done = pk("state", command, "3f2a", "--json")
    assert done.code == 11
    assert "3f2a" in done.error["message"]
    assert "state list" in done.error["hint"]


@pytest.mark.parametrize("arguments", [(), ("abc", "--all")])
def test_what_to_forget_is_said_once(arguments: tuple[str, ...]) -> None:
    assert pk("state", "forget", *arguments, "--json").error["type"] == "UsageError"


def test_a_state_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = pk("state", "list", "--state-dir", tmp_path / "file", "--json")
    assert (done.code, done.error["type"]) == (11, "StateError")


def test_an_upload_of_a_moved_file_is_gone_on_with(live: Live, build: Path, left: str) -> None:
    moved = build.rename(build.with_name("moved.zip"))
    push = ("push", moved, "--app", left, "--label", "1.0", "--publish", "--json")
    done = live.pk(*push, "--resume-from", build)
    assert done.code == 0
    assert done.json["bytes_resumed"] > 0
    assert done.json["bytes_sent"] + done.json["bytes_resumed"] == done.json["bytes_total"]
