"""A Kickfolio that speaks its published document and nothing else.

It is written apart from the sandbox, on the standard library's threads, so that no misunderstanding is
shared, and it takes the document at its word: what it calls required is required, on an update too, and the
example's day without a leading zero is sent. Everything that arrives is written down; `trouble` scripts
troubles. Nothing is fetched: a version is `ready` once it was looked at `ready_looks` times.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from listening import Listener, QuietHandler

TOKEN = "token-0123456789abcdef"
VERSIONED = "application/vnd.kickfolio.v1"

Json = dict[str, Any]
Trouble = Callable[["Handler"], bool]
"""Meets a request instead of the server; tells whether it has dealt with it."""

EXAMPLE_APP: Json = {
    "id": "ae42f072-3f1a-11e2-92da-1231394268a3",
    "user_id": "57198bee-3f1a-11e2-92da-1231394268a3",
    "name": "Kickfolio",
    "public_key": "ABCD123",
    "bundle": "com.kickfolio.app",
    "default_to_landscape": False,
    "icon": "https://www.filepicker.io/api/file/SECRET",
    "device_type": "iPhone",
    "created_at": "2012-12-05T20:30:59Z",
    "updated_at": "2012-12-05T20:31:09Z",
}
EXAMPLE_VERSION: Json = {
    "id": "c541ce63-2851-44c2-835f-10c9e55390f3",
    "app_id": EXAMPLE_APP["id"],
    "state": "ready",
    "bundle_url": "https://www.filepicker.io/api/file/3JAgsZ0QSBl7vAhV79Pw",
    "version_string": "1.0",
    "default_image": "https://www.filepicker.io/api/file/cLpSGCypTz2Cs8NYTr6W",
    "default_image_landscape": None,
    "created_at": "2013-02-03T10:08:13Z",
    "updated_at": "2013-02-03T10:08:29Z",
    "comments": [],
}
_NEW_APP = {"bundle": None, "icon": None, "updated_at": EXAMPLE_APP["created_at"]}
_NEW_VERSION = {
    "state": "pending",
    "version_string": None,
    "default_image": None,
    "updated_at": EXAMPLE_VERSION["created_at"],
}


@dataclass
class Seen:
    """One request, as it came. `path` has no query; `body` is what its JSON says, or its bytes."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any = None


class Refused(Exception):
    """The request is answered with this status and this body."""

    def __init__(self, status: int, code: str, message: str, *errors: Json) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"message": message, "code": code}
        if errors:
            self.body["errors"] = list(errors)


