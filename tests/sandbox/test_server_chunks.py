"""Chunks: ranges, checks, order, concurrency, presigned URLs, broken connections."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import os
import random
from typing import TYPE_CHECKING

import anyio
import pytest
from server_harness import KEY, Client, FakeProcessing, awaiting, sandbox_client, until

from pk_upload.sandbox import uploads
from pk_upload.sandbox.places import Places

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

NOISE = random.Random(1).randbytes(3_000_000)


async def content_of(client: Client, fake: FakeProcessing, upload: int) -> bytes:
    """What the server made of the upload's chunks."""
    job = await client.job(await client.start_job(await client.draft(), upload))
    assert job["status"] == 0, job
    return fake.archives[-1]


async def gaps(client: Client, upload: int) -> str:
    """What the server says is missing."""
    job = await client.job(await client.start_job(await client.draft(), upload))
    assert job["status"] == 1
    message: str = job["status_message"]
    return message.rpartition(": ")[2]


@pytest.mark.parametrize("total", ["", "/10", "/*"])
@pytest.mark.parametrize("md5_first", [False, True])
@pytest.mark.parametrize("md5", ["right", None, hashlib.md5(b"0123456789").hexdigest().upper()])
async def test_every_form_of_a_chunk(
    client: Client, fake: FakeProcessing, total: str, md5_first: bool, md5: str | None
) -> None:
    upload = await client.new_upload(10)
    found = await client.chunk(upload, b"0123456789", f"bytes 0-9{total}", md5=md5, md5_first=md5_first)
    assert found == (201, {"id": upload})
    assert await content_of(client, fake, upload) == b"0123456789"


@pytest.mark.parametrize("md5_first", [False, True])
async def test_a_mismatch_is_412_and_the_range_counts_as_missing(client: Client, md5_first: bool) -> None:
    upload = await client.new_upload(20)
    assert (await client.chunk(upload, b"0123456789", "bytes 0-9/20"))[0] == 201
    assert (await client.chunk(upload, b"0123456789", "bytes 10-19/20"))[0] == 201
    status, answer = await client.chunk(
        upload, b"x123456789", "bytes 10-19/20", md5="0" * 32, md5_first=md5_first
    )
    assert (status, answer["symbol"]) == (412, "md5_mismatch")
    assert await gaps(client, upload) == "10-19."


async def test_chunks_in_any_order_again_and_at_once(client: Client, fake: FakeProcessing) -> None:
    size, step = len(NOISE), 170_003
    upload = await client.new_upload(size)
    firsts = [*range(0, size, step)] * 2
    random.Random(2).shuffle(firsts)

    async def send(first: int) -> None:
        data = NOISE[first : first + step]
        found = await client.chunk(upload, data, f"bytes {first}-{first + len(data) - 1}/{size}")
        assert found == (201, {"id": upload})

    async with anyio.create_task_group() as tasks:
        for first in firsts:
            tasks.start_soon(send, first)
    assert await content_of(client, fake, upload) == NOISE


@pytest.mark.parametrize(
    ("data", "content_range", "says"),
    [
        (b"0123456789", "", "missing"),
        (b"0123456789", "bytes 0-9/11", "of 11 bytes"),
        (b"0123456789", "bytes 11-20/20", "only 20 bytes"),
        (b"0123456789", "bytes 0-8/20", "not as long"),
        (b"0123456789", "bytes 0-10/20", "not as long"),
        (b"", "bytes 0-0/20", "not as long"),
    ],
)
async def test_a_bad_chunk_is_400_with_a_sentence(
    client: Client, data: bytes, content_range: str, says: str
) -> None:
    upload = await client.new_upload(20)
    status, answer = await client.chunk(upload, data, content_range)
    assert status == 400
    assert says in answer["message"]
    assert await gaps(client, upload) == "0-19."


async def test_a_chunk_longer_than_its_range_spares_its_neighbours(
    client: Client, fake: FakeProcessing
) -> None:
    upload = await client.new_upload(20)
    assert (await client.chunk(upload, b"abcdefghij", "bytes 10-19/20"))[0] == 201
    assert (await client.chunk(upload, b"0123456789XXXX", "bytes 0-9/20"))[0] == 400
    assert (await client.chunk(upload, b"0123456789", "bytes 0-9/20"))[0] == 201
    assert await content_of(client, fake, upload) == b"0123456789abcdefghij"


