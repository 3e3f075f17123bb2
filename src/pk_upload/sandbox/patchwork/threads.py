"""Which series a mail belongs to, what its arrival completes, and which series that one needs."""

from __future__ import annotations

import itertools
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pk_upload.sandbox.patchwork.mail import Mail
    from pk_upload.sandbox.patchwork.records import Patch, Series
    from pk_upload.sandbox.patchwork.subjects import Subject
    from pk_upload.sandbox.patchwork.table import PatchworkTable

__all__ = ["find_series", "needed_series", "note_arrival"]

_NEAR = timedelta(days=1)
"""Between the parts of a series that say nothing of one another."""
_MOST_NEEDED = 20
_NEEDS = re.compile(r"^depends-on:[ \t]*(\S.{0,300})$", re.IGNORECASE | re.MULTILINE)
_SERIES_ADDRESS = re.compile(r"https?://\S*(?:/series/|[?&]series=)([0-9]{1,18})/?")
_ADDRESS = re.compile(r"https?://\S*?/([^/\s]+@[^/\s]+)/?")


def find_series(
    tables: PatchworkTable, mail: Mail, subject: Subject, project: int, sender: int, date: str
) -> Series | None:
    """The series that lacks this very part: one that the mail refers to, or else one of the same kind.

    None where there is none, which is always so for a patch that is not numbered.
    """
    if subject.number is None:
        return None
    for msgid in mail.references:
        for part in (
            tables.mails.cover_of_message(msgid, project),
            tables.mails.patch_of_message(msgid, project),
        ):
            series = tables.series.find(part.series) if part and part.series else None
            if series is not None and _fits(series, subject) and _lacks(tables, series, subject.number):
                return series
    after, before = _around(date)
    alike = tables.series.alike(project, sender, subject.version, subject.total, after, before)
    return next((series for series in alike if _lacks(tables, series, subject.number)), None)


def _fits(series: Series, subject: Subject) -> bool:
    return (series.version, series.total) == (subject.version, subject.total)


def _lacks(tables: PatchworkTable, series: Series, number: int) -> bool:
    if number == 0:  # a whole series without a cover letter is not to get that of the next one
        has_cover = tables.mails.cover_of_series(series.id) is not None
        return not has_cover and tables.series.received(series.id) < series.total
    return not tables.series.has_number(series.id, number)


def _around(date: str) -> tuple[str, str]:
    try:
        middle = datetime.fromisoformat(date)
        return (middle - _NEAR).isoformat(), (middle + _NEAR).isoformat()
    except OverflowError:
        return date, date


def note_arrival(tables: PatchworkTable, series: Series, patch: Patch) -> None:
    """Note what the patch completes, which is in the series by now.

    A patch is complete once all that come before it are there.
    """
    number = patch.number or 1
    if tables.series.received(series.id, number) == number - 1:
        for other in _unbroken(tables, series, number):
            tables.events.add("patch-completed", series.project, patch=other, series=series.id)
    if tables.series.received(series.id) == series.total:
        tables.events.add("series-completed", series.project, series=series.id)


def _unbroken(tables: PatchworkTable, series: Series, first: int) -> list[int]:
    """The ids of the patches from number `first` on, up to the first that is not there."""
    found = zip(tables.series.from_number(series.id, first), itertools.count(first), strict=False)
    return [patch for (_, patch), _ in itertools.takewhile(lambda one: one[0][0] == one[1], found)]


def needed_series(tables: PatchworkTable, content: str, project: int) -> set[int]:
    """The series that the mail names behind Depends-on, by their address or by one of their mails."""
    return {
        number
        for match in [*_NEEDS.finditer(content)][:_MOST_NEEDED]
        for number in _series_of(tables, match[1].strip(), project)
    }


def _series_of(tables: PatchworkTable, text: str, project: int) -> Iterator[int]:
    if address := _SERIES_ADDRESS.fullmatch(text):
        series = tables.series.find(int(address[1]))
        if series is not None:
            yield series.id
        return
    named = _ADDRESS.fullmatch(text)
    msgid = f"<{unquote(named[1])}>" if named else text
    for part in (
        tables.mails.cover_of_message(msgid, project),
        tables.mails.patch_of_message(msgid, project),
    ):
        if part is not None and part.series is not None:
            yield part.series
