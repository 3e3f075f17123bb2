"""The quirks of the official command-line tools, request by request as they were observed."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from anyio import to_thread
from server_harness import KEY, Client

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.anyio

BOUNDARY = "lUPK5p-fczXb2siiRxMdh5ugLEM3mM5HdN_byM3iERbm_-oD9qiAlA"


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("game.exe", b"MZ" + bytes(5000))
    return file.getvalue()


ARCHIVE = archive()
LAST = len(ARCHIVE) - 1


class Tool:
    """Sends request lines exactly as written; no library cleans up the paths."""

    def __init__(self, client: Client) -> None:
        self._address = client.sandbox.url.removeprefix("http://")

    async def send(
        self,
        line: str,
        fields: Mapping[str, str] | None = None,
        *,
        chunk: bytes | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        sent = dict(headers or {})
        if fields is not None:
            sent["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
            body = self._form(fields, chunk)
        verb, target = line.split()
        return await to_thread.run_sync(self._exchange, verb, target, body, sent)

    def _form(self, fields: Mapping[str, str], chunk: bytes | None) -> bytes:
        parts = [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
            for name, text in fields.items()
        ]
        if chunk is not None:
            head = 'name="chunk"; filename="chunk_0"\r\nContent-Type: application/octet-stream'
            parts.insert(
                0,
                f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + chunk + b"\r\n",
            )
        return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()

    def _exchange(
        self, verb: str, target: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self._address)
        try:
            connection.request(verb, target, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            assert text or target.startswith("/_parts"), "the Ruby tools fail on an empty body"
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()

    async def wait_for(self, line: str, field: str, fields: Mapping[str, str] | None = None) -> Any:
        while True:
            status, found = await self.send(line, fields)
            assert status == 200, found
            if found[field]:
                return found


@pytest.fixture
def fake() -> None:
    """The real processing here."""


async def test_the_go_tool(client: Client) -> None:
    tool, app = Tool(client), await client.app()
    key = f"api_key={KEY}"
    status, found = await tool.send(f"GET /1/apps/{app}?{key}")
    assert status == 200
    assert found["processing_version"] is False
    assert found["publishing_version"] is False
    lock = {"owner": "7f2eb095-769d-4c2a-841f-062c576c3b4f", "resource": app}
    status, found = await tool.send(f"POST /1/global_locks/acquire?{key}", lock)
    assert (status, found["status"], found["queue_position"]) == (200, "allow", 0)
    assert await tool.send(f"GET /1/apps/{app}/versions?{key}") == (200, [])
    status, found = await tool.send(f"POST /1/apps/{app}/versions?{key}", {"label": "1.0"})
    assert (status, found["id"], found["draft"]) == (201, 1, True)
    version = f"/1/apps/{app}/versions/1"
    status, found = await tool.send(f"PATCH {version}?{key}", {"changelog": "chg"})
    assert (status, found["changelog"]) == (200, "chg")
    fields = {"storage_type": "s3", "total_size_bytes": str(len(ARCHIVE))}
    status, upload = await tool.send(f"POST /1/uploads?{key}", fields)
    assert status == 201
    content_range = {"Content-Range": f"bytes 0-{LAST}/{len(ARCHIVE)}", "Content-Length": "0"}
    line = f"POST /1/uploads/{upload['id']}/gen_chunk_url?{key}"
    status, found = await tool.send(line, headers=content_range)
    assert status == 200
    path = found["url"].removeprefix(client.sandbox.url)
    octets = {"Content-Type": "application/octet-stream"}
    assert await tool.send(f"PUT {path}", body=ARCHIVE, headers=octets) == (200, None)
    status, job = await tool.send(f"PUT {version}/content_file?{key}", {"upload_id": str(upload["id"])})
    assert status == 200
    job = await tool.wait_for(f"GET /1/background_jobs/{job['job_guid']}?{key}", "finished")
    assert job["status"] == 0
    status, found = await tool.send(f"GET {version}?{key}")
    assert (found["has_processing_error"], found["draft"]) == (False, True)
    assert found["processing_finished_at"].endswith("Z")
    status, found = await tool.send(f"PUT {version}/publish?{key}", headers={"Content-Length": "0"})
    assert (status, found["pending_publish"]) == (200, True)
    found = await tool.wait_for(f"GET {version}?{key}", "published")
    assert (found["draft"], found["pending_publish"], found["publish_progress"]) == (False, False, 1.0)


async def test_the_ruby_tool(client: Client) -> None:
    tool, app = Tool(client), await client.app()
    key = f"api_key={KEY}"
    assert (await tool.send(f"GET /1/account?{key}"))[0] == 200
    assert (await tool.send("GET /1/account?api_key=wrong"))[0] == 401
    for _ in range(2):  # the same owner asks again and is allowed again
        lock = {"resource": f"1/apps/{app}", "owner": "964fc3ad-fdc9-4dc6-8be3-0bf3f6e55a49"}
        status, found = await tool.send(f"POST /1/global_locks/acquire?{key}", lock)
        assert (status, found["status"]) == (200, "allow")
    await tool.send(f"POST /1/apps/{app}/versions?{key}", {"label": "1.0"})
    version = f"/1/apps/{app}/versions/1"
    empty = {"Content-Length": "0", "Content-Type": "application/x-www-form-urlencoded"}
    status, found = await tool.send(f"PATCH {version}?{key}", headers=empty)
    assert (status, found["label"]) == (200, "1.0")
    fields = {"api_key": KEY, "storage_type": "s3", "total_size_bytes": str(len(ARCHIVE))}
    _, upload = await tool.send(f"POST /1/uploads?{key}", fields)
    content_range = {"Content-Range": f"bytes 0-{LAST}/{len(ARCHIVE)}"}
    line = f"POST /1/uploads/{upload['id']}/gen_chunk_url?{key}"
    _, found = await tool.send(line, {"api_key": KEY}, headers=content_range)
    path = found["url"].removeprefix(client.sandbox.url)
    for _ in range(2):  # a retry goes to the same address
        closing = {"Content-Type": "", "Connection": "close"}
        assert await tool.send(f"PUT {path}", body=ARCHIVE, headers=closing) == (200, None)
    _, job = await tool.send(f"PUT {version}/content_file?{key}", {"upload_id": str(upload["id"])})
    status, found = await tool.send(f"PATCH {version}?{key}", {"publish_when_processed": "true"})
    assert (status, found["publish_when_processed"]) == (200, True)
    await tool.wait_for(f"GET /1/background_jobs/{job['job_guid']}?{key}", "finished")
    _, found = await tool.send(f"GET {version}?{key}")
    assert found["pending_publish"] or found["published"]
    await tool.wait_for(f"GET {version}?{key}", "published")


async def test_the_ruby_tool_of_2018(client: Client) -> None:
    tool, app = Tool(client), await client.app()
    key = f"api_key={KEY}"
    nothing: dict[str, str] = {}  # a multipart body of only its closing boundary, on GET too
    assert await tool.send(f"GET //1/apps/{app}/versions?{key}") == (200, [])
    assert (await tool.send(f"POST //1/apps/{app}/versions?{key}", {"label": "1.0"}))[0] == 201
    version = f"1/apps/{app}/versions/1"
    status, found = await tool.send(f"PATCH //{version}?{key}", {"label": "1.0", "changelog": "chg"})
    assert (status, found["changelog"]) == (200, "chg")
    status, found = await tool.send(f"PATCH //{version}?{key}?{key}", nothing)
    assert (status, found["changelog"]) == (200, "chg")
    status, upload = await tool.send(f"POST //1/uploads?{key}", {"total_size_bytes": str(len(ARCHIVE))})
    assert status == 201
    status, found = await tool.send(
        f"POST //1/uploads/{upload['id']}/chunk?{key}",
        {"md5": hashlib.md5(ARCHIVE).hexdigest()},
        chunk=ARCHIVE,
        headers={"Content-Range": f"bytes 0-{LAST}/{len(ARCHIVE)}"},
    )
    assert (status, found) == (201, upload)
    _, job = await tool.send(f"PUT //{version}/content_file?{key}", {"upload_id": str(upload["id"])})
    fields = {"publish_when_processed": "true", "api_key": KEY}
    status, found = await tool.send(f"PATCH ///{version}", fields)
    assert (status, found["publish_when_processed"]) == (200, True)
    await tool.wait_for(f"GET //1/background_jobs/{job['job_guid']}", "finished", nothing)
    found = await tool.wait_for(f"GET ///{version}?{key}", "published", nothing)
    assert found["draft"] is False
