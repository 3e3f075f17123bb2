"""A PatchKit that speaks the published documentation and nothing else.

It is written apart from the sandbox, on the standard library's threads, so that no misunderstanding is
shared. Two ports stand for the two hosts. Everything that arrives is written down; `plan` scripts troubles.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.parser import BytesParser
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

from listening import Listener, QuietHandler

KEY = "0123456789abcdef0123456789abcdef"
APP = "app_secret_1"

Trouble = Callable[["Handler"], bool]
"""Meets a request instead of the server; tells whether it has dealt with it."""


@dataclass
class Seen:
    """One request: the port it came to, its line, and what it carried."""

    host: str
    method: str
    path: str
    headers: dict[str, str]
    form: dict[str, str] = field(default_factory=dict)


class SeedServer:
    """The server's state. `api_url` and `upload_url` are its two hosts."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seen: list[Seen] = []
        self.versions: dict[int, dict[str, Any]] = {}
        self.uploads: dict[int, bytearray] = {}
        self.received: Counter[tuple[int, int, int]] = Counter()
        self.md5s: list[str] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.in_flight = 0
        self.most_in_flight = 0
        self.strict_order = 0  # the status that refuses a chunk out of order
        self.gather = 0  # hold the first chunks until this many have come together
        self.gathered = threading.Event()
        self.refused = threading.Event()  # a chunk out of order: the first one waits for it if they gather
        self.ended = threading.Event()
        self.job_looks = 1
        self.publish_looks = 1
        self.after_job: dict[str, Any] = {}
        self.after_publish: dict[str, Any] = {}
        self.job_end: dict[str, Any] = {}
        self.troubles: dict[str, list[Trouble]] = {}
        self._servers = {name: _Listener(name, self) for name in ("api", "upload")}

    @property
    def api_url(self) -> str:
        return self._servers["api"].url

    @property
    def upload_url(self) -> str:
        return self._servers["upload"].url

    def trouble(self, what: str, *troubles: Trouble) -> None:
        """The next requests for `what` ("POST chunk", "POST versions", ...) meet these, one each."""
        self.troubles.setdefault(what, []).extend(troubles)

    def make_draft(self, label: str) -> None:
        """Somebody else's draft."""
        number = len(self.versions) + 1
        self.versions[number] = new_version(number, label)

    def requests(self, what: str) -> list[Seen]:
        with self.lock:
            return [seen for seen in self.seen if _what(seen.method, seen.path) == what]

    def sha256(self, upload_id: int = 1) -> str:
        return hashlib.sha256(self.uploads[upload_id]).hexdigest()

    def __enter__(self) -> Self:
        for server in self._servers.values():
            server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.gathered.set()
        self.ended.set()
        for server in self._servers.values():
            server.stop()