class KickfolioSeedServer:
    """The server's state. `url` is the site's address, without `/api`; `prefix` a path that it ends with."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.lock = threading.RLock()
        self.seen: list[Seen] = []
        self.apps: dict[str, Json] = {}
        self.versions: dict[str, Json] = {}
        self.ready_looks = 1
        self.state_in_the_end = "ready"
        self.troubles: dict[str, list[Trouble]] = {}
        self._looks: dict[str, int] = {}
        self._listener = _Listener(self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.server_address[1]}{self.prefix}"

    def add_app(self, **fields: Any) -> Json:
        """An app of the account: the document's example but for `fields` and an id and key of its own."""
        number = len(self.apps) + 1
        own = {} if number == 1 else {"id": str(uuid.uuid4()), "public_key": f"ABCD{number + 122}"}
        app = {**EXAMPLE_APP, **own, **fields}
        self.apps[app["id"]] = app
        return app

    def add_version(self, app: Json, **fields: Any) -> Json:
        """A version of `app`: the document's example but for `fields` and an id of its own."""
        own = {"id": str(uuid.uuid4())} if self.versions else {}
        version = {**EXAMPLE_VERSION, **own, "app_id": app["id"], **fields}
        self.versions[version["id"]] = version
        return version

    def shown(self, app: Json) -> Json:
        """The app as clients see it."""
        own = [version["id"] for version in self.versions.values() if version["app_id"] == app["id"]]
        return {**app, "versions": own}

    def trouble(self, what: str, *troubles: Trouble) -> None:
        """The next requests for `what` ("POST apps", "GET version", ...) meet these, one each.

        A version's path is known as `version`, and both lists as `versions`, scoped or not.
        """
        self.troubles.setdefault(what, []).extend(troubles)

    def requests(self, what: str) -> list[Seen]:
        with self.lock:
            return [seen for seen in self.seen if self.name_of(seen.method, seen.path) == what]

    def name_of(self, method: str, path: str) -> str:
        return f"{method} {_resource(self.parts(path))}"

    def parts(self, path: str) -> list[str] | None:
        """What follows `/api/` in the path, split; None for a path elsewhere."""
        base = f"{self.prefix}/api/"
        return path.removeprefix(base).split("/") if path.startswith(base) else None

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

    # -- what the document describes; all of it under the lock

    def answer(self, seen: Seen) -> tuple[int, Any]:
        _authenticate(seen)
        parts = self.parts(seen.path)
        resource = _resource(parts)
        scope = None
        if parts is not None and parts[0] == "apps" and resource.startswith("version"):
            scope, parts = self._app(parts[1]), parts[2:]
        doing = getattr(self, f"_{seen.method.lower()}_{resource}", None)
        if parts is None or doing is None:
            raise Refused(404, "not_found", "Nothing is here")
        answer: tuple[int, Any] = doing(seen, scope, *parts[1:])
        return answer

    def _app(self, identifier: str) -> Json:
        for app in self.apps.values():
            if identifier in {app["id"], app["public_key"]}:
                return app
        raise Refused(404, "not_found", f"There is no App {identifier}")

    def _version(self, scope: Json | None, version_id: str) -> Json:
        version = self.versions.get(version_id)
        if version is None or (scope is not None and version["app_id"] != scope["id"]):
            raise Refused(404, "not_found", f"There is no Version {version_id}")
        return version

    def _get_apps(self, seen: Seen, _: None) -> tuple[int, Any]:
        return 200, {"apps": [self.shown(app) for app in _chosen(self.apps.values(), seen)]}

    def _get_app(self, _seen: Seen, _: None, identifier: str) -> tuple[int, Any]:
        return 200, {"app": self.shown(self._app(identifier))}

    def _post_apps(self, seen: Seen, _: None) -> tuple[int, Any]:
        given = _given(seen, "app")
        _require("App", name=given.get("name"))
        number = len(self.apps) + 1
        own = {"id": str(uuid.uuid4()), "public_key": f"NEW{number}", "name": given["name"]}
        return 201, {"app": self.shown(self.add_app(**_NEW_APP, **own))}

    def _put_app(self, seen: Seen, _: None, identifier: str) -> tuple[int, Any]:
        app, given = self._app(identifier), _given(seen, "app")
        _require("App", name=given.get("name"))
        app |= {"name": given["name"], "updated_at": "2013-1-20T18:31:09Z"}  # so stands the document
        return 200, {"app": self.shown(app)}

    def _delete_app(self, _seen: Seen, _: None, identifier: str) -> tuple[int, Any]:
        app = self._app(identifier)
        del self.apps[app["id"]]
        self.versions = {key: one for key, one in self.versions.items() if one["app_id"] != app["id"]}
        return 204, None

    def _get_versions(self, seen: Seen, scope: Json | None) -> tuple[int, Any]:
        own = [one for one in self.versions.values() if scope is None or one["app_id"] == scope["id"]]
        return 200, {"versions": _chosen(own, seen)}

    def _get_version(self, _seen: Seen, scope: Json | None, version_id: str) -> tuple[int, Any]:
        version = self._version(scope, version_id)
        if version["state"] == "pending":
            self._looks[version_id] = self._looks.get(version_id, 0) + 1
            if self._looks[version_id] > self.ready_looks:
                version["state"] = self.state_in_the_end
        return 200, {"version": version}

    def _post_versions(self, seen: Seen, scope: Json | None) -> tuple[int, Any]:
        given = _given(seen, "version")
        app = self._owner(given, scope)
        version = self.add_version(app, **{**_NEW_VERSION, "id": str(uuid.uuid4()), **_known(given)})
        return 201, {"version": version}

    def _put_version(self, seen: Seen, scope: Json | None, version_id: str) -> tuple[int, Any]:
        version, given = self._version(scope, version_id), _given(seen, "version")
        app = self._owner(given, scope)
        if given["bundle_url"] != version["bundle_url"]:
            version["state"] = "pending"
            self._looks.pop(version_id, None)
        version |= {**_known(given), "app_id": app["id"]}
        return 200, {"version": version}

    def _delete_version(self, _seen: Seen, scope: Json | None, version_id: str) -> tuple[int, Any]:
        del self.versions[self._version(scope, version_id)["id"]]
        return 204, None

    def _owner(self, given: Json, scope: Json | None) -> Json:
        """The app that a version is to belong to, of the address or else of the body."""
        named = scope["id"] if scope is not None else given.get("app_id")
        _require("Version", app_id=named, bundle_url=given.get("bundle_url"))
        try:
            return self._app(str(named))
        except Refused:
            raise _invalid("Version", {"app_id": "is not an App of yours"}) from None


