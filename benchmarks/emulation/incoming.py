"""Requests out of a stream of bytes, as far as a server that discards bodies needs HTTP/1.1. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["BadRequest", "Began", "Ended", "Incoming", "Request"]

LONGEST_HEAD = 64 * 1024  # bytes
END_OF_HEAD = b"\r\n\r\n"
SPAN = re.compile(r"bytes (\d+)-(\d+)/")


class BadRequest(Exception):
    """What came in is no request, or one whose body's length is not told."""


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request; `size` is that of its body in bytes, `span` the first and the last byte of the
    file that its Content-Range names.
    """

    method: str
    path: str
    size: int
    closes: bool
    expects_continue: bool
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Began:
    """The head of a request is in."""

    request: Request


@dataclass(frozen=True, slots=True)
class Ended:
    """The last byte of a request is in."""

    request: Request


class Incoming:
    """One connection's stream: bytes in, beginnings and ends of requests out. Bodies are only counted."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._request: Request | None = None
        self._missing = 0

    def feed(self, data: memoryview) -> Iterator[Began | Ended]:
        """What `data` completes, in order. Raises `BadRequest`."""
        while data:
            if self._request is None:
                data, self._request = self._read_head(data)
                if self._request is None:
                    return
                yield Began(self._request)
            taken = min(self._missing, len(data))
            self._missing -= taken
            data = data[taken:]
            if not self._missing:
                request, self._request = self._request, None
                yield Ended(request)

    def _read_head(self, data: memoryview) -> tuple[memoryview, Request | None]:
        """What of `data` lies behind the head, and the request if the head is complete."""
        before = len(self._head)
        self._head += data[: LONGEST_HEAD - before]
        end = self._head.find(END_OF_HEAD)
        if end < 0:
            if len(self._head) >= LONGEST_HEAD:
                raise BadRequest("the head does not end")
            return data[len(data) :], None
        request = parse_head(bytes(self._head[:end]))
        self._missing = request.size
        self._head.clear()
        return data[end + len(END_OF_HEAD) - before :], request


def parse_head(head: bytes) -> Request:
    """The request of a head, given without the empty line. Raises `BadRequest`."""
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    fields = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    length = fields.get("content-length", "0")
    if len(parts) != 3 or not length.isdecimal() or "transfer-encoding" in fields:
        raise BadRequest(f"{first[:80]!r} is no request with a Content-Length")
    span = SPAN.match(fields.get("content-range", ""))
    return Request(
        method=parts[0],
        path=parts[1].partition("?")[0],
        size=int(length),
        closes=fields.get("connection", "").lower() == "close",
        expects_continue=fields.get("expect", "").lower() == "100-continue",
        span=(int(span[1]), int(span[2])) if span else None,
    )
