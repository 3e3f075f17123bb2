"""Seeding: the mails of mboxes become patches, cover letters, series and comments.

A mail that is known already is left alone, so seeding again changes nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio.lowlevel

from pk_upload.sandbox.patchwork.diffs import diff_hash
from pk_upload.sandbox.patchwork.event_table import now
from pk_upload.sandbox.patchwork.mail import Unreadable, read_mail
from pk_upload.sandbox.patchwork.mbox import LARGEST_MESSAGE, open_mbox, read_messages
from pk_upload.sandbox.patchwork.records import Letter
from pk_upload.sandbox.patchwork.subjects import LONGEST_NAME, read_subject
from pk_upload.sandbox.patchwork.threads import find_series, needed_series, note_arrival
from pk_upload.sandbox.places import SandboxError, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pk_upload.sandbox.patchwork.mail import Mail
    from pk_upload.sandbox.patchwork.records import Project, Series
    from pk_upload.sandbox.patchwork.subjects import Subject
    from pk_upload.sandbox.patchwork.table import PatchworkTable

__all__ = ["Seeded", "prepare", "seed"]

USERS = (
    ("maintainer", "Mary", "Maintainer", "maintainer@example.com"),
    ("submitter", "Sam", "Submitter", "submitter@example.com"),
    ("reader", "Rita", "Reader", "reader@example.com"),
)
_DEFAULT_LIST = "sandbox.lists.example.com"
_MOST_TOLD = 20


@dataclass(slots=True)
class Seeded:
    """What came of an mbox. `known` mails were there before, `others` are neither patches nor answers.

    `left_out` are sentences about mails that are of no use, the first ones; `more` are not told of.
    """

    path: Path
    patches: int = 0
    covers: int = 0
    comments: int = 0
    known: int = 0
    others: int = 0
    left_out: list[str] = field(default_factory=list)
    more: int = 0

    def leave_out(self, number: int, reason: str) -> None:
        """Note that the mail with this number is of no use, since it `reason`, the end of a sentence."""
        if len(self.left_out) < _MOST_TOLD:
            self.left_out.append(f"Mail {number} of {self.path} is left out: it {reason}.")
        else:
            self.more += 1


def prepare(tables: PatchworkTable) -> None:
    """Make the users, and a project where there is none."""
    with tables.transaction():
        for username, first, last, address in USERS:
            tables.people.create_user(username, first, last, address, maintains=username == "maintainer")
            user = tables.people.user_by_name(username)
            if user is not None and username != "submitter":  # who that is, the first patch says
                tables.people.tie(tables.people.sender(f"{first} {last}", address), user)


def ensure_project(tables: PatchworkTable) -> None:
    """Make the project of mails that name no list, if there is no project at all."""
    if tables.people.project(1) is None:
        _project_of_list(tables, _DEFAULT_LIST, None)


async def seed(tables: PatchworkTable, paths: Iterable[Path]) -> list[Seeded]:
    """Take in the mails of these mboxes. SandboxError when one is none, or cannot be read."""
    return [await _seed_one(tables, path) for path in paths]


async def _seed_one(tables: PatchworkTable, path: Path) -> Seeded:
    seeded = Seeded(path)
    with open_mbox(path) as file:
        try:
            for number, data in enumerate(read_messages(file), 1):
                await anyio.lowlevel.checkpoint()  # before anything else, for a mail may be of no use
                if data is None:
                    seeded.leave_out(number, f"is larger than {LARGEST_MESSAGE >> 20} MiB")
                    continue
                try:
                    mail = read_mail(data)
                except Unreadable as error:
                    seeded.leave_out(number, str(error))
                    continue
                with tables.transaction():
                    _take(tables, mail, seeded)
        except OSError as error:
            raise SandboxError(f"The mbox {path} cannot be read: {reason_of(error)}.") from error
    return seeded


def _take(tables: PatchworkTable, mail: Mail, seeded: Seeded) -> None:
    list_id = mail.list_id or _list_of(tables, mail)
    project = tables.people.project_of_list(list_id)
    tags = {list_id.partition(".")[0]} | ({project.link_name.lower()} if project else set())
    subject = read_subject(mail.subject, frozenset(tags))
    is_cover = subject.number == 0 and not subject.is_reply
    if subject.is_reply or not (is_cover or mail.diff or mail.pull_url):
        _comment(tables, mail, seeded)
        return
    project = project or _project_of_list(tables, list_id, mail.list_name)
    mails = tables.mails
    if mails.patch_of_message(mail.msgid, project.id) or mails.cover_of_message(mail.msgid, project.id):
        seeded.known += 1
    elif is_cover:
        _cover(tables, mail, subject, project)
        seeded.covers += 1
    else:
        _patch(tables, mail, subject, project)
        seeded.patches += 1


def _list_of(tables: PatchworkTable, mail: Mail) -> str:
    """The id of the list that a mail without one was sent to."""
    project = tables.people.project_of_addresses(mail.receivers)
    return _DEFAULT_LIST if project is None else project.list_id


def _project_of_list(tables: PatchworkTable, list_id: str, name: str | None) -> Project:
    label, _, domain = list_id.partition(".")
    address = f"{label}@{domain or 'lists.example.com'}"
    return tables.people.create_project((name or label)[:LONGEST_NAME], label, list_id, address)


def _sent(tables: PatchworkTable, mail: Mail) -> tuple[str, int]:
    """When the mail was sent, now for one that does not say it, and who the sender is."""
    return mail.date.isoformat() if mail.date else now(), tables.people.sender(mail.name, mail.email).id


def _said(mail: Mail) -> str:
    """All that the mail says, a diff in it too."""
    return "\n".join(text for text in (mail.content, mail.diff) if text)


def _cover(tables: PatchworkTable, mail: Mail, subject: Subject, project: Project) -> None:
    date, sender = _sent(tables, mail)
    series = find_series(tables, mail, subject, project.id, sender, date)
    if series is None:
        series = _begin(tables, subject, project, subject.title, date, sender)
    else:
        tables.series.rename(series, subject.title)
    cover = tables.mails.add_cover(
        _columns(mail, subject, project, date, sender) | {"series": series.id},
        Letter(json.dumps(mail.headers), _said(mail)),
    )
    tables.events.add("cover-created", project.id, cover=cover.id)
    tables.series.need(series.id, needed_series(tables, mail.content, project.id))


def _patch(tables: PatchworkTable, mail: Mail, subject: Subject, project: Project) -> None:
    date, sender = _sent(tables, mail)
    series = None
    if mail.diff:  # a pull request is of no series
        series = find_series(tables, mail, subject, project.id, sender, date)
        if series is None:
            series = _begin(tables, subject, project, subject.name, date, sender)
    columns = _columns(mail, subject, project, date, sender) | {
        "series": series.id if series else None,
        "number": (subject.number or 1) if series else None,
        "hash": diff_hash(mail.diff) if mail.diff else None,
        "pull_url": mail.pull_url,
    }
    letter = Letter(json.dumps(mail.headers), mail.content, mail.diff, json.dumps(subject.prefixes))
    patch = tables.mails.add_patch(columns, letter)
    tables.events.add("patch-created", project.id, patch=patch.id)
    if series is not None:
        note_arrival(tables, series, patch)
        tables.series.need(series.id, needed_series(tables, mail.content, project.id))
    person, user = tables.people.person(sender), tables.people.user_by_name("submitter")
    if person is not None and user is not None:
        tables.people.tie(person, user)


def _columns(mail: Mail, subject: Subject, project: Project, date: str, sender: int) -> dict[str, Any]:
    return {
        "project": project.id,
        "msgid": mail.msgid,
        "date": date,
        "name": subject.name,
        "submitter": sender,
    }


def _begin(
    tables: PatchworkTable, subject: Subject, project: Project, name: str, date: str, sender: int
) -> Series:
    total = 1 if subject.number is None else subject.total
    series = tables.series.create(project.id, name, date, sender, subject.version, total)
    tables.events.add("series-created", project.id, series=series.id)
    return series


def _comment(tables: PatchworkTable, mail: Mail, seeded: Seeded) -> None:
    """Add the mail to what it answers: the nearest of its references that is there, or what that answers."""
    patches: dict[int, int] = {}
    covers: dict[int, int] = {}
    for msgid in mail.references:
        patches = {patch.id: patch.project for patch in tables.mails.patches_of_message(msgid)}
        covers = {cover.id: cover.project for cover in tables.mails.covers_of_message(msgid)}
        for number in tables.mails.commented_by("patch", msgid):
            if patch := tables.mails.patch(number):
                patches[number] = patch.project
        for number in tables.mails.commented_by("cover", msgid):
            if cover := tables.mails.cover(number):
                covers[number] = cover.project
        if patches or covers:
            break
    else:
        seeded.others += 1
        return
    fresh = [number for number in patches if number not in tables.mails.commented_by("patch", mail.msgid)]
    fresh_covers = [
        number for number in covers if number not in tables.mails.commented_by("cover", mail.msgid)
    ]
    if not fresh and not fresh_covers:
        seeded.known += 1
        return
    date, sender = _sent(tables, mail)
    known = {
        "msgid": mail.msgid,
        "date": date,
        "subject": mail.subject[:LONGEST_NAME],
        "submitter": sender,
        "headers": json.dumps(mail.headers),
        "content": _said(mail),
    }
    for number in fresh:
        comment = tables.mails.add_comment("patch", {"parent": number, **known})
        tables.events.add("patch-comment-created", patches[number], patch=number, comment=comment.id)
    for number in fresh_covers:
        comment = tables.mails.add_comment("cover", {"parent": number, **known})
        tables.events.add("cover-comment-created", covers[number], cover=number, comment=comment.id)
    seeded.comments += 1
