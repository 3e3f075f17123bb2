"""One request on its way through the sandbox: what it asks, who asks, and the server it asks."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pk_upload.sandbox import auth, forms
from pk_upload.sandbox.answers import Problem
from pk_upload.sandbox.arrivals import Arrival, Arrivals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from pk_upload.sandbox.faults import Fault, FaultPlan
    from pk_upload.sandbox.places import Places
    from pk_upload.sandbox.records import App, Upload, Version
    from pk_upload.sandbox.store import Store

__all__ = ["Call", "Server", "asked_path"]


def asked_path(request: web.BaseRequest) -> str:
    """The path as it was asked for; with one slash before it, since with two it would name another host."""
    return re.sub("^/+", "/", request.raw_path.partition("?")[0])


@dataclass(frozen=True, slots=True)
class Server:
    """What all requests and workers share. Nothing in it must outlive a restart, save what `store` keeps."""

    store: Store
    places: Places
    api_key: str = field(repr=False)
    kickfolio_token: str = field(repr=False)
    patchwork_tokens: Mapping[str, str] = field(repr=False)
    fetch_anywhere: bool
    signing_key: bytes = field(repr=False)
    faults: FaultPlan
    pace: float
    arrivals: Arrivals = field(default_factory=Arrivals)
    jobs_waiting: asyncio.Event = field(default_factory=asyncio.Event)
    publishing_waiting: asyncio.Event = field(default_factory=asyncio.Event)
    fetches_waiting: asyncio.Event = field(default_factory=asyncio.Event)
    closing: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Call:
    """A request to an endpoint; `params` are the parts of its path, `drawn` the faults that strike it."""

    request: web.BaseRequest
    server: Server
    arrival: Arrival
    params: Mapping[str, str]
    drawn: tuple[Fault, ...] = ()
    _fields: Mapping[str, str] | None = None

    async def fields(self) -> Mapping[str, str]:
        """The form's fields, those of the query beside them."""
        if self._fields is None:
            self._fields = await forms.read_fields(self.request)
        return self._fields

    def has_key(self) -> bool:
        """Whether the header or the query holds the right key."""
        return auth.is_key(self.server.api_key, auth.presented(self.request))

    @property
    def path(self) -> str:
        """The path as it was asked for."""
        return asked_path(self.request)

    def has_fault(self, kind: str) -> bool:
        """Whether a fault of this kind strikes it."""
        return any(fault.kind == kind for fault in self.drawn)

    def app(self) -> App:
        """The app that the path names. Problem 404."""
        secret = self.params["secret"]
        app = self.server.store.app(secret)
        if app is None:
            raise Problem(404, f"There is no app with the secret {secret}.", "app_not_found")
        return app

    def version(self) -> tuple[App, Version]:
        """The app and its version that the path names. Problem 404."""
        app, number = self.app(), int(self.params["version"])
        version = self.server.store.version(app.id, number)
        if version is None:
            raise Problem(404, f"The app {app.secret} has no version {number}.", "version_not_found")
        return app, version

    def upload(self, number: int) -> Upload:
        """The upload with this id. Problem 404."""
        upload = self.server.store.uploads.find(number)
        if upload is None:
            raise Problem(404, f"There is no upload {number}.", "upload_not_found")
        return upload

    def url(self, path: str) -> str:
        """The address of `path` on this server, as the client reached it."""
        host = self.request.host.encode("utf-8", "replace").decode()
        return f"{self.request.scheme}://{host}{path}"
