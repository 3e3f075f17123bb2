"""Mboxes to download, as `git am` takes them: a patch, a cover letter, a series, a bundle; and diffs."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import datetime
from email.header import Header
from typing import TYPE_CHECKING

from aiohttp import web

from pk_upload.sandbox.patchwork.answers import NoPage
from pk_upload.sandbox.patchwork.asked import number
from pk_upload.sandbox.patchwork.filters import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pk_upload.sandbox.patchwork.asked import Asked
    from pk_upload.sandbox.patchwork.records import Bundle, Cover, Letter, Patch

__all__ = ["send_bundle", "send_diff", "send_mail", "send_series"]

_TRAILER = re.compile(r"^(?:[A-Za-z][A-Za-z-]*-by|Fixes): .*$", re.MULTILINE)
"""What a comment adds to the patch that it is on."""
_OF_THE_BODY = frozenset({"content-type", "content-transfer-encoding", "mime-version"})
_LONGEST_LINE = 900
_MOST_COMMENTS = 1000


async def send_mail(asked: Asked) -> web.StreamResponse:
    """GET a patch or a cover letter; with `series`, a patch behind those that come before it."""
    if asked.params["kind"] == "patch":
        patch = _named_patch(asked)
        return await _send(asked, f"{_file_name(patch.name)}.patch", [*_before(asked, patch), patch])
    cover = asked.tables.mails.cover_of_message(*_named(asked))
    if cover is None:
        raise NoPage
    return await _send(asked, f"{_file_name(cover.name)}.mbox", [cover])


async def send_diff(asked: Asked) -> web.StreamResponse:
    """GET the diff of a patch, without its mail."""
    patch = _named_patch(asked)
    diff = asked.tables.mails.letter("patch", patch.id).diff
    if diff is None:
        raise NoPage
    name = f"attachment; filename={_file_name(patch.name)}.diff"
    return web.Response(text=diff, content_type="text/x-patch", headers={"Content-Disposition": name})


def _named_patch(asked: Asked) -> Patch:
    patch = asked.tables.mails.patch_of_message(*_named(asked))
    if patch is None:
        raise NoPage
    return patch


def _named(asked: Asked) -> tuple[str, int]:
    """The id of the mail that the path names, and of its project."""
    project = asked.tables.people.project_by_name(asked.params["link"])
    if project is None:
        raise NoPage
    msgid = asked.params["msgid"].replace("%2F", "/")
    dots = msgid.replace("%2E", ".")
    return f"<{msgid if dots.strip('.') else dots}>", project.id


def _before(asked: Asked, patch: Patch) -> list[Patch]:
    """The patches that come before it, where they are asked for: of any series, or of a certain one."""
    series = dict(asked.query()).get("series")
    if not series:
        return []
    if patch.series is None or series not in {"*", str(patch.series)}:
        raise NoPage
    others = asked.tables.mails.patches_of_series(patch.series)
    return [other for other in others if (other.number or 0) < (patch.number or 0)]


async def send_series(asked: Asked) -> web.StreamResponse:
    """GET all patches of a series."""
    series = asked.tables.series.find(number(asked.params["id"]))
    if series is None:
        raise NoPage
    patches = asked.tables.mails.patches_of_series(series.id)
    return await _send(asked, f"{_file_name(series.name)}.patch", patches)


async def send_bundle(asked: Asked) -> web.StreamResponse:
    """GET all patches of a bundle; a private one is for its owner."""
    owner = asked.tables.people.user_by_name(asked.params["owner"])
    bundle = None if owner is None else asked.tables.work.bundle_by_name(owner.id, asked.params["name"])
    if bundle is None or not _may_see(asked, bundle):
        raise NoPage
    found = map(asked.tables.mails.patch, asked.tables.work.bundled(bundle.id))
    name = f"bundle-{bundle.id}-{_file_name(bundle.name)}.mbox"
    return await _send(asked, name, [patch for patch in found if patch is not None])


def _may_see(asked: Asked, bundle: Bundle) -> bool:
    return bundle.public or (asked.user is not None and asked.user.id == bundle.owner)


def _file_name(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_]+", "-", plain).strip("-") or "patch"


async def _send(asked: Asked, name: str, mails: Iterable[Patch | Cover]) -> web.StreamResponse:
    """The mails one after the other, of which no more than one is in memory."""
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Disposition": f"attachment; filename={name}",
    }
    if asked.call.request.method == "HEAD":
        return web.Response(headers=headers)
    response = web.StreamResponse(headers=headers)
    await response.prepare(asked.call.request)
    for position, mail in enumerate(mails):
        text = _mbox(asked, mail)
        await response.write((f"\n{text}" if position else text).encode("utf-8", "replace"))
    await response.write_eof()
    return response


def _mbox(asked: Asked, mail: Patch | Cover) -> str:
    is_cover = not hasattr(mail, "state")
    letter = asked.tables.mails.letter("cover" if is_cover else "patch", mail.id)
    body = _body(asked, mail.id, letter, is_cover=is_cover)
    return "\n".join((*_head(asked, mail, letter, body), "", body))


def _head(asked: Asked, mail: Patch | Cover, letter: Letter, body: str) -> Iterator[str]:
    person = asked.person(mail.submitter)
    delegate = getattr(mail, "delegate", None)
    yield f"From patchwork {datetime.fromisoformat(mail.date).ctime()}"
    yield 'Content-Type: text/plain; charset="utf-8"'
    yield "MIME-Version: 1.0"
    yield f"Content-Transfer-Encoding: {'7bit' if body.isascii() else '8bit'}"
    yield _line("X-Patchwork-Submitter", f"{person.name} <{person.email}>" if person.name else person.email)
    yield f"X-Patchwork-Id: {mail.id}"
    if delegate is not None:
        yield _line("X-Patchwork-Delegate", asked.other_user(delegate).email)
    for name, values in json.loads(letter.headers).items():
        if name.lower() not in _OF_THE_BODY and name.isascii():
            for value in values if isinstance(values, list) else [values]:
                yield _line(name, value)


def _line(name: str, value: str) -> str:
    """A header, with what is not ASCII in encoded words."""
    if value.isascii():
        return f"{name}: {value}"
    return f"{name}: {Header(value, 'utf-8', maxlinelen=_LONGEST_LINE, header_name=name).encode()}"


def _body(asked: Asked, mail_id: int, letter: Letter, *, is_cover: bool) -> str:
    said = _quoted(letter.content)
    if is_cover:
        return said
    comments = asked.tables.mails.comments("patch", mail_id, Wanted(), 0, _MOST_COMMENTS)
    trailers = [line.strip() for comment in comments for line in _TRAILER.findall(comment.content)]
    before, line, behind = said.partition("\n---\n")
    if trailers:
        before = "\n".join((before.rstrip("\n"), *trailers))
        before += "" if line else "\n"
    return f"{before}{line}{behind}" + (f"\n{_quoted(letter.diff)}" if letter.diff else "")


def _quoted(text: str) -> str:
    """The text with no line that would begin another mail."""
    return re.sub(r"^(>*From )", r">\1", text, flags=re.MULTILINE)
