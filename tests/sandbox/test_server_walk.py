"""The walk of the service's documentation, typed line by line with curl, through the real processing."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from pk_upload.sandbox import serve

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("curl") is None, reason="the walk is typed with curl"),
]

APP_FIELDS = {
    "id", "secret", "platform", "name", "display_name", "author", "is_channel", "parent_group",
    "allow_channel_direct_publish", "current_version", "processing_version", "publishing_version",
    "published_versions_count", "draft_versions_count", "use_keys", "diff_algorithm",
}  # fmt: skip
VERSION_FIELDS = {
    "id", "label", "changelog", "publish_date", "draft", "pending_publish", "published", "publish_progress",
    "publish_time", "publish_when_processed", "has_processing_error", "processing_messages",
    "processing_progress", "processing_started_at", "processing_finished_at", "content_guid", "diff_guid",
    "main_executable", "main_executable_args", "ignored_files", "can_be_imported",
}  # fmt: skip
JOB_FIELDS = {
    "guid", "time_started", "time_finished", "progress", "pending", "finished", "status", "status_message",
}  # fmt: skip


async def curl(*arguments: str) -> tuple[int, Any]:
    done = await anyio.run_process(["curl", "-sS", "-w", "\n%{http_code}", *arguments])
    body, _, status = done.stdout.decode().rpartition("\n")
    return int(status), json.loads(body)


async def test_the_walk(tmp_path: Path) -> None:
    archive = tmp_path / "game.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("game.exe", b"MZ" + bytes(range(256)) * 40)
        packed.writestr("data/level1.bin", bytes(range(256)) * 8000)
    content = archive.read_bytes()
    half = len(content) // 2
    key = ["-H", "X-Api-Key: APIKEY"]

    async with serve(tmp_path / "data", api_key="APIKEY", pace=0.2) as sandbox:
        api = sandbox.url
        status, app = await curl(
            "-d", "name=my_new_app&platform=windows_x86_64", *key, "-X", "POST", f"{api}/1/apps"
        )
        assert status == 201
        assert app.keys() >= APP_FIELDS
        assert (app["id"], app["platform"], app["name"]) == (1, "windows_x86_64", "my_new_app")
        versions = f"{api}/1/apps/{app['secret']}/versions"

        for number in (1, 2):
            status, version = await curl("-d", f"label={number}.0", *key, "-X", "POST", versions)
            assert status == 201
            assert version.keys() >= VERSION_FIELDS
            assert (version["id"], version["label"]) == (number, f"{number}.0")
            assert (version["publish_date"], version["draft"]) == (0, True)
            version_url = f"{versions}/{number}"

            status, upload = await curl(
                "-d", f"total_size_bytes={len(content)}", *key, "-X", "POST", f"{api}/1/uploads"
            )
            assert (status, upload) == (201, {"id": number})

            for first, end in ((0, half), (half, len(content))):
                piece = tmp_path / "chunk.data"
                piece.write_bytes(content[first:end])
                status, answer = await curl(
                    "-F", f"chunk=@{piece}",
                    "-F", f"md5={hashlib.md5(content[first:end]).hexdigest()}",
                    *key,
                    "-H", f"Content-Range: bytes {first}-{end - 1}",
                    "-X", "POST", f"{api}/1/uploads/{number}/chunk",
                )  # fmt: skip
                assert (status, answer) == (201, {"id": number})

            status, started = await curl(
                "-F", f"upload_id={number}", *key, "-X", "PUT", f"{version_url}/content_file"
            )
            assert (status, started.keys()) == (200, {"job_guid"})

            job_url = f"{api}/1/background_jobs/{started['job_guid']}"
            status, job = await curl(job_url)
            assert (status, job.keys()) == (200, JOB_FIELDS)
            while not job["finished"]:
                status, job = await curl(job_url)
            assert (job["status"], job["progress"], job["pending"]) == (0, 1.0, False)
            assert job["time_finished"].endswith("Z")

            status, version = await curl(version_url)
            assert (status, version["has_processing_error"]) == (200, False)
            assert all(message["severity"] != "error" for message in version["processing_messages"])
            assert version["main_executable"] == "game.exe"

            status, version = await curl(*key, "-X", "POST", f"{version_url}/publish")
            assert status == 200
            assert version["pending_publish"] != version["published"]
            progress = 0.0
            while not version["published"]:
                status, version = await curl(version_url)
                assert version["published"] or version["pending_publish"]
                assert version["publish_progress"] >= progress
                progress = version["publish_progress"]
            assert (version["draft"], version["pending_publish"], progress) == (False, False, 1.0)
            assert version["publish_date"] > 0

            status, urls = await curl(f"{version_url}/content_urls")
            done = await anyio.run_process(["curl", "-sS", urls[0]["url"]])
            assert len(done.stdout) == urls[0]["size"] > 0
            status, summary = await curl(f"{version_url}/content_summary")
            assert (status, len(summary["files"])) == (200, 2)

        status, summary = await curl(f"{versions}/2/diff_summary")
        assert status == 200
        status, answer = await curl(f"{versions}/1/diff_summary")
        assert status == 404
        status, latest = await curl(f"{versions}/latest/id")
        assert (status, latest) == (200, {"id": 2})


async def test_curl_is_refused_before_it_sends_a_large_body(tmp_path: Path) -> None:
    piece = tmp_path / "chunk.data"
    piece.write_bytes(bytes(8 * 1024 * 1024))
    async with serve(tmp_path / "data") as sandbox:
        status, answer = await curl(
            "-F", f"chunk=@{piece}",
            "-H", "Content-Range: bytes 0-8388607", "-H", "Expect: 100-continue", "-H", "X-Api-Key: wrong",
            f"{sandbox.url}/1/uploads/1/chunk",
        )  # fmt: skip
        assert (status, answer["symbol"]) == (401, "unauthorized")
