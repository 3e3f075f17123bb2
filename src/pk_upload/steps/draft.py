"""The version a release goes into: never a second draft, never somebody else's."""

from __future__ import annotations

from pk_upload.answers import shorten
from pk_upload.errors import DraftExists, Forbidden, NotFound, PkUploadError
from pk_upload.patchkit import PatchKit, Version
from pk_upload.settling import is_lost, settled
from pk_upload.steps.run import Run
from pk_upload.transfer.records import UploadDropped, VersionAsked, VersionMade, VersionRefused

__all__ = ["current_draft", "draft_called", "find_or_make_draft", "in_the_way", "mark"]

SAME_LABEL = "If an earlier run of yours left it, --overwrite-draft puts this build into it."


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


def mark(version: Version) -> str:
    """What tells one content of a draft from another, as far as the service shows it; may be empty."""
    return version.processing_finished_at or ""


async def _known(run: Run, version_id: int) -> Version | None:
    """The version an earlier run made, if this build is in it or can still be put into it."""
    state = run.journal.state
    try:
        version = await run.patchkit.version(run.wishes.app, version_id)
    except NotFound:
        run.warn(f"version {version_id} is gone; a new one is made")
        return None
    if not state.job_asked and (version.pending_publish or not version.draft):
        run.warn(f"version {version_id} is published without this build; a new one is made")
        return None
    if state.job_asked and version.draft and not version.pending_publish and _is_anothers(run, version):
        run.warn(f"another build was put into version {version_id}; this one is uploaded again")
        await run.journal.record(UploadDropped())
        return await _known(run, version_id)
    return await _described(run, version)


def _is_anothers(run: Run, version: Version) -> bool:
    """Whether another release has put its build into the draft since."""
    ours, theirs = run.journal.state.content, mark(version)
    return version.label != run.wishes.label or bool(ours and theirs and ours != theirs)


async def _make(run: Run) -> Version:
    asked_before = run.journal.state.version_asked

    async def find() -> Version | None:
        return await draft_called(run.patchkit, run.wishes.app, run.wishes.label)

    if asked_before and (draft := await find()) is not None and not draft.pending_publish:
        return await _described(run, draft)
    await run.journal.record(VersionAsked())
    lost = False  # the answer to a request of this very run

    async def ask(client: PatchKit) -> Version:
        nonlocal lost
        try:
            return await client.create_version(run.wishes.app, run.wishes.label, run.wishes.changelog)
        except PkUploadError as error:
            lost = lost or is_lost(error)
            raise

    try:
        try:
            return await settled(run.patchkit, run.emit, "the request for a new version", ask, find)
        except Forbidden as refusal:
            return await _take(run, refusal, ours=asked_before or lost)
    except PkUploadError:
        if not (asked_before or lost):
            await run.journal.record(VersionRefused())
        raise


async def _take(run: Run, refusal: Forbidden, *, ours: bool) -> Version:
    """The draft that is in the way, if this release may have it; no draft, and it is another `refusal`."""
    draft = await current_draft(run.patchkit, run.wishes.app)
    if draft is None:
        raise refusal
    if draft.pending_publish:
        raise DraftExists(
            f"version {draft.id}, {draft.label!r}, is being published",
            hint="Run the same command again once it is published.",
        )
    same_label = draft.label == run.wishes.label
    if run.wishes.overwrite_draft or (ours and same_label):
        if draft.changelog and run.wishes.changelog is None and not ours:
            run.warn(f"the changelog of the draft is kept: {shorten(draft.changelog)}")
        return await _described(run, draft)
    raise in_the_way(draft, hint=SAME_LABEL if same_label else None)


async def _described(run: Run, version: Version) -> Version:
    """The version under the label and the changelog that are wished for."""
    label, changelog = run.wishes.label, run.wishes.changelog
    same = version.label == label and changelog in (None, version.changelog or "")
    if same or not version.draft:
        return version
    return await run.patchkit.update_version(run.wishes.app, version.id, label=label, changelog=changelog)


async def current_draft(patchkit: PatchKit, app: str) -> Version | None:
    """The app's draft; it has one at a time."""
    return next((version for version in await patchkit.versions(app) if version.draft), None)


def in_the_way(draft: Version, *, hint: str | None = None) -> DraftExists:
    """The error for a new version that this draft does not allow."""
    return DraftExists(f"the app has a draft already: version {draft.id}, {draft.label!r}", hint=hint)


async def draft_called(patchkit: PatchKit, app: str, label: str) -> Version | None:
    """The app's draft if it has this label, as one has that was asked for under it."""
    draft = await current_draft(patchkit, app)
    return draft if draft is not None and draft.label == label else None
