"""Patches, cover letters and series as clients see them, in the version of the API that was asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from pk_upload.sandbox.patchwork.shown_people import small_person, small_project, user_or_none
from pk_upload.sandbox.patchwork.versions import of_version

if TYPE_CHECKING:
    from pk_upload.sandbox.patchwork.asked import Asked
    from pk_upload.sandbox.patchwork.mail_table import Parent
    from pk_upload.sandbox.patchwork.records import Cover, Letter, Patch, Series
    from pk_upload.sandbox.records import Json

__all__ = [
    "archived_at",
    "show_cover",
    "show_patch",
    "show_series",
    "small_cover",
    "small_patch",
    "small_series",
]


def _mail_address(asked: Asked, kind: Parent, mail: Patch | Cover) -> str:
    """Where a mail's page is.

    A slash in its id is quoted twice, or it would part the path; so are the dots of one made of nothing else,
    which clients would take for a step upwards, quoted once or not.
    """
    link_name = asked.project(mail.project).link_name
    plain = mail.msgid.strip("<>").replace("/", "%2F")
    plain = plain if plain.strip(".") else "%2E" * len(plain)
    msgid = quote(plain, safe="~:@!$&'()*+,;=")
    return asked.site(f"/project/{quote(link_name)}/{kind}/{msgid}/")


def archived_at(asked: Asked, project_id: int, msgid: str) -> str | None:
    """Where the list's archive has a mail, None where that is not known."""
    form = asked.project(project_id).list_archive_url_format
    return form.replace("{}", msgid.strip("<>")) if form else None


def _small_mail(asked: Asked, kind: Parent, mail: Patch | Cover) -> dict[str, Json]:
    path = "patches" if kind == "patch" else "covers"
    address = _mail_address(asked, kind, mail)
    return {
        "id": mail.id,
        "url": asked.url(f"/{path}/{mail.id}/"),
        "web_url": address,
        "msgid": mail.msgid,
        "list_archive_url": archived_at(asked, mail.project, mail.msgid),
        "date": mail.date,
        "name": mail.name,
        "mbox": f"{address}mbox/",
    }


def small_patch(asked: Asked, patch: Patch) -> dict[str, Json]:
    """A patch, as part of something else."""
    return of_version("patch", asked.version, _small_mail(asked, "patch", patch))


def small_cover(asked: Asked, cover: Cover) -> dict[str, Json]:
    """A cover letter, as part of something else."""
    return of_version("cover", asked.version, _small_mail(asked, "cover", cover))


def small_series(asked: Asked, series: Series) -> dict[str, Json]:
    """A series, as part of something else."""
    link_name = asked.project(series.project).link_name
    body: dict[str, Json] = {
        "id": series.id,
        "url": asked.url(f"/series/{series.id}/"),
        "web_url": asked.site(f"/project/{quote(link_name)}/list/?series={series.id}"),
        "date": series.date,
        "name": series.name,
        "version": series.version,
        "mbox": asked.site(f"/series/{series.id}/mbox/"),
    }
    return of_version("series", asked.version, body)


def _series_of(asked: Asked, number: int | None) -> list[Json]:
    series = None if number is None else asked.tables.series.find(number)
    return [] if series is None else [small_series(asked, series)]


def _letter(letter: Letter) -> dict[str, Json]:
    return {"headers": json.loads(letter.headers), "content": letter.content}


def show_patch(asked: Asked, patch: Patch, letter: Letter | None = None) -> dict[str, Json]:
    """A patch, with what it says if that is given."""
    body = _small_mail(asked, "patch", patch)
    related = [] if patch.relation is None else asked.tables.mails.related(patch)
    shown: dict[str, Json] = {
        **{name: body[name] for name in ("id", "url", "web_url")},
        "project": small_project(asked, patch.project),
        **{name: body[name] for name in ("msgid", "list_archive_url", "date", "name")},
        "commit_ref": patch.commit_ref,
        "pull_url": patch.pull_url,
        "state": patch.state,
        "archived": patch.archived,
        "hash": patch.hash,
        "submitter": small_person(asked, patch.submitter),
        "delegate": user_or_none(asked, patch.delegate),
        "mbox": body["mbox"],
        "series": _series_of(asked, patch.series),
        "comments": asked.unversioned(f"/patches/{patch.id}/comments/"),
        "check": asked.tables.work.combined(patch.id),
        "checks": asked.unversioned(f"/patches/{patch.id}/checks/"),
        "tags": {},
        "related": [small_patch(asked, other) for other in related],
    }
    if letter is not None:
        shown |= {**_letter(letter), "diff": letter.diff, "prefixes": json.loads(letter.prefixes)}
    return of_version("patch", asked.version, shown)


def show_cover(asked: Asked, cover: Cover, letter: Letter | None = None) -> dict[str, Json]:
    """A cover letter, with what it says if that is given."""
    body = _small_mail(asked, "cover", cover)
    shown: dict[str, Json] = {
        **{name: body[name] for name in ("id", "url", "web_url")},
        "project": small_project(asked, cover.project),
        **{name: body[name] for name in ("msgid", "list_archive_url", "date", "name")},
        "submitter": small_person(asked, cover.submitter),
        "mbox": body["mbox"],
        "series": _series_of(asked, cover.series),
        "comments": asked.unversioned(f"/covers/{cover.id}/comments/"),
    }
    if letter is not None:
        shown |= _letter(letter)
    return of_version("cover", asked.version, shown)


def show_series(asked: Asked, series: Series) -> dict[str, Json]:
    """A series, with what it needs where its project shows that."""
    tables, small = asked.tables, small_series(asked, series)
    cover = tables.mails.cover_of_series(series.id)
    patches = tables.mails.patches_of_series(series.id)
    shown: dict[str, Json] = {
        **{name: small[name] for name in ("id", "url", "web_url") if name in small},
        "project": small_project(asked, series.project),
        "name": series.name,
        "date": series.date,
        "submitter": small_person(asked, series.submitter),
        "version": series.version,
        "total": series.total,
        "received_total": len(patches),
        "received_all": len(patches) >= series.total,
        "mbox": small["mbox"],
        "cover_letter": None if cover is None else small_cover(asked, cover),
        "patches": [small_patch(asked, patch) for patch in patches],
    }
    if asked.project(series.project).show_dependencies:
        shown["dependencies"] = [_series_url(asked, one) for one in tables.series.dependencies(series.id)]
        shown["dependents"] = [_series_url(asked, one) for one in tables.series.dependents(series.id)]
    return of_version("series", asked.version, shown)


def _series_url(asked: Asked, number: int) -> str:
    return asked.url(f"/series/{number}/")
