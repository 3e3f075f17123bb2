"""Versions of an app, from the draft to the request to publish it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pk_upload.sandbox import publishing
from pk_upload.sandbox.answers import Problem, answer
from pk_upload.sandbox.forms import boolean, required, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from pk_upload.sandbox.call import Call
    from pk_upload.sandbox.records import Version

__all__ = [
    "create_version",
    "list_versions",
    "publish_version",
    "show_changelog",
    "show_latest",
    "show_latest_id",
    "show_version",
    "update_version",
]


async def list_versions(call: Call) -> web.Response:
    """GET versions in ascending id; drafts only for the owner."""
    versions = call.server.store.versions(call.app().id, drafts=call.has_key())
    return answer([version.to_json() for version in versions])


async def show_version(call: Call) -> web.Response:
    """GET a version; a draft too without a key, because official clients poll it so."""
    return answer(call.version()[1].to_json())


async def show_changelog(call: Call) -> web.Response:
    """GET the published versions' changes, the newest first."""
    versions = call.server.store.versions(call.app().id, drafts=False)
    return answer(
        [
            {"version_id": version.id, "version_label": version.label, "changes": version.changelog}
            for version in reversed(versions)
        ]
    )


async def show_latest(call: Call) -> web.Response:
    """GET the newest published version."""
    return answer(_latest(call).to_json())


async def show_latest_id(call: Call) -> web.Response:
    """GET the id of the newest published version."""
    return answer({"id": _latest(call).id})


def _latest(call: Call) -> Version:
    app = call.app()
    version = call.server.store.latest(app.id)
    if version is None:
        raise Problem(404, f"The app {app.secret} has no published version.", "version_not_found")
    return version


async def create_version(call: Call) -> web.Response:
    """POST versions: `label`, and maybe `changelog`. An app has one draft at most."""
    fields = await call.fields()
    app, label = call.app(), required(fields, "label")
    version = call.server.store.create_version(app.id, label, fields.get("changelog", ""))
    if version is None:
        raise Problem(
            403,
            f"The app {app.secret} has a draft already; publish it before another is made.",
            "draft_exists",
        )
    return answer(version.to_json(), 201)


async def update_version(call: Call) -> web.Response:
    """PATCH a version. The answer is the version, because official clients fail on an empty one."""
    fields = await call.fields()
    _, version = call.version()
    changes = _changes(fields, version)
    store = call.server.store
    with store.transaction():
        version = store.update_version(version.app_id, version.id, **changes)
        # The wish may come after the job that it was to wait for.
        if version.publish_when_processed and version.draft and version.hindrance is None:
            version = publishing.begin(call.server, version)
    call.server.publishing_waiting.set()
    return answer(version.to_json())


def _changes(fields: Mapping[str, str], version: Version) -> dict[str, str | bool | int]:
    changes: dict[str, str | bool | int] = {}
    if "label" in fields:
        changes["label"] = required(fields, "label")
    if "changelog" in fields:
        changes["changelog"] = fields["changelog"]
    if "publish_when_processed" in fields:
        changes["publish_when_processed"] = boolean(fields, "publish_when_processed")
    if "publish_time" in fields:
        changes["publish_time"] = whole_number(fields, "publish_time")
        if version.published:
            raise Problem(403, f"Version {version.id} is published already.", "not_a_draft")
        if int(changes["publish_time"]) > time.time() + 10 * 365 * 86400:
            raise Problem(
                400, "The parameter publish_time must be Unix seconds within ten years.", "bad_parameter"
            )
    return changes


async def publish_version(call: Call) -> web.Response:
    """POST publish, or PUT as the official tools do. Asked twice, it is one publishing.

    The version is pending before this answers: official clients take neither published nor pending for a
    failure.
    """
    await call.fields()
    _, version = call.version()
    if version.published or version.pending_publish:
        return answer(version.to_json())
    if call.server.store.unfinished_job(version) is not None:
        raise Problem(400, f"Version {version.id} is still being processed.", "not_processed")
    if version.hindrance is not None:
        raise Problem(
            400, f"Version {version.id} cannot be published. {version.hindrance}", "not_publishable"
        )
    version = publishing.begin(call.server, version)
    return answer(version.to_json())
