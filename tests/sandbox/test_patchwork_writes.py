"""What users of the sandbox's Patchwork write: patches, checks, bundles, comments, projects, themselves."""

from __future__ import annotations

from typing import Any

import pytest
from patchwork_harness import READER, SUBMITTER, PatchworkClient, mail, patchwork_client, series, write_mbox

pytestmark = pytest.mark.anyio
DENIED = {"detail": "You do not have permission to perform this action."}
ANONYMOUS = {"detail": "Authentication credentials were not provided."}
TOO_LONG = "Ensure this field has no more than {} characters."


async def refused(
    client: PatchworkClient, verb: str, path: str, body: Any, told: Any, status: int = 400, **how: Any
) -> None:
    answer = await client.call(verb, path, body, **how)
    assert (answer.status, answer.json) == (status, told)


async def events(client: PatchworkClient, category: str) -> list[Any]:
    found: list[Any] = await client.get(f"/events/?order=date&category={category}")
    return found


# Patches


async def test_a_patch_is_written_to_by_maintainer_submitter_and_delegate(tmp_path: Any) -> None:
    mails = [*series(1), *series(2, sender="Dora <dora@example.org>")]
    async with patchwork_client(tmp_path / "data", write_mbox(tmp_path / "m", mails)) as client:
        await client.done("PATCH", "/patches/1/", {"state": "rfc"}, token=SUBMITTER)
        for token, patch, told in ((SUBMITTER, 4, DENIED), (READER, 1, DENIED), (None, 1, ANONYMOUS)):
            for verb in ("PATCH", "PUT"):
                await refused(client, verb, f"/patches/{patch}/", {"state": "new"}, told, 403, token=token)
        await refused(client, "POST", "/patches/4/checks/", {"state": "fail"}, DENIED, 403, token=SUBMITTER)
        await refused(client, "PATCH", "/patches/1/", {"related": [4]}, DENIED, 403, token=SUBMITTER)
        await client.done("PATCH", "/patches/1/", {"related": [2]}, token=SUBMITTER)
        await client.done("POST", "/patches/1/checks/", {"state": "fail"}, token=SUBMITTER)
        await refused(
            client, "PATCH", "/patches/99/", {}, {"detail": "No Patch matches the given query."}, 404
        )
        assert (await client.get("/patches/1/"))["state"] == "rfc"


async def test_all_of_a_patch_that_can_be_changed_is_and_no_more(patchwork: PatchworkClient) -> None:
    before = await patchwork.get("/patches/1/")
    changes = {
        "state": "accepted",
        "archived": True,
        "commit_ref": "c" * 255,
        "pull_url": "git://x",
        "delegate": 1,
    }
    changed = await patchwork.done("PUT", "/patches/1/", {**changes, "name": "x", "hash": "y", "id": 7})
    after = await patchwork.get("/patches/1/")
    assert {name for name in before if before[name] != after[name]} == set(changes)
    assert changed == after
    assert changed["delegate"]["username"] == "maintainer"
    await patchwork.done("PATCH", "/patches/1/", {"commit_ref": None, "pull_url": None, "delegate": None})
    after = await patchwork.get("/patches/1/")
    assert (after["commit_ref"], after["pull_url"], after["delegate"]) == (None, None, None)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"archived": None}, {"archived": ["This field may not be null."]}),
        ({"archived": []}, {"archived": ["Must be a valid boolean."]}),
        ({"commit_ref": "c" * 256}, {"commit_ref": [TOO_LONG.format(255)]}),
        ({"commit_ref": ["x"]}, {"commit_ref": ["Not a valid string."]}),
        ({"commit_ref": True}, {"commit_ref": ["Not a valid string."]}),
        ({"pull_url": "a\x00b"}, {"pull_url": ["Null characters are not allowed."]}),
        ('{"pull_url": "\\ud800"}', {"pull_url": ["Surrogate characters are not allowed: U+D800."]}),
        ({"delegate": 99}, {"delegate": ['Invalid pk "99" - object does not exist.']}),
        ({"delegate": "x"}, {"delegate": ["Incorrect type. Expected pk value, received str."]}),
        ({"delegate": True}, {"delegate": ["Incorrect type. Expected pk value, received bool."]}),
        ({"delegate": 10**30}, {"delegate": [f'Invalid pk "{10**30}" - object does not exist.']}),
        ({"delegate": "-1"}, {"delegate": ['Invalid pk "-1" - object does not exist.']}),
        ({"related": [1, -3]}, {"related": ['Invalid pk "-3" - object does not exist.']}),
        ({"delegate": "9" * 9999}, {"delegate": ["Incorrect type. Expected pk value, received str."]}),
        ({"state": ""}, {"state": ["This field may not be null."]}),
        ({"related": 2}, {"related": ['Expected a list of items but got type "int".']}),
        ({"related": [2, 99]}, {"related": ['Invalid pk "99" - object does not exist.']}),
        ({"related": None, "state": None}, {
            "state": ["This field may not be null."],
            "related": ["This field may not be null."],
        }),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_patch_is_told_field_by_field(
    patchwork: PatchworkClient, body: Any, told: Any
) -> None:
    before = await patchwork.get("/patches/1/")
    await refused(patchwork, "PATCH", "/patches/1/", body, told)
    assert await patchwork.get("/patches/1/") == before


