"""A pool of ten threads with http.client.

It shares with s3transfer, which the AWS SDK uploads with, that there are ten threads by default, and that a
chunk is a task, which opens the file for itself. It departs in having http.client alone, without an SDK and
urllib3 above it, and in reading a chunk whole, instead of in pieces, once for the MD5 and once to send.
"""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

from benchmarks.contenders.form import CONTENT_TYPE, head, tail
from benchmarks.contenders.task import Chunk, Task, arguments, report

THREADS = 10
TIMEOUT = 60


def transfer(task: Task) -> None:
    mine = threading.local()

    def send(chunk: Chunk) -> None:
        if not hasattr(mine, "connection"):
            mine.connection = HTTPConnection(task.address.netloc, timeout=TIMEOUT)
        with task.file.open("rb") as file:
            file.seek(chunk.first)
            data = file.read(chunk.size)
        form = (head(), data, tail(hashlib.md5(data).hexdigest()))
        mine.connection.request("POST", task.address.path, body=form, headers=_headers(chunk, form))
        answer = mine.connection.getresponse()
        answer.read()
        if answer.status != 201:
            raise ConnectionError(f"the sink answered {answer.status}")

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(send, task.chunks()):
            pass


def _headers(chunk: Chunk, form: tuple[bytes, ...]) -> dict[str, str]:
    return {
        "X-Api-Key": "benchmark",
        "Content-Range": chunk.content_range,
        "Content-Type": CONTENT_TYPE,
        "Content-Length": str(sum(map(len, form))),
    }


if __name__ == "__main__":
    report(arguments(__doc__).parse_args(), transfer)
