"""What each list can be asked for: its filters, and the orders it can be had in.

A filter that is `None` is left out. A collection asks for what matches one of its values; filters that take
one value alone are those of which a service looks at the last.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TypedDict

from pk_upload.patchwork.resources import CheckState, EventCategory

__all__ = [
    "FILTERS",
    "ORDERS",
    "BundleFilters",
    "CheckFilters",
    "CoverFilters",
    "EventFilters",
    "Ids",
    "Names",
    "PatchFilters",
    "SearchFilters",
    "SeriesFilters",
    "Texts",
]

Ids = int | Collection[int]
Texts = str | Collection[str]
Names = int | str | Collection[int | str]


class SearchFilters(TypedDict, total=False):
    """`q`: words that have to be in a name, of people and users in an address too."""

    q: str | None


class SeriesFilters(SearchFilters, total=False):
    """`project` by id or link name, `submitter` by id or exact e-mail address; dates are those of e-mails."""

    project: Names | None
    submitter: Names | None
    since: datetime | None
    before: datetime | None


class CoverFilters(SeriesFilters, total=False):
    """`msgid` goes with or without angle brackets."""

    msgid: str | None


class PatchFilters(CoverFilters, total=False):
    """`delegate` by id or user name, `state` by its slug; `hash` is that of the diff."""

    series: Ids | None
    delegate: Names | None
    state: Texts | None
    archived: bool | None
    hash: str | None


class CheckFilters(TypedDict, total=False):
    """`user` by id or user name; `context` is the name of the test."""

    user: Names | None
    state: CheckState | None
    context: str | None
    since: datetime | None
    before: datetime | None


class BundleFilters(SearchFilters, total=False):
    """`project` by id or link name, `owner` by id or user name."""

    project: Names | None
    owner: Names | None
    public: bool | None


class EventFilters(TypedDict, total=False):
    """`project` by id or link name, `actor` by the id of a user."""

    project: Names | None
    category: EventCategory | None
    series: Ids | None
    patch: Ids | None
    cover: Ids | None
    actor: int | None
    since: datetime | None
    before: datetime | None


FILTERS = {
    "patches": PatchFilters,
    "series": SeriesFilters,
    "covers": CoverFilters,
    "events": EventFilters,
    "checks": CheckFilters,
    "bundles": BundleFilters,
    "people": SearchFilters,
    "users": SearchFilters,
}
ORDERS = {
    "patches": ("id", "name", "project", "date", "state", "archived", "submitter", "check"),
    "series": ("id", "name", "date", "submitter"),
    "covers": ("id", "name", "date", "submitter"),
    "events": ("date",),
    "bundles": ("id", "name", "owner"),
    "people": ("id", "name", "email"),
    "users": ("id", "username", "email"),
}
