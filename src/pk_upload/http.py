"""One session for every service: authentication, deadlines, retries, redaction, errors.

What is a service's own, it is told: how to authenticate, what to accept, what to advise.

`call` and `ask` are for the small requests: they have a deadline, read the answer whole and repeat where
repeating is safe. `download` is for an answer of any length; `send` is for chunks: one attempt with a body of
the caller's making and no deadline. `retrying` is the schedule that all live by.
"""

from __future__ import annotations

import copy
import logging
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import anyio
import backoff
import msgspec
from yarl import URL

from pk_upload.answers import shorten
from pk_upload.connections import Connector
from pk_upload.errors import (
    ChunkMismatch,
    ConnectFailed,
    NetworkError,
    PkUploadError,
    Refused,
    ServerError,
    TlsFailed,
    UnexpectedAnswer,
)
from pk_upload.events import OnEvent, Retry, emitter
from pk_upload.failures import reason, refusal, translated
from pk_upload.given import seconds
from pk_upload.proxies import Proxies
from pk_upload.redaction import Redactor, passwords

__all__ = ["CONNECT_TIMEOUT", "RESPONSE_TIMEOUT", "Http", "Reply", "RetryPolicy"]

T = TypeVar("T")
OnRetry = Callable[[int, PkUploadError, float], None]
"""Hears of an attempt that is to be repeated: which it was, its error, and the seconds until the next."""

log = logging.getLogger("pk_upload.http")

CONNECT_TIMEOUT = 20.0
RESPONSE_TIMEOUT = 60.0

LARGEST_ANSWER = 32 * 1024 * 1024
LARGEST_RECEIPT = 1024 * 1024  # an answer to a chunk, of which there are as many as lanes
LONGEST_HEADER = 32768  # bytes; those of a list repeat its address up to four times
LONGEST_RETRY_AFTER = 600.0
LONGEST_TEXT = 65536  # characters of a message that are looked at
LONGEST_SECRET = 4096  # characters, however they are written


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a request is repeated: `retries` counts attempts after the first.

    Waits are drawn between 0 and `first_wait` doubled each time, at most `longest_wait` seconds. As long as
    nothing has answered, a connection that fails is tried `first_contact` times more: a wrong address is then
    more likely than a bad moment.
    """

    retries: int = 8
    first_contact: int = 3
    first_wait: float = 0.5
    longest_wait: float = 60.0

    def waits(self) -> Generator[float, Any, None]:
        """The schedule, begun with an empty step: an error goes in, the seconds to wait come out.

        Exponential with full jitter; a `Retry-After` is the least that is waited.
        """
        growth = backoff.expo(base=2, factor=self.first_wait, max_value=self.longest_wait)
        next(growth)
        error = yield 0.0
        while True:
            wait = backoff.full_jitter(next(growth))
            asked = getattr(error, "retry_after", None) or 0.0
            error = yield max(wait, min(asked, LONGEST_RETRY_AFTER))


def may_repeat(error: PkUploadError, *, repeatable: bool) -> bool:
    """Whether a request that failed so may be sent again.

    A refusal, or a connection that never stood, was surely not carried out. After any other failure
    only a request that does no harm when carried out twice is `repeatable`.
    """
    if isinstance(error, TlsFailed):
        return False
    if isinstance(error, Refused | ConnectFailed):
        return True
    return repeatable and isinstance(error, ServerError | NetworkError | ChunkMismatch)


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer: its body, whole, and its `Link` headers as one."""

    body: bytes
    link: str


