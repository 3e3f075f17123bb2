"""This project's engine, given a folder."""

from __future__ import annotations

import asyncio
import tempfile

from benchmarks.contenders.task import Task, arguments, report
from pk_upload import PatchKit, TransferConfig, upload
from pk_upload.archive import Packing


async def transfer(task: Task, config: TransferConfig, packing: Packing) -> None:
    async with PatchKit("benchmark", api_url=task.url) as patchkit:
        await upload(patchkit, task.file, packing=packing, config=config)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--compression", default="auto")
    given = parser.parse_args()
    packing = Packing(given.compression)
    with tempfile.TemporaryDirectory() as state:
        config = TransferConfig(chunk_size=given.chunk_size, state_dir=state)
        report(given, lambda task: asyncio.run(transfer(task, config, packing)))
