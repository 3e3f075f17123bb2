"""What is done on Patchwork once: a check is posted, a bundle is made, changed or deleted.

Where the answer to a request is lost, what there is is read before it is sent again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import UNSET, UnsetType

from pk_upload.errors import Conflict, NotFound, ServerError
from pk_upload.events import OnEvent
from pk_upload.patchwork import Bundle, Check, CheckState, Patchwork
from pk_upload.patchwork.requests import bundle_changes, check_body
from pk_upload.settling import same_text, settled

__all__ = ["change_bundle", "delete_bundle", "make_bundle", "post_check"]


async def post_check(
    patchwork: Patchwork,
    emit: OnEvent,
    patch_id: int,
    state: CheckState,
    *,
    context: str = "default",
    target_url: str | None = None,
    description: str | None = None,
) -> Check:
    """A new check of the patch. Others may be just like it: one that was there before is not taken for it."""
    check_body(state, context, target_url, description)  # what cannot be right asks for nothing
    before = {check.id for check in await patchwork.checks(patch_id, context=context).all()}

    async def find() -> Check | None:
        there = await patchwork.checks(patch_id, context=context).all()
        return next((check for check in there if check.id not in before and is_it(check)), None)

    def is_it(check: Check) -> bool:
        return (
            (check.state, check.context) == (state, context)
            and same_text(check.target_url, target_url)
            and same_text(check.description, description)
        )

    return await settled(
        patchwork,
        emit,
        "the request for a new check",
        lambda client: client.create_check(
            patch_id, state, context=context, target_url=target_url, description=description
        ),
        find,
    )


async def make_bundle(
    patchwork: Patchwork, emit: OnEvent, name: str, patches: Collection[int], public: bool = False
) -> Bundle:
    """A new bundle. Another user may have one like it: one that was there before is not taken for it.

    Raises `Conflict` where the service breaks, as it does when one has a bundle of that name.
    """
    bundle_changes(name=name, patches=patches, public=public)
    before = {bundle.id: bundle for bundle in await patchwork.bundles(q=name).all()}

    async def ask(client: Patchwork) -> Bundle:
        try:
            return await client.create_bundle(name, patches, public=public)
        except ServerError as error:
            if error.status == 500:
                _refuse_namesake(error, name, before.values())
            raise

    async def find() -> Bundle | None:
        there = await patchwork.bundles(q=name).all()
        new = [bundle for bundle in there if bundle.id not in before]
        return next((bundle for bundle in new if is_it(bundle)), None)

    def is_it(bundle: Bundle) -> bool:
        held = {patch.id for patch in bundle.patches}
        return same_text(bundle.name, name) and bundle.public == public and held == set(patches)

    return await settled(patchwork, emit, "the request for a new bundle", ask, find)


async def change_bundle(
    patchwork: Patchwork,
    emit: OnEvent,
    bundle_id: int,
    *,
    name: str | UnsetType = UNSET,
    patches: Collection[int] | UnsetType = UNSET,
    public: bool | UnsetType = UNSET,
) -> Bundle:
    """The bundle with what was given changed. Raises `Conflict` as `make_bundle` does.

    Whatever else is changed with it, that a new name is there tells that it was done.
    """
    bundle_changes(name=name, patches=patches, public=public)
    if isinstance(name, UnsetType):  # the same change may be made twice
        return await patchwork.update_bundle(bundle_id, patches=patches, public=public)
    before = await patchwork.bundle(bundle_id)

    async def ask(client: Patchwork) -> Bundle:
        try:
            return await client.update_bundle(bundle_id, name=name, patches=patches, public=public)
        except ServerError as error:
            if error.status == 500:
                others = [each for each in await patchwork.bundles(q=name).all() if each.id != bundle_id]
                _refuse_namesake(error, name, others)
            raise

    async def find() -> Bundle | None:
        there = await patchwork.bundle(bundle_id)
        return there if there.name != before.name and same_text(there.name, name) else None

    return await settled(patchwork, emit, "the request to change the bundle", ask, find)


async def delete_bundle(patchwork: Patchwork, emit: OnEvent, bundle_id: int) -> Bundle:
    """The bundle that was deleted; raises `NotFound` if there was none."""
    bundle = await patchwork.bundle(bundle_id)

    async def ask(client: Patchwork) -> Bundle:
        await client.delete_bundle(bundle.id)
        return bundle

    async def find() -> Bundle | None:
        try:
            await patchwork.bundle(bundle.id)
        except NotFound:
            return bundle
        return None

    return await settled(patchwork, emit, "the request to delete the bundle", ask, find)


def _refuse_namesake(error: ServerError, name: str, others: Iterable[Bundle]) -> None:
    """Raises what a service means that breaks where one has a bundle of that name."""
    namesakes = [str(each.id) for each in others if same_text(each.name, name)]
    if namesakes:
        raise Conflict(
            f"there is a bundle called {name!r} already ({', '.join(namesakes[:5])}); {error.message}",
            status=error.status,
            hint="If it is yours, change that one, or give another name.",
        ) from error
