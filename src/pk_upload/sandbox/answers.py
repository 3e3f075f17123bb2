"""What goes back to a client: JSON, for an error `{"message", "symbol"}` (the service's Swagger)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pk_upload.sandbox.records import Json

__all__ = ["Disconnected", "Problem", "answer", "iso_time", "refusal"]


class Problem(Exception):
    """The request is answered with `status` and `message`, a sentence that its sender can act on."""

    def __init__(
        self, status: int, message: str, symbol: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.symbol = symbol
        self.headers = dict(headers or {})


class Disconnected(Exception):
    """There is nobody left to answer: the connection is lost, or a fault cuts it."""


def answer(data: Json, status: int = 200, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """`data` as JSON; never empty, because official clients fail on an empty body."""
    return web.Response(
        text=json.dumps(data), status=status, content_type="application/json", headers=dict(headers or {})
    )


def refusal(problem: Problem) -> web.Response:
    """The answer that stands for `problem`."""
    body: Json = {"message": problem.message, "symbol": problem.symbol}
    return answer(body, problem.status, headers=problem.headers)


def iso_time(seconds: float) -> str:
    """Unix seconds as ISO 8601 in UTC with milliseconds, as in the service's documentation."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
