"""`push`, by its result and by every way it can fail."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path

import pytest
from cli_harness import Live, finish, live, pk, sandbox, start

__all__ = ["live"]

RESULT = [
    "app",
    "version_id",
    "label",
    "upload_id",
    "job_guid",
    "published",
    "publish_time",
    "bytes_total",
    "bytes_sent",
    "bytes_resumed",
    "messages",
    "elapsed",
]


def test_a_push_in_words(live: Live, build: Path) -> None:
    done = live.pk("push", build, "--app", live.app(), "--label", "1.0", "--publish")
    assert done.code == 0
    first, second, *_ = done.out.splitlines()
    assert first == "version 1 (1.0) is published"
    assert "sent, 0 B resumed, in " in second
    for line in ("preparing: 1.0", "checking: version 1", "publishing: 100 %"):
        assert f"{line}\n" in done.err
    assert "uploading: 100 %, " in done.err


def test_a_push_as_json(live: Live, build: Path) -> None:
    app = live.app()
    push = ("push", build, "--app", app, "--label", "1.0", "--json")
    done = live.pk(*push)
    assert list(done.json) == RESULT
    assert (done.json["app"], done.json["version_id"], done.json["published"]) == (app, 1, False)
    assert done.json["bytes_sent"] == done.json["bytes_total"] == build.stat().st_size
    again = live.pk(*push, "--publish")
    assert again.json["published"] is True
    assert (again.json["bytes_sent"], again.json["bytes_resumed"]) == (0, build.stat().st_size)


def test_no_wait(live: Live, build: Path) -> None:
    app = live.app()
    done = live.pk("push", build, "--app", app, "--label", "1.0", "--publish", "--no-wait")
    assert done.out.startswith("version 1 (1.0) was accepted and is being processed, then published\n")


def test_the_environment_names_the_app(live: Live, build: Path) -> None:
    app = live.app()
    done = live.pk("push", build, "--label", "1.0", "--json", env={"PATCHKIT_APP": app})
    assert done.json["app"] == app


def test_a_rehearsal_needs_no_network_and_no_key(build: Path) -> None:
    nowhere = {"PATCHKIT_API_URL": "http://127.0.0.1:9"}
    push = ("push", build, "--app", "x", "--label", "1.0", "--dry-run", "--chunk-size", "100KiB", "--publish")
    done = pk(*push, "--json", env=nowhere)
    assert (done.code, done.err) == (0, "")
    told = done.json
    size = build.stat().st_size
    assert (told["source"], told["bytes_total"]) == (str(build), size)
    assert (told["chunks"], told["chunk_size"], told["files"]) == (-(-size // 102400), 102400, 4)
    assert (told["app"], told["label"], told["publish"]) == ("x", "1.0", True)
    words = pk(*push, env=nowhere)
    assert words.out.startswith(f"would upload {build}: ")


@pytest.mark.parametrize("dry", [True, False], ids=["dry", "wet"])
def test_sources_that_are_no_good(live: Live, tmp_path: Path, dry: bool) -> None:
    (tmp_path / "text.zip").write_text("this is no ZIP" * 100)
    (tmp_path / "empty.zip").touch()
    (tmp_path / "folder").mkdir()
    with zipfile.ZipFile(tmp_path / "method.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("game.exe", "x" * 100)
    codes = {"missing.zip": 2, "folder": 10, "text.zip": 10, "empty.zip": 10, "method.zip": 10}
    for name, code in codes.items():
        how = ("--dry-run",) if dry else ()
        done = live.pk("push", tmp_path / name, "--app", "x", "--label", "1", "--json", *how)
        assert (name, done.code) == (name, code)
        assert name in done.error["message"]
        assert done.error["hint"]


def test_changelogs_that_cannot_be_read(build: Path, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    for given in (f"@{tmp_path}/missing", f"@{tmp_path}/binary", f"@{tmp_path}"):
        done = pk("push", build, "--app", "x", "--label", "1", "--dry-run", "--changelog", given, "--json")
        assert (done.code, done.error["type"]) == (2, "UsageError")


def test_a_changelog_with_a_byte_order_mark(build: Path, tmp_path: Path) -> None:
    (tmp_path / "changes").write_text("new", "utf-8-sig")
    push = ("push", build, "--app", "x", "--label", "1", "--dry-run", "--json", "--changelog")
    assert pk(*push, f"@{tmp_path}/changes").json["changelog"] == "new"
    assert pk(*push, "plain").json["changelog"] == "plain"


@pytest.mark.parametrize(
    ("how", "code", "kind"),
    [
        (("--api-key", "wrong"), 3, "AuthenticationFailed"),
        (("--app", "nosuch"), 4, "NotFound"),
        (("--api-url", "http://127.0.0.1:9", "--retries", "0"), 7, "ConnectFailed"),
        (("--upload-url", "http://127.0.0.1:9", "--retries", "0"), 7, "ConnectFailed"),
        (("--timeout", "2", "--limit-rate", "1K"), 9, "UploadFailed"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_failures(live: Live, build: Path, how: tuple[str, ...], code: int, kind: str) -> None:
    done = live.pk("push", build, "--app", live.app(), "--label", "1", "--chunk-size", "2K", "--json", *how)
    assert (done.code, done.error["type"]) == (code, kind)


@pytest.mark.parametrize("name", ["api-key", "api-url", "upload-url", "app"])
def test_an_empty_flag_does_not_fall_back_on_the_environment(live: Live, build: Path, name: str) -> None:
    done = live.pk("push", build, "--label", "1", "--json", f"--{name}", "", env={"PATCHKIT_APP": live.app()})
    assert (done.code, done.error["message"]) == (2, f"--{name} is empty")


@pytest.mark.parametrize("name", ["label", "changelog"])
def test_a_text_that_is_no_text_is_named_before_anything_is_asked(live: Live, build: Path, name: str) -> None:
    arguments = {"--label": "1", f"--{name}": os.fsdecode(b"x\xff")}
    words = [word for pair in arguments.items() for word in pair]
    done = live.pk("push", build, "--app", "nosuch", "--json", *words)
    assert done.code == 2
    assert f"--{name}" in done.error["message"]
    assert "no UTF-8 text" in done.error["message"]


def test_an_empty_source_is_not_this_folder(live: Live) -> None:
    done = live.pk("push", "", "--app", "nosuch", "--label", "1", "--json")
    assert done.code == 2
    assert "is empty" in done.error["message"]


def test_what_goes_wrong_in_a_sandbox_is_told_where_it_runs(tmp_path: Path, build: Path) -> None:
    process = start("sandbox", "--port", "0", "--json", "--data-dir", tmp_path / "data")
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    uploads = tmp_path / "data" / "uploads"
    uploads.rmdir()
    uploads.write_text("a file in the way of the folder")
    env = {"PATCHKIT_API_URL": told["url"], "PATCHKIT_API_KEY": told["api_key"]}
    done = pk("upload", build, "--retries", "0", env=env)
    process.terminate()
    ended = finish(process)
    assert done.code == 7
    assert "Not a directory" in done.err
    assert "warning: " in ended.err
    assert "Not a directory" in ended.err
    assert "Traceback" not in ended.err


def test_somebody_elses_draft(live: Live, build: Path) -> None:
    app = live.app()
    live.pk("version", "create", "--app", app, "--label", "theirs")
    done = live.pk("push", build, "--app", app, "--label", "ours", "--json")
    assert (done.code, done.error["type"]) == (5, "DraftExists")
    assert live.pk("push", build, "--app", app, "--label", "ours", "--overwrite-draft").code == 0


@pytest.mark.parametrize(
    ("fault", "code", "kind"),
    [
        ("fail-job", 6, "ProcessingFailed"),
        ("error-message", 6, "ProcessingFailed"),
        ("status=503@versions", 7, "Refused"),
        ("status=418", 9, "ChunkRefused"),
        ("status=307", 9, "Redirected"),
    ],
)
def test_faults_of_the_service(tmp_path: Path, build: Path, fault: str, code: int, kind: str) -> None:
    with sandbox(tmp_path / "data", "--fault", fault) as server:
        app = server.app()
        done = server.pk("push", build, "--app", app, "--label", "1", "--retries", "1", "--json")
        assert (done.code, done.error["type"]) == (code, kind)
        if fault == "fail-job":
            guid = next(line.split()[-1] for line in done.err.splitlines() if "job" in line)
            assert server.pk("job", guid, "--json").error["type"] == "ProcessingFailed"


def test_two_pushes_of_the_same(live: Live, build: Path) -> None:
    push = ("push", build, "--app", live.app(), "--label", "1", "--json")
    first = start(*push, "--limit-rate", "1K", env=live.env)
    assert first.stderr is not None
    before = first.stderr.readline()  # by its first line it holds the journal
    done = live.pk(*push)
    assert (done.code, done.error["type"]) == (11, "StateLocked")
    first.terminate()
    assert finish(first, before).code == 143


def test_the_embedded_sandbox(build: Path, tmp_path: Path) -> None:
    """It needs nothing, leaves nothing, and neither a real key nor a proxy comes near it."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    env = {
        "TMPDIR": str(scratch),
        "PATCHKIT_API_KEY": "a-real-key",
        "PATCHKIT_API_URL": "http://127.0.0.1:9",
        "PATCHKIT_UPLOAD_URL": "http://127.0.0.1:9",
        "PATCHKIT_APP": "a-real-app",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "no_proxy": "example.org",
    }
    done = pk("push", build, "--sandbox", "--publish", "--json", env=env)
    assert done.code == 0, done.out
    assert (done.json["label"], done.json["published"]) == ("build", True)
    assert list(scratch.iterdir()) == []
    assert not (tmp_path / "state").exists()


def test_the_embedded_sandbox_has_no_apps_but_its_own(build: Path) -> None:
    done = pk("push", build, "--sandbox", "--app", "nosuch", "--json")
    assert (done.code, done.error["type"]) == (4, "NotFound")


@pytest.mark.skipif(sys.platform != "linux", reason="only there a file's name may be any bytes")
def test_a_source_whose_name_is_no_text(build: Path) -> None:
    odd = build.with_name("odd\udcff.zip")
    build.rename(odd)
    done = pk("push", odd, "--sandbox", "--json")
    assert (done.code, done.json["label"]) == (0, "odd\ufffd")
