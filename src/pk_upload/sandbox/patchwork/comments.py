"""Comments on patches and cover letters: whether one was dealt with is all that can be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pk_upload.sandbox.patchwork.answers import answer, denied, missing
from pk_upload.sandbox.patchwork.asked import number
from pk_upload.sandbox.patchwork.given import boolean, nullable, read_given, take
from pk_upload.sandbox.patchwork.letters import named_cover
from pk_upload.sandbox.patchwork.patches import may_write, named_patch
from pk_upload.sandbox.patchwork.shown_work import show_comment

if TYPE_CHECKING:
    from aiohttp import web

    from pk_upload.sandbox.patchwork.asked import Asked
    from pk_upload.sandbox.patchwork.mail_table import Parent
    from pk_upload.sandbox.patchwork.records import Comment, Cover, Patch

__all__ = ["list_comments", "show_one_comment", "update_comment"]


def _kind(asked: Asked) -> Parent:
    return "cover" if asked.params["parent"] == "covers" else "patch"


def _parent(asked: Asked) -> Patch | Cover:
    """What the path names. Problem 404."""
    return named_cover(asked) if _kind(asked) == "cover" else named_patch(asked)


def _named(asked: Asked) -> tuple[Patch | Cover, Comment]:
    """The comment that the path names, and what it is on. Problem 404."""
    parent = _parent(asked)
    comment = asked.tables.mails.comment(_kind(asked), parent.id, number(asked.params["comment"]))
    if comment is None:
        raise missing(f"{_kind(asked).capitalize()}Comment")
    return parent, comment


async def list_comments(asked: Asked) -> web.Response:
    """GET the comments on a patch or a cover letter."""
    kind, parent, mails = _kind(asked), _parent(asked), asked.tables.mails
    wanted = asked.wanted({}, ("id", "date", "submitter"))
    return asked.listed(
        mails.count_comments(kind, parent.id, wanted),
        lambda first, most: mails.comments(kind, parent.id, wanted, first, most),
        lambda comment: show_comment(asked, kind, parent.project, comment),
    )


async def show_one_comment(asked: Asked) -> web.Response:
    """GET a comment."""
    parent, comment = _named(asked)
    return answer(show_comment(asked, _kind(asked), parent.project, comment))


async def update_comment(asked: Asked) -> web.Response:
    """PATCH or PUT a comment: `addressed`, by who sent it, or who may write to what it is on."""
    parent, comment = _named(asked)
    user = asked.logged_in()
    if not may_write(asked, user, parent) and asked.person(comment.submitter).user != user.id:
        raise denied()
    changes = take(await read_given(asked.call.request), {"addressed": nullable(boolean, empty=True)})
    if "addressed" in changes:
        asked.tables.mails.address(_kind(asked), comment.id, changes["addressed"])
    return await show_one_comment(asked)
