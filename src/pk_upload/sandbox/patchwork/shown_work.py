"""Comments, checks and bundles as clients see them, in the version of the API that was asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from pk_upload.sandbox.patchwork.records import CHECK_STATES
from pk_upload.sandbox.patchwork.shown_mails import archived_at, small_patch
from pk_upload.sandbox.patchwork.shown_people import small_person, small_project, small_user
from pk_upload.sandbox.patchwork.versions import of_version

if TYPE_CHECKING:
    from pk_upload.sandbox.patchwork.asked import Asked
    from pk_upload.sandbox.patchwork.mail_table import Parent
    from pk_upload.sandbox.patchwork.records import Bundle, Check, Comment
    from pk_upload.sandbox.records import Json

__all__ = ["show_bundle", "show_check", "show_comment", "small_check", "small_comment"]


def small_comment(asked: Asked, kind: Parent, project: int, comment: Comment) -> dict[str, Json]:
    """A comment, as part of something else."""
    path = "patches" if kind == "patch" else "covers"
    body: dict[str, Json] = {
        "id": comment.id,
        "url": asked.url(f"/{path}/{comment.parent}/comments/{comment.id}/"),
        "web_url": asked.site(f"/comment/{comment.id}/"),
        "msgid": comment.msgid,
        "list_archive_url": archived_at(asked, project, comment.msgid),
        "date": comment.date,
    }
    return of_version("comment", asked.version, body)


def show_comment(asked: Asked, kind: Parent, project: int, comment: Comment) -> dict[str, Json]:
    """A comment."""
    body: dict[str, Json] = {
        **small_comment(asked, kind, project, comment),
        "subject": comment.subject,
        "submitter": small_person(asked, comment.submitter),
        "content": comment.content,
        "headers": json.loads(comment.headers),
        "addressed": comment.addressed,
    }
    return of_version("comment", asked.version, body)


def small_check(asked: Asked, check: Check) -> dict[str, Json]:
    """A check, as part of something else."""
    return {
        "id": check.id,
        "url": asked.url(f"/patches/{check.patch}/checks/{check.id}/"),
        "date": check.date,
        "state": CHECK_STATES[check.state],
        "target_url": check.target_url,
        "context": check.context,
    }


def show_check(asked: Asked, check: Check) -> dict[str, Json]:
    """A check."""
    body = small_check(asked, check)
    user = small_user(asked, asked.other_user(check.user))
    return {"id": body["id"], "url": body["url"], "user": user, **body, "description": check.description}


def show_bundle(asked: Asked, bundle: Bundle) -> dict[str, Json]:
    """A bundle."""
    owner = asked.other_user(bundle.owner)
    address = asked.site(f"/bundle/{quote(owner.username)}/{quote(bundle.name)}/")
    patches = asked.tables.mails.patches_of_bundle(bundle.id)
    body: dict[str, Json] = {
        "id": bundle.id,
        "url": asked.url(f"/bundles/{bundle.id}/"),
        "web_url": address,
        "project": small_project(asked, bundle.project),
        "name": bundle.name,
        "owner": small_user(asked, owner),
        "patches": [small_patch(asked, patch) for patch in patches],
        "public": bundle.public,
        "mbox": f"{address}mbox/",
    }
    return of_version("bundle", asked.version, body)
