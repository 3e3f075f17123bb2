"""What can be read of a Patchwork: every resource, its lists, and the e-mails themselves."""

from __future__ import annotations

import os
from typing import Literal, Unpack

from pk_upload.errors import NotFound
from pk_upload.given import segment
from pk_upload.patchwork.filters import (
    BundleFilters,
    CheckFilters,
    CoverFilters,
    EventFilters,
    PatchFilters,
    SearchFilters,
    SeriesFilters,
)
from pk_upload.patchwork.listing import Listing
from pk_upload.patchwork.mbox import destination, save
from pk_upload.patchwork.query import CHECK_STATES
from pk_upload.patchwork.requests import checked_id
from pk_upload.patchwork.resources import (
    Bundle,
    Check,
    Comment,
    Cover,
    CoverDetail,
    Event,
    Index,
    Patch,
    PatchDetail,
    Person,
    Project,
    Series,
    User,
)
from pk_upload.patchwork.site import HINTS, Site
from pk_upload.patchwork.versions import require

__all__ = ["Reading", "comment_path"]

Path = str | os.PathLike[str]


class Reading(Site):
    """Coroutines for single resources, and lists as async iterators over all their pages.

    The filters of a list are those of its `TypedDict`; moments without a zone are in UTC, and of no values at
    all nothing is one. `order` is the name of a field, with a `-` before it the other way round, and `limit`
    the most items that come. Lists raise `UsageError` for filters they have not and values that a filter
    cannot have: a service would leave such a filter out and answer with everything, or answer with nothing.
    """

    async def index(self) -> Index:
        """Where the resources are."""
        return await self._get(Index, "")

    # Projects and people

    def projects(self, *, limit: int | None = None) -> Listing[Project]:
        """The site's projects."""
        return self._list(Project, "projects", limit=limit)

    async def project(self, project: int | str) -> Project:
        """The project with this id or link name."""
        return await self._get(Project, f"projects/{segment(str(project))}")

    def people(
        self, *, order: str | None = None, limit: int | None = None, **filters: Unpack[SearchFilters]
    ) -> Listing[Person]:
        """Who sent e-mails; `q` is for words in the name or the address. The service asks for a login."""
        return self._list(Person, "people", filters, order=order, limit=limit)

    async def person(self, person_id: int) -> Person:
        """One of `people`."""
        return await self._one(Person, "people", person_id, "a person")

    def users(
        self, *, order: str | None = None, limit: int | None = None, **filters: Unpack[SearchFilters]
    ) -> Listing[User]:
        """Who has an account; `q` is for words in the name or the address. The service asks for a login."""
        return self._list(User, "users", filters, order=order, limit=limit)

    async def user(self, user_id: int) -> User:
        """One of `users`; with `settings` if that is who asks."""
        return await self._one(User, "users", user_id, "a user")

    # Patches, covers, series

    def patches(
        self, *, order: str | None = None, limit: int | None = None, **filters: Unpack[PatchFilters]
    ) -> Listing[Patch]:
        """Patches. Ordered by "check" they come all at once: a service that orders so leaves some out."""
        if order in {"check", "-check"}:
            return self._list(Patch, "patches", filters).sorted(
                lambda patch: _severity(patch.check), reverse=order == "-check", limit=limit
            )
        return self._list(Patch, "patches", filters, order=order, limit=limit)

    async def patch(self, patch_id: int) -> PatchDetail:
        """A patch, whole."""
        return await self._one(PatchDetail, "patches", patch_id, "a patch")

    def covers(
        self, *, order: str | None = None, limit: int | None = None, **filters: Unpack[CoverFilters]
    ) -> Listing[Cover]:
        """Cover letters."""
        return self._list(Cover, "covers", filters, order=order, limit=limit)

    async def cover(self, cover_id: int) -> CoverDetail:
        """A cover letter, whole."""
        return await self._one(CoverDetail, "covers", cover_id, "a cover letter")

    def series_list(
        self, *, order: str | None = None, limit: int | None = None, **filters: Unpack[SeriesFilters]
    ) -> Listing[Series]:
        """Series, which are as many as one."""
        return self._list(Series, "series", filters, order=order, limit=limit)

    async def series(self, series_id: int) -> Series:
        """A series with its cover letter and its patches."""
        return await self._one(Series, "series", series_id, "a series")

    # Comments, checks, bundles, events

    def patch_comments(self, patch_id: int, *, limit: int | None = None) -> Listing[Comment]:
        """The replies to a patch. Since version 1.1."""
        path = f"patches/{checked_id(patch_id, 'a patch')}/comments"
        return self._list(Comment, path, limit=limit, what="comments", since="1.1")

    async def patch_comment(self, patch_id: int, comment_id: int) -> Comment:
        """A reply to a patch. Since version 1.3."""
        path = comment_path("patches", patch_id, comment_id)
        return await self._get(Comment, path, what="single comments", since="1.3")

    def cover_comments(self, cover_id: int, *, limit: int | None = None) -> Listing[Comment]:
        """The replies to a cover letter. Since version 1.1."""
        path = f"covers/{checked_id(cover_id, 'a cover letter')}/comments"
        return self._list(Comment, path, limit=limit, what="comments", since="1.1")

    async def cover_comment(self, cover_id: int, comment_id: int) -> Comment:
        """A reply to a cover letter. Since version 1.3."""
        path = comment_path("covers", cover_id, comment_id)
        return await self._get(Comment, path, what="single comments", since="1.3")

    def checks(
        self, patch_id: int, *, limit: int | None = None, **filters: Unpack[CheckFilters]
    ) -> Listing[Check]:
        """The checks of a patch."""
        return self._list(Check, f"patches/{checked_id(patch_id, 'a patch')}/checks", filters, limit=limit)

    async def check(self, patch_id: int, check_id: int) -> Check:
        """A check of a patch."""
        path = f"patches/{checked_id(patch_id, 'a patch')}/checks"
        return await self._one(Check, path, check_id, "a check")

    def bundles(
        self, *, order: str | None = None, limit: int | None = None, **filters: Unpack[BundleFilters]
    ) -> Listing[Bundle]:
        """The public bundles, and those of who asks."""
        return self._list(Bundle, "bundles", filters, order=order, limit=limit)

    async def bundle(self, bundle_id: int) -> Bundle:
        """A bundle; raises `NotFound` for a private one of somebody else."""
        try:
            return await self._one(Bundle, "bundles", bundle_id, "a bundle")
        except NotFound as error:
            if error.hint == HINTS[NotFound]:  # and not that of a page, which is of the address
                error.hint = "Check the id. A private bundle is shown to its owner alone."
            raise

    def events(
        self, *, order: str | None = None, limit: int | None = None, **filters: Unpack[EventFilters]
    ) -> Listing[Event]:
        """What happened, the newest first unless `order` is "date"; `actor` is the id of a user."""
        return self._list(Event, "events", filters, order=order, limit=limit)

    # E-mails

    async def download_patch(
        self, patch_id: int, to: Path, *, series: int | Literal["*"] | None = None
    ) -> int:
        """The size in bytes of the file `to`, which has the patch as an mbox now.

        With `series` the patches that come before it, in any series or in the one with that id, go first.
        Downloads raise `UsageError` for a place where no file can be and `DestinationUnwritable`;
        what was there before stays until the mbox is whole.
        """
        place = destination(to)
        which = series if series is None or series == "*" else checked_id(series, "a series")
        address = (await self.patch(patch_id)).mbox
        url = self._at_home(address, query="" if which is None else f"series={which}")
        try:
            return await save(self._http, url, place)
        except NotFound as error:
            if which is not None:
                error.hint = "Check that the patch is in a series, and in that one if it is named."
            raise

    async def download_cover(self, cover_id: int, to: Path) -> int:
        """The size in bytes of the file `to`, which has the cover letter as an mbox. Since version 1.1."""
        require("mbox of cover letters", "1.1", await self.version())
        place = destination(to)
        return await save(self._http, self._at_home((await self.cover(cover_id)).mbox), place)

    async def download_series(self, series_id: int, to: Path) -> int:
        """The size in bytes of the file `to`, which has the patches of the series as an mbox now."""
        place = destination(to)
        return await save(self._http, self._at_home((await self.series(series_id)).mbox), place)

    async def download_bundle(self, bundle_id: int, to: Path) -> int:
        """The size in bytes of the file `to`, which has the patches of the bundle as an mbox now."""
        place = destination(to)
        return await save(self._http, self._at_home((await self.bundle(bundle_id)).mbox), place)


def _severity(state: str) -> int:
    """How bad a check's state is; one that is not known is the worst."""
    return CHECK_STATES.index(state) if state in CHECK_STATES else len(CHECK_STATES)


def comment_path(kind: Literal["patches", "covers"], mail_id: int, comment_id: int) -> str:
    """Where the comment on a patch or on a cover letter is."""
    mail = f"{kind}/{checked_id(mail_id, 'what is commented on')}"
    return f"{mail}/comments/{checked_id(comment_id, 'a comment')}"
