"""Faults carried out: answers that lie, connections that break or hang."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from aiohttp import web

from pk_upload.sandbox.answers import Disconnected, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pk_upload.sandbox.call import Call
    from pk_upload.sandbox.faults import Fault

__all__ = ["answer_with_faults", "cut", "strike_inside"]

STREAMED = frozenset({"chunk", "part"})
"""Endpoints that look for `drop` and `stall` themselves, while the body arrives."""

_LONGEST_STALL = 600.0
"""Seconds after which a stalled request is cut off: whoever waits for longer has been shown enough."""

_WATCH = 0.1
"""Seconds between two looks at whether a client that is kept waiting is still there."""


def cut(request: web.BaseRequest) -> None:
    """Break the connection at once, with nothing more sent."""
    if request.transport is not None:
        request.transport.abort()


async def answer_with_faults(
    call: Call, endpoint: str, handler: Callable[[Call], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The handler's answer, or what the drawn faults make of it, a Problem too. Disconnected to break off."""
    for fault in call.drawn:
        if fault.kind == "slow":
            await _pause(call, fault.value)
        elif fault.kind == "status":
            return _answer(int(fault.value), fault)
        elif fault.kind in {"drop", "stall"} and (endpoint not in STREAMED or fault.value == 0):
            await _strike(call, fault)
    if not call.has_fault("lost-answer"):
        return await handler(call)
    try:
        await handler(call)
    except Problem as problem:
        raise Disconnected from problem
    raise Disconnected


async def strike_inside(call: Call, share: float) -> None:
    """Let `drop` and `stall` strike once `share` of a streamed body, 0 to 1, has arrived, as Disconnected."""
    for fault in call.drawn:
        if fault.kind in {"drop", "stall"} and share >= fault.value:
            await _strike(call, fault)


async def _strike(call: Call, fault: Fault) -> None:
    if fault.kind == "stall":
        await _pause(call, _LONGEST_STALL)
    raise Disconnected


async def _pause(call: Call, seconds: float) -> None:
    """Wait, but no longer than the server runs and the client is seen to be there.

    A client that leaves with much of its body unread is not seen to: nothing is read meanwhile, not even its
    farewell.
    """
    deadline = anyio.current_time() + seconds
    while (left := deadline - anyio.current_time()) > 0 and not call.server.closing.is_set():
        if call.request.transport is None:
            raise Disconnected
        with anyio.move_on_after(min(left, _WATCH)):
            await call.server.closing.wait()


def _answer(status: int, fault: Fault) -> web.Response:
    if status == 502:
        page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
        return web.Response(status=status, text=page, content_type="text/html")
    headers = {}
    if status in {429, 503}:
        headers["Retry-After"] = str(fault.retry_after)
    if 300 <= status < 400:
        headers["Location"] = "/elsewhere"
    raise Problem(status, f"This server was told to answer {status}.", "fault", headers=headers)
