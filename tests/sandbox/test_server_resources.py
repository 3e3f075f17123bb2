"""Apps, versions, jobs, locks: what they answer and what they refuse."""

from __future__ import annotations

import asyncio
import io
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import pytest
from server_harness import KEY, Client, FakeProcessing, sandbox_client

from pk_upload.sandbox import SandboxError, serve, worker
from pk_upload.sandbox.places import Places
from pk_upload.sandbox.processing import CONTENT_SUMMARY, Finding
from pk_upload.sandbox.store import Store

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/1/account"),
        ("GET", "/1/apps"),
        ("POST", "/1/apps"),
        ("POST", "/1/apps/SECRET/versions"),
        ("PATCH", "/1/apps/SECRET/versions/1"),
        ("PUT", "/1/apps/SECRET/versions/1/content_file"),
        ("POST", "/1/apps/SECRET/versions/1/publish"),
        ("POST", "/1/uploads"),
        ("POST", "/1/uploads/1/chunk"),
        ("POST", "/1/uploads/1/gen_chunk_url"),
        ("POST", "/1/global_locks/acquire"),
    ],
)
@pytest.mark.parametrize("key", [None, "wrong", "sandbo", "sändbox"])
async def test_without_the_key_there_is_no_entry(
    client: Client, verb: str, path: str, key: str | None
) -> None:
    if key is not None:
        path = f"{path}?api_key={key}"
    status, answer = await client.call(verb, path, key=None)
    assert status == 401
    assert answer.keys() == {"message", "symbol"}
    assert KEY not in answer["message"]


async def test_the_key_is_taken_from_header_query_and_form(client: Client) -> None:
    assert (await client.call("GET", "/1/account"))[0] == 200
    assert (await client.call("GET", f"/1/account?api_key={KEY}", key=None))[0] == 200
    assert (await client.call("GET", f"/1/account?api_key={KEY}?api_key={KEY}", key=None))[0] == 200
    fields = {"name": "game", "platform": "other", "api_key": KEY}
    assert (await client.call("POST", "/1/apps", fields, key=None))[0] == 201


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/2/apps", 404),
        ("GET", "/1/apps/nobody", 404),
        ("GET", "/1/apps/nobody/versions", 404),
        ("GET", "/1/apps/..%2F..%2Fetc/versions/1", 404),
        ("GET", "/1/background_jobs/nothing", 404),
        ("GET", "/_files/..%2Fsandbox.sqlite3", 404),
        ("DELETE", "/1/apps", 405),
        ("GET", "/1/uploads", 405),
        ("POST", "/1/uploads/99/chunk", 404),
        ("POST", "/1/uploads/99999999999999999999/chunk", 404),
    ],
)
async def test_errors_are_json_with_a_sentence(client: Client, verb: str, path: str, status: int) -> None:
    found, answer = await client.call(verb, path)
    assert found == status
    assert answer.keys() == {"message", "symbol"}
    assert answer["message"].endswith(".")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"platform": "other"}, "name"),
        ({"name": "  ", "platform": "other"}, "name"),
        ({"name": "game"}, "platform"),
        ({"name": "game", "platform": "amiga"}, "platform must be one of windows_x86"),
    ],
)
async def test_a_bad_app_is_told_which_field(client: Client, fields: dict[str, str], says: str) -> None:
    status, answer = await client.call("POST", "/1/apps", fields)
    assert status == 400
    assert says in answer["message"]


async def test_apps_are_listed_and_count_their_versions(client: Client) -> None:
    first, second = await client.app(), await client.app()
    version = await client.draft_of(first, "1.0")
    apps = await client.ok("GET", "/1/apps")
    assert [app["secret"] for app in apps] == [first, second]
    assert (apps[0]["draft_versions_count"], apps[0]["current_version"]) == (1, 0)
    assert apps[0]["processing_version"] is False
    assert "content_key" not in apps[0]
    await client.processed(version)
    await client.ok("POST", f"{version}/publish")
    await client.published(version)
    app = await client.ok("GET", f"/1/apps/{first}", key=None)
    assert (app["draft_versions_count"], app["published_versions_count"], app["current_version"]) == (0, 1, 1)


async def test_an_app_has_one_draft(client: Client) -> None:
    app = await client.app()
    await client.draft_of(app, "1.0")
    status, answer = await client.call("POST", f"/1/apps/{app}/versions", {"label": "2.0"})
    assert (status, answer["symbol"]) == (403, "draft_exists")