class Http:
    """An aiohttp session under a service's rules. Use it as an async context manager.

    `auth` are the headers that authenticate, `secrets` the texts that no message may show, `accept` is the
    media type that is asked for, and `hints` replace those that an error of just this type has by default.
    `timeout` is the deadline in seconds of one attempt of `call`, from the name of the host to the answer's
    last byte; `connect_timeout` bounds what comes before the request, for `send` too: name, proxy,
    connection, TLS.
    Raises `UsageError` for a timeout that is none.
    """

    def __init__(
        self,
        *,
        auth: Mapping[str, str],
        secrets: tuple[str, ...] = (),
        accept: str = "application/json",
        hints: Mapping[type[PkUploadError], str] | None = None,
        retry: RetryPolicy | None = None,
        timeout: float = RESPONSE_TIMEOUT,
        connect_timeout: float = CONNECT_TIMEOUT,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._auth = dict(auth)
        self._redactor = Redactor((*secrets, *passwords(os.environ)))
        self._accepted = accept
        self._hints = dict(hints or {})
        self._retry = retry or RetryPolicy()
        self._timeout = seconds("timeout", timeout)
        self._connect_timeout = seconds("connect_timeout", connect_timeout)
        self._ssl_context = ssl_context
        self._session: aiohttp.ClientSession | None = None
        self._answered: set[str] = set()  # the hosts that have, shared by all copies
        self._proxies = Proxies()
        self._emit = emitter(None)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=Connector(self._ssl_context),
            cookie_jar=aiohttp.DummyCookieJar(),  # the service sets none that matters
            headers={"User-Agent": "pk-upload", "Accept": self._accepted},
            middlewares=(self._as_asked,),
            max_field_size=LONGEST_HEADER,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            with anyio.CancelScope(shield=True), anyio.move_on_after(5):
                await session.close()

    def listening(self, on_event: OnEvent, *, retries: int | None = None) -> Self:
        """The same session, telling `on_event` of repeated calls, with other `retries` if they are given."""
        other = copy.copy(self)
        other._emit = emitter(on_event)
        if retries is not None:
            other._retry = replace(self._retry, retries=retries, first_contact=retries)
        return other

    async def call(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        json: object = None,
        repeatable: bool | None = None,
    ) -> bytes:
        """The body of what `ask` returns."""
        return (await self.ask(method, url, form=form, json=json, repeatable=repeatable)).body

    async def ask(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        json: object = None,
        repeatable: bool | None = None,
    ) -> Reply:
        """The answer to a request with a form or JSON for a body, repeated where that is safe.

        Every method but POST counts as `repeatable` unless told otherwise. Raises the `ApiError` that
        stands for the status, `NetworkError`, `Redirected` or `UnexpectedAnswer`.
        """

        with self._translated(url):  # a text may hold what UTF-8 does not
            encoded = None if json is None else msgspec.json.encode(json)
        headers = {} if json is None else {"Content-Type": "application/json"}

        async def attempt() -> Reply:
            timeout = aiohttp.ClientTimeout(total=self._timeout, connect=self._connect_timeout)
            data = aiohttp.FormData(dict(form)) if form else encoded
            return await self._exchange(
                method, url, LARGEST_ANSWER, data=data, headers=headers, timeout=timeout
            )

        repeat = method != "POST" if repeatable is None else repeatable
        return await self.retrying(attempt, repeatable=repeat, on_retry=self._telling(method, url))

    async def download(
        self, url: str | URL, receive: Callable[[Mapping[str, str], AsyncIterator[bytes]], Awaitable[T]]
    ) -> T:
        """What `receive` makes of the headers and the body's pieces; it is called anew for each attempt.

        No piece may take longer to come than a whole call. Raises what `ask` raises, and what `receive` does.
        """
        timeout = aiohttp.ClientTimeout(total=None, connect=self._connect_timeout, sock_read=self._timeout)

        anything = {"Accept": "*/*"}

        async def attempt() -> T:
            async with (
                self._answered_by("GET", url, LARGEST_RECEIPT, headers=anything, timeout=timeout) as response,
                aclosing(self._pieces(response, url)) as pieces,
            ):
                return await receive(response.headers, pieces)

        return await self.retrying(attempt, repeatable=True, on_retry=self._telling("GET", url))

    async def _pieces(self, response: aiohttp.ClientResponse, url: str | URL) -> AsyncGenerator[bytes]:
        with self._translated(url):  # and not what the receiver raises
            async for piece in response.content.iter_any():
                yield piece

    def _telling(self, method: str, url: str | URL) -> OnRetry:
        def tell(count: int, error: PkUploadError, wait: float) -> None:
            self._emit(Retry(f"{method} {self._path(URL(url))}", count, error.message, wait))

        return tell

    async def send(
        self, method: str, url: str, *, body: aiohttp.Payload, headers: Mapping[str, str]
    ) -> bytes:
        """The body of the answer to one attempt that streams `body`; once connected the caller watches it."""
        timeout = aiohttp.ClientTimeout(total=None, connect=self._connect_timeout)
        how: dict[str, Any] = {"data": body, "headers": headers, "timeout": timeout}
        return (await self._exchange(method, url, LARGEST_RECEIPT, **how)).body

    async def retrying(
        self,
        attempt: Callable[[], Awaitable[T]],
        *,
        repeatable: bool,
        on_retry: OnRetry,
    ) -> T:
        """What `attempt` returns, tried again by the policy; `on_retry` hears count, cause and wait."""
        waits = self._retry.waits()
        next(waits)
        count = 0
        while True:
            count += 1
            try:
                return await attempt()
            except PkUploadError as error:
                if not (may_repeat(error, repeatable=repeatable) and self._patient(error, count)):
                    raise
                wait = waits.send(error)
                on_retry(count, error, wait)
            await anyio.sleep(wait)

    def _patient(self, error: PkUploadError, count: int) -> bool:
        """Whether there is to be another attempt after `count` of them."""
        unknown = isinstance(error, ConnectFailed) and not self._answered
        return count <= (
            min(self._retry.retries, self._retry.first_contact) if unknown else self._retry.retries
        )

    async def _exchange(self, method: str, url: str, largest: int, **how: Any) -> Reply:
        async with self._answered_by(method, url, largest, **how) as response:
            with self._translated(url):
                body = await _read_bounded(response, largest)
            return Reply(self._redactor.body(body), ", ".join(response.headers.getall("Link", ())))

    @asynccontextmanager
    async def _answered_by(
        self, method: str, url: str | URL, largest: int, **how: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to one attempt, whose body is still to be read; raises for one that is no success."""
        if self._session is None:
            raise RuntimeError("the client is used outside its `async with` block")
        with self._translated(url):
            target = URL(url)
            proxy, proxy_headers = await self._proxies.on_the_way_to(target)
            response = await self._session.request(
                method, target, proxy=proxy, proxy_headers=proxy_headers, allow_redirects=False, **how
            )
        async with response:
            with self._translated(url):
                self._answered.add(response.url.host or "")
                log.debug("%s %s -> %d", method, self._path(target), response.status)
                if not 200 <= response.status < 300:
                    raise refusal(response, await _read_bounded(response, largest), self.plain)
            yield response

    @contextmanager
    def _translated(self, url: str | URL) -> Iterator[None]:
        """Turns what aiohttp raises into the project's errors, with the service's own hints."""
        bounds = {"timeout": self._timeout, "connect_timeout": self._connect_timeout}
        with self.hinting():
            try:
                with translated(url, self.plain, **bounds):
                    yield
            except PkUploadError as error:
                error.__context__ = None  # aiohttp's own quotes the answer and holds the request's headers
                raise

    @contextmanager
    def hinting(self) -> Iterator[None]:
        """Gives the service's own hints to errors that have but those of their kind."""
        try:
            yield
        except PkUploadError as error:
            for kind in (type(error), UnexpectedAnswer):  # a 404 may be a page, and then has the latter's
                if error.hint == kind.default_hint:
                    error.hint = self._hints.get(kind, error.hint)
            raise

    async def _as_asked(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Authenticates, and hides a dropped connection from aiohttp, which would try a GET again unasked."""
        request.headers.update(self._auth)
        if request.proxy_headers and not request.is_ssl():  # without a tunnel the proxy reads the request
            request.headers.update(request.proxy_headers)
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise aiohttp.ClientConnectionError(reason(error)) from None

    def plain(self, text: str) -> str:
        """`text` of somebody else's making as one short line without anything secret."""
        shown = self._redactor.text(text[:LONGEST_TEXT])
        # The cut may have gone through a secret.
        return shorten(shown if len(text) <= LONGEST_TEXT else shown[:-LONGEST_SECRET])

    def _path(self, url: URL) -> str:
        """The path without anything secret: who takes the key for an identifier puts it there."""
        return self._redactor.text(url.raw_path)


async def _read_bounded(response: aiohttp.ClientResponse, largest: int) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > largest:
            raise UnexpectedAnswer(f"{response.url.host} answers more than {largest} bytes")
    return b"".join(parts)
