"""Every exchange with a running Patchwork server, replayed against a sandbox with the same mails in it.

The status, the headers that count and the shape of the body are to be the same, and so are the values, but
for those that the recordings have from somewhere else: users, ids of people, the times of what was done.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from patchwork_harness import READER, TOKEN, Answer
from patchwork_lab import laboratory

RECORDINGS = json.loads((Path(__file__).parent.parent / "recordings" / "patchwork.json").read_text())
TOKENS = {"Token MAINTAINER": TOKEN, "Token READER": READER, "Token INVALID": "wrong"}
MOVED = {"/api/1.4/users/2/": "/api/1.4/users/1/", "/api/1.4/users/?per_page=3": "/api/1.4/users/?per_page=2"}
"""What has another address here: there are three users, and the maintainer is the first."""
MADE_BY_HAND = "pull-1/with slash@lab.example.com"
"""A patch that a mail could not become, for want of headers and of the address to pull from."""
THREADS = {"List-Id", "In-Reply-To"}
"""Headers that the recorded mails did without, since nothing had to be found out from them."""


def body_of(body: Any) -> dict[str, Any]:
    if body is None:
        return {}
    return {"data": body.encode() if isinstance(body, str) else json.dumps(body).encode()}


async def replay(folder: Path) -> dict[str, tuple[str, Answer]]:
    """What the sandbox answers, by the name of the recording, and the address of its Patchwork."""
    async with laboratory(folder) as client:
        site, answers = client.sandbox.patchwork_url, {}
        for recording in RECORDINGS:
            asked = recording["request"]
            headers = dict(asked["headers"])
            token = TOKENS.get(headers.pop("Authorization", ""))
            if asked["body"] == {"delegate": 5}:
                asked["body"] = {"delegate": 3}  # the reader
            path = MOVED.get(asked["path"], asked["path"])
            answers[recording["name"]] = (
                site,
                await client.raw(
                    asked["method"], f"{site}{path}", token=token, headers=headers, **body_of(asked["body"])
                ),
            )
        return answers


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, Answer]]:
    return asyncio.run(replay(tmp_path_factory.mktemp("lab")))


def shape(body: Any) -> Any:
    """The body with types for values, the names in their order."""
    if isinstance(body, dict):
        return [(name, shape(value)) for name, value in body.items()]
    return [shape(item) for item in body] if isinstance(body, list) else type(body).__name__


def settled(body: Any) -> Any:
    """The body without the headers of threads, and with the letter that was made by hand left out."""
    if isinstance(body, list):
        return [settled(item) for item in body]
    if not isinstance(body, dict):
        return body
    kept = {name: settled(value) for name, value in body.items() if name not in THREADS}
    if body.get("msgid") == f"<{MADE_BY_HAND}>" and "headers" in body:
        kept |= {"headers": {}, "content": ""}
    return kept


def value(body: Any) -> Any:
    """The body without the values that have to be others."""
    if isinstance(body, list):
        return [value(item) for item in body]
    if not isinstance(body, dict):
        return body
    if "username" in body:
        return "a user"
    if body.keys() >= {"email", "name"} and not body.keys() - {"id", "url", "name", "email", "user"}:
        return "a maintainer" if body.get("user") else body["email"]
    kept = {name: value(item) for name, item in body.items()}
    return {name: item for name, item in kept.items() if name not in unlike(body)}


def unlike(body: dict[str, Any]) -> set[str]:
    """The names of values that come from elsewhere."""
    if "category" in body or "context" in body or body.get("url", "").endswith("/series/3/"):
        return {"date"}
    if str(body.get("Subject", "")).startswith("Re: "):
        return {"Date"}  # the recorded comments were all sent at the same time
    if "git-send-email-sample" in body.get("msgid", ""):
        return {"hash"}
    return set()


def here(text: str, site: str) -> str:
    """What was recorded, with the addresses of this sandbox and its users."""
    moved = text.replace("http://patchwork.test", site)
    return moved.replace("/bundle/maint/", "/bundle/maintainer/").replace(
        "/bundle/contrib/", "/bundle/submitter/"
    )


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording["name"])
def test_it_is_answered_as_the_server_did(
    recording: dict[str, Any], answers: dict[str, tuple[str, Answer]]
) -> None:
    site, answer = answers[recording["name"]]
    expected = recording["response"]
    assert answer.status == expected["status"], answer.text
    headers = {name: here(text, site) for name, text in expected["headers"].items()}
    if recording["name"] == "users":
        headers["Link"] = headers["Link"].replace("per_page=3", "per_page=2")
        expected["json"] = expected["json"][:2]
    if headers.get("Location", "").startswith("/"):
        headers["Location"] = f"/patchwork{headers['Location']}"
    counted = {"Content-Type", "Link", "Allow", "Location", "Content-Disposition"}
    assert {name: answer.headers[name] for name in answer.headers if name in counted} == headers
    if "json" in expected:
        wanted = settled(json.loads(here(json.dumps(expected["json"]), site)))
        assert shape(settled(answer.json)) == shape(wanted)
        assert value(settled(answer.json)) == value(wanted)
    else:
        lines = [line for line in answer.text.splitlines() if line.partition(":")[0] not in THREADS]
        is_page = "<html>" in expected["text"]
        assert ("<html>" in answer.text) is is_page
        assert is_page or lines == expected["text"].splitlines()