async def test_drafts_are_listed_for_the_owner_alone(client: Client) -> None:
    app = await client.app()
    version = await client.draft_of(app, "1.0")
    assert await client.ok("GET", f"/1/apps/{app}/versions", key=None) == []
    assert [one["label"] for one in await client.ok("GET", f"/1/apps/{app}/versions")] == ["1.0"]
    assert (await client.ok("GET", version, key=None))["label"] == "1.0"
    assert (await client.call("GET", f"/1/apps/{app}/versions/latest"))[0] == 404


async def test_a_version_is_changed_by_patch(client: Client) -> None:
    version = await client.draft()
    changed = await client.ok("PATCH", version, {"label": "1.1", "changelog": "Schön & neu"})
    assert (changed["label"], changed["changelog"]) == ("1.1", "Schön & neu")
    assert await client.ok("PATCH", version) == changed
    for fields, says in (
        ({"label": ""}, "label"),
        ({"publish_when_processed": "perhaps"}, "publish_when_processed"),
        ({"publish_time": "tomorrow"}, "publish_time"),
    ):
        status, answer = await client.call("PATCH", version, fields)
        assert status == 400
        assert says in answer["message"]


async def test_changelogs_of_published_versions(client: Client) -> None:
    app = await client.app()
    for number in ("1", "2"):
        version = await client.draft_of(app, number)
        await client.ok("PATCH", version, {"changelog": f"change {number}"})
        await client.processed(version)
        await client.ok("POST", f"{version}/publish")
        await client.published(version)
    await client.draft_of(app, "3")
    assert await client.ok("GET", f"/1/apps/{app}/changelog", key=None) == [
        {"version_id": 2, "version_label": "2", "changes": "change 2"},
        {"version_id": 1, "version_label": "1", "changes": "change 1"},
    ]
    assert [one["id"] for one in await client.ok("GET", f"/1/apps/{app}/versions", key=None)] == [1, 2]


async def test_one_upload_is_one_job(client: Client, fake: FakeProcessing) -> None:
    version, upload = await client.draft(), await client.uploaded(b"archive")
    guid = await client.start_job(version, upload)
    assert await client.start_job(version, upload) == guid
    await client.job(guid)
    assert await client.start_job(version, upload) == guid
    assert fake.archives == [b"archive"]
    status, answer = await client.call(
        "PUT", f"{await client.draft()}/content_file", {"upload_id": str(upload)}
    )
    assert (status, answer["symbol"]) == (400, "upload_used")


async def test_content_file_refusals(client: Client, fake: FakeProcessing) -> None:
    version = await client.draft()
    for fields, status in ((None, 400), ({"upload_id": "x"}, 400), ({"upload_id": "99"}, 404)):
        assert (await client.call("PUT", f"{version}/content_file", fields))[0] == status
    fake.go_on.clear()
    first, second = await client.uploaded(b"one"), await client.uploaded(b"two")
    guid = await client.start_job(version, first)
    assert (await client.call("PUT", f"{version}/content_file", {"upload_id": str(second)}))[0] == 409
    status, answer = await client.call("POST", f"{version}/publish")
    assert (status, answer["symbol"]) == (400, "not_processed")
    fake.go_on.set()
    await client.job(guid)
    await client.ok("POST", f"{version}/publish")
    await client.published(version)
    status, answer = await client.call("PUT", f"{version}/content_file", {"upload_id": str(second)})
    assert (status, answer["symbol"]) == (403, "not_a_draft")


async def test_an_incomplete_upload_fails_its_job(client: Client) -> None:
    version, upload = await client.draft(), await client.new_upload(100)
    await client.chunk(upload, bytes(10), "bytes 20-29/100")
    job = await client.job(await client.start_job(version, upload))
    assert job["status"] == 1
    assert "0-19, 30-99" in job["status_message"]
    found = await client.ok("GET", version)
    assert found["has_processing_error"]
    assert [one["severity"] for one in found["processing_messages"]] == ["error"]
    assert (await client.call("POST", f"{version}/publish"))[0] == 400


async def test_what_processing_finds_stands_in_the_version(client: Client, fake: FakeProcessing) -> None:
    version = await client.draft()
    fake.findings = (Finding("warning", "Hm."), Finding("error", "No executable."))
    found = await client.processed(version)
    assert found["has_processing_error"]
    assert found["processing_messages"] == [
        {"severity": "warning", "message": "Hm."},
        {"severity": "error", "message": "No executable."},
    ]
    fake.findings = (Finding("warning", "Hm."),)
    found = await client.processed(version)  # uploading again helps
    assert not found["has_processing_error"]
    await client.ok("PUT", f"{version}/publish")
    await client.published(version)


