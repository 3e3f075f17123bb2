"""The client of Patchwork: what `Reading` reads, and what can be changed, a coroutine an endpoint."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Literal, Self

from msgspec import UNSET, UnsetType

from pk_upload.certificates import trust_also
from pk_upload.errors import ServerError, UsageError
from pk_upload.given import segment
from pk_upload.http import CONNECT_TIMEOUT, RESPONSE_TIMEOUT
from pk_upload.patchwork.reading import Reading, comment_path
from pk_upload.patchwork.requests import (
    Changes,
    bundle_changes,
    changes,
    check_body,
    checked_id,
    patch_changes,
)
from pk_upload.patchwork.resources import (
    Bundle,
    Check,
    CheckState,
    Comment,
    PatchDetail,
    Project,
    User,
    UserSettings,
)
from pk_upload.patchwork.versions import Version, require, version_asked

__all__ = ["Patchwork"]

VERSION = "PATCHWORK_API_VERSION"


class Patchwork(Reading):
    """A client of one Patchwork site. Use it as an async context manager.

    `url` is the site's address, without `/api`. Who asks is said by a `token` or by `username` and
    `password`, or by nobody, who may read most. `version` is that of the API, which is asked for by every
    call; "newest" finds out which the site has. Lists come in pages of `per_page`. `timeout` is the deadline
    of one call in seconds, `connect_timeout` that of its connection; `ssl_context` says which certificates
    are trusted.
    Every coroutine raises `ApiError`s by status, `NetworkError`s, `Redirected` and `UnexpectedAnswer`.
    Raises `UsageError`, as they do, for what cannot be right before it is sent.
    """

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        version: Version | Literal["newest"] | None = None,
        timeout: float = RESPONSE_TIMEOUT,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> Self:
        """A client from `PATCHWORK_URL` and, if they are set, `PATCHWORK_TOKEN` and `PATCHWORK_API_VERSION`.

        A `version` that is given beats the environment's; it is 1.4 if there is neither.
        `PK_UPLOAD_CA_BUNDLE` names certificates to trust beside the system's. Raises `UsageError` when the
        address is missing, and for certificates that cannot be read.
        """
        env = os.environ if environ is None else environ
        if not env.get("PATCHWORK_URL"):
            raise UsageError("PATCHWORK_URL is not set", hint="Patchwork needs the site's address.")
        return cls(
            env["PATCHWORK_URL"],
            token=env.get("PATCHWORK_TOKEN") or None,
            version=version or version_asked(env.get(VERSION) or "1.4", VERSION),
            timeout=timeout,
            connect_timeout=connect_timeout,
            ssl_context=trust_also(bundle) if (bundle := env.get("PK_UPLOAD_CA_BUNDLE")) else None,
        )

    async def update_patch(
        self,
        patch_id: int,
        *,
        state: str | UnsetType = UNSET,
        archived: bool | UnsetType = UNSET,
        delegate: int | str | UnsetType | None = UNSET,
        commit_ref: str | UnsetType | None = UNSET,
        pull_url: str | UnsetType | None = UNSET,
        related: Collection[int] | UnsetType = UNSET,
    ) -> PatchDetail:
        """The patch with what was given changed; `None` takes a value away.

        `delegate` is a maintainer of the project, by id or by a name that only one of them has. `related`
        adds patches to those it is related to, and an empty one takes it out of the relation. Raises
        `RecordInvalid` for a state that the site has not; its message has those that it has; and `Conflict`
        for patches of different relations, where nothing is changed.
        """
        path = f"patches/{checked_id(patch_id, 'a patch')}"
        if isinstance(delegate, str):
            delegate = await self._maintainer(patch_id, delegate)
        if isinstance(delegate, int):
            checked_id(delegate, "a user")
        body = patch_changes(
            state=state,
            archived=archived,
            delegate=delegate,
            commit_ref=commit_ref,
            pull_url=pull_url,
            related=related,
        )
        changed = await self._call(PatchDetail, "PATCH", path, body)
        # The answer has the relation as it was before.
        return changed if related is UNSET else await self.patch(patch_id)

    async def _maintainer(self, patch_id: int, name: str) -> int:
        """The id of the one maintainer of the patch's project who is called so."""
        if not name.strip():
            raise UsageError("the delegate is blank", hint="Give a maintainer's id or name.")
        if name.isdecimal():
            return int(name[:20])  # any longer, it is nobody's
        project = (await self.patch(patch_id)).project
        found = None if project is None else (await self.project(project.id)).maintainers
        maintainers = found or ()
        wanted = name.strip().casefold()
        ways = (
            [each for each in maintainers if each.username == name],
            [each for each in maintainers if wanted in _called(each)],
        )
        for candidates in ways:
            if len(candidates) == 1:
                return candidates[0].id
        some = ", ".join(each.username for each in ways[1] or maintainers) or "nobody"
        problem = "more than one maintainer is" if ways[1] else "no maintainer of the project is"
        raise UsageError(
            self._http.plain(f"{problem} called {name!r}"),
            hint=self._http.plain(f"A patch is delegated to a maintainer: {some}."),
        )

    async def create_check(
        self,
        patch_id: int,
        state: CheckState,
        *,
        context: str = "default",
        target_url: str | None = None,
        description: str | None = None,
    ) -> Check:
        """The check just made, of which nothing can be changed. A lost answer is not repeated: read `checks`.

        `context` is the name of the test. Who may change the patch may do this.
        """
        path = f"patches/{checked_id(patch_id, 'a patch')}/checks"
        return await self._call(Check, "POST", path, check_body(state, context, target_url, description))

    async def create_bundle(self, name: str, patches: Collection[int], *, public: bool = False) -> Bundle:
        """The bundle just made, of patches of one project. A lost answer is not repeated: read `bundles`.

        The patches keep their order in its mbox alone. A second one of the same name is a `ServerError`.
        """
        return await self._write_bundle(
            "POST", "bundles", bundle_changes(name=name, patches=patches, public=public)
        )

    async def update_bundle(
        self,
        bundle_id: int,
        *,
        name: str | UnsetType = UNSET,
        patches: Collection[int] | UnsetType = UNSET,
        public: bool | UnsetType = UNSET,
    ) -> Bundle:
        """The bundle with what was given changed; `patches` stand in place of those it had.

        A lost answer to a new name is not repeated, for a service breaks on one that is taken.
        """
        path = f"bundles/{checked_id(bundle_id, 'a bundle')}"
        body = bundle_changes(name=name, patches=patches, public=public)
        return await self._write_bundle("PATCH", path, body)

    async def replace_bundle(
        self, bundle_id: int, name: str, patches: Collection[int], *, public: bool = False
    ) -> Bundle:
        """The bundle, as if it had just been made so. A lost answer is not repeated, as for a new name."""
        path = f"bundles/{checked_id(bundle_id, 'a bundle')}"
        body = bundle_changes(name=name, patches=patches, public=public)
        return await self._write_bundle("PUT", path, body)

    async def _write_bundle(self, method: str, path: str, body: Changes) -> Bundle:
        named = "name" in body
        try:
            return await self._call(
                Bundle, method, path, body, what="writing of bundles", since="1.2", repeatable=not named
            )
        except ServerError as error:
            if named and error.status == 500:
                error.hint = "Another bundle of yours may have that name: look at the list, give another one."
            raise

    async def delete_bundle(self, bundle_id: int) -> None:
        """Deletes the bundle for good, and no patch. A lost answer is not repeated: read `bundles`."""
        path = f"bundles/{checked_id(bundle_id, 'a bundle')}"
        await self._delete(path, what="writing of bundles", since="1.2")

    async def update_patch_comment(
        self, patch_id: int, comment_id: int, *, addressed: bool | None
    ) -> Comment:
        """The reply to a patch, marked as addressed or not, or as nobody knows. Since version 1.3."""
        path = comment_path("patches", patch_id, comment_id)
        return await self._address_comment(path, addressed)

    async def update_cover_comment(
        self, cover_id: int, comment_id: int, *, addressed: bool | None
    ) -> Comment:
        """The reply to a cover letter, marked as addressed or not, or as nobody knows. Since version 1.3."""
        path = comment_path("covers", cover_id, comment_id)
        return await self._address_comment(path, addressed)

    async def _address_comment(self, path: str, addressed: bool | None) -> Comment:
        body: dict[str, object] = {"addressed": addressed}
        return await self._call(Comment, "PATCH", path, body, what="single comments", since="1.3")

    async def update_project(
        self,
        project: int | str,
        *,
        web_url: str | UnsetType = UNSET,
        scm_url: str | UnsetType = UNSET,
        webscm_url: str | UnsetType = UNSET,
        list_archive_url: str | UnsetType = UNSET,
        list_archive_url_format: str | UnsetType = UNSET,
        commit_url_format: str | UnsetType = UNSET,
        show_dependencies: bool | UnsetType = UNSET,
    ) -> Project:
        """The project with what was given changed, which its maintainers may do.

        Whether it shows the dependencies of series came with version 1.4.
        """
        if show_dependencies is not UNSET:
            require("dependencies of series", "1.4", await self.version())
        body = changes(
            web_url=web_url,
            scm_url=scm_url,
            webscm_url=webscm_url,
            list_archive_url=list_archive_url,
            list_archive_url_format=list_archive_url_format,
            commit_url_format=commit_url_format,
            show_dependencies=show_dependencies,
        )
        return await self._call(Project, "PATCH", f"projects/{segment(str(project))}", body)

    async def update_user(
        self,
        user_id: int,
        *,
        first_name: str | UnsetType = UNSET,
        last_name: str | UnsetType = UNSET,
        settings: UserSettings | UnsetType = UNSET,
    ) -> User:
        """The user with what was given changed, by that user alone. `settings` since version 1.2."""
        if settings is not UNSET:
            require("settings of users", "1.2", await self.version())
        body = changes(first_name=first_name, last_name=last_name, settings=settings)
        return await self._call(User, "PATCH", f"users/{checked_id(user_id, 'a user')}", body)


def _called(user: User) -> set[str]:
    """What a maintainer can be called, for comparison."""
    names = (user.username, f"{user.first_name} {user.last_name}".strip(), user.email)
    return {name.casefold() for name in names if name}
