"""A floor to compare with: read, hash, send, on plain blocking sockets in a few threads."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from threading import Lock

from benchmarks.contenders.form import CONTENT_TYPE, head, tail
from benchmarks.contenders.task import MIB, Chunk, Task, arguments, report

THREADS = 4
PIECE = MIB


def transfer(task: Task, *, checksum: bool) -> None:
    chunks, turn = task.chunks(), Lock()
    with ThreadPoolExecutor(THREADS) as pool:
        for lane in [pool.submit(_lane, task, chunks, turn, checksum) for _ in range(THREADS)]:
            lane.result()


def _lane(task: Task, chunks: Iterator[Chunk], turn: Lock, checksum: bool) -> None:
    host, port = task.address.hostname, task.address.port
    with task.file.open("rb", buffering=0) as file, socket.create_connection((host, port or 80)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = memoryview(bytearray(PIECE))
        while True:
            with turn:
                chunk = next(chunks, None)
            if chunk is None:
                return
            _send(sock, file, chunk, buffer, task, checksum)


def _send(
    sock: socket.socket, file: FileIO, chunk: Chunk, buffer: memoryview, task: Task, checksum: bool
) -> None:
    preamble, md5 = head(), hashlib.md5()
    length = len(preamble) + chunk.size + len(tail("0" * 32 if checksum else ""))
    sock.sendall(
        (
            f"POST {task.address.path} HTTP/1.1\r\nHost: {task.address.netloc}\r\n"
            f"Content-Type: {CONTENT_TYPE}\r\nX-Api-Key: benchmark\r\n"
            f"Content-Range: {chunk.content_range}\r\nContent-Length: {length}\r\n\r\n"
        ).encode()
        + preamble
    )
    file.seek(chunk.first)
    for offset in range(chunk.first, chunk.last + 1, PIECE):
        piece = buffer[: min(PIECE, chunk.last + 1 - offset)]
        if file.readinto(piece) != len(piece):
            raise EOFError("the file has become shorter")
        if checksum:
            md5.update(piece)
        sock.sendall(piece)
    sock.sendall(tail(md5.hexdigest() if checksum else ""))
    answer = sock.recv(4096)
    if not answer.startswith(b"HTTP/1.1 201"):
        raise ConnectionError(f"the sink answered {answer[:40]!r}")


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--no-checksum", action="store_true")
    given = parser.parse_args()
    report(given, lambda task: transfer(task, checksum=not given.no_checksum))