def _resource(parts: list[str] | None) -> str:
    match parts:
        case ["apps" | "versions" as collection]:
            return collection
        case ["apps", _] | ["versions", _]:
            return parts[0].removesuffix("s")
        case ["apps", _, "versions"]:
            return "versions"
        case ["apps", _, "versions", _]:
            return "version"
    return "nothing"


def _authenticate(seen: Seen) -> None:
    scheme, _, encoded = seen.headers.get("authorization", "").partition(" ")
    valid = {base64.b64encode(text.encode()).decode() for text in (TOKEN, f"{TOKEN}:X")}
    if not (scheme == "Basic" and encoded in valid) and seen.query.get("auth_token") != [TOKEN]:
        raise Refused(401, "unauthorized", "Your credentials were missing or wrong")


def _given(seen: Seen, resource: str) -> Json:
    if not isinstance(seen.body, dict):
        raise Refused(400, "bad_request", "This is no JSON object")
    given = seen.body.get(resource)
    return given if isinstance(given, dict) else {}


def _known(given: Json) -> Json:
    return {name: given[name] for name in ("bundle_url", "version_string") if name in given}


def _require(resource: str, **values: Any) -> None:
    wrong = [name for name, value in values.items() if not (isinstance(value, str) and value.strip())]
    if wrong:
        raise _invalid(resource, dict.fromkeys(wrong, "can't be blank"))


def _invalid(resource: str, wrong: dict[str, str]) -> Refused:
    errors = [{"field": name, "resource": resource, "message": why} for name, why in wrong.items()]
    return Refused(422, "record_invalid", "Validation failed", *errors)


def _chosen(resources: Any, seen: Seen) -> list[Json]:
    ids = seen.query.get("ids[]")
    return [one for one in resources if ids is None or one["id"] in ids]


class _Listener(Listener):
    def __init__(self, state: KickfolioSeedServer) -> None:
        super().__init__(Handler)
        self.state = state


class Handler(QuietHandler):
    server: _Listener

    def _serve(self) -> None:
        state, seen = self.server.state, self._read()
        with state.lock:
            state.seen.append(seen)
            waiting = state.troubles.get(state.name_of(seen.method, seen.path))
            trouble = waiting.pop(0) if waiting else None
        if trouble is None or not trouble(self):
            self.reply(*self.carry_out())

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def _read(self) -> Seen:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(data) if data else None
        except ValueError:
            body = data
        target = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.seen = Seen(self.command, target.path, parse_qs(target.query), headers, body)
        return self.seen

    def carry_out(self) -> tuple[int, Any]:
        """Does what was asked; the answer to it."""
        with self.server.state.lock:
            try:
                status, body = self.server.state.answer(self.seen)
            except Refused as refused:
                status, body = refused.status, refused.body
            return status, json.loads(json.dumps(body))

    def reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


# -- troubles


def answer(status: int, body: Any = None, headers: dict[str, str] | None = None) -> Trouble:
    """Answers so, and does nothing of what was asked."""

    def trouble(handler: Handler) -> bool:
        said = {"message": "trouble", "code": "trouble"} if body is None else body
        handler.reply(status, said, headers)
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


def fine(handler: Handler) -> bool:
    """No trouble for this one."""
    return False
