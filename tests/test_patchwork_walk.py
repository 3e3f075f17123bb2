"""The real Patchwork client against the real sandbox: every list and every call, in every version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET
from patchwork_harness import SUBMITTER, TOKEN, PatchworkClient
from patchwork_lab import laboratory

from pk_upload.errors import Conflict, Forbidden, NotFound, PkUploadError, RecordInvalid, UsageError
from pk_upload.patchwork import VERSIONS, Patchwork, Person, User, UserSettings, Version
from pk_upload.patchwork.filters import ORDERS
from pk_upload.patchwork.listing import Listing
from pk_upload.reviews import delete_bundle, make_bundle, post_check

pytestmark = pytest.mark.anyio

LISTS = {
    "patches": 128,
    "covers": 24,
    "series": 30,
    "people": 10,  # eight who wrote mails, one of them a user, and the two other users
    "users": 3,
    "projects": 2,
    "bundles": 3,
}


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[PatchworkClient]:
    async with laboratory(tmp_path) as client:
        yield client


def client(lab: PatchworkClient, **how: Any) -> Patchwork:
    return Patchwork(lab.sandbox.patchwork_url, **{"token": TOKEN, **how})


def listing(patchwork: Patchwork, resource: str, **filters: Any) -> Listing[Any]:
    """The list of a resource, by its name in the API."""
    ask = patchwork.series_list if resource == "series" else getattr(patchwork, resource)
    found: Listing[Any] = ask(**filters)
    return found


async def test_every_list_is_complete_in_every_version(lab: PatchworkClient) -> None:
    whole = {name: {item["id"] for item in await lab.get(f"/{name}/?per_page=250")} for name in LISTS}
    assert {name: len(ids) for name, ids in whole.items()} == LISTS
    for version in VERSIONS:
        for per_page in (250, 7):
            async with client(lab, version=version, per_page=per_page) as patchwork:
                for name, ids in whole.items():
                    items = await listing(patchwork, name).all()
                    assert {item.id for item in items} == ids, (version, per_page, name)


async def test_every_order_is_complete(lab: PatchworkClient) -> None:
    async with client(lab, per_page=9) as patchwork:
        for resource, orders in ORDERS.items():
            whole = {item.id for item in await listing(patchwork, resource).all()}
            for order in orders:
                for way in (order, f"-{order}"):
                    items = await listing(patchwork, resource, order=way).all()
                    assert {item.id for item in items} == whole, (resource, way)


async def test_filters_are_understood(lab: PatchworkClient) -> None:
    async with client(lab, per_page=20) as patchwork:
        by_state = {
            state: {patch.id for patch in await patchwork.patches(state=state).all()}
            for state in ("new", "accepted")
        }
        both = {patch.id for patch in await patchwork.patches(state=["new", "accepted"]).all()}
        assert both == by_state["new"] | by_state["accepted"]
        assert all(by_state.values())
        assert await patchwork.patches(state="bogus").all() == []
        moment = datetime(2025, 1, 10, tzinfo=UTC)
        late = await patchwork.patches(since=moment).all()
        early = await patchwork.patches(before=moment).all()
        assert len(late) + len(early) == 128
        assert all(patch.date is not None and patch.date >= moment for patch in late)
        [patch] = await patchwork.patches(msgid="<patch-2-3@lab.example.com>").all()
        assert patch.id == 8
        assert [each.id for each in await patchwork.patches(hash=patch.hash).all()] == [8]
        assert {each.id for each in await patchwork.patches(series=2).all()} == {6, 7, 8}
        assert patch.submitter is not None
        theirs = await patchwork.patches(submitter=patch.submitter.email, project="lab").all()
        assert 8 in {each.id for each in theirs}
        assert await patchwork.patches(delegate="maintainer", limit=1).all()
        assert {each.archived for each in await patchwork.patches(archived=True).all()} == {True}
        assert {each.state for each in await patchwork.checks(12, state="warning").all()} <= {"warning"}
        events = await patchwork.events(category="check-created", patch=1).all()
        assert {event.category for event in events} == {"check-created"}
        assert len(await patchwork.series_list(q="part 1", limit=3).all()) == 3


async def test_a_patch_is_changed_and_read_back(lab: PatchworkClient) -> None:
    async with client(lab) as patchwork:
        changed = await patchwork.update_patch(
            40, state="rfc", archived=True, delegate="maintainer", commit_ref="abc", pull_url="git://a b"
        )
        assert msgspec.structs.replace(changed, related=()) == await patchwork.patch(40)
        assert changed.delegate is not None
        assert (changed.state, changed.archived, changed.commit_ref) == ("rfc", True, "abc")
        cleared = await patchwork.update_patch(40, delegate=None, commit_ref=None, pull_url=None)
        assert (cleared.delegate, cleared.commit_ref, cleared.pull_url) == (None, None, None)
        related = await patchwork.update_patch(40, related=[41, 42])
        assert related.related is not UNSET
        assert {each.id for each in related.related} == {41, 42}
        assert (await patchwork.update_patch(40, related=[])).related == ()
        with pytest.raises(RecordInvalid, match="Expected one of: new, under-review"):
            await patchwork.update_patch(40, state="bogus")
        with pytest.raises(Conflict):
            await patchwork.update_patch(1, related=[41])
        with pytest.raises(UsageError, match="no maintainer"):
            await patchwork.update_patch(40, delegate="reader")


async def test_checks_and_bundles_are_made_changed_and_deleted(lab: PatchworkClient) -> None:
    async with client(lab) as patchwork:
        made = await post_check(patchwork, print, 40, "fail", context="ci-1", description="naïve ☃")
        assert await patchwork.check(40, made.id) == made
        assert (await patchwork.patch(40)).check == "fail"
        assert [check.id for check in await patchwork.checks(40, context="ci-1").all()] == [made.id]

        bundle = await make_bundle(patchwork, print, "my bundle ä", [3, 1, 2])
        assert {patch.id for patch in bundle.patches} == {1, 2, 3}
        changed = await patchwork.update_bundle(bundle.id, patches=[5], public=True)
        assert ([patch.id for patch in changed.patches], changed.public, changed.name) == (
            [5],
            True,
            "my bundle ä",
        )
        replaced = await patchwork.replace_bundle(bundle.id, "other", [6, 7])
        assert (replaced.name, {patch.id for patch in replaced.patches}) == ("other", {6, 7})
        await delete_bundle(patchwork, print, bundle.id)
        with pytest.raises(NotFound):
            await patchwork.bundle(bundle.id)
        with pytest.raises(RecordInvalid, match="patches: "):
            await patchwork.create_bundle("of two projects", [1, 116])


async def test_comments_projects_and_users_are_changed(lab: PatchworkClient) -> None:
    async with client(lab) as patchwork:
        comment = (await patchwork.patch_comments(1).all())[0]
        assert (await patchwork.update_patch_comment(1, comment.id, addressed=True)).addressed is True
        assert (await patchwork.patch_comment(1, comment.id)).addressed is True
        assert (await patchwork.update_patch_comment(1, comment.id, addressed=None)).addressed is None
        [reply] = await patchwork.cover_comments(1).all()
        assert (await patchwork.update_cover_comment(1, reply.id, addressed=False)).addressed is False
        changed = await patchwork.update_project("lab", web_url="https://new.example.com/")
        assert (await patchwork.project(changed.id)).web_url == "https://new.example.com/"
        user = await patchwork.update_user(1, first_name="Mary", settings=UserSettings(show_ids=True))
        assert user.first_name == "Mary"
        assert (await patchwork.user(1)).settings == user.settings


async def test_mails_are_downloaded(lab: PatchworkClient, tmp_path: Path) -> None:
    async with client(lab) as patchwork:
        sizes = [
            await patchwork.download_patch(8, tmp_path / "patch"),
            await patchwork.download_patch(8, tmp_path / "with", series="*"),
            await patchwork.download_series(2, tmp_path / "series"),
            await patchwork.download_cover(1, tmp_path / "cover"),
            await patchwork.download_bundle(2, tmp_path / "bundle"),
            await patchwork.download_patch(122, tmp_path / "pull"),
        ]
    names = ("patch", "with", "series", "cover", "bundle", "pull")
    assert sizes == [(tmp_path / name).stat().st_size for name in names]
    assert (tmp_path / "with").read_bytes() == (tmp_path / "series").read_bytes()
    assert (tmp_path / "patch").read_bytes() in (tmp_path / "series").read_bytes()
    async with client(lab, token=None) as patchwork:
        with pytest.raises(NotFound):
            await patchwork.download_bundle(2, tmp_path / "other")


@pytest.mark.parametrize(
    ("token", "kind"), [(None, Forbidden), ("f" * 40, Forbidden), (f"{TOKEN}-reader", Forbidden)]
)
async def test_who_may_not_is_told_so(
    lab: PatchworkClient, token: str | None, kind: type[PkUploadError]
) -> None:
    async with client(lab, token=token) as patchwork:
        for call in (
            patchwork.update_patch(40, state="new"),
            patchwork.create_check(40, "success"),
            patchwork.update_project("lab", web_url="x"),
            patchwork.delete_bundle(1),
        ):
            with pytest.raises(kind) as caught:
                await call
            assert caught.value.exit_code == 3


async def test_passwords_do_what_tokens_do(lab: PatchworkClient) -> None:
    async with client(lab, token=None, username="submitter", password=SUBMITTER) as patchwork:
        assert (await patchwork.create_check(1, "success")).user is not None


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_a_version_lacks_is_absent(lab: PatchworkClient, version: Version) -> None:
    async with client(lab, version=version) as patchwork:
        patch, cover, series = await patchwork.patch(8), await patchwork.cover(1), await patchwork.series(2)
        [event] = await patchwork.events(limit=1).all()
        person: Person = await patchwork.person(1)
        user: User = await patchwork.user(1)
    assert (patch.web_url is UNSET) == (cover.web_url is UNSET) == (version < "1.1")
    assert (patch.related is UNSET) == (version < "1.2")
    assert (series.dependencies is UNSET) == (version < "1.4")
    assert event.date is not None
    assert person.email
    assert user.username == "maintainer"
