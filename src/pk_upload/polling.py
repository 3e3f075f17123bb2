"""Watching the service work: intervals that grow, and a bound."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import anyio

from pk_upload.errors import GaveUpWaiting

__all__ = ["DAY", "intervals", "poll_until"]

T = TypeVar("T")

DAY = 24 * 3600.0  # seconds: how long to wait unless told otherwise

FIRST, LONGEST, GROWTH = 0.25, 5.0, 1.5  # seconds, seconds, factor


def intervals() -> Iterator[float]:
    """The seconds between looks: short while the work may be short, and never more than a few."""
    wait = FIRST
    while True:
        yield wait
        wait = min(wait * GROWTH, LONGEST)


async def poll_until(
    over: Callable[[T], bool],
    read: Callable[[], Awaitable[T]],
    *,
    what: str,
    timeout: float,
    flag: str,
    again: str = "the same command goes on waiting",
) -> T:
    """The first value `read` that is `over`.

    Raises `GaveUpWaiting` after `timeout` seconds, with a hint that says how to wait `again`.
    """
    with anyio.move_on_after(timeout):
        for wait in intervals():
            value = await read()
            if over(value):
                return value
            await anyio.sleep(wait)
    raise GaveUpWaiting(
        f"{what} has not ended within {timeout:g} s",
        hint=f"The service still works on it; {again}. {flag} allows more time.",
    )
