"""Apps and drafts made once, also where the answer to the request was lost."""

from __future__ import annotations

from pk_upload.errors import Forbidden
from pk_upload.events import OnEvent
from pk_upload.patchkit import App, PatchKit, Version
from pk_upload.settling import settled
from pk_upload.steps.draft import current_draft, draft_called, in_the_way

__all__ = ["make_app", "make_draft"]

OTHER_DRAFT = "Publish or delete that draft, or change it with `pk-upload version update`."


async def make_app(patchkit: PatchKit, emit: OnEvent, name: str, platform: str) -> App:
    """A new app. Names need not be unique, so that only one that was not there before is taken for it."""
    before = {app.id for app in await patchkit.apps()}

    async def find() -> App | None:
        new = [app for app in await patchkit.apps() if app.id not in before]
        return next((app for app in new if (app.name, app.platform) == (name, platform)), None)

    return await settled(
        patchkit, emit, "the request for a new app", lambda client: client.create_app(name, platform), find
    )


async def make_draft(
    patchkit: PatchKit, emit: OnEvent, app: str, label: str, changelog: str | None
) -> Version:
    """A new draft. Raises `DraftExists` where there is one: an app has one at a time."""
    draft = await current_draft(patchkit, app)
    if draft is not None:
        raise in_the_way(draft, hint=OTHER_DRAFT)
    try:
        return await settled(
            patchkit,
            emit,
            "the request for a new version",
            lambda client: client.create_version(app, label, changelog),
            lambda: draft_called(patchkit, app, label),
        )
    except Forbidden:
        draft = await current_draft(patchkit, app)
        if draft is None:
            raise
        raise in_the_way(draft, hint=OTHER_DRAFT) from None