class _Listener(Listener):
    def __init__(self, name: str, state: SeedServer) -> None:
        super().__init__(Handler)
        self.name, self.state = name, state
        self.open: set[socket.socket] = set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(QuietHandler):
    """One connection. Troubles get the handler itself."""

    server: _Listener

    @property
    def state(self) -> SeedServer:
        return self.server.state

    def _serve(self) -> None:
        seen = Seen(self.server.name, self.command, self.path, dict(self.headers))
        what = _what(self.command, self.path)
        with self.state.lock:
            self.state.seen.append(seen)
            waiting = self.state.troubles.get(what)
            trouble = waiting.pop(0) if waiting else None
        if trouble is not None and trouble(self):
            return
        if what == "POST chunk":
            self._chunk()
            return
        seen.form = self.read_form()
        with self.state.lock:
            status, answer = self._answer(what, seen)
        self.reply(status, answer)

    do_GET = do_POST = do_PUT = do_PATCH = _serve

    def read_form(self) -> dict[str, str]:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("multipart/"):
            return {name: text.decode() for name, text in _parts(kind, body).items()}
        return dict(parse_qsl(body.decode()))

    def reply(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def carry_out(self) -> None:
        """Does what was asked, as `_serve` does, but sends no answer."""
        seen = Seen(self.server.name, self.command, self.path, dict(self.headers))
        what = _what(self.command, self.path)
        if what == "POST chunk":
            self._store_chunk()
        else:
            seen.form = self.read_form()
            with self.state.lock:
                self._answer(what, seen)

    # -- what the documentation describes

    def _answer(self, what: str, seen: Seen) -> tuple[int, Any]:
        public = what in {"GET job", "GET version"}
        if self.headers.get("X-Api-Key") != KEY and not public:
            return 401, {"message": "Invalid credentials"}
        if seen.host != "api":
            return 404, {"message": "Chunks only"}
        known: dict[str, Callable[[Seen], tuple[int, Any]]] = {
            "POST versions": self._create_version,
            "GET versions": lambda _: (200, list(self.state.versions.values())),
            "GET version": self._get_version,
            "PATCH version": self._update_version,
            "POST uploads": self._create_upload,
            "PUT content_file": self._content_file,
            "GET job": self._job,
            "POST publish": self._publish,
        }
        return known[what](seen) if what in known else (404, {"message": "Not found"})

    def _create_upload(self, seen: Seen) -> tuple[int, Any]:
        upload_id = len(self.state.uploads) + 1
        self.state.uploads[upload_id] = bytearray(int(seen.form["total_size_bytes"]))
        return 201, {"id": upload_id}

    def _update_version(self, seen: Seen) -> tuple[int, Any]:
        flags = {name: value == "true" for name, value in seen.form.items() if value in {"true", "false"}}
        self.state.versions[self._id(4)] |= seen.form | flags
        return self._get_version(seen)

    def _publish(self, _: Seen) -> tuple[int, Any]:
        self.state.versions[self._id(4)]["pending_publish"] = True
        return 204, b""

    def _id(self, segment: int) -> int:
        return int(self.path.split("/")[segment + 1])

    def _create_version(self, seen: Seen) -> tuple[int, Any]:
        if any(version["draft"] for version in self.state.versions.values()):
            return 403, {"message": "There is a draft already"}
        number = len(self.state.versions) + 1
        version = new_version(number, seen.form["label"], seen.form.get("changelog", ""))
        self.state.versions[number] = version
        return 201, version

    def _get_version(self, _: Seen) -> tuple[int, Any]:
        version = self.state.versions.get(self._id(4))
        if version is None:
            return 404, {"message": "Unknown version"}
        if version["pending_publish"]:
            version["publish_progress"] = min(1.0, version["publish_progress"] + 1 / self.state.publish_looks)
            version |= self.state.after_publish
            if version["publish_progress"] == 1.0 and not version["publish_time"]:
                version |= {"published": True, "draft": False, "pending_publish": False}
        return 200, version

    def _content_file(self, seen: Seen) -> tuple[int, Any]:
        upload_id = int(seen.form["upload_id"])
        if upload_id not in self.state.uploads:
            return 404, {"message": "Unknown upload"}
        guid = f"5776de94-56dc-4e8a-8992-{upload_id:012d}"
        self.state.jobs.setdefault(guid, {"version": self._id(4), "looks": 0})
        return 200, {"job_guid": guid}

    def _job(self, _: Seen) -> tuple[int, Any]:
        job = self.state.jobs.get(self.path.rsplit("/", 1)[1])
        if job is None:
            return 404, {"message": "Unknown job"}
        job["looks"] += 1
        finished = job["looks"] > self.state.job_looks
        answer = {
            "time_started": "2021-10-19T11:14:50.176Z",
            "time_finished": "2021-10-19T11:15:50.176Z" if finished else None,
            "progress": 1.0 if finished else job["looks"] / (self.state.job_looks + 1),
            "pending": job["looks"] == 1,
            "finished": finished,
            "status": 0,
            "status_message": "" if finished else "waiting for free worker...",
        }
        if finished:
            answer |= self.state.job_end
            self.state.versions[job["version"]] |= self.state.after_job
        return 200, answer

    def _chunk(self) -> None:
        state = self.state
        with state.lock:
            state.in_flight += 1
            state.most_in_flight = max(state.most_in_flight, state.in_flight)
            if state.in_flight >= state.gather:
                state.gathered.set()
        try:
            if state.gather:
                state.gathered.wait(20)
            self.reply(*self._store_chunk())
        finally:
            with state.lock:
                state.in_flight -= 1

    def _store_chunk(self) -> tuple[int, Any]:
        state = self.state
        upload_id = self._id(2)
        header = re.fullmatch(r"bytes (\d+)-(\d+)(?:/(\d+))?", self.headers.get("Content-Range", ""))
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("X-Api-Key") != KEY:
            return 401, {"message": "Invalid credentials"}
        if self.server.name != "upload":
            return 404, {"message": "Not this host"}
        if upload_id not in state.uploads:
            return 404, {"message": "Unknown upload"}
        if header is None:
            return 400, {"message": "Content-Range is missing"}
        first, last = int(header[1]), int(header[2])
        parts = _parts(self.headers["Content-Type"], body)
        data = parts["chunk"]
        if len(data) != last - first + 1 or last >= len(state.uploads[upload_id]):
            return 400, {"message": "The chunk does not fit its range"}
        if "md5" in parts and hashlib.md5(data).hexdigest() != parts["md5"].decode():
            return 412, {"message": "MD5 mismatch"}
        if state.strict_order and state.gather and first == 0:
            state.refused.wait(20)  # or all may happen to arrive in order
        with state.lock:
            if state.strict_order and first != sum(
                b - a + 1 for (u, a, b), _ in state.received.items() if u == upload_id
            ):
                state.refused.set()
                return state.strict_order, {"message": "Bad Request"}
            state.uploads[upload_id][first : last + 1] = data
            state.received[upload_id, first, last] += 1
            state.md5s.append(parts.get("md5", b"").decode())
        return 201, {"id": upload_id}


def new_version(number: int, label: str, changelog: str = "") -> dict[str, Any]:
    return {
        "id": number,
        "label": label,
        "changelog": changelog,
        "publish_date": 0,
        "draft": True,
        "published": False,
        "pending_publish": False,
        "publish_progress": 0,
        "publish_time": 0,
        "has_processing_error": False,
        "processing_messages": [],
    }


def _parts(content_type: str, body: bytes) -> dict[str, bytes]:
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    boundary = b"\r\n--" + str(message.get_boundary()).encode()
    found = {}
    for part in (b"\r\n" + body).split(boundary)[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        assert name is not None
        found[name[1].decode()] = data
    return found


_PATHS = {
    "versions": r"/1/apps/[^/]+/versions",
    "version": r"/1/apps/[^/]+/versions/\d+",
    "content_file": r"/1/apps/[^/]+/versions/\d+/content_file",
    "publish": r"/1/apps/[^/]+/versions/\d+/publish",
    "uploads": r"/1/uploads",
    "chunk": r"/1/uploads/\d+/chunk",
    "job": r"/1/background_jobs/[^/]+",
}


def _what(method: str, path: str) -> str:
    name = next((name for name, form in _PATHS.items() if re.fullmatch(form, path)), path)
    return f"{method} {name}"


# -- troubles


def answer(status: int, body: Any = None, headers: dict[str, str] | None = None) -> Trouble:
    """Reads the request and answers so."""

    def trouble(handler: Handler) -> bool:
        handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        handler.reply(status, {"message": "trouble"} if body is None else body, headers)
        return True

    return trouble


def lose_answer(handler: Handler) -> bool:
    """Does what was asked and hangs up instead of saying so."""
    handler.carry_out()
    handler.hang_up()
    return True


def hang_up(handler: Handler) -> bool:
    """Hangs up without reading the body."""
    handler.hang_up()
    return True


def fine(handler: Handler) -> bool:
    """No trouble for this one."""
    return False
