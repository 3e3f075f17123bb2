"""A version's content: from an upload to the files that processing makes of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aiohttp import web
from anyio import to_thread

from pk_upload.sandbox.answers import Problem, answer, iso_time
from pk_upload.sandbox.forms import whole_number
from pk_upload.sandbox.processing import CONTENT, CONTENT_SUMMARY, DIFF, DIFF_SUMMARY

if TYPE_CHECKING:
    from pathlib import Path

    from pk_upload.sandbox.call import Call

__all__ = ["send_file", "set_content_file", "show_job", "show_summary", "show_urls"]


async def set_content_file(call: Call) -> web.Response:
    """PUT content_file: `upload_id`. Answered at once; the same upload asked for again has the same job."""
    fields = await call.fields()
    _, version = call.version()
    upload = call.upload(whole_number(fields, "upload_id"))
    store = call.server.store
    job = store.job_of_upload(upload.id)
    if job is not None:
        if (job.app_id, job.version_id) != (version.app_id, version.id):
            raise Problem(400, f"The upload {upload.id} was given to another version.", "upload_used")
        return answer({"job_guid": job.guid})
    if not version.draft or version.pending_publish:
        raise Problem(403, f"Version {version.id} is no draft; its content cannot be changed.", "not_a_draft")
    if store.unfinished_job(version) is not None:
        raise Problem(409, f"Version {version.id} is being processed with another upload.", "being_processed")
    job = store.start_job(version, upload, iso_time(time.time()))
    call.server.jobs_waiting.set()
    return answer({"job_guid": job.guid})


async def show_job(call: Call) -> web.Response:
    """GET a background job; public."""
    guid = call.params["guid"].lower()
    job = call.server.store.job(guid)
    if job is None:
        raise Problem(404, f"There is no background job {guid}.", "job_not_found")
    return answer(job.to_json())


_FILES = {"content": CONTENT, "diff": DIFF}
_SUMMARIES = {"content": CONTENT_SUMMARY, "diff": DIFF_SUMMARY}


def _visible(call: Call, kind: str) -> tuple[Path, str]:
    """Where processing put a version's files, and the guid of its `content` or `diff` file.

    Those of a draft are for the owner alone. Problem 404.
    """
    _, version = call.version()
    guid = version.content_guid if kind == "content" else version.diff_guid
    if guid is None or not (version.published or call.has_key()):
        raise Problem(404, f"Version {version.id} has no {kind} file.", "file_not_found")
    return call.server.places.output(version.app_id, version.id), guid


async def show_summary(call: Call) -> web.Response:
    """GET content_summary or diff_summary, as processing wrote it."""
    kind = call.params["kind"]
    made, _ = _visible(call, kind)
    summary = await to_thread.run_sync((made / _SUMMARIES[kind]).read_bytes)
    return web.Response(body=summary, content_type="application/json", charset="utf-8")


async def show_urls(call: Call) -> web.Response:
    """GET content_urls or diff_urls: where the file can be fetched, and its size in bytes."""
    kind = call.params["kind"]
    made, guid = _visible(call, kind)
    status = await to_thread.run_sync((made / _FILES[kind]).stat)
    return answer([{"url": call.url(f"/_files/{guid}"), "size": status.st_size}])


async def send_file(call: Call) -> web.StreamResponse:
    """GET a content or diff file; its bytes are encrypted, and only its guid leads to it."""
    guid = call.params["guid"]
    version = call.server.store.version_of_file(guid)
    if version is None:
        raise Problem(404, "There is no such file.", "file_not_found")
    kind = "content" if version.content_guid == guid else "diff"
    path = call.server.places.output(version.app_id, version.id) / _FILES[kind]
    return web.FileResponse(path, headers={"Content-Type": "application/octet-stream"})