async def test_a_crash_of_processing_is_a_failed_job(client: Client, fake: FakeProcessing) -> None:
    version = await client.draft()
    fake.error = RuntimeError("boom")
    job = await client.job(await client.start_job(version, await client.uploaded(b"archive")))
    assert job["status"] == 1
    assert "boom" not in job["status_message"]
    found = await client.ok("GET", version)
    assert found["has_processing_error"]
    assert found["processing_messages"] == []


async def test_a_summary_is_sent_as_processing_wrote_it(client: Client) -> None:
    version = await client.draft()
    await client.processed(version)
    written = b'{ "size":1,  "files":[] }'
    [path] = client.sandbox.data_dir.glob(f"content/*/*/{CONTENT_SUMMARY}")
    path.write_bytes(written)
    url = f"{client.sandbox.url}{version}/content_summary?api_key={KEY}"
    async with client.session.get(url) as answer:
        assert (answer.content_type, await answer.read()) == ("application/json", written)


async def test_a_full_disk_is_told_by_the_job(
    client: Client, fake: FakeProcessing, caplog: pytest.LogCaptureFixture
) -> None:
    fake.error = OSError(28, "No space left on device", "/some/where")
    job = await client.job(await client.start_job(await client.draft(), await client.uploaded(b"archive")))
    assert job["status"] == 1
    assert job["status_message"].endswith(": No space left on device.")
    assert [record.levelname for record in caplog.records if record.name == worker.__name__] == ["WARNING"]


async def test_the_second_version_is_compared_with_the_published_one(
    client: Client, fake: FakeProcessing
) -> None:
    app = await client.app()
    for number in ("1", "2"):
        version = await client.draft_of(app, number)
        await client.processed(version, number.encode())
        await client.ok("POST", f"{version}/publish")
        await client.published(version)
    assert fake.previous[0] is None
    assert fake.previous[1] is not None
    assert fake.keys[0] == fake.keys[1]
    assert len(fake.keys[0]) == 32
    assert fake.platforms == ["windows_x86_64"] * 2
    for path, status in (
        ("1/content_urls", 200),
        ("1/diff_urls", 404),
        ("2/diff_urls", 200),
        ("2/diff_summary", 200),
    ):
        assert (await client.call("GET", f"/1/apps/{app}/versions/{path}", key=None))[0] == status


async def test_content_of_a_draft_is_for_the_owner_alone(client: Client) -> None:
    version = await client.draft()
    await client.processed(version)
    assert (await client.call("GET", f"{version}/content_urls", key=None))[0] == 404
    [found] = await client.ok("GET", f"{version}/content_urls")
    async with client.session.get(found["url"], headers={"Range": "bytes=0-6"}) as answer:
        assert (answer.status, await answer.read()) == (206, b"content")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_it_publishes_by_itself_when_processed(client: Client, when: str) -> None:
    version = await client.draft()
    wish = {"publish_when_processed": "true"}
    if when == "before":
        await client.ok("PATCH", version, wish)
    await client.processed(version)
    if when == "after":
        found = await client.ok("PATCH", version, wish)
        assert found["pending_publish"]
    found = await client.ok("GET", version)
    assert found["pending_publish"] or found["published"]
    await client.published(version)


async def test_a_build_with_errors_is_not_published_by_itself(client: Client, fake: FakeProcessing) -> None:
    version = await client.draft()
    fake.findings = (Finding("error", "Bad."),)
    await client.ok("PATCH", version, {"publish_when_processed": "1"})
    found = await client.processed(version)
    assert (found["pending_publish"], found["published"]) == (False, False)


async def test_a_scheduled_version_waits_for_its_time(client: Client) -> None:
    version = await client.draft()
    await client.processed(version)
    await client.ok("PATCH", version, {"publish_time": str(int(time.time()) + 3600)})
    await client.ok("POST", f"{version}/publish")
    found = await client.until(version, lambda found: found["publish_progress"] == 1)
    assert (found["published"], found["pending_publish"]) == (False, True)
    await client.ok("PATCH", version, {"publish_time": str(int(time.time()) - 1)})
    await client.published(version)
    assert (await client.call("PATCH", version, {"publish_time": "0"}))[0] == 403


async def test_publishing_twice_is_publishing_once(client: Client) -> None:
    version = await client.draft()
    await client.processed(version)
    for verb in ("POST", "PUT"):
        found = await client.ok(verb, f"{version}/publish")
        assert found["pending_publish"] or found["published"]
    date = (await client.published(version))["publish_date"]
    await client.ok("POST", f"{version}/publish")
    assert (await client.ok("GET", version))["publish_date"] == date


