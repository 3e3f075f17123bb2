"""One session for every service: authentication, deadlines, retries, redaction, errors.

What is a service's own, it is told: how to authenticate, what to accept, what to advise.

`call` is for the small requests: it has a deadline, reads the answer whole and repeats where repeating
is safe. `send` is one attempt with a body of the caller's making and no deadline, for chunks.
`retrying` is the schedule that both live by.
"""

from __future__ import annotations

import copy
import logging
import os
import ssl
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import anyio
import backoff
import msgspec
from yarl import URL

from pk_upload.answers import parse_retry_after, phrase, read_error, read_field_errors, shorten
from pk_upload.connections import Connector
from pk_upload.errors import (
    ChunkMismatch,
    ConnectFailed,
    ConnectionLost,
    FieldError,
    NetworkError,
    PkUploadError,
    Redirected,
    Refused,
    ServerError,
    TlsFailed,
    UnexpectedAnswer,
    UsageError,
    api_error,
)
from pk_upload.events import OnEvent, Retry, emitter
from pk_upload.given import seconds
from pk_upload.proxies import Proxies
from pk_upload.redaction import Redactor, passwords

__all__ = ["CONNECT_TIMEOUT", "RESPONSE_TIMEOUT", "Http", "RetryPolicy"]

T = TypeVar("T")
log = logging.getLogger("pk_upload.http")

CONNECT_TIMEOUT = 20.0
RESPONSE_TIMEOUT = 60.0

