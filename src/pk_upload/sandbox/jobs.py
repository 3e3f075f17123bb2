"""Background jobs as clients see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pk_upload.sandbox.answers import Problem, answer

if TYPE_CHECKING:
    from aiohttp import web

    from pk_upload.sandbox.call import Call

__all__ = ["show_job"]


async def show_job(call: Call) -> web.Response:
    """GET a background job; public."""
    guid = call.params["guid"].lower()
    job = call.server.store.job(guid)
    if job is None:
        raise Problem(404, f"There is no background job {guid}.", "job_not_found")
    return answer(job.to_json())