async def test_a_state_that_is_none_is_told_with_those_that_are(patchwork: PatchworkClient) -> None:
    for state in ("bogus", "underreview", "under_review", 7, ["new"], "\u20ac" * 1000):
        answer = await patchwork.call("PATCH", "/patches/1/", {"state": state})
        [told] = answer.json["state"]
        assert told.startswith(f"Invalid state {str(state)[:255]}. Expected one of: new, under-review, ")


async def test_a_state_may_be_given_by_its_name_in_any_case(patchwork: PatchworkClient) -> None:
    for state in ("Under Review", "NOT-applicable", "rfc", " Changes Requested "):
        changed = await patchwork.done("PATCH", "/patches/1/", {"state": state})
        assert changed["state"] == state.strip().lower().replace(" ", "-")
    assert len(await events(patchwork, "patch-state-changed")) == 4


async def test_put_asks_for_what_a_resource_cannot_do_without(patchwork: PatchworkClient) -> None:
    required = ["This field is required."]
    for body in ({}, {"archived": True}):
        await refused(patchwork, "PUT", "/patches/1/", body, {"state": required, "delegate": required})
    await refused(patchwork, "PUT", "/patches/1/", {"state": "rfc"}, {"delegate": required})
    await refused(patchwork, "PUT", "/users/1/", {"first_name": "Ann"}, {"settings": required})
    null = {"settings": ["This field may not be null."]}
    await refused(patchwork, "PUT", "/users/1/", {"settings": None}, null)
    changed = await patchwork.done("PUT", "/patches/1/", {"state": "rfc", "delegate": None})
    assert (changed["state"], changed["delegate"], changed["related"]) == ("rfc", None, [])
    assert (await patchwork.done("PUT", "/users/1/", {"settings": {}}))["first_name"] == "Mary"
    patchwork.version = "1.1"
    assert (await patchwork.done("PUT", "/users/1/", {"first_name": "Ann"}))["first_name"] == "Ann"


async def test_only_what_changes_makes_an_event(patchwork: PatchworkClient) -> None:
    for body in ({"state": "new"}, {"state": "rfc"}, {"state": "rfc", "delegate": 1}, {"delegate": None}):
        await patchwork.done("PATCH", "/patches/2/", body)
    [state] = await events(patchwork, "patch-state-changed")
    assert state["payload"]["patch"]["id"] == 2
    assert (state["payload"]["previous_state"], state["payload"]["current_state"]) == ("new", "rfc")
    assert state["actor"]["username"] == "maintainer"
    changes = [event["payload"] for event in await events(patchwork, "patch-delegated")]
    assert [(one["previous_delegate"], (one["current_delegate"] or {}).get("id")) for one in changes[:1]] == [
        (None, 1)
    ]
    assert (changes[1]["previous_delegate"]["id"], changes[1]["current_delegate"]) == (1, None)


# Relations


async def related(client: PatchworkClient) -> dict[int, list[int]]:
    shown = {one["id"]: [other["id"] for other in one["related"]] for one in await client.get("/patches/")}
    return {patch: others for patch, others in shown.items() if others}


async def test_relations_grow_and_the_answer_is_from_before_where_there_was_one(
    patchwork: PatchworkClient,
) -> None:
    changed = await patchwork.done("PATCH", "/patches/1/", {"related": [2, 1]})
    assert [one["id"] for one in changed["related"]] == [2]
    assert await related(patchwork) == {1: [2], 2: [1]}
    changed = await patchwork.done("PATCH", "/patches/3/", {"related": [2]})
    assert [one["id"] for one in changed["related"]] == [1, 2]
    changed = await patchwork.done("PATCH", "/patches/1/", {"state": "rfc"})
    assert [one["id"] for one in changed["related"]] == [2, 3]
    assert (await patchwork.done("PATCH", "/patches/5/", {"related": [5]}))["related"] == []
    assert "related" not in await patchwork.done("PATCH", "/patches/5/", {"state": "rfc"})
    changed = await patchwork.done("PATCH", "/patches/1/", {"related": [4]})
    assert [one["id"] for one in changed["related"]] == [2, 3]
    assert await related(patchwork) == {1: [2, 3, 4], 2: [1, 3, 4], 3: [1, 2, 4], 4: [1, 2, 3]}
    assert len(await events(patchwork, "patch-relation-changed")) == 4


