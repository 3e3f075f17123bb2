"""Apps, versions, jobs and uploads, against a real sandbox."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli_harness import PROGRAM, Live, environment, live, pk, sandbox, start

__all__ = ["live"]

KEY = "k3y-of-4-t3st"


def test_apps(live: Live) -> None:
    made = live.pk("app", "create", "--name", "My game", "--platform", "linux_x86_64", "--json")
    assert (made.code, made.err) == (0, "")
    assert made.json["name"] == "My game"
    secret = made.json["secret"]
    assert live.pk("app", "show", secret, "--json").json == made.json
    listed = live.pk("--json", "app", "list").json
    assert made.json in listed
    table = live.pk("app", "list").out.splitlines()
    assert table[0].split() == ["SECRET", "NAME", "PLATFORM", "VERSION"]
    assert any(line.split() == [secret, "My", "game", "linux_x86_64", "-"] for line in table[1:])
    assert len({line.index("linux") for line in table if "linux" in line}) == 1


def test_an_app_in_words_without_a_key(live: Live) -> None:
    secret = live.app()
    shown = live.pk("app", "show", env={"PATCHKIT_API_KEY": None, "PATCHKIT_APP": secret})
    assert (shown.code, shown.err) == (0, "")
    assert f"secret: {secret}\n" in shown.out
    assert "is_channel: no\n" in shown.out


def test_flags_beat_the_environment(live: Live) -> None:
    wrong: dict[str, str | None] = {
        "PATCHKIT_API_KEY": "wrong",
        "PATCHKIT_API_URL": "http://127.0.0.1:9",
        "PATCHKIT_APP": "wrong",
    }
    secret = live.app()
    flags = ("--api-url", live.url, "--api-key", live.key, "--app", secret)
    assert pk("version", "list", *flags, "--json", env=wrong).json == []


@pytest.mark.parametrize("place", [0, 1, 2])
def test_global_options_may_stand_anywhere(live: Live, place: int) -> None:
    words = ["app", "list"]
    words[place:place] = ["--api-url", live.url, "--json", "--api-key", live.key, "--quiet"]
    done = pk(*words)
    assert done.code == 0
    assert isinstance(done.json, list)


def test_the_last_of_two_flags_wins(live: Live) -> None:
    done = pk(
        "--api-url",
        "http://127.0.0.1:9",
        "app",
        "--api-key",
        "x",
        "list",
        "--api-url",
        live.url,
        "--api-key",
        live.key,
    )
    assert done.code == 0


def test_a_version_from_draft_to_published(live: Live, build: Path, tmp_path: Path) -> None:
    changes = tmp_path / "changes.txt"
    changes.write_text("first\nsecond\n")
    app = live.app()
    mine = {**live.env, "PATCHKIT_APP": app}
    made = pk("version", "create", "--label", "0.9", "--changelog", f"@{changes}", "--json", env=mine)
    assert made.json["changelog"] == "first\nsecond\n"
    assert made.json["draft"] is True

    again = pk("version", "create", "--label", "1.0", "--json", env=mine)
    assert (again.code, again.error["type"]) == (5, "DraftExists")

    changed = pk("version", "update", "1", "--label", "1.0", "--publish-when-processed", "--json", env=mine)
    assert (changed.json["label"], changed.json["publish_when_processed"]) == ("1.0", True)
    changed = pk("version", "update", "1", "--no-publish-when-processed", "--json", env=mine)
    assert changed.json["publish_when_processed"] is False

    shown = pk("version", "show", "1", env=mine)
    assert "changelog:\n  first\n  second\n" in shown.out
    assert pk("version", "show", "latest", env=mine).code == 4

    assert pk("push", build, "--label", "1.0", "--overwrite-draft", env=mine).code == 0
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    shown_as = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    later = pk("version", "update", "1", "--publish-time", moment.isoformat(), env=mine)
    assert f"publish_time: {moment.timestamp():.0f} ({shown_as})" in later.out
    scheduled = pk("version", "publish", "1", env=mine)
    assert scheduled.out == f"version 1 (1.0) will be published at {shown_as}\n"
    assert "scheduled" in pk("version", "list", env=mine).out

    cleared = pk("version", "update", "1", "--publish-time", "0", "--json", env=mine)
    assert cleared.json["publish_time"] in {0, None}
    begun = pk("version", "publish", "1", "--no-wait", "--json", env=mine)
    assert begun.json["id"] == 1
    done = pk("version", "publish", "1", "--progress", "json", env=mine)
    assert done.out == "version 1 (1.0) is published\n"
    assert {event["event"] for event in done.events} == {"stage", "progress"}
    latest = pk("version", "show", "latest", "--json", env={**mine, "PATCHKIT_API_KEY": None})
    assert latest.json["published"] is True
    (row,) = pk("version", "list", env=mine).out.splitlines()[1:]
    assert row.split()[:3] == ["1", "1.0", "published"]


def test_an_upload_prints_its_id_alone(live: Live, build: Path) -> None:
    first, second = live.pk("upload", build), live.pk("upload", build, "--json", "--no-checksum")
    assert first.out.strip().isdecimal()
    assert second.json["upload_id"] > int(first.out)
    assert second.json["bytes_sent"] == second.json["bytes_total"] == build.stat().st_size


def test_where_state_is_kept(live: Live, build: Path, tmp_path: Path) -> None:
    app = live.app()
    for name, how in {
        "flag": ("--state-dir", tmp_path / "flag"),
        "env": (),
        "none": ("--no-resume",),
    }.items():
        env = {"PK_UPLOAD_STATE_DIR": str(tmp_path / ("env" if name == "env" else "none"))}
        done = live.pk("push", build, "--app", app, "--label", name, "--overwrite-draft", *how, env=env)
        assert done.code == 0
    assert list((tmp_path / "flag").glob("*.journal"))
    assert list((tmp_path / "env").glob("*.journal"))
    assert not (tmp_path / "none").exists()


def test_a_job(live: Live, build: Path) -> None:
    app = live.app()
    guid = live.pk("push", build, "--app", app, "--label", "1", "--json").json["job_guid"]
    keyless = {"PATCHKIT_API_KEY": None}
    told = live.pk("job", guid, "--json", env=keyless)
    assert told.json["finished"] is True
    waited = live.pk("job", guid, "--wait", env=keyless)
    assert waited.code == 0
    assert "finished: yes\n" in waited.out
    assert "processing: 100 %" in waited.err


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        ("app list --api-key wrong", 3, "AuthenticationFailed"),
        ("app show nosuch", 4, "NotFound"),
        ("job nosuch", 4, "NotFound"),
        ("app show ..", 2, "UsageError"),
        ("app list --api-url ftp://x", 2, "UsageError"),
        ("app list --api-url http://127.0.0.1:9 --retries 0", 7, "ConnectFailed"),
    ],
)
def test_failures(live: Live, arguments: str, code: int, kind: str) -> None:
    done = live.pk(*arguments.split(), "--json")
    assert (done.code, done.error["type"]) == (code, kind)
    words = live.pk(*arguments.split())
    assert (words.code, words.out) == (code, "")
    assert "error: " in words.err
    assert "hint: " in words.err or not done.error["hint"]


def test_the_key_is_never_shown(tmp_path: Path, build: Path) -> None:
    """Not by a flag nor from the environment, in any way to ask for more or for less."""
    with sandbox(tmp_path / "data", "--api-key", KEY) as server:
        assert server.key == KEY  # but by the sandbox, whose key it is
        app = server.app()
        pushed = ("push", build, "--app", app, "--label", KEY, "--overwrite-draft", "--verbose")
        for arguments in (
            pushed,
            (*pushed, "--json", "--progress", "json"),
            (*pushed, "--api-key", KEY),
            ("app", "show", KEY, "--verbose"),
            ("version", "show", KEY, "--json", f"--api-key={KEY}"),
            ("upload", build.with_name(KEY), "--verbose"),
            ("app", KEY, "--api-key", KEY),
        ):
            done = server.pk(
                *arguments, env={} if "--api-key" not in arguments else {"PATCHKIT_API_KEY": None}
            )
            assert KEY not in done.out + done.err
            assert "[redacted]" in done.out + done.err


def test_a_closed_pipe_is_no_error(live: Live) -> None:
    process = start("app", "list", "--json", env=live.env)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert (process.stderr.read(), process.wait(60)) == ("", 0)
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk at hand")
def test_a_result_that_cannot_be_written_is_an_error(live: Live) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "app", "list"],
            env=environment(live.env),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: the result cannot be written")


def test_the_sandbox_says_how_to_use_it(tmp_path: Path) -> None:
    process = start("sandbox", "--port", "0", "--data-dir", tmp_path / "data", "--host", "0.0.0.0")
    assert process.stdout is not None
    assert process.stderr is not None
    text = "".join(process.stdout.readline() for _ in range(5))
    assert "export PATCHKIT_API_URL=http://" in text
    assert "export PATCHKIT_API_KEY=sandbox\n" in text
    assert "is not loopback" in process.stderr.readline()
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143


def test_the_sandbox_keeps_its_data_in_the_users_directory(tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("the directory is elsewhere there")
    process = start("sandbox", "--port", "0", "--json")
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    process.communicate(timeout=60)
    assert (tmp_path / "xdg-data" / "pk-upload" / "sandbox").is_dir() or os.uname().sysname == "Darwin"


def test_a_taken_port_is_one_sentence(live: Live, tmp_path: Path) -> None:
    port = live.url.rpartition(":")[2]
    done = pk("sandbox", "--port", port, "--data-dir", tmp_path / "data")
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert port in done.err


def test_waiting_for_a_job_has_a_bound(tmp_path: Path, build: Path) -> None:
    with sandbox(tmp_path / "data", "--fault", "slow-job=600") as server:
        app = server.app()
        pushed = server.pk("push", build, "--app", app, "--label", "1", "--no-wait", "--json")
        assert pushed.json["published"] is False
        began = time.monotonic()
        done = server.pk("job", pushed.json["job_guid"], "--wait", "--timeout", "500ms", "--json")
        assert (done.code, done.error["type"]) == (12, "GaveUpWaiting")
        assert time.monotonic() - began < 60
        push = ("push", build, "--app", app, "--label", "1", "--json")
        done = server.pk(*push, "--processing-timeout", "0.3")
        assert (done.code, done.error["type"]) == (12, "GaveUpWaiting")
        for seconds in ("1", "10", "40"):  # a slow machine takes longer to come to where it waits
            done = server.pk(*push, "--timeout", seconds)
            if done.code == 12:
                break
        assert (done.code, done.error["type"]) == (12, "GaveUpWaiting")


def test_what_is_made_though_the_answer_is_lost_is_made_once(tmp_path: Path) -> None:
    lossy = ("--fault", "lost-answer@POST/apps:count=1", "--fault", "lost-answer@POST/versions:count=1")
    with sandbox(tmp_path / "data", *lossy) as server:
        server.app()  # another one of the same name
        made = server.pk("app", "create", "--name", "game", "--platform", "windows_x86_64", "--json")
        assert made.code == 0
        assert len(server.pk("app", "list", "--json").json) == 2
        mine = {"PATCHKIT_APP": made.json["secret"]}
        draft = server.pk("version", "create", "--label", "1.0", "--json", env=mine)
        assert (draft.code, draft.json["id"]) == (0, 1)
        assert "was lost, but it was carried out" in draft.err
        assert len(server.pk("version", "list", "--json", env=mine).json) == 1
