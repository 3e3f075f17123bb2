"""The service behind the link: what it answers, and when. Pure, with the caller's clock."""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Hashable, Iterator
from http import HTTPStatus
from math import inf
from typing import Generic, NamedTuple, TypeVar

from benchmarks.emulation.incoming import Began, Ended, Request
from benchmarks.emulation.parameters import LinkSettings

__all__ = ["Service"]

C = TypeVar("C", bound=Hashable)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Said(NamedTuple):
    """An answer that is due; `order` keeps what is due at once in the order it was said."""

    at: float
    order: int
    data: bytes
    confirms: bool
    closes: bool


class Service(Generic[C]):
    """Answers the requests of many connections, which the caller names as it likes.

    An answer is due one round trip after the last byte of its request passed the bottleneck, half of it for
    that byte's way and half for the answer's, and for a chunk the time to think later. A chunk too many is
    refused as soon as its head is in; the rest of it is taken in, and answered no more. A GET of /account
    tells how many bytes of the file have come in, those of a repeated chunk once.
    """

    def __init__(self, settings: LinkSettings) -> None:
        self._settings = settings
        self._due: list[tuple[Said, C]] = []
        self._order = itertools.count()
        self._at_work: set[C] = set()
        self._refused: set[C] = set()
        self._spans: set[tuple[int, int]] = set()

    def react(self, connection: C, event: Began | Ended, now: float) -> None:
        """A request begins or ends on a connection."""
        if isinstance(event, Began):
            self._begin(connection, event.request, now)
        elif connection in self._refused:
            self._refused.discard(connection)
        else:
            self._end(connection, event.request, now)

    def forget(self, connection: C) -> None:
        """The connection is closed."""
        self._at_work.discard(connection)
        self._refused.discard(connection)

    def next_due(self) -> float:
        return self._due[0][0].at if self._due else inf

    def due(self, now: float) -> Iterator[tuple[C, bytes, bool]]:
        """The answers to give now, and whether the connection is to be closed after each."""
        while self.next_due() <= now:
            said, connection = heapq.heappop(self._due)
            if said.confirms:
                self._at_work.discard(connection)
            yield connection, said.data, said.closes

    def _begin(self, connection: C, request: Request, now: float) -> None:
        limit = self._settings.throttle
        if is_chunk(request) and limit is not None and len(self._at_work) >= limit:
            self._refused.add(connection)
            refusal = answer(HTTPStatus.TOO_MANY_REQUESTS, retry_after=self._settings.retry_after)
            self._say(connection, refusal, now)
            return
        if is_chunk(request):
            self._at_work.add(connection)
        if request.expects_continue:
            self._say(connection, CONTINUE, now)

    def _end(self, connection: C, request: Request, now: float) -> None:
        said = answer(HTTPStatus.NOT_FOUND)
        if request.method == "POST" and (request.path == "/1/uploads" or is_chunk(request)):
            said = answer(HTTPStatus.CREATED, {"id": 1})
        elif request.method == "GET" and request.path == "/account":
            said = answer(HTTPStatus.OK, {"distinct": sum(last - first + 1 for first, last in self._spans)})
        if is_chunk(request) and request.span is not None:
            self._spans.add(request.span)
        later = self._settings.think if is_chunk(request) else 0.0
        self._say(connection, said, now + later, confirms=is_chunk(request), closes=request.closes)

    def _say(
        self, connection: C, data: bytes, at: float, *, confirms: bool = False, closes: bool = False
    ) -> None:
        said = Said(at + self._settings.latency, next(self._order), data, confirms, closes)
        heapq.heappush(self._due, (said, connection))


def is_chunk(request: Request) -> bool:
    return request.path.startswith("/1/uploads/") and request.path.endswith("/chunk")


def answer(
    status: HTTPStatus, document: dict[str, int] | None = None, *, retry_after: float | None = None
) -> bytes:
    """A whole answer; `retry_after` is in seconds, of which HTTP has only whole ones."""
    body = json.dumps(document or {"message": status.phrase}).encode()
    head = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    if retry_after is not None:
        head.append(f"Retry-After: {round(retry_after)}")
    return "\r\n".join([*head, "", ""]).encode() + body
