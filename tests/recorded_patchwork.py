"""A small Patchwork made of what a running server was recorded to say, with addresses of its own.

It lists in pages of at most `largest_page` items, looks at no filter, and changes what it is told to change.
Everything that arrives is written down; `trouble` scripts troubles.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from listening import Listener, QuietHandler
from recorded_exchanges import exchanges

TOKEN = "token-of-mary-0123456789abcdef"
NOUNS = ("patches", "covers", "series", "events", "projects", "people", "users", "bundles")

Json = dict[str, Any]
Trouble = Callable[["Handler"], bool]
"""Meets a request instead of the server; tells whether it has dealt with it."""


@dataclass
class Seen:
    """One request, as it came. `path` has no query; `query` its parameters in their order."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: Any = None

    def asked(self, name: str) -> list[str]:
        """The values of a parameter."""
        return [value for key, value in self.query if key == name]


class Refused(Exception):
    """The request is answered with this status and this body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class RecordedPatchwork:
    """`url` is the site's address; `records` has what there is by noun and id, such as `patches` and 8."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.seen: list[Seen] = []
        self.troubles: dict[str, list[Trouble]] = {}
        self.largest_page = 250
        self.versions: tuple[str, ...] = ("1.0", "1.1", "1.2", "1.3", "1.4")
        self._listener = _Listener(self)
        self.url = f"http://127.0.0.1:{self._listener.server_address[1]}"
        self.records: dict[str, dict[int, Json]] = {noun: {} for noun in NOUNS}
        self.mbox = exchanges()["patch mbox"].text
        for exchange in exchanges().values():
            if exchange.method == "GET" and exchange.status == 200 and exchange.json:
                self._learn(urlsplit(exchange.path).path, json.loads(exchange.answer(self.url).body))

    def _learn(self, path: str, said: Any) -> None:
        """Takes the single records and the lists of the newest version."""
        noun = path.removeprefix("/api/1.4/").strip("/")
        if not path.startswith("/api/1.4/"):
            return
        if isinstance(said, list):
            for each in said:
                self.records.setdefault(noun, {}).setdefault(each["id"], each)
        elif "id" in said:
            self.records[noun.rpartition("/")[0]].setdefault(said["id"], {}).update(said)

    def trouble(self, what: str, *troubles: Trouble) -> None:
        """The next requests for `what` ("GET patches", "POST patches/checks", ...) meet these, one each."""
        self.troubles.setdefault(what, []).extend(troubles)

    def requests(self, what: str) -> list[Seen]:
        with self.lock:
            return [seen for seen in self.seen if name_of(seen) == what]

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.stop()

    def answer(self, seen: Seen) -> tuple[int, Any, dict[str, str]]:
        """Status, body and headers; all of it under the lock."""
        who = seen.headers.get("authorization", "")
        if who not in {"", f"Token {TOKEN}"}:
            raise Refused(403, {"detail": "Invalid token."})
        if re.search(r"/mbox/(\?|$)", seen.path):
            return 200, self.mbox.encode(), {"Content-Type": "text/plain; charset=utf-8"}
        found = re.fullmatch(r"/api/([\d.]+)/(?:(\w+)/)?(?:([\w-]+)/)?(?:(\w+)/)?(?:(\d+)/)?", seen.path)
        if not found or found[1] not in self.versions:
            raise Refused(404, b"<html>Not found</html>")
        if found[2] is None:
            return 200, {noun: f"{self.url}/api/{found[1]}/{noun}/" for noun in NOUNS}, {}
        if not who and (seen.method != "GET" or found[2] in {"people", "users"}):
            raise Refused(403, {"detail": "Authentication credentials were not provided."})
        return self._carried_out(seen, *found.groups()[1:])

    def _carried_out(
        self, seen: Seen, noun: str, named: str | None, below: str | None, below_id: str | None
    ) -> tuple[int, Any, dict[str, str]]:
        if named is None:
            return self._on_list(seen, noun)
        if below is None:
            return self._on_one(seen, noun, self._number(noun, named))
        self._one(noun, self._number(noun, named))
        where = f"{noun}/{named}/{below}"
        return self._on_list(seen, where) if below_id is None else self._on_one(seen, where, int(below_id))

    def _number(self, noun: str, named: str) -> int:
        if named.isdecimal():
            return int(named)
        by_name = {each.get("link_name"): each["id"] for each in self.records[noun].values()}
        return int(by_name.get(named, 0))

    def _one(self, where: str, number: int) -> Json:
        if number not in self.records.get(where, {}):
            raise Refused(404, {"detail": "Not found."})
        return self.records[where][number]

    def _on_one(self, seen: Seen, where: str, number: int) -> tuple[int, Any, dict[str, str]]:
        record = self._one(where, number)
        if seen.method == "DELETE":
            del self.records[where][number]
            return 204, None, {}
        if seen.method == "PATCH":
            self._check_state(seen.body)
            record |= self._resolved(seen.body)
        return 200, record, {}

    def _on_list(self, seen: Seen, where: str) -> tuple[int, Any, dict[str, str]]:
        records = self.records.setdefault(where, {})
        if seen.method == "POST":
            number = max([100, *records]) + 1
            user = self.records["users"][2]
            new = {"id": number, "user": user, "owner": user, "date": "2025-02-01T08:00:00.123456"}
            if where == "bundles" and any(
                each["name"] == seen.body["name"] and each.get("owner", {}).get("id") == user["id"]
                for each in records.values()
            ):
                raise Refused(500, b"<html>Server Error (500)</html>")
            records[number] = {**new, "context": "default", "public": False, **self._resolved(seen.body)}
            return 201, records[number], {}
        size = min(int((seen.asked("per_page") or ["30"])[0]), self.largest_page)
        page = int((seen.asked("page") or ["1"])[0])
        pages = max(1, -(-len(records) // size))
        if page > pages:
            raise Refused(404, {"detail": "Invalid page."})
        others = [(name, value) for name, value in seen.query if name != "page"]
        links = {"last": pages} | ({"next": page + 1} if page < pages else {})
        link = ", ".join(
            f'<{self.url}{seen.path}?{urlencode([*others, ("page", str(number))])}>; rel="{rel}"'
            for rel, number in links.items()
        )
        listed = [records[number] for number in sorted(records)]
        return 200, listed[(page - 1) * size : page * size], {"Link": link}

    def _resolved(self, body: Json) -> Json:
        """What was sent as ids, as what is sent back."""
        patches = {"patches": [self.records["patches"][number] for number in body.get("patches", ())]}
        delegate = {"delegate": self.records["users"].get(body.get("delegate", 0))}
        related = {"related": [self.records["patches"][number] for number in body.get("related", ())]}
        known = {**patches, **delegate, **related}
        return {name: known.get(name, value) for name, value in body.items()}

    def _check_state(self, body: Json) -> None:
        if body.get("state") == "bogus":
            raise Refused(400, {"state": exchanges()["patch, bad values"].json["state"]})


def name_of(seen: Seen) -> str:
    """The method and the nouns of the path: "GET patches/checks"; of a download "GET mbox"."""
    if seen.path.endswith("/mbox/"):
        return f"{seen.method} mbox"
    parts = seen.path.strip("/").split("/")[2:]
    single = "/ID" if len(parts) % 2 == 0 and parts else ""
    return f"{seen.method} {'/'.join(parts[::2])}{single}"


class _Listener(Listener):
    def __init__(self, state: RecordedPatchwork) -> None:
        super().__init__(Handler)
        self.state = state


class Handler(QuietHandler):
    server: _Listener

    def _serve(self) -> None:
        state, seen = self.server.state, self._read()
        with state.lock:
            state.seen.append(seen)
            waiting = state.troubles.get(name_of(seen))
            trouble = waiting.pop(0) if waiting else None
        if trouble is None or not trouble(self):
            self.reply(*self.carry_out())

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

    def _read(self) -> Seen:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(data) if data else None
        self.seen = Seen(self.command, target.path, parse_qsl(target.query), headers, body)
        return self.seen

    def carry_out(self) -> tuple[int, bytes, dict[str, str]]:
        """Does what was asked; the answer to it."""
        with self.server.state.lock:
            try:
                status, body, headers = self.server.state.answer(self.seen)
            except Refused as refused:
                status, body, headers = refused.status, refused.body, {}
            return status, encoded(body), headers

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        sent = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()


# -- troubles


def answer(status: int, body: Any = None, headers: dict[str, str] | None = None) -> Trouble:
    """Answers so, and does nothing of what was asked."""

    def trouble(handler: Handler) -> bool:
        handler.reply(status, encoded({"detail": "trouble"} if body is None else body), headers)
        return True

    return trouble


def lose_answer(handler: Handler) -> bool:
    """Does what was asked and hangs up instead of saying so."""
    handler.carry_out()
    handler.hang_up()
    return True


def hang_up(handler: Handler) -> bool:
    """Hangs up and does nothing of what was asked."""
    handler.hang_up()
    return True
