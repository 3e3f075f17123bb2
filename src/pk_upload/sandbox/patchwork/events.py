"""Events: what happened, each with the things to which it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pk_upload.sandbox.patchwork.filters import Filter
from pk_upload.sandbox.patchwork.shown_mails import small_cover, small_patch, small_series
from pk_upload.sandbox.patchwork.shown_people import small_project, small_user
from pk_upload.sandbox.patchwork.shown_work import small_check, small_comment
from pk_upload.sandbox.patchwork.versions import of_version

if TYPE_CHECKING:
    from aiohttp import web

    from pk_upload.sandbox.patchwork.asked import Asked
    from pk_upload.sandbox.patchwork.records import Event
    from pk_upload.sandbox.records import Json

__all__ = ["list_events"]

_FILTERS = {
    "project": Filter("id or name"),
    "category": Filter("text"),
    "series": Filter("id"),
    "patch": Filter("id"),
    "cover": Filter("id"),
    "actor": Filter("id or name", since=(1, 2), may_be_empty=True),
    "since": Filter("since"),
    "before": Filter("before"),
}
_COMMENTS = (1, 3)
"""The version that brought the events of comments."""


async def list_events(asked: Asked) -> web.Response:
    """GET events, the newest first; older versions know none of comments."""
    wanted, events = asked.wanted(_FILTERS, ("date",)), asked.tables.events
    comments = asked.version >= _COMMENTS
    return asked.listed(
        events.count(wanted, comments=comments),
        lambda first, most: events.page(wanted, first, most, comments=comments),
        lambda event: _shown(asked, event),
    )


def _shown(asked: Asked, event: Event) -> Json:
    body: dict[str, Json] = {
        "id": event.id,
        "category": event.category,
        "project": small_project(asked, event.project),
        "date": event.date,
        "actor": None if event.actor is None else small_user(asked, asked.other_user(event.actor)),
        "payload": _mails(asked, event) | _details(asked, event),
    }
    return of_version("event", asked.version, body)


def _mails(asked: Asked, event: Event) -> dict[str, Json]:
    """The mails and the series to which it happened."""
    payload: dict[str, Json] = {}
    if event.patch is not None and (patch := asked.tables.mails.patch(event.patch)):
        payload["patch"] = small_patch(asked, patch)
    if event.cover is not None and (cover := asked.tables.mails.cover(event.cover)):
        payload["cover"] = small_cover(asked, cover)
    if event.series is not None and (series := asked.tables.series.find(event.series)):
        payload["series"] = small_series(asked, series)
    return payload


def _details(asked: Asked, event: Event) -> dict[str, Json]:
    """What it was in particular."""
    if event.category == "patch-state-changed":
        return {"previous_state": event.previous, "current_state": event.current}
    if event.category == "patch-delegated":
        return {
            "previous_delegate": _delegate(asked, event.previous),
            "current_delegate": _delegate(asked, event.current),
        }
    if event.category == "patch-relation-changed":
        return {"previous_relation": None, "current_relation": None}
    if event.checked is not None and event.patch is not None:
        check = asked.tables.work.check(event.patch, event.checked)
        return {} if check is None else {"check": small_check(asked, check)}
    return {} if event.comment is None else _comment(asked, event, event.comment)


def _comment(asked: Asked, event: Event, number: int) -> dict[str, Json]:
    on_cover = event.cover is not None
    parent = event.cover if on_cover else event.patch
    comment = asked.tables.mails.comment("cover" if on_cover else "patch", parent or 0, number)
    if comment is None:
        return {}
    return {"comment": small_comment(asked, "cover" if on_cover else "patch", event.project, comment)}


def _delegate(asked: Asked, number: str | None) -> Json:
    return None if number is None else small_user(asked, asked.other_user(int(number)))