async def test_an_empty_list_leaves_a_relation_and_one_patch_alone_is_none(
    patchwork: PatchworkClient,
) -> None:
    await patchwork.done("PATCH", "/patches/1/", {"related": [2, 3]})
    await patchwork.done("PATCH", "/patches/3/", {"related": []})
    assert await related(patchwork) == {1: [2], 2: [1]}
    assert "related" not in await patchwork.done("PATCH", "/patches/2/", {"related": []})
    assert await related(patchwork) == {}
    await patchwork.done("PATCH", "/patches/2/", {"related": []})
    assert len(await events(patchwork, "patch-relation-changed")) == 6


async def test_patches_of_two_relations_conflict(patchwork: PatchworkClient) -> None:
    await patchwork.done("PATCH", "/patches/1/", {"related": [2]})
    await patchwork.done("PATCH", "/patches/3/", {"related": [4]})
    answer = await patchwork.call("PATCH", "/patches/1/", {"related": [3], "state": "rfc"})
    assert (answer.status, set(answer.json)) == (409, {"detail"})
    assert await related(patchwork) == {1: [2], 2: [1], 3: [4], 4: [3]}
    assert (await patchwork.get("/patches/1/"))["state"] == "new"


# Checks


async def test_a_check_has_what_was_given_and_else_the_usual(patchwork: PatchworkClient) -> None:
    answer = await patchwork.call("POST", "/patches/1/checks/", {"state": "warning"})
    assert (answer.status, answer.headers["Location"]) == (201, answer.json["url"])
    assert (answer.json["context"], answer.json["target_url"], answer.json["description"]) == (
        "default",
        None,
        None,
    )
    assert await patchwork.get("/patches/1/checks/1/") == answer.json
    assert (await patchwork.call("GET", "/patches/2/checks/1/")).status == 404
    [event] = await events(patchwork, "check-created")
    assert set(event["payload"]["check"]) == {"id", "url", "date", "state", "target_url", "context"}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, {"state": ["A check must have a state."]}),
        ({"state": 1}, {"state": ['"1" is not a valid choice.']}),
        ({"state": "fail", "context": ""}, {"context": ["This field may not be blank."]}),
        ({"state": "fail", "context": "c" * 256}, {"context": [TOO_LONG.format(255)]}),
        ({"state": "fail", "target_url": "http://x"}, {"target_url": ["Enter a valid URL."]}),
        ({"state": "fail", "target_url": "ci.example.com"}, {"target_url": ["Enter a valid URL."]}),
        ({"state": "fail", "target_url": "http://" + "a" * 200}, {"target_url": [TOO_LONG.format(200)]}),
        ({"state": None, "description": {}}, {
            "state": ["This field may not be null."],
            "description": ["Not a valid string."],
        }),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_check_is_told(patchwork: PatchworkClient, body: Any, told: Any) -> None:
    await refused(patchwork, "POST", "/patches/1/checks/", body, told)
    assert await patchwork.get("/patches/1/checks/") == []


@pytest.mark.parametrize(
    "address", ["https://a.example.com/x?y#z", "http://localhost:8080", "http://[::1]/a", ""]
)
async def test_addresses_of_every_sort_are_taken(patchwork: PatchworkClient, address: str) -> None:
    check = await patchwork.done("POST", "/patches/1/checks/", {"state": "fail", "target_url": address})
    assert check["target_url"] == address


async def test_the_newest_checks_by_user_and_context_make_that_of_the_patch(
    patchwork: PatchworkClient,
) -> None:
    seen = []
    for state, context, token in (
        ("pending", "a", None),
        ("success", "a", None),
        ("fail", "b", None),
        ("warning", "b", None),
        ("fail", "b", SUBMITTER),
        ("success", "b", SUBMITTER),
    ):
        how = {"token": token} if token else {}
        await patchwork.done("POST", "/patches/1/checks/", {"state": state, "context": context}, **how)
        seen.append((await patchwork.get("/patches/1/"))["check"])
    assert seen == ["pending", "success", "fail", "warning", "fail", "warning"]


# Comments, projects, users


