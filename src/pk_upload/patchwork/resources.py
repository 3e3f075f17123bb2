"""What Patchwork's answers are about: patches and what belongs to them.

Unknown fields of an answer are ignored. A field that is `UNSET` was not in the answer: older versions of the
API lack some, and lists have less than single answers; to JSON such a field does not go. The others take the
values below where an answer lacks them; without an `id`, or with a field of a wrong type, it raises
`UnexpectedAnswer`. Moments are aware and in UTC, as the service's documentation says they are, although it
writes them without a zone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

__all__ = [
    "Bundle",
    "Check",
    "CheckState",
    "Comment",
    "Cover",
    "CoverDetail",
    "Event",
    "EventCategory",
    "Headers",
    "Index",
    "Patch",
    "PatchDetail",
    "Payload",
    "Person",
    "Project",
    "Series",
    "SeriesSummary",
    "Submission",
    "User",
    "UserSettings",
]

CheckState = Literal["pending", "success", "warning", "fail"]
EventCategory = Literal[
    "cover-created",
    "patch-created",
    "patch-completed",
    "patch-state-changed",
    "patch-delegated",
    "patch-relation-changed",
    "check-created",
    "series-created",
    "series-completed",
    "cover-comment-created",
    "patch-comment-created",
]
Headers = dict[str, str | list[str]]
"""An e-mail's headers by name; one that stands there several times has a list."""


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """What all have in common: the number that names it, and its address in the API."""

    id: int
    url: str | UnsetType = UNSET


class Dated(Resource, frozen=True, kw_only=True):
    """Something of a certain moment."""

    date: datetime | None = None

    def __post_init__(self) -> None:
        if self.date is not None:
            msgspec.structs.force_setattr(self, "date", _in_utc(self.date))


def _in_utc(date: datetime) -> datetime:
    try:
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except OverflowError:
        raise ValueError("the moment is none that a calendar has") from None


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """Where the resources of the API are."""

    bundles: str = ""
    covers: str = ""
    events: str = ""
    patches: str = ""
    people: str = ""
    projects: str = ""
    series: str = ""
    users: str = ""


class UserSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a user wants the site to be; told to that user alone."""

    send_email: bool | UnsetType = UNSET
    items_per_page: int | UnsetType = UNSET
    show_ids: bool | UnsetType = UNSET


class User(Resource, frozen=True, kw_only=True):
    """Somebody with an account."""

    username: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    settings: UserSettings | UnsetType = UNSET


class Person(Resource, frozen=True, kw_only=True):
    """Somebody who sent an e-mail to a project's list, with or without an account."""

    name: str | None = None
    email: str = ""
    user: User | UnsetType | None = UNSET


class Project(Resource, frozen=True, kw_only=True):
    """A project; `maintainers` and what follows are told of it where it is asked for itself."""

    name: str = ""
    link_name: str = ""
    list_id: str = ""
    list_email: str = ""
    web_url: str | None = None
    scm_url: str | None = None
    webscm_url: str | None = None
    list_archive_url: str | UnsetType | None = UNSET
    list_archive_url_format: str | UnsetType | None = UNSET
    commit_url_format: str | UnsetType | None = UNSET
    maintainers: tuple[User, ...] | UnsetType = UNSET
    subject_match: str | UnsetType | None = UNSET
    show_dependencies: bool | UnsetType = UNSET


class Submission(Dated, frozen=True, kw_only=True):
    """A patch or a cover letter, as something else names it; `msgid` stands in angle brackets."""

    web_url: str | UnsetType = UNSET
    msgid: str = ""
    list_archive_url: str | UnsetType | None = UNSET
    name: str = ""
    mbox: str | UnsetType = UNSET


class SeriesSummary(Dated, frozen=True, kw_only=True):
    """A series, as something else names it."""

    web_url: str | UnsetType = UNSET
    name: str | None = None
    version: int = 1
    mbox: str | UnsetType = UNSET


