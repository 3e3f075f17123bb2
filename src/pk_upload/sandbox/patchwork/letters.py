"""Cover letters and series, which can be read alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pk_upload.sandbox.patchwork.answers import answer, missing
from pk_upload.sandbox.patchwork.asked import number
from pk_upload.sandbox.patchwork.filters import Filter
from pk_upload.sandbox.patchwork.shown_mails import show_cover, show_series

if TYPE_CHECKING:
    from aiohttp import web

    from pk_upload.sandbox.patchwork.asked import Asked
    from pk_upload.sandbox.patchwork.records import Cover

__all__ = ["list_covers", "list_series", "named_cover", "show_one_cover", "show_one_series"]

_SERIES_FILTERS = {
    "project": Filter("id or name"),
    "submitter": Filter("id or name"),
    "since": Filter("since"),
    "before": Filter("before"),
    "q": Filter("words"),
}
_COVER_FILTERS = _SERIES_FILTERS | {"msgid": Filter("msgid")}
_ORDERS = ("id", "name", "date", "submitter")


def named_cover(asked: Asked) -> Cover:
    """The cover letter that the path names. Problem 404."""
    cover = asked.tables.mails.cover(number(asked.params["id"]))
    if cover is None:
        raise missing("Cover")
    return cover


async def list_covers(asked: Asked) -> web.Response:
    """GET covers."""
    wanted = asked.wanted(_COVER_FILTERS, _ORDERS)
    mails = asked.tables.mails
    return asked.listed(
        mails.count_covers(wanted),
        lambda first, most: mails.covers(wanted, first, most),
        lambda cover: show_cover(asked, cover),
    )


async def show_one_cover(asked: Asked) -> web.Response:
    """GET a cover letter."""
    cover = named_cover(asked)
    return answer(show_cover(asked, cover, asked.tables.mails.letter("cover", cover.id)))


async def list_series(asked: Asked) -> web.Response:
    """GET series."""
    wanted = asked.wanted(_SERIES_FILTERS, _ORDERS)
    series = asked.tables.series
    return asked.listed(
        series.count(wanted),
        lambda first, most: series.page(wanted, first, most),
        lambda one: show_series(asked, one),
    )


async def show_one_series(asked: Asked) -> web.Response:
    """GET a series."""
    series = asked.tables.series.find(number(asked.params["id"]))
    if series is None:
        raise missing("Series")
    return answer(show_series(asked, series))
