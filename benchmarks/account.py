"""A server's account, read by whoever measured, and what it has to say."""

from __future__ import annotations

import json
import urllib.request

from benchmarks.settings import KIB, Failure
from benchmarks.sink import Account

__all__ = ["check", "distinct", "read", "reset"]

LARGEST_FORM = 4 * KIB  # what a chunk's form may add to its bytes


def reset(url: str) -> None:
    """Forgets what was delivered to the sink at `url`."""
    _ask(url, "DELETE")


def read(url: str) -> Account:
    return Account(**json.loads(_ask(url, "GET")))


def distinct(url: str) -> int:
    """How many bytes of the file were delivered to a sink, or over an emulated link, repeated ones once."""
    return int(json.loads(_ask(url, "GET"))["distinct"])


def check(account: Account, size: int, what: str) -> None:
    """Raises `Failure` unless every byte of a file of `size` bytes was delivered exactly once."""
    if account.distinct != size or account.claimed != size:
        raise Failure(
            f"{what} is not comparable: of {size} bytes it delivered {account.distinct}, "
            f"and {account.claimed - account.distinct} of them again."
        )
    if not 0 <= account.bodies - size <= account.chunks * LARGEST_FORM:
        raise Failure(f"{what} is not comparable: its {size} bytes came as {account.bodies} bytes of bodies.")


def _ask(url: str, method: str) -> bytes:
    # Past any proxy of the environment: the server is on this machine.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(urllib.request.Request(f"{url}/account", method=method), timeout=60) as answer:
        return bytes(answer.read())