async def test_a_comment_is_dealt_with_by_who_sent_it_or_may_write_to_its_patch(tmp_path: Any) -> None:
    mails = series(1)
    for number, (sender, answered) in enumerate(
        [("Dora <dora@example.org>", "patch-1-1"), ("Carl <contrib@example.com>", "cover-1")]
    ):
        msgid = f"c{number}@example.com"
        mails.append(
            mail("Re: x", "Fine\n", sender=sender, msgid=msgid, answers=f"{answered}@lab.example.com")
        )
    async with patchwork_client(tmp_path / "data", write_mbox(tmp_path / "m", mails)) as client:
        on_patch, on_cover = "/patches/1/comments/1/", "/covers/1/comments/1/"
        assert (await client.done("PATCH", on_cover, {"addressed": False}, token=SUBMITTER))[
            "addressed"
        ] is False
        for path, token, told in (
            (on_patch, READER, DENIED),
            (on_cover, READER, DENIED),
            (on_cover, None, ANONYMOUS),
        ):
            await refused(client, "PATCH", path, {"addressed": True}, told, 403, token=token)
        for given, kept in ((True, True), ("false", False), (None, None), ("yes", True)):
            changed = await client.done("PATCH", on_patch, {"addressed": given, "content": "other"})
            assert (changed["addressed"], changed["content"]) == (kept, "Fine\n")
        wrong = {"addressed": ["Must be a valid boolean."]}
        await refused(client, "PUT", on_patch, {"addressed": "perhaps"}, wrong)
        assert (await client.get(on_patch))["addressed"] is True
        assert (await client.call("GET", "/patches/2/comments/1/")).status == 404


async def test_who_sent_a_mail_deals_with_all_comments_on_it_and_on_no_other(tmp_path: Any) -> None:
    dora = "Dora <dora@example.org>"
    mails = [*series(1), *series(2, sender=dora)]
    for number, answered in enumerate(("patch-1-1", "cover-1", "patch-2-1", "cover-2")):
        answers = f"{answered}@lab.example.com"
        mails.append(mail("Re: x", "Fine\n", sender=dora, msgid=f"c{number}@x", answers=answers))
    async with patchwork_client(tmp_path / "data", write_mbox(tmp_path / "m", mails)) as client:
        for path in ("/patches/1/comments/1/", "/covers/1/comments/1/"):
            body = {"addressed": True}
            assert (await client.done("PATCH", path, body, token=SUBMITTER))["addressed"] is True
        for path in ("/patches/4/comments/2/", "/covers/2/comments/2/"):
            await refused(client, "PATCH", path, {"addressed": True}, DENIED, 403, token=SUBMITTER)
            assert (await client.get(path))["addressed"] is None


async def test_a_project_is_changed_by_its_maintainer(patchwork: PatchworkClient) -> None:
    body = {
        "web_url": "https://x.example.com",
        "list_archive_url_format": "https://l.example.com/{}",
        "name": "x",
    }
    changed = await patchwork.done("PATCH", "/projects/lab/", body)
    assert (changed["web_url"], changed["name"]) == ("https://x.example.com", "Lab Project")
    shown = await patchwork.get("/patches/1/")
    assert shown["list_archive_url"] == "https://l.example.com/patch-1-1@lab.example.com"
    await patchwork.done("PATCH", "/projects/1/", {"show_dependencies": False})
    assert "dependencies" not in await patchwork.get("/series/1/")
    for token, told in ((READER, DENIED), (SUBMITTER, DENIED), (None, ANONYMOUS)):
        await refused(patchwork, "PATCH", "/projects/lab/", {"web_url": ""}, told, 403, token=token)
    await refused(
        patchwork,
        "PATCH",
        "/projects/1/",
        {"scm_url": 1.5, "webscm_url": []},
        {"webscm_url": ["Not a valid string."]},
    )


async def test_users_change_themselves_alone(patchwork: PatchworkClient) -> None:
    body = {"first_name": "Ann", "username": "x", "settings": {"items_per_page": "20", "show_ids": True}}
    changed = await patchwork.done("PATCH", "/users/3/", body, token=READER)
    assert (changed["first_name"], changed["username"]) == ("Ann", "reader")
    assert changed["settings"] == {"send_email": False, "items_per_page": 20, "show_ids": True}
    for items, told in (
        ("many", "A valid integer is required."),
        (0, "Ensure this value is greater than or equal to 1."),
        (2**31, "Ensure this value is less than or equal to 2147483647."),
    ):
        nested = {"settings": {"items_per_page": [told]}}
        await refused(patchwork, "PATCH", "/users/1/", {"settings": {"items_per_page": items}}, nested)
    wrong = {"settings": {"detail": ["Invalid data. Expected a dictionary, but got list."]}}
    await refused(patchwork, "PATCH", "/users/1/", {"settings": []}, wrong)
    await refused(patchwork, "PATCH", "/users/1/", {"first_name": "x"}, DENIED, 403, token=READER)
    assert "settings" not in await patchwork.get("/users/1/", token=READER)
    await refused(patchwork, "GET", "/users/1/", None, ANONYMOUS, 403, token=None)
