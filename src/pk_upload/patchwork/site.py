"""A Patchwork site as all calls see it: its address, who asks, and the version of the API that is pinned."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import urlencode

import anyio
from yarl import URL

from pk_upload.answers import decode, usable
from pk_upload.client import Client
from pk_upload.errors import (
    AuthenticationFailed,
    Conflict,
    ConnectionLost,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    PkUploadError,
    Redirected,
    UnexpectedAnswer,
    UsageError,
)
from pk_upload.given import base_url
from pk_upload.http import CONNECT_TIMEOUT, RESPONSE_TIMEOUT, Http, RetryPolicy
from pk_upload.patchwork.listing import Listing, Page, checked_limit
from pk_upload.patchwork.pages import read_links
from pk_upload.patchwork.query import Query, query
from pk_upload.patchwork.requests import Changes, authorization, checked_id
from pk_upload.patchwork.resources import Index, Resource
from pk_upload.patchwork.versions import VERSIONS, Version, require, version_asked

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["HINTS", "LARGEST_PAGE", "Site"]

LARGEST_PAGE = 250  # items; a service answers no more, whatever it is asked for
CREDENTIALS = "Check the token: --token or PATCHWORK_TOKEN; your profile page on the site shows it."
HINTS: dict[type[PkUploadError], str] = {
    AuthenticationFailed: CREDENTIALS,
    Conflict: "Patches of different relations cannot be related: take them out of theirs first.",
    ConnectionLost: "Check the connection and the address, and try again.",
    Forbidden: f"{CREDENTIALS} With a good one it is your account that may not do this.",
    MethodNotAllowed: "An older version of the API may lack it; ask for a newer one.",
    NotFound: "Check the id, and the address of the site.",
    UnexpectedAnswer: "Check the site's address: --url or PATCHWORK_URL, without /api. An older site may "
    "lack this version of the API; --api-version or PATCHWORK_API_VERSION name another, or the newest.",
    Redirected: "Give the site's final address, without /api, with --url or PATCHWORK_URL.",
}
FOR_NOBODY: dict[type[PkUploadError], str] = dict.fromkeys(
    (AuthenticationFailed, Forbidden),
    "The site asks for a token: --token or PATCHWORK_TOKEN; your profile page on the site shows it.",
)

# Other clients want the address with that; "http://api" has it for a host.
_ENDING = re.compile(rf"(?<!:/)/api(/({'|'.join(map(re.escape, VERSIONS))}))?$")

T = TypeVar("T")
R = TypeVar("R", bound=Resource)


@dataclass(slots=True)
class _Pin:
    """The version that is asked for, once it is known; shared by all copies of a client."""

    version: Version | None
    finding: anyio.Lock = field(default_factory=anyio.Lock)


class Site(Client):
    """The calls that reading and writing are made of: one resource, a list, a change, a download."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        username: str | None = None,
        password: str | None = None,
        version: Version | Literal["newest"] = "1.4",
        per_page: int = LARGEST_PAGE,
        retry: RetryPolicy | None = None,
        timeout: float = RESPONSE_TIMEOUT,
        connect_timeout: float = CONNECT_TIMEOUT,
        ssl_context: SSLContext | None = None,
    ) -> None:
        self.url = _ENDING.sub("", base_url(url))
        header, secret = authorization(token, username, password)
        if type(per_page) is not int or not 1 <= per_page <= LARGEST_PAGE:
            raise UsageError(f"a page has 1 to {LARGEST_PAGE} items")
        asked = version_asked(version)
        self._pin = _Pin(None if asked == "newest" else asked)
        self._per_page = per_page
        super().__init__(
            Http(
                auth={"Authorization": header} if header else {},
                secrets=tuple(filter(None, (secret, password))),
                hints=HINTS if header else {**HINTS, **FOR_NOBODY},
                retry=retry,
                timeout=timeout,
                connect_timeout=connect_timeout,
                ssl_context=ssl_context,
            )
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(url={self.url!r})"

    async def version(self) -> Version:
        """The version of the API that is asked for: the one that was given, or the newest that the site has.

        Raises `UnexpectedAnswer` where the site has none that is known.
        """
        async with self._pin.finding:
            if self._pin.version is None:
                with self._http.hinting():
                    self._pin.version = await self._newest()
            return self._pin.version

    async def _newest(self) -> Version:
        for version in reversed(VERSIONS):
            try:
                answer = await self._http.call("GET", f"{self.url}/api/{version}/")
            except NotFound:
                continue
            index = decode(answer, Index, f"GET /api/{version}/")
            usable(index, "patches", bool(index.patches))  # a portal may answer 200 to everything
            return version
        raise UnexpectedAnswer(
            f"{URL(self.url).host} has no API of Patchwork in a version from {VERSIONS[0]} to {VERSIONS[-1]}"
        )

    async def _get(self, kind: type[T], path: str, *, what: str = "", since: Version = VERSIONS[0]) -> T:
        return await self._call(kind, "GET", path, None, what=what, since=since)

    async def _one(self, kind: type[R], path: str, resource_id: int, what: str) -> R:
        """The resource of a collection that has this id; `what` it is, is for the error where none can."""
        found = await self._get(kind, f"{path}/{checked_id(resource_id, what)}")
        return usable(found, "id", found.id == resource_id)

    async def _call(
        self,
        kind: type[T],
        method: str,
        path: str,
        body: Changes | None,
        *,
        what: str = "",
        since: Version = VERSIONS[0],
        repeatable: bool | None = None,
    ) -> T:
        """What the answer says. `what` is the thing that came with the version `since`."""
        address = await self._address(path, what, since)
        answer = await self._http.call(method, address, json=body, repeatable=repeatable)
        return self._read(answer, kind, method, path)

    def _read(self, body: bytes, kind: type[T], method: str, path: str) -> T:
        with self._http.hinting():
            return decode(body, kind, f"{method} {self._shown(path)}")

    async def _delete(self, path: str, *, what: str, since: Version) -> None:
        address = await self._address(path, what, since)
        answer = await self._http.call("DELETE", address, repeatable=False)
        if answer.strip():  # the page of a portal in between is no yes
            raise UnexpectedAnswer(f"DELETE {self._shown(path)}: the answer is not empty")

    def _list(
        self,
        kind: type[R],
        path: str,
        filters: Mapping[str, object] | None = None,
        *,
        order: str | None = None,
        limit: int | None = None,
        what: str = "",
        since: Version = VERSIONS[0],
    ) -> Listing[R]:
        limit = checked_limit(limit)
        resource = path.rpartition("/")[2]
        asked = query(resource, filters or {}, order)
        size = self._per_page if limit is None else max(1, min(self._per_page, limit))

        async def fetch(page: int) -> Page[R]:
            await self._require(asked)
            address = await self._address(path, what, since)
            where = [("page", str(page))] if page > 1 else []
            parameters = [*asked.pairs, ("per_page", str(size)), *where]
            reply = await self._http.ask("GET", f"{address}?{urlencode(parameters)}")
            many = list[kind]  # type: ignore[valid-type]  # a type that is known when it is called alone
            items = self._read(reply.body, many, "GET", path)
            return Page(items, read_links(reply.link))

        return Listing(fetch, limit=0 if asked.empty else limit)

    async def _require(self, asked: Query) -> None:
        for name, since in asked.since.items():
            require(f"filter {name!r}", since, await self.version())

    async def _address(self, path: str, what: str, since: Version) -> str:
        version = await self.version()
        require(what, since, version)
        return f"{self.url}/api/{version}/{path}/" if path else f"{self.url}/api/{version}/"

    def _shown(self, path: str) -> str:
        """The path for a message: who takes the token for an identifier puts it there."""
        return self._http.plain(f"/api/{self._pin.version}/{path}/")

    def _at_home(self, address: object, *, query: str = "") -> URL:
        """`address`, from the body of an answer, on the site that was asked, path and query as they are.

        Behind a proxy a site may take itself for another host, or forget about TLS; and no other host is to
        be told who asks.
        """
        try:
            path = URL(address if isinstance(address, str) else "", encoded=True).raw_path_qs
        except ValueError:
            path = ""
        # Behind anything but a slash it would be a part of the host, and behind a space of the request.
        usable(address, "mbox", re.fullmatch(r"/[!-~]+", path) is not None)
        home = URL(self.url)
        more = f"{'&' if '?' in path else '?'}{query}" if query else ""
        return URL(f"{home.scheme}://{home.raw_authority}{path}{more}", encoded=True)
