"""The other end of every measurement: an HTTP/1.1 server that reads chunks, counts them and drops them.

`python -m benchmarks.sink` prints {"port": N} and serves until its standard input closes. It has to cost
far less than any client, so a thread a connection blocks in the kernel, which on Linux drops a body without
ever copying it here.

    POST /1/uploads         201 {"id": 1}
    POST, PUT of a chunk    201 {"id": 1}, once its body has been read to the end
    GET /account            what was delivered since the last DELETE /account, see `Account`
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from dataclasses import asdict, dataclass

from benchmarks.processes import announce

__all__ = ["Account"]

SCRATCH = 16 * 1024 * 1024
LONGEST_HEAD = 64 * 1024
# TCP on Linux then discards what it would copy, and one call takes a body from its first byte to its last.
DISCARD = socket.MSG_TRUNC | socket.MSG_WAITALL if sys.platform == "linux" else 0
RANGE = re.compile(rb"^content-range:\s*bytes (\d+)-(\d+)", re.IGNORECASE | re.MULTILINE)
LENGTH = re.compile(rb"^content-length:\s*(\d+)", re.IGNORECASE | re.MULTILINE)
CHUNKED = re.compile(rb"^transfer-encoding:\s*chunked", re.IGNORECASE | re.MULTILINE)
EXPECT = re.compile(rb"^expect:\s*100-continue", re.IGNORECASE | re.MULTILINE)
CLOSE = re.compile(rb"^connection:\s*close", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Account:
    """What arrived. `claimed` adds up the chunks' Content-Ranges, `distinct` is what they cover, `bodies` the
    bytes of their bodies, form included; `first_chunk` is when the first one's head was read, on the clock
    of `time.monotonic`, or None. `cpu_seconds` is what the sink itself has used.
    """

    chunks: int
    claimed: int
    distinct: int
    bodies: int
    first_chunk: float | None
    cpu_seconds: float


class Ledger:
    """Keeps the account for all connections."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self._ranges: list[tuple[int, int]] = []
            self._bodies = 0
            self._first: float | None = None
            self._cpu = time.process_time()

    def began(self) -> None:
        """The head of a chunk's request was read."""
        with self._lock:
            if self._first is None:
                self._first = time.monotonic()

    def delivered(self, first: int, last: int, body: int) -> None:
        with self._lock:
            self._ranges.append((first, last))
            self._bodies += body

    def account(self) -> Account:
        with self._lock:
            ranges = sorted(self._ranges)
            claimed = sum(last - first + 1 for first, last in ranges)
            distinct, end = 0, 0
            for first, last in ranges:
                distinct += max(0, last + 1 - max(first, end))
                end = max(end, last + 1)
            return Account(
                chunks=len(ranges),
                claimed=claimed,
                distinct=distinct,
                bodies=self._bodies,
                first_chunk=self._first,
                cpu_seconds=time.process_time() - self._cpu,
            )


class Connection:
    """One client's connection, served by a thread of its own."""

    def __init__(self, sock: socket.socket, ledger: Ledger, scratch: memoryview) -> None:
        self._sock = sock
        self._ledger = ledger
        self._scratch = scratch
        self._held = b""  # what was read behind the last head

    def serve(self) -> None:
        with self._sock:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while self._exchange():
                    pass
            except (ConnectionError, EOFError, ValueError):
                pass  # the account tells what is missing

    def _exchange(self) -> bool:
        head = self._read_through(b"\r\n\r\n", LONGEST_HEAD)
        if not head:
            return False
        method, path = head.split(b" ", 2)[:2]
        span = RANGE.search(head) if method in {b"POST", b"PUT"} else None
        if span is not None:
            self._ledger.began()
        if EXPECT.search(head):
            self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self._drop_body(head)
        if span is not None:
            self._ledger.delivered(int(span[1]), int(span[2]), body)
        self._answer(method, path)
        return not CLOSE.search(head)

    def _drop_body(self, head: bytes) -> int:
        if CHUNKED.search(head):
            return self._drop_chunked()
        length = LENGTH.search(head)
        return self._drop(int(length[1])) if length else 0

    def _drop_chunked(self) -> int:
        total = 0
        while size := int(self._read_through(b"\r\n", 1024).partition(b";")[0], 16):
            total += self._drop(size)
            self._read_through(b"\r\n", 2)
        while self._read_through(b"\r\n", LONGEST_HEAD) != b"\r\n":
            pass  # a trailer
        return total

    def _drop(self, size: int) -> int:
        left = size - len(self._held)
        self._held = self._held[size:]
        while left > 0:
            count = self._sock.recv_into(self._scratch, min(left, SCRATCH), DISCARD)
            if not count:
                raise EOFError
            left -= count
        return size

    def _read_through(self, end: bytes, longest: int) -> bytes:
        while (at := self._held.find(end)) < 0:
            data = self._sock.recv(LONGEST_HEAD)
            if not data or len(self._held) > longest:
                return b""
            self._held += data
        at += len(end)
        read, self._held = self._held[:at], self._held[at:]
        return read

    def _answer(self, method: bytes, path: bytes) -> None:
        status, content = b"201 Created", b'{"id": 1}'
        if path == b"/account":
            if method == b"DELETE":
                self._ledger.reset()
            status, content = b"200 OK", json.dumps(asdict(self._ledger.account())).encode()
        self._sock.sendall(
            b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (status, len(content), content)
        )


def main() -> None:
    ledger = Ledger()
    scratch = memoryview(bytearray(SCRATCH))  # shared: nobody reads what is in it
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        announce(listener.getsockname()[1])
        while True:
            sock, _ = listener.accept()
            connection = Connection(sock, ledger, scratch)
            threading.Thread(target=connection.serve, daemon=True).start()


if __name__ == "__main__":
    main()