LARGEST_ANSWER = 32 * 1024 * 1024
LARGEST_RECEIPT = 1024 * 1024  # an answer to a chunk, of which there are as many as lanes
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
        """The body of the answer to a request with a form or JSON for a body, repeated where that is safe.

        Every method but POST counts as `repeatable` unless told otherwise. Raises the `ApiError` that
        stands for the status, `NetworkError`, `Redirected` or `UnexpectedAnswer`.
        """

        with self._translated(url):  # a text may hold what UTF-8 does not
            encoded = None if json is None else msgspec.json.encode(json)
        headers = {} if json is None else {"Content-Type": "application/json"}

        async def attempt() -> bytes:
            timeout = aiohttp.ClientTimeout(total=self._timeout, connect=self._connect_timeout)
            data = aiohttp.FormData(dict(form)) if form else encoded
            return await self._exchange(
                method, url, LARGEST_ANSWER, data=data, headers=headers, timeout=timeout
            )

        def tell(count: int, error: PkUploadError, wait: float) -> None:
            self._emit(Retry(f"{method} {self._path(URL(url))}", count, error.message, wait))

        repeat = method != "POST" if repeatable is None else repeatable
        return await self.retrying(attempt, repeatable=repeat, on_retry=tell)

    async def send(
        self, method: str, url: str, *, body: aiohttp.Payload, headers: Mapping[str, str]
    ) -> bytes:
        """The body of the answer to one attempt that streams `body`; once connected the caller watches it."""
        timeout = aiohttp.ClientTimeout(total=None, connect=self._connect_timeout)
        return await self._exchange(method, url, LARGEST_RECEIPT, data=body, headers=headers, timeout=timeout)

    async def retrying(
        self,
        attempt: Callable[[], Awaitable[T]],
        *,
        repeatable: bool,
        on_retry: Callable[[int, PkUploadError, float], None],
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

    async def _exchange(self, method: str, url: str, largest: int, **how: Any) -> bytes:
        if self._session is None:
            raise RuntimeError("the client is used outside its `async with` block")
        try:
            with self._translated(url):
                target = URL(url)
                proxy, proxy_headers = await self._proxies.on_the_way_to(target)
                async with self._session.request(
                    method, target, proxy=proxy, proxy_headers=proxy_headers, allow_redirects=False, **how
                ) as response:
                    self._answered.add(response.url.host or "")
                    log.debug("%s %s -> %d", method, self._path(target), response.status)
                    return self._accept(response, await _read_bounded(response, largest))
        except PkUploadError as error:
            error.__context__ = None  # aiohttp's own quotes the answer and holds the request's headers
            if error.hint == type(error).default_hint:
                error.hint = self._hints.get(type(error), error.hint)
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
            raise aiohttp.ClientConnectionError(_reason(error)) from None

    def _accept(self, response: aiohttp.ClientResponse, body: bytes) -> bytes:
        if 200 <= response.status < 300:
            return self._redactor.body(body)
        if 300 <= response.status < 400:
            host = self.plain(_host(response.headers.get("Location", ""))) or "another address"
            raise Redirected(f"{response.url.host} sends on to {host}; no credentials are sent there")
        message, symbol = read_error(body)
        errors = self._field_errors(body) if response.status == 422 else ()
        explanation = self.plain(message) or phrase(response.status)
        untold = [f"{each.field} {each.message}" for each in errors if each.message not in explanation]
        if untold:
            explanation = shorten(f"{explanation.rstrip('.')}: {'; '.join(untold)}")
        raise api_error(
            response.status,
            f"{response.url.host} answered {response.status}: {explanation}",
            symbol=self.plain(symbol) or None,
            retry_after=parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC)),
            # A page instead of JSON: it is the address that is wrong, rather than an identifier.
            hint=UnexpectedAnswer.default_hint if response.status == 404 and body[:1] == b"<" else None,
            errors=errors,
        )

    def _field_errors(self, body: bytes) -> tuple[FieldError, ...]:
        return tuple(
            FieldError(self.plain(each.field), self.plain(each.resource), self.plain(each.message))
            for each in read_field_errors(body)
        )

    @contextmanager
    def _translated(self, url: str) -> Iterator[None]:
        """Turns what aiohttp raises into the project's errors, without anything secret."""
        where = URL(url).host or url
        try:
            yield
        except (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError) as error:
            raise TlsFailed(f"{where} cannot be trusted: {self.plain(str(error))}") from None
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError) as error:
            whom = "the proxy" if isinstance(error, _PROXY_ERRORS) else where
            raise ConnectFailed(f"{whom} cannot be reached: {self.plain(_reason(error))}") from None
        except aiohttp.ConnectionTimeoutError:
            raise ConnectFailed(
                f"{where} did not accept a connection within {self._connect_timeout:g} s",
                hint=f"{ConnectFailed.default_hint} --connect-timeout allows more time.",
            ) from None
        except TimeoutError:
            raise ConnectionLost(
                f"{where} did not answer within {self._timeout:g} s",
                hint=f"{ConnectionLost.default_hint} --response-timeout allows more time.",
            ) from None
        except aiohttp.ClientResponseError as error:
            # What follows the colon is the line itself, and could be cut within the key.
            reason = self.plain(error.message.partition(":")[0])
            raise UnexpectedAnswer(f"{where} does not speak HTTP as it should: {reason}") from None
        except ValueError:
            raise UsageError(
                f"a request to {where} cannot be made",
                hint="Check the address, the proxy settings and the texts for characters they may not have.",
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            reason = self.plain(_reason(error))
            raise ConnectionLost(f"the connection to {where} was lost: {reason}") from None

    def plain(self, text: str) -> str:
        """`text` of somebody else's making as one short line without anything secret."""
        shown = self._redactor.text(text[:LONGEST_TEXT])
        # The cut may have gone through a secret.
        return shorten(shown if len(text) <= LONGEST_TEXT else shown[:-LONGEST_SECRET])

    def _path(self, url: URL) -> str:
        """The path without anything secret: who takes the key for an identifier puts it there."""
        return self._redactor.text(url.raw_path)


_PROXY_ERRORS = (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)


def _host(location: str) -> str:
    try:
        return URL(location).host or ""
    except (ValueError, IndexError):
        return ""


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        # asyncio repeats the address in the error's text; resolvers have numbers of their own, below 0.
        if isinstance(error.os_error, ssl.SSLError):  # its numbers are TLS's own
            return f"TLS failed: {(error.os_error.reason or 'no reason').replace('_', ' ').lower()}"
        number = error.os_error.errno or 0
        found = os.strerror(number) if number > 0 else str(error.os_error.strerror or error.os_error)
        return found or type(error.os_error).__name__
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "Server disconnected"  # its own text can be all that was received
    return str(error) or type(error).__name__


async def _read_bounded(response: aiohttp.ClientResponse, largest: int) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > largest:
            raise UnexpectedAnswer(f"{response.url.host} answers more than {largest} bytes")
    return b"".join(parts)