async def test_locks_queue_and_know_both_names(client: Client) -> None:
    async def acquire(owner: str, resource: str = "secret") -> tuple[str, int]:
        answer = await client.ok("POST", "/1/global_locks/acquire", {"resource": resource, "owner": owner})
        return answer["status"], answer["queue_position"]

    assert await acquire("a") == ("allow", 0)
    assert await acquire("b", "1/apps/secret") == ("deny", 1)
    assert await acquire("c") == ("deny", 2)
    assert await acquire("a", "1/apps/secret") == ("allow", 0)
    assert await acquire("b") == ("deny", 1)
    assert await acquire("b", "other") == ("allow", 0)
    assert (await client.call("POST", "/1/global_locks/acquire", {"resource": "x"}))[0] == 400


def test_a_lock_that_is_not_refreshed_lapses(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    try:
        assert store.acquire("r", "a", now=0, lapse=60) == 0
        assert store.acquire("r", "b", now=50, lapse=60) == 1
        assert store.acquire("r", "a", now=55, lapse=60) == 0
        assert store.acquire("r", "b", now=100, lapse=60) == 1
        assert store.acquire("r", "b", now=120, lapse=60) == 0
        assert store.acquire("r", "a", now=121, lapse=60) == 1
    finally:
        store.close()


def test_what_ends_a_transaction_is_not_hidden_by_its_end(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    try:
        pages = store._db.value("PRAGMA page_count")
        store._db.execute(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(sqlite3.OperationalError, match="full"), store.transaction():
            store.create_app("x" * 20_000, "other", "", "")
        assert store.apps() == []
    finally:
        store.close()


async def test_forms_of_every_kind(client: Client) -> None:
    fields: Any = {"name": "game", "platform": "other"}
    multipart = aiohttp.FormData(fields, default_to_multipart=True)
    assert (await client.call("POST", "/1/apps", multipart))[0] == 201
    assert (await client.call("POST", "/1/apps?name=game&platform=other"))[0] == 201
    bad = {"Content-Type": "multipart/form-data; boundary=B"}
    for body in (b"nonsense", b"--B\r\n", b"--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx"):
        status, answer = await client.call("POST", "/1/apps", body, headers=bad)
        assert status == 400, answer
    status, answer = await client.call(
        "POST", "/1/apps", b"x", headers={"Content-Type": "multipart/form-data"}
    )
    assert status == 400
    latin = {"Content-Type": "application/x-www-form-urlencoded; charset=nonsense"}
    assert (await client.call("POST", "/1/apps", b"name=x", headers=latin))[0] == 400
    large = io.BytesIO(b"name=" + bytes(2_000_000))
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await client.call("POST", "/1/apps", large, headers=urlencoded))[0] == 413


async def test_a_server_error_is_json_without_a_traceback(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("internal detail")

    monkeypatch.setattr(Store, "apps", fail)
    status, answer = await client.call("GET", f"/1/apps?api_key={KEY}-or-not")
    assert status == 500
    assert "detail" not in str(answer)
    assert f"{KEY}-or-not" not in caplog.text


@pytest.mark.parametrize("end", [b"", b" nonsense", b" HTTP/1.1\r\nbad header"])
async def test_a_malformed_request_leaves_no_key_in_the_log(
    client: Client, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], end: bytes
) -> None:
    host, _, port = client.sandbox.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /1/apps?api_key=my-secret-key" + end + b"\r\n\r\n")
    writer.write_eof()
    with anyio.move_on_after(1):  # an answer, or none: some of these are no request at all
        await reader.read()
    writer.close()
    await writer.wait_closed()
    assert "my-secret-key" not in caplog.text
    assert "my-secret-key" not in "".join(capfd.readouterr())


async def test_an_empty_key_would_be_an_open_door(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        async with serve(tmp_path, api_key=""):
            pass


async def test_a_taken_port_is_one_sentence(client: Client, tmp_path: Path) -> None:
    port = int(client.sandbox.url.rpartition(":")[2])
    with pytest.raises(SandboxError, match=f"cannot listen on 127.0.0.1:{port}"):
        async with serve(tmp_path / "other", port=port):
            pass


async def test_a_data_directory_is_for_one_sandbox(client: Client) -> None:
    with pytest.raises(SandboxError, match="another sandbox uses it"):
        async with serve(client.sandbox.data_dir):
            pass


async def test_unusable_data_directories(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(SandboxError, match="cannot be made"):
        async with serve(file):
            pass
    places = Places.prepare(tmp_path / "data")
    places.database.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(SandboxError, match="cannot be used"):
        async with serve(tmp_path / "data"):
            pass


async def test_an_error_inside_comes_out_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with sandbox_client(tmp_path):
            raise ZeroDivisionError


async def test_the_key_is_in_no_repr(client: Client) -> None:
    assert KEY in client.sandbox.api_key
    assert "api_key" not in repr(client.sandbox)
