"""aiohttp: eight whole chunks at once in its own form; the MD5 in the event loop, or in a thread."""

from __future__ import annotations

import asyncio
import hashlib

import aiofiles
import aiohttp

from benchmarks.contenders.task import Chunk, Task, arguments, report

LANES = 8


async def transfer(task: Task, *, thread: bool) -> None:
    turns = asyncio.Semaphore(LANES)
    headers = {"X-Api-Key": "benchmark"}
    async with aiohttp.ClientSession(headers=headers) as session, asyncio.TaskGroup() as group:

        async def send(chunk: Chunk) -> None:
            async with turns:
                async with aiofiles.open(task.file, "rb") as file:
                    await file.seek(chunk.first)
                    data = await file.read(chunk.size)
                md5 = await asyncio.to_thread(hashlib.md5, data) if thread else hashlib.md5(data)
                form = aiohttp.FormData()
                form.add_field("chunk", data, filename="chunk", content_type="application/octet-stream")
                form.add_field("md5", md5.hexdigest())
                place = {"Content-Range": chunk.content_range}
                async with session.post(task.chunk_url, data=form, headers=place) as answer:
                    answer.raise_for_status()
                    await answer.read()

        for chunk in task.chunks():
            group.create_task(send(chunk))


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--thread", action="store_true", help="the MD5 in a thread")
    given = parser.parse_args()
    report(given, lambda task: asyncio.run(transfer(task, thread=given.thread)))
