"""What a Patchwork keeps, as it is kept: ids stand for what belongs to something else, times are in UTC."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CHECK_STATES",
    "STATES",
    "Bundle",
    "Check",
    "Comment",
    "Cover",
    "Event",
    "Letter",
    "Patch",
    "Person",
    "Project",
    "Series",
    "User",
    "state_of",
]

STATES = (
    "new",
    "under-review",
    "accepted",
    "rejected",
    "rfc",
    "not-applicable",
    "changes-requested",
    "awaiting-upstream",
    "superseded",
    "deferred",
)
"""The states of a patch, as they stand in addresses; their names have blanks for the hyphens."""
CHECK_STATES = ("pending", "success", "warning", "fail")
"""The states of a check by their numbers, the worst last."""


def state_of(text: str) -> str | None:
    """The state that is called so, in any case, by its name or as it stands in addresses; None for none."""
    state = text.lower().replace(" ", "-")
    return state if state in STATES else None


@dataclass(frozen=True, slots=True)
class Project:
    """A mailing list and what is around it."""

    id: int
    name: str
    link_name: str
    list_id: str
    list_email: str
    web_url: str
    scm_url: str
    webscm_url: str
    list_archive_url: str
    list_archive_url_format: str
    commit_url_format: str
    subject_match: str
    show_dependencies: bool


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can log in; a maintainer is one of every project."""

    id: int
    username: str
    first_name: str
    last_name: str
    email: str
    is_maintainer: bool
    send_email: bool
    items_per_page: int
    show_ids: bool


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who sent a mail, and the user who that is."""

    id: int
    name: str | None
    email: str
    user: int | None


@dataclass(frozen=True, slots=True)
class Series:
    """One version of a series of `total` patches."""

    id: int
    project: int
    name: str
    date: str
    submitter: int
    version: int
    total: int


@dataclass(frozen=True, slots=True)
class Letter:
    """What a patch, a cover letter or a comment says. `headers` and `prefixes` are JSON."""

    headers: str
    content: str
    diff: str | None = None
    prefixes: str = "[]"


@dataclass(frozen=True, slots=True)
class Cover:
    """A cover letter, but for what it says."""

    id: int
    project: int
    series: int | None
    msgid: str
    date: str
    name: str
    submitter: int


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch, but for what it says. Patches that are related have the same `relation`."""

    id: int
    project: int
    series: int | None
    number: int | None
    msgid: str
    date: str
    name: str
    submitter: int
    hash: str | None
    pull_url: str | None
    commit_ref: str | None
    state: str
    archived: bool
    delegate: int | None
    relation: int | None


@dataclass(frozen=True, slots=True)
class Comment:
    """An answer to the patch or the cover letter `parent`. `headers` are JSON."""

    id: int
    parent: int
    msgid: str
    date: str
    subject: str
    submitter: int
    addressed: bool | None
    headers: str
    content: str


@dataclass(frozen=True, slots=True)
class Check:
    """What somebody's tests made of a patch; `state` is the number of one of `CHECK_STATES`."""

    id: int
    patch: int
    user: int
    date: str
    state: int
    target_url: str | None
    context: str
    description: str | None


@dataclass(frozen=True, slots=True)
class Bundle:
    """Patches that somebody put together."""

    id: int
    project: int
    name: str
    owner: int
    public: bool


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to which patch, cover letter, series, comment or check.

    `previous` and `current` are states or, in decimal digits, delegates.
    """

    id: int
    category: str
    project: int
    date: str
    actor: int | None = None
    patch: int | None = None
    cover: int | None = None
    series: int | None = None
    comment: int | None = None
    checked: int | None = None
    previous: str | None = None
    current: str | None = None
