"""A run that goes on with an earlier one's journal, up to its first confirmed chunk.

With `--confirm` it writes that journal instead: of an upload whose chunks are all confirmed but the one in
the middle. A real run would write the same lines, in hours.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.contenders.task import Task, arguments, peak_rss
from pk_upload import PatchKit, TransferConfig, upload
from pk_upload.events import Bytes, Event
from pk_upload.transfer import opened
from pk_upload.transfer.records import ChunkDone, UploadMade, encode

MD5 = "b2d1236c286a3c0704224fe4105eca49"  # what it says is not looked at


def confirm(task: Task, state_dir: Path) -> None:
    """Writes the journal of an upload that lacks one chunk."""
    asyncio.run(begin(task, state_dir))
    [path] = state_dir.glob("*.journal")
    count = sum(1 for _ in task.chunks())
    with path.open("ab") as file:
        file.writelines(encode(ChunkDone(index, MD5)) for index in range(count) if index != count // 2)


async def begin(task: Task, state_dir: Path) -> None:
    """Writes the journal of an upload that has just been made."""
    config = TransferConfig(state_dir=state_dir)
    async with (
        PatchKit("benchmark", api_url=task.url) as patchkit,
        opened(patchkit, task.file, config=config, emit=lambda _: None) as (_, journal),
    ):
        await journal.record(UploadMade(1, task.chunk_size))


async def go_on(task: Task, config: TransferConfig) -> float:
    """When `upload` was called; it is left as soon as a chunk is confirmed."""
    async with PatchKit("benchmark", api_url=task.url) as patchkit:

        def watch(event: Event) -> None:
            if isinstance(event, Bytes) and event.confirmed > event.resumed:
                work.cancel()

        called = time.monotonic()
        work = asyncio.ensure_future(upload(patchkit, task.file, config=config, on_event=watch))
        with suppress(asyncio.CancelledError):
            await work
    return called


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--confirm", action="store_true")
    given = parser.parse_args()
    task = Task(given.url, given.file, given.chunk_size)
    if given.confirm:
        confirm(task, given.state_dir)
    else:
        config = TransferConfig(chunk_size=given.chunk_size, state_dir=given.state_dir)
        called = asyncio.run(go_on(task, config))
        print(json.dumps({"called": called, "peak_rss": peak_rss()}))