class Patch(Submission, frozen=True, kw_only=True):
    """A patch, as lists have it. `check` is the state of its newest checks, the worst of them."""

    project: Project | None = None
    commit_ref: str | None = None
    pull_url: str | None = None
    state: str | None = None
    archived: bool = False
    hash: str | None = None
    submitter: Person | None = None
    delegate: User | None = None
    series: tuple[SeriesSummary, ...] = ()
    comments: str | UnsetType = UNSET
    check: str = ""
    checks: str = ""
    tags: dict[str, int] = {}
    related: tuple[Submission, ...] | UnsetType = UNSET


class PatchDetail(Patch, frozen=True, kw_only=True):
    """A patch, whole: with the e-mail that brought it."""

    headers: Headers = {}
    content: str | None = None
    diff: str | None = None
    prefixes: tuple[str, ...] = ()


class Cover(Submission, frozen=True, kw_only=True):
    """A cover letter, as lists have it."""

    project: Project | None = None
    submitter: Person | None = None
    series: tuple[SeriesSummary, ...] = ()
    comments: str | UnsetType = UNSET


class CoverDetail(Cover, frozen=True, kw_only=True):
    """A cover letter, whole."""

    headers: Headers = {}
    content: str | None = None


class Series(SeriesSummary, frozen=True, kw_only=True):
    """Patches that were sent together. `dependencies` are told where the project shows them."""

    project: Project | None = None
    submitter: Person | None = None
    total: int = 0
    received_total: int = 0
    received_all: bool = False
    cover_letter: Submission | None = None
    patches: tuple[Submission, ...] = ()
    dependencies: tuple[str, ...] | UnsetType = UNSET
    dependents: tuple[str, ...] | UnsetType = UNSET


class Check(Dated, frozen=True, kw_only=True):
    """What a test of a patch came to, in the words of the `user` that ran it under the name `context`."""

    user: User | None = None
    state: str = ""
    target_url: str | None = None
    context: str = ""
    description: str | None = None


class Comment(Dated, frozen=True, kw_only=True):
    """A reply to a patch or to a cover letter. `addressed` is null where nobody has said so or not."""

    web_url: str | UnsetType = UNSET
    msgid: str = ""
    list_archive_url: str | UnsetType | None = UNSET
    subject: str | None = None
    submitter: Person | None = None
    content: str | None = None
    headers: Headers | UnsetType = UNSET
    addressed: bool | UnsetType | None = UNSET


class Bundle(Resource, frozen=True, kw_only=True):
    """Patches that a user has put together; one that is not `public` is shown to its owner alone."""

    web_url: str | UnsetType = UNSET
    project: Project | None = None
    name: str = ""
    owner: User | None = None
    patches: tuple[Submission, ...] = ()
    public: bool = False
    mbox: str | UnsetType = UNSET


class EventCheck(Dated, frozen=True, kw_only=True):
    """A check, as an event names it."""

    state: str = ""
    target_url: str | None = None
    context: str = ""


class EventComment(Dated, frozen=True, kw_only=True):
    """A comment, as an event names it."""

    web_url: str | UnsetType = UNSET
    msgid: str = ""
    list_archive_url: str | UnsetType | None = UNSET


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """What an event is about; which of these there are depends on its category."""

    patch: Submission | UnsetType = UNSET
    cover: Submission | UnsetType = UNSET
    series: SeriesSummary | UnsetType = UNSET
    check: EventCheck | UnsetType = UNSET
    comment: EventComment | UnsetType = UNSET
    previous_state: str | UnsetType | None = UNSET
    current_state: str | UnsetType | None = UNSET
    previous_delegate: User | UnsetType | None = UNSET
    current_delegate: User | UnsetType | None = UNSET
    previous_relation: int | str | UnsetType | None = UNSET
    current_relation: int | str | UnsetType | None = UNSET


class Event(Dated, frozen=True, kw_only=True):
    """Something that happened in a project; a service may have categories beside those of `EventCategory`."""

    category: str = ""
    project: Project | None = None
    actor: User | UnsetType | None = UNSET
    payload: Payload = Payload()