@pytest.mark.parametrize(
    "body",
    [
        b"--B--\r\n" + b" " * 10,
        b"no multipart at all",
        b'--B\r\nContent-Disposition: form-data; name="md5"\r\n\r\n0123\r\n--B--\r\n',
        b'--B\r\nContent-Disposition: form-data; name="chunk"\r\n\r\n0123456789',
        (b'--B\r\nContent-Disposition: form-data; name="chunk"\r\n\r\n0123456789\r\n' * 2) + b"--B--\r\n",
        b"--B\r\nContent-Type: multipart/mixed; boundary=C\r\n\r\n--C\r\n\r\n0123\r\n--C--\r\n--B--\r\n",
    ],
)
async def test_a_damaged_body_is_400(client: Client, body: bytes) -> None:
    upload = await client.new_upload(10)
    headers = {"Content-Type": "multipart/form-data; boundary=B", "Content-Range": "bytes 0-9/10"}
    status, answer = await client.call("POST", f"/1/uploads/{upload}/chunk", body, headers=headers)
    assert (status, answer.keys()) == (400, {"message", "symbol"})


async def test_a_chunk_that_is_no_multipart(client: Client) -> None:
    upload = await client.new_upload(10)
    status, answer = await client.call(
        "POST", f"/1/uploads/{upload}/chunk", b"0123456789", headers={"Content-Range": "bytes 0-9/10"}
    )
    assert (status, answer["symbol"]) == (400, "bad_body")


@pytest.mark.parametrize(
    ("number", "status", "says"),
    [
        (errno.EFBIG, 400, "The parameter total_size_bytes is too much for this server: "),
        (errno.ENOSPC, 400, "The parameter total_size_bytes is too much for this server: "),
        (errno.EACCES, 500, "This server cannot make a file for the upload: "),
    ],
)
async def test_an_upload_that_finds_no_room(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: int,
    status: int,
    says: str,
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number), "/some/where")

    monkeypatch.setattr(Places, "create_upload", fail)
    found, answer = await client.call("POST", "/1/uploads", {"total_size_bytes": "10"})
    assert (found, answer["message"]) == (status, f"{says}{os.strerror(number)}.")
    assert [record.levelname for record in caplog.records if record.name == uploads.__name__] == ["WARNING"]


@pytest.mark.parametrize("size", ["", "0", "-1", "1.5", "many", "9" * 40])
async def test_a_bad_size_is_told(client: Client, size: str) -> None:
    status, answer = await client.call("POST", "/1/uploads", {"total_size_bytes": size})
    assert status == 400
    assert "total_size_bytes" in answer["message"]


async def test_a_closed_upload_takes_no_more(client: Client) -> None:
    upload = await client.uploaded(b"0123456789")
    await client.job(await client.start_job(await client.draft(), upload))
    status, answer = await client.chunk(upload, b"0123456789", "bytes 0-9/10")
    assert (status, answer["symbol"]) == (403, "upload_closed")
    files = client.sandbox.data_dir / "uploads"
    await until(lambda: not list(files.iterdir()), "the end of the file, soon after that of the job")


async def test_a_chunk_that_is_whole_only_after_its_upload_was_closed(
    client: Client, fake: FakeProcessing
) -> None:
    upload = await client.new_upload(10)
    host, _, port = client.sandbox.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = b'--B\r\nContent-Disposition: form-data; name="chunk"\r\n\r\n0123456789\r\n'
    body += b'--B\r\nContent-Disposition: form-data; name="note"\r\n\r\n' + bytes(20_000) + b"\r\n--B--\r\n"
    writer.write(
        f"POST /1/uploads/{upload}/chunk?api_key={KEY} HTTP/1.1\r\nHost: {host}\r\n"
        "Content-Type: multipart/form-data; boundary=B\r\n"
        f"Content-Range: bytes 0-9/10\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body[:200]
    )
    path, sent = client.sandbox.data_dir / "uploads" / f"{upload}.data", 200
    with awaiting("the chunk in the file"):
        while path.read_bytes() != b"0123456789":
            writer.write(body[sent : sent + 1])  # the server sees the end of a part by what comes later
            sent += 1
            await anyio.sleep(0.01)
    guid = await client.start_job(await client.draft(), upload)
    writer.write(body[sent:])
    assert await reader.readline() == b"HTTP/1.1 403 Forbidden\r\n"
    writer.close()
    await writer.wait_closed()
    assert "0-9" in (await client.job(guid))["status_message"]


