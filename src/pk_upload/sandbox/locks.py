"""Global locks, with which official clients keep two uploads to one app apart (observed on them)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pk_upload.sandbox.answers import answer
from pk_upload.sandbox.forms import required

if TYPE_CHECKING:
    from aiohttp import web

    from pk_upload.sandbox.call import Call

__all__ = ["LAPSE", "acquire_lock"]

LAPSE = 60.0
"""Seconds after which a lock that is not refreshed is free; clients refresh it every 30 and never let go."""


async def acquire_lock(call: Call) -> web.Response:
    """POST acquire: `resource` and `owner`. The owner of a lock is allowed again, others wait in line."""
    fields = await call.fields()
    resource, owner = required(fields, "resource"), required(fields, "owner")
    # One tool names the app by its secret, another by its path: the same lock.
    name = resource.strip("/").removeprefix("1/apps/")
    position = call.server.store.acquire(name, owner, time.time(), LAPSE)
    return answer(
        {
            "status": "deny" if position else "allow",
            "queue_position": position,
            "resource": resource,
            "owner": owner,
        }
    )
