"""The version a release goes into: never a second draft, never somebody else's."""

from __future__ import annotations

from pk_upload.errors import (
    ApiError,
    ConnectFailed,
    DraftExists,
    Forbidden,
    NotFound,
    Redirected,
    ServerError,
    UnexpectedAnswer,
)
from pk_upload.patchkit import PatchKit, Version
from pk_upload.steps.run import Run
from pk_upload.steps.settling import settled
from pk_upload.transfer.records import VersionAsked, VersionMade

__all__ = ["find_or_make_draft"]

# After these, surely nothing was made.
_REFUSALS = (ApiError, ConnectFailed, DraftExists, Redirected)


async def find_or_make_draft(run: Run) -> Version:
    """The journal's version, or a new draft, or the one that is to be overwritten.

    Raises `DraftExists` when there is a draft that is not ours.
    """
    known = run.journal.state.version_id
    if known is not None:
        run.begin("version", f"version {known}")
        version = await _known(run, known)
        if version is not None:
            return version
    run.begin("version", run.wishes.label)
    version = await _make(run)
    await run.journal.record(VersionMade(version.id))
    return version


async def _known(run: Run, version_id: int) -> Version | None:
    """The version an earlier run made, if this build can still be in it."""
    try:
        version = await run.patchkit.version(run.wishes.app, version_id)
    except NotFound:
        run.warn(f"version {version_id} is gone; a new one is made")
        return None
    if not version.draft and run.journal.state.job_guid is None:
        run.warn(f"version {version_id} is no draft any more; a new one is made")
        return None
    return await _described(run, version)


async def _make(run: Run) -> Version:
    asked_before = run.journal.state.version_asked
    await run.journal.record(VersionAsked())

    async def ask(client: PatchKit) -> Version:
        try:
            return await client.create_version(run.wishes.app, run.wishes.label, run.wishes.changelog)
        except Forbidden:
            return await _take(run, ours=asked_before)

    try:
        return await settled(
            run.patchkit, run.emit, "the request for a new version", ask, lambda: _our_draft(run)
        )
    except _REFUSALS as error:
        if not (asked_before or isinstance(error, ServerError)):
            await run.journal.finish()  # or a later draft of somebody else's would pass for ours
        raise
    except UnexpectedAnswer:
        draft = await _our_draft(run)
        if draft is None:
            raise
        return draft


async def _take(run: Run, *, ours: bool) -> Version:
    """The draft that is in the way, if this release may have it."""
    draft = await _draft(run)
    if draft is None:
        raise Forbidden(f"no version may be made in the app {run.wishes.app}", status=403)
    if run.wishes.overwrite_draft or (ours and draft.label == run.wishes.label):
        return await _described(run, draft)
    raise DraftExists(f"the app has a draft already: version {draft.id}, {draft.label!r}")


async def _described(run: Run, version: Version) -> Version:
    """The version under the label and the changelog that are wished for."""
    label, changelog = run.wishes.label, run.wishes.changelog
    same = version.label == label and changelog in (None, version.changelog or "")
    if same or not version.draft:
        return version
    return await run.patchkit.update_version(run.wishes.app, version.id, label=label, changelog=changelog)


async def _draft(run: Run) -> Version | None:
    versions = await run.patchkit.versions(run.wishes.app)
    return next((version for version in versions if version.draft), None)


async def _our_draft(run: Run) -> Version | None:
    draft = await _draft(run)
    return draft if draft is not None and draft.label == run.wishes.label else None
