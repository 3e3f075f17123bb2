"""What is done by hand: the folder is zipped, on one core as Python does it, and then sent chunk by chunk."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.contenders.form import CONTENT_TYPE, head, tail
from benchmarks.contenders.task import Task, arguments, report

TIMEOUT = 60


def make_zip(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as target:
        for path in sorted(folder.rglob("*")):
            target.write(path, path.relative_to(folder))


def send(task: Task) -> None:
    connection = HTTPConnection(task.address.netloc, timeout=TIMEOUT)
    with task.file.open("rb") as file:
        for chunk in task.chunks():
            data = file.read(chunk.size)
            form = (head(), data, tail(hashlib.md5(data).hexdigest()))
            headers = {
                "X-Api-Key": "benchmark",
                "Content-Range": chunk.content_range,
                "Content-Type": CONTENT_TYPE,
                "Content-Length": str(sum(map(len, form))),
            }
            connection.request("POST", task.address.path, body=form, headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 201:
                raise ConnectionError(f"the sink answered {answer.status}")
    connection.close()


def transfer(task: Task, archive: Path) -> None:
    make_zip(task.file, archive)
    send(replace(task, file=archive))


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--archive", type=Path, required=True, help="where the ZIP goes")
    given = parser.parse_args()
    report(given, lambda task: transfer(task, given.archive))
