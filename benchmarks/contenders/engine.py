"""This project's engine, called the way its users call it: with its journal, and the settings' defaults."""

from __future__ import annotations

import asyncio
import tempfile

from benchmarks.contenders.task import Task, arguments, report
from pk_upload import PatchKit, TransferConfig, upload


async def transfer(task: Task, config: TransferConfig) -> None:
    async with PatchKit("benchmark", api_url=task.url) as patchkit:
        await upload(patchkit, task.file, config=config)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--concurrency", type=int, help="chunks at once; the engine decides by default")
    parser.add_argument("--no-checksum", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as state:
        config = TransferConfig(
            chunk_size=given.chunk_size,
            concurrency=given.concurrency or "auto",
            checksum=not given.no_checksum,
            state_dir=state,
        )
        report(given, lambda task: asyncio.run(transfer(task, config)))
