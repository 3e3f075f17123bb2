"""Checks of patches: made, and then neither changed nor deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pk_upload.sandbox.patchwork.answers import answer, denied, missing
from pk_upload.sandbox.patchwork.asked import number
from pk_upload.sandbox.patchwork.event_table import now
from pk_upload.sandbox.patchwork.filters import Filter
from pk_upload.sandbox.patchwork.given import Wrong, nullable, read_given, slug, take, text, url
from pk_upload.sandbox.patchwork.patches import may_write, named_patch
from pk_upload.sandbox.patchwork.records import CHECK_STATES
from pk_upload.sandbox.patchwork.shown_work import show_check

if TYPE_CHECKING:
    from aiohttp import web

    from pk_upload.sandbox.patchwork.asked import Asked

__all__ = ["create_check", "list_checks", "show_one_check"]

_FILTERS = {
    "user": Filter("id or name"),
    "state": Filter("number"),
    "context": Filter("text"),
    "since": Filter("since"),
    "before": Filter("before"),
}
_LONGEST_DESCRIPTION = 65_536
_USUAL_CONTEXT = "default"


async def list_checks(asked: Asked) -> web.Response:
    """GET the checks of a patch."""
    patch, work = named_patch(asked), asked.tables.work
    wanted = asked.wanted(_FILTERS, ("id", "date"))
    return asked.listed(
        work.count_checks(patch.id, wanted),
        lambda first, most: work.checks(patch.id, wanted, first, most),
        lambda check: show_check(asked, check),
    )


async def show_one_check(asked: Asked) -> web.Response:
    """GET a check."""
    check = asked.tables.work.check(named_patch(asked).id, number(asked.params["check"]))
    if check is None:
        raise missing("Check")
    return answer(show_check(asked, check))


async def create_check(asked: Asked) -> web.Response:
    """POST a check: `state`, and maybe `context`, `target_url` and `description`."""
    patch, user = named_patch(asked), asked.user
    if user is None or not may_write(asked, user, patch):
        raise denied()
    given = await read_given(asked.call.request)
    values = take(
        given,
        {
            "state": _state,
            "target_url": nullable(url(200)),
            "context": slug(255),
            "description": nullable(text(_LONGEST_DESCRIPTION, blank=True)),
        },
        {"state": "A check must have a state."},
    )
    with asked.tables.transaction():
        check = asked.tables.work.add_check(
            patch.id,
            user.id,
            now(),
            values["state"],
            values.get("target_url"),
            values.get("context", _USUAL_CONTEXT),
            values.get("description"),
        )
        asked.tables.events.add(
            "check-created", patch.project, actor=user.id, patch=patch.id, checked=check.id
        )
    shown = show_check(asked, check)
    return answer(shown, 201, headers={"Location": str(shown["url"])})


def _state(value: Any) -> str:
    if value is None:
        raise Wrong("This field may not be null.")
    if value not in CHECK_STATES:
        shown = str(value)[:255].encode("utf-8", "replace").decode()
        raise Wrong(f'"{shown}" is not a valid choice.')
    return str(value)
