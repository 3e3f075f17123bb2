"""What mails became: patches, cover letters, the comments on both, and the relations of patches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pk_upload.sandbox.patchwork.listing import (
    IN_PROJECT,
    Listing,
    Scope,
    among,
    columns_of,
    count,
    made,
    named,
    rows,
)
from pk_upload.sandbox.patchwork.records import STATES, Comment, Cover, Letter, Patch

if TYPE_CHECKING:
    from collections.abc import Collection

    from pk_upload.sandbox.database import Database
    from pk_upload.sandbox.patchwork.filters import Wanted

__all__ = ["MailTable", "Parent"]

Parent: TypeAlias = Literal["patch", "cover"]

_EDITABLE = frozenset({"state", "archived", "commit_ref", "pull_url", "delegate", "relation"})
_BY_SENDER = named("submitter", "patchwork_person", "email")
_ORDINAL = " ".join(f"WHEN '{state}' THEN {number}" for number, state in enumerate(STATES))
_WORST_CHECK = (
    "(SELECT MAX(tested.state) FROM patchwork_check AS tested WHERE tested.patch = patchwork_patch.id"
    " AND tested.id IN (SELECT MAX(id) FROM patchwork_check WHERE patch = patchwork_patch.id"
    " GROUP BY user, context))"
)
_PATCHES = Listing(
    "patchwork_patch",
    columns_of(Patch),
    ids={name: among(name) for name in ("project", "series", "submitter", "delegate", "archived")},
    names={
        "project": IN_PROJECT,
        "submitter": _BY_SENDER,
        "delegate": named("delegate", "patchwork_user", "username"),
        "state": among("state"),
        "hash": among("hash"),
        "msgid": among("msgid"),
    },
    words=("name",),
    orders={name: name for name in ("id", "name", "project", "date", "archived", "submitter")}
    | {"state": f"CASE state {_ORDINAL} END", "check": f"COALESCE({_WORST_CHECK}, 0)"},
)
_COVERS = Listing(
    "patchwork_cover",
    columns_of(Cover),
    ids={"project": among("project"), "submitter": among("submitter")},
    names={"project": IN_PROJECT, "submitter": _BY_SENDER, "msgid": among("msgid")},
    words=("name",),
    orders={name: name for name in ("id", "name", "date", "submitter")},
)
_COMMENTS = {
    kind: Listing(
        f"patchwork_{kind}_comment",
        columns_of(Comment),
        orders={name: name for name in ("id", "date", "submitter")},
    )
    for kind in ("patch", "cover")
}
_PATCH = _PATCHES.select
_COVER = _COVERS.select
_ALL = Scope()


class MailTable:
    """The patches, cover letters and comments in `db`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # Patches

    def add_patch(self, patch: dict[str, Any], letter: Letter) -> Patch:
        """A new patch with these columns."""
        known = patch | {
            "headers": letter.headers,
            "content": letter.content,
            "diff": letter.diff,
            "prefixes": letter.prefixes,
        }
        found = self.patch(self._insert("patchwork_patch", known))
        if found is None:
            raise LookupError("no patch")
        return found

    def patch(self, patch_id: int) -> Patch | None:
        """The patch with this id."""
        row = self._db.row(f"{_PATCH} WHERE id = ?", patch_id)
        return None if row is None else made(Patch, row)

    def patch_of_message(self, msgid: str, project: int) -> Patch | None:
        """The patch that came with this mail."""
        row = self._db.row(f"{_PATCH} WHERE msgid = ? AND project = ?", msgid, project)
        return None if row is None else made(Patch, row)

    def patches_of_message(self, msgid: str) -> list[Patch]:
        """The patches that came with this mail, in all projects."""
        return [made(Patch, row) for row in self._db.execute(f"{_PATCH} WHERE msgid = ?", (msgid,))]

    def patches_of_series(self, series: int) -> list[Patch]:
        """The patches of a series, in their order."""
        sql = f"{_PATCH} WHERE series = ? ORDER BY number, id"
        return [made(Patch, row) for row in self._db.execute(sql, (series,))]

    def patches_of_bundle(self, bundle: int) -> list[Patch]:
        """The patches of a bundle, the oldest first, in whatever order it has them."""
        held = "SELECT patch FROM patchwork_bundled WHERE bundle = ?"
        sql = f"{_PATCH} WHERE id IN ({held}) ORDER BY date, id"
        return [made(Patch, row) for row in self._db.execute(sql, (bundle,))]

    def count_patches(self, wanted: Wanted) -> int:
        """How many are wanted."""
        return count(self._db, _PATCHES, wanted, _ALL)

    def patches(self, wanted: Wanted, first: int, most: int) -> list[Patch]:
        """Those that are wanted."""
        return [made(Patch, row) for row in rows(self._db, _PATCHES, wanted, _ALL, first, most)]

    def update_patch(self, patch_id: int, changes: dict[str, Any]) -> None:
        """Change what can be."""
        self._db.update("patchwork_patch", _EDITABLE, changes, "id = ?", (patch_id,))

    # Relations

    def related(self, patch: Patch) -> list[Patch]:
        """The other patches of its relation."""
        sql = f"{_PATCH} WHERE relation = ? AND id != ? ORDER BY id"
        return [made(Patch, row) for row in self._db.execute(sql, (patch.relation, patch.id))]

    def relate(self, patches: Collection[int], relation: int | None) -> None:
        """Put the patches into this relation, or into a new one where it is None."""
        fresh = "SELECT COALESCE(MAX(relation), 0) + 1 FROM patchwork_patch"
        number = self._db.value(fresh) if relation is None else relation
        self._db.execute_for_each(
            "UPDATE patchwork_patch SET relation = ? WHERE id = ?", [(number, patch) for patch in patches]
        )

    # Cover letters

    def add_cover(self, cover: dict[str, Any], letter: Letter) -> Cover:
        """A new cover letter with these columns."""
        known = cover | {"headers": letter.headers, "content": letter.content}
        found = self.cover(self._insert("patchwork_cover", known))
        if found is None:
            raise LookupError("no cover")
        return found

    def cover(self, cover_id: int) -> Cover | None:
        """The cover letter with this id."""
        row = self._db.row(f"{_COVER} WHERE id = ?", cover_id)
        return None if row is None else made(Cover, row)

    def cover_of_message(self, msgid: str, project: int) -> Cover | None:
        """The cover letter that came with this mail."""
        row = self._db.row(f"{_COVER} WHERE msgid = ? AND project = ?", msgid, project)
        return None if row is None else made(Cover, row)

    def covers_of_message(self, msgid: str) -> list[Cover]:
        """The cover letters that came with this mail, in all projects."""
        return [made(Cover, row) for row in self._db.execute(f"{_COVER} WHERE msgid = ?", (msgid,))]

    def cover_of_series(self, series: int) -> Cover | None:
        """The series' cover letter."""
        row = self._db.row(f"{_COVER} WHERE series = ?", series)
        return None if row is None else made(Cover, row)

    def count_covers(self, wanted: Wanted) -> int:
        """How many are wanted."""
        return count(self._db, _COVERS, wanted, _ALL)

    def covers(self, wanted: Wanted, first: int, most: int) -> list[Cover]:
        """Those that are wanted."""
        return [made(Cover, row) for row in rows(self._db, _COVERS, wanted, _ALL, first, most)]

    def letter(self, kind: Parent, number: int) -> Letter:
        """What a patch or a cover letter says."""
        columns = columns_of(Letter) if kind == "patch" else "headers, content"
        row = self._db.row(f"SELECT {columns} FROM patchwork_{kind} WHERE id = ?", number)  # noqa: S608
        if row is None:
            raise LookupError(f"no {kind} {number}")
        return Letter(**dict(row))

    # Comments

    def add_comment(self, kind: Parent, comment: dict[str, Any]) -> Comment:
        """A new comment with these columns."""
        number = self._insert(f"patchwork_{kind}_comment", comment)
        found = self.comment(kind, int(comment["parent"]), number)
        if found is None:
            raise LookupError("no comment")
        return found

    def comment(self, kind: Parent, parent: int, number: int) -> Comment | None:
        """The comment with this number, if it is one on `parent`."""
        row = self._db.row(f"{_COMMENTS[kind].select} WHERE id = ? AND parent = ?", number, parent)
        return None if row is None else made(Comment, row)

    def commented_by(self, kind: Parent, msgid: str) -> list[int]:
        """The patches or cover letters on which this mail is a comment."""
        sql = f"SELECT parent FROM {_COMMENTS[kind].table} WHERE msgid = ?"  # noqa: S608  a name from the code
        return [row["parent"] for row in self._db.execute(sql, (msgid,))]

    def count_comments(self, kind: Parent, parent: int, wanted: Wanted) -> int:
        """How many there are on `parent`."""
        return count(self._db, _COMMENTS[kind], wanted, Scope("parent = ?", (parent,)))

    def comments(self, kind: Parent, parent: int, wanted: Wanted, first: int, most: int) -> list[Comment]:
        """Those on `parent`, the oldest first."""
        scope = Scope("parent = ?", (parent,))
        return [made(Comment, row) for row in rows(self._db, _COMMENTS[kind], wanted, scope, first, most)]

    def address(self, kind: Parent, number: int, addressed: bool | None) -> None:
        """Say whether the comment was dealt with."""
        sql = f"UPDATE {_COMMENTS[kind].table} SET addressed = ? WHERE id = ?"  # noqa: S608
        self._db.execute(sql, (addressed, number))

    def _insert(self, table: str, known: dict[str, Any]) -> int:
        marks = ", ".join("?" for _ in known)
        sql = f"INSERT INTO {table} ({', '.join(known)}) VALUES ({marks})"  # noqa: S608  names from the code
        number = self._db.execute(sql, (*known.values(),)).lastrowid
        if number is None:
            raise LookupError(f"nothing was put into {table}")
        return number