async def test_a_refused_large_chunk_still_reads_its_answer(client: Client) -> None:
    upload = await client.new_upload(50_000_000)
    host, _, port = client.sandbox.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /1/uploads/{upload}/chunk?api_key={KEY} HTTP/1.1\r\nHost: {host}\r\n"
        "Content-Type: multipart/form-data; boundary=B\r\n"
        "Content-Range: bytes 0-9/50000000\r\nContent-Length: 40000000\r\n\r\n".encode()
    )
    for _ in range(40):  # a plain client looks at the answer only once all is sent
        writer.write(bytes(1_000_000))
        await writer.drain()
    assert await reader.readline() == b"HTTP/1.1 400 Bad Request\r\n"
    while await reader.readline() != b"\r\n":
        pass
    assert b"wrong_length" in await reader.readuntil(b"}")
    writer.close()
    await writer.wait_closed()


async def test_a_connection_lost_in_mid_chunk_leaves_it_missing(client: Client) -> None:
    upload = await client.new_upload(len(NOISE))
    assert (await client.chunk(upload, NOISE, f"bytes 0-{len(NOISE) - 1}"))[0] == 201
    host, _, port = client.sandbox.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /1/uploads/{upload}/chunk?api_key={KEY} HTTP/1.1\r\nHost: {host}\r\n"
        "Content-Type: multipart/form-data; boundary=B\r\n"
        f"Content-Range: bytes 0-1999999/{len(NOISE)}\r\nContent-Length: 2000100\r\n\r\n"
        '--B\r\nContent-Disposition: form-data; name="chunk"\r\n\r\n'.encode()
        + bytes(1_500_000)
    )
    await writer.drain()
    path = client.sandbox.data_dir / "uploads" / f"{upload}.data"
    await until(lambda: path.read_bytes()[:10] == bytes(10), "the first of the bytes in the file")
    writer.close()
    await writer.wait_closed()
    assert await gaps(client, upload) == "0-1999999."


async def test_presigned_parts(client: Client, fake: FakeProcessing) -> None:
    upload, half = await client.new_upload(len(NOISE), storage_type="s3"), len(NOISE) // 2
    for first, end in ((half, len(NOISE)), (0, half)):
        made = await client.ok(
            "POST",
            f"/1/uploads/{upload}/gen_chunk_url",
            headers={"Content-Range": f"bytes {first}-{end - 1}/{len(NOISE)}"},
        )
        url = made["url"]
        for changed in (url[:-1] + ("0" if url[-1] != "0" else "1"), url.replace(f"/{end}?", f"/{end - 1}?")):
            async with client.session.put(changed, data=b"x") as refused:
                assert refused.status == 403
        for short in (b"x", NOISE[: half + 1]):
            async with client.session.put(url, data=io.BytesIO(short)) as refused:
                assert refused.status == 400
        for _ in range(2):  # the same address may be used again
            async with client.session.put(url, data=io.BytesIO(NOISE[first:end])) as answer:
                assert answer.status == 200
    assert await content_of(client, fake, upload) == NOISE


async def test_a_presigned_address_expires(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_URL_LIFETIME", -1)
    upload = await client.new_upload(10, storage_type="s3")
    headers = {"Content-Range": "bytes 0-9/10"}
    made = await client.ok("POST", f"/1/uploads/{upload}/gen_chunk_url", headers=headers)
    async with client.session.put(made["url"], data=b"0123456789") as refused:
        assert (refused.status, (await refused.json())["symbol"]) == (403, "expired")
    assert await gaps(client, upload) == "0-9."


async def test_the_two_ways_of_sending_are_not_mixed(client: Client) -> None:
    plain, presigned = await client.new_upload(10), await client.new_upload(10, storage_type="s3")
    assert (await client.chunk(presigned, b"0123456789", "bytes 0-9/10"))[0] == 400
    headers = {"Content-Range": "bytes 0-9/10"}
    assert (await client.call("POST", f"/1/uploads/{plain}/gen_chunk_url", headers=headers))[0] == 400
    assert (await client.call("POST", "/1/uploads", {"total_size_bytes": "1", "storage_type": "tape"}))[
        0
    ] == 400


async def test_a_presigned_address_outlives_a_restart(tmp_path: Path, fake: FakeProcessing) -> None:
    async with sandbox_client(tmp_path) as client:
        upload = await client.new_upload(10, storage_type="s3")
        headers = {"Content-Range": "bytes 0-9/10"}
        made = await client.ok("POST", f"/1/uploads/{upload}/gen_chunk_url", headers=headers)
        path = made["url"].removeprefix(client.sandbox.url)
    async with sandbox_client(tmp_path) as client:
        async with client.session.put(client.sandbox.url + path, data=b"0123456789") as answer:
            assert answer.status == 200
        assert await content_of(client, fake, upload) == b"0123456789"
