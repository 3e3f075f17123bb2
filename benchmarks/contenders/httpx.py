"""httpx: eight chunks at once on its asynchronous client, or one after the other on its synchronous one.

At once, the MD5 is taken in the event loop, or in a thread.
"""

from __future__ import annotations

import asyncio
import hashlib

import aiofiles
import httpx

from benchmarks.contenders.task import Chunk, Task, arguments, report

LANES = 8
TIMEOUT = 60


def transfer(task: Task) -> None:
    with httpx.Client(timeout=TIMEOUT) as client, task.file.open("rb") as file:
        for chunk in task.chunks():
            data = file.read(chunk.size)
            md5 = hashlib.md5(data).hexdigest()
            answer = client.post(
                task.chunk_url, files={"chunk": data}, data={"md5": md5}, headers=_headers(chunk)
            )
            answer.raise_for_status()


async def transfer_at_once(task: Task, *, thread: bool) -> None:
    turns = asyncio.Semaphore(LANES)
    async with httpx.AsyncClient(timeout=TIMEOUT) as client, asyncio.TaskGroup() as group:

        async def send(chunk: Chunk) -> None:
            async with turns:
                async with aiofiles.open(task.file, "rb") as file:
                    await file.seek(chunk.first)
                    data = await file.read(chunk.size)
                md5 = await asyncio.to_thread(hashlib.md5, data) if thread else hashlib.md5(data)
                answer = await client.post(
                    task.chunk_url,
                    files={"chunk": data},
                    data={"md5": md5.hexdigest()},
                    headers=_headers(chunk),
                )
                answer.raise_for_status()

        for chunk in task.chunks():
            group.create_task(send(chunk))


def _headers(chunk: Chunk) -> dict[str, str]:
    return {"X-Api-Key": "benchmark", "Content-Range": chunk.content_range}


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--sequential", action="store_true")
    parser.add_argument("--thread", action="store_true", help="the MD5 in a thread, of chunks sent at once")
    given = parser.parse_args()
    if given.sequential:
        report(given, transfer)
    else:
        report(given, lambda task: asyncio.run(transfer_at_once(task, thread=given.thread)))
