"""What the tests of the sandbox's Patchwork share: mails, mboxes of them, and a client by hand."""

from __future__ import annotations

import io
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from pk_upload.sandbox import Sandbox, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

TOKEN = "token-of-the-sandbox"
SUBMITTER, READER = f"{TOKEN}-submitter", f"{TOKEN}-reader"
CARL = "Carl Contributor <contrib@example.com>"
LIST = "Lab Project <lab.lists.example.com>"
MORNING = datetime(2025, 1, 6, 16, tzinfo=UTC)


def diff(number: int) -> str:
    """A diff that makes a file."""
    name = f"f{number}.txt"
    return (
        f"diff --git a/{name} b/{name}\nnew file mode 100644\nindex 0000000..d95f3ad\n--- /dev/null\n"
        f"+++ b/{name}\n@@ -0,0 +1 @@\n+content {number}\n"
    )


def mail(
    subject: str,
    body: str = "Hello\n",
    *,
    msgid: str | None = "one@lab.example.com",
    sender: str = CARL,
    date: datetime | str = MORNING,
    answers: str | None = None,
    to: str = "lab@lists.example.com",
    list_id: str | None = LIST,
    **more: str,
) -> str:
    """A mail with its line of an mbox."""
    day = date if isinstance(date, str) else format_datetime(date)
    heads = ["From list@lists.example.com Mon Jan  6 16:00:00 2025"]
    heads += ["Received: from a.example.com", "Received: from b.example.com"]
    heads += [f"From: {sender}", f"To: {to}", f"Subject: {subject}", f"Date: {day}"]
    heads += [f"Message-Id: <{msgid}>"] if msgid else []
    heads += [f"In-Reply-To: <{answers}>"] if answers else []
    heads += [f"List-Id: {list_id}"] if list_id else []
    heads += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
    return "\n".join((*heads, "", body if body.endswith("\n") else f"{body}\n", ""))


def write_mbox(path: Path, mails: Sequence[str]) -> Path:
    path.write_bytes("".join(mails).encode("utf-8", "surrogateescape"))
    return path


def series(part: int = 1, length: int = 3, **more: Any) -> list[str]:
    """A cover letter and the patches behind it."""
    cover = f"cover-{part}@lab.example.com"
    mails = [mail(f"[PATCH 0/{length}] widget: part {part}", "All of it.\n", msgid=cover, **more)]
    return mails + [
        mail(
            f"[PATCH {number}/{length}] widget: part {part} step {number}",
            f"Step.\n\n{diff(part * 100 + number)}",
            msgid=f"patch-{part}-{number}@lab.example.com",
            answers=cover,
            **more,
        )
        for number in range(1, length + 1)
    ]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str
    json: Any

    @property
    def links(self) -> dict[str, str]:
        parts = [part.split("; ") for part in self.headers.get("Link", "").split(", ") if part]
        return {rel.removeprefix('rel="').rstrip('"'): address.strip("<>") for address, rel in parts}


@dataclass
class PatchworkClient:
    """Requests as a client sends them, by default as the maintainer."""

    session: aiohttp.ClientSession
    sandbox: Sandbox
    version: str = "1.4"

    async def raw(
        self,
        verb: str,
        url: str,
        *,
        token: str | None = TOKEN,
        headers: dict[str, str] | None = None,
        **how: Any,
    ) -> Answer:
        """The answer at a whole address, to which nothing is added and of which nothing is taken."""
        sent = ({"Authorization": f"Token {token}"} if token else {}) | (headers or {})
        request = self.session.request(
            verb, URL(url, encoded=True), headers=sent, allow_redirects=False, **how
        )
        async with request as answer:
            text = (await answer.read()).decode()
            is_json = answer.content_type == "application/json" and text
            return Answer(answer.status, dict(answer.headers), text, await answer.json() if is_json else None)

    async def call(self, verb: str, path: str, body: Any = None, **how: Any) -> Answer:
        """The answer at `path` behind the version, to a `body` as JSON, or as it is if it is text."""
        if isinstance(body, str | bytes | io.BytesIO):
            how["data"] = body
            how["headers"] = {"Content-Type": "application/json"} | how.get("headers", {})
        elif body is not None:
            how["json"] = body
        return await self.raw(verb, f"{self.sandbox.patchwork_url}/api/{self.version}{path}", **how)

    async def get(self, path: str, **how: Any) -> Any:
        answer = await self.call("GET", path, **how)
        assert answer.status == 200, answer
        return answer.json

    async def done(self, verb: str, path: str, body: Any = None, **how: Any) -> Any:
        answer = await self.call(verb, path, body, **how)
        assert answer.status in {200, 201, 204}, answer
        return answer.json


@asynccontextmanager
async def patchwork_client(
    data_dir: Path, *mboxes: Path, faults: tuple[str, ...] = (), port: int = 0
) -> AsyncIterator[PatchworkClient]:
    """A sandbox on `data_dir` with these mboxes, and a client of its Patchwork."""
    async with (
        serve(data_dir, faults=faults, port=port, patchwork_token=TOKEN, seed_mbox=mboxes) as sandbox,
        aiohttp.ClientSession() as session,
    ):
        yield PatchworkClient(session, sandbox)


class Seed:
    """Seeds a sandbox with mails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def client(self, *mails: str) -> AbstractAsyncContextManager[PatchworkClient]:
        return patchwork_client(self.folder / "data", write_mbox(self.folder / "m", mails))
