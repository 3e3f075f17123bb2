"""Patches: their list, one of them, and what may be changed of it by those who may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pk_upload.sandbox.answers import Problem
from pk_upload.sandbox.patchwork.answers import Invalid, answer, denied, missing
from pk_upload.sandbox.patchwork.asked import number
from pk_upload.sandbox.patchwork.filters import Filter
from pk_upload.sandbox.patchwork.given import (
    REQUIRED,
    Wrong,
    boolean,
    listed,
    nullable,
    pk,
    read_given,
    take,
    text,
)
from pk_upload.sandbox.patchwork.records import STATES, state_of
from pk_upload.sandbox.patchwork.shown_mails import show_patch

if TYPE_CHECKING:
    from aiohttp import web

    from pk_upload.sandbox.patchwork.asked import Asked
    from pk_upload.sandbox.patchwork.records import Cover, Patch, User

__all__ = ["check_may_write", "list_patches", "may_write", "named_patch", "show_one_patch", "update_patch"]

_FILTERS = {
    "project": Filter("id or name"),
    "series": Filter("id"),
    "submitter": Filter("id or name"),
    "delegate": Filter("id or name"),
    "state": Filter("state"),
    "archived": Filter("flag"),
    "hash": Filter("text", since=(1, 2)),
    "msgid": Filter("msgid", since=(1, 2)),
    "since": Filter("since"),
    "before": Filter("before"),
    "q": Filter("words"),
}
_ORDERS = ("id", "name", "project", "date", "state", "archived", "submitter", "check")


def named_patch(asked: Asked) -> Patch:
    """The patch that the path names. Problem 404."""
    patch = asked.tables.mails.patch(number(asked.params["id"]))
    if patch is None:
        raise missing("Patch")
    return patch


def may_write(asked: Asked, user: User | None, mail: Patch | Cover) -> bool:
    """Whether it is a maintainer, the one who sent the mail, or the one to whom a patch is delegated."""
    if user is None:
        return False
    return user.is_maintainer or user.id in {
        asked.person(mail.submitter).user,
        getattr(mail, "delegate", None),
    }


def check_may_write(asked: Asked, patch: Patch) -> User:
    """Who asks. Problem 403 unless they may write to the patch."""
    user = asked.logged_in()
    if not may_write(asked, user, patch):
        raise denied()
    return user


async def list_patches(asked: Asked) -> web.Response:
    """GET patches."""
    wanted = asked.wanted(_FILTERS, _ORDERS)
    mails = asked.tables.mails
    return asked.listed(
        mails.count_patches(wanted),
        lambda first, most: mails.patches(wanted, first, most),
        lambda patch: show_patch(asked, patch),
    )


async def show_one_patch(asked: Asked) -> web.Response:
    """GET a patch."""
    patch = named_patch(asked)
    return answer(show_patch(asked, patch, asked.tables.mails.letter("patch", patch.id)))


async def update_patch(asked: Asked) -> web.Response:
    """PATCH a patch, or PUT one, with its state and delegate: what else is not given stays as it is."""
    check_may_write(asked, named_patch(asked))
    given = await read_given(asked.call.request, many={"related"})
    patch = named_patch(asked)
    user = check_may_write(asked, patch)
    changes = _read(asked, patch, given)
    related = changes.pop("related", None)
    with asked.tables.transaction():
        before = {name: value for name, value in show_patch(asked, patch).items() if name == "related"}
        asked.tables.mails.update_patch(patch.id, changes)
        _tell(asked, user, patch, changes)
        if related is not None:
            _relate(asked, user, patch, related)
    changed = named_patch(asked)
    shown = show_patch(asked, changed, asked.tables.mails.letter("patch", patch.id))
    # A running server shows a relation that was there as it was before an addition, and a PATCH that leaves
    # the patch in none shows nothing of it.
    if related and patch.relation is not None:
        shown |= before
    elif not related and changed.relation is None and asked.call.request.method == "PATCH":
        shown.pop("related", None)
    return answer(shown)


def _read(asked: Asked, patch: Patch, given: dict[str, Any]) -> dict[str, Any]:
    fields = {
        "commit_ref": nullable(text(255, blank=True)),
        "pull_url": nullable(text(255, blank=True)),
        "state": _state,
        "archived": boolean,
        "delegate": nullable(pk(lambda one: asked.tables.people.user(one) is not None), empty=True),
        "related": listed(pk(lambda one: asked.tables.mails.patch(one) is not None)),
    }
    required = ("state", "delegate") if asked.call.request.method == "PUT" else ()
    changes = take(given, fields, dict.fromkeys(required, REQUIRED))
    if changes.get("delegate") is not None:
        delegate = asked.other_user(changes["delegate"])
        if not delegate.is_maintainer:
            project = asked.project(patch.project).name
            told = f"User '{delegate.username}' is not a maintainer for project '{project}'"
            raise Invalid({"delegate": [told]})
    return changes


def _state(value: Any) -> str:
    if value is None or value == "":
        raise Wrong("This field may not be null.")
    state = state_of(value.strip()) if isinstance(value, str) else None
    if state is None:
        shown = str(value)[:255].encode("utf-8", "replace").decode()
        raise Wrong(f"Invalid state {shown}. Expected one of: {', '.join(STATES)}.")
    return state


def _tell(asked: Asked, user: User, patch: Patch, changes: dict[str, Any]) -> None:
    """Note the events of a change."""
    for name, category, before in (
        ("state", "patch-state-changed", patch.state),
        ("delegate", "patch-delegated", patch.delegate),
    ):
        if changes.get(name, before) != before:
            asked.tables.events.add(
                category,
                patch.project,
                actor=user.id,
                patch=patch.id,
                previous=before,
                current=changes[name],
            )


def _relate(asked: Asked, user: User, patch: Patch, ids: list[int]) -> None:
    """Relate the patch to others, or take it out of its relation where there are none.

    Problem 403 for a patch that the user may not write to, 409 for patches of several relations.
    """
    mails = asked.tables.mails
    others = [other for one in ids if one != patch.id and (other := mails.patch(one)) is not None]
    if not all(may_write(asked, user, other) for other in others):
        raise denied()
    if not ids:
        left = mails.related(patch) if patch.relation is not None else []
        leaving = [patch, *left] if len(left) == 1 else [patch]
        changed = [one for one in leaving if one.relation is not None]
        for one in changed:
            mails.update_patch(one.id, {"relation": None})
    else:
        relations = {one.relation for one in (patch, *others)} - {None}
        if len(relations) > 1:
            raise Problem(409, "The patches are of several relations: take one out of its own.", "conflict")
        changed = [one for one in (patch, *others) if one.relation is None] if others else []
        mails.relate([one.id for one in changed], next(iter(relations), None))
    for one in sorted(changed, key=lambda one: one.id):
        asked.tables.events.add("patch-relation-changed", one.project, actor=user.id, patch=one.id)
