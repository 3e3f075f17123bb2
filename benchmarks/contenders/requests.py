"""requests with requests-toolbelt's streamed form, one chunk after the other on one connection."""

from __future__ import annotations

import hashlib

import requests
from requests_toolbelt import MultipartEncoder

from benchmarks.contenders.task import Task, arguments, report


def transfer(task: Task) -> None:
    with requests.Session() as session, task.file.open("rb") as file:
        for chunk in task.chunks():
            data = file.read(chunk.size)
            form = MultipartEncoder(
                {
                    "chunk": ("chunk", data, "application/octet-stream"),
                    "md5": hashlib.md5(data).hexdigest(),
                }
            )
            answer = session.post(
                task.chunk_url,
                data=form,
                headers={
                    "X-Api-Key": "benchmark",
                    "Content-Range": chunk.content_range,
                    "Content-Type": form.content_type,
                },
                timeout=60,
            )
            answer.raise_for_status()


if __name__ == "__main__":
    report(arguments(__doc__).parse_args(), transfer)
