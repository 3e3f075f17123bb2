"""What goes wrong with a request, as the project's errors: what aiohttp raises, what a service refuses."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import aiohttp
from yarl import URL

from pk_upload.answers import parse_retry_after, phrase, read_error, read_field_errors, shorten
from pk_upload.errors import (
    ApiError,
    ConnectFailed,
    ConnectionLost,
    FieldError,
    Redirected,
    TlsFailed,
    UnexpectedAnswer,
    UsageError,
    api_error,
)

__all__ = ["Plain", "reason", "refusal", "translated"]

Plain = Callable[[str], str]
"""Makes a text of somebody else's a short line without anything secret."""

PROXY_ERRORS = (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)
WITH_FIELDS = frozenset({400, 422})


@contextmanager
def translated(url: str | URL, plain: Plain, *, timeout: float, connect_timeout: float) -> Iterator[None]:
    """Turns what aiohttp raises into the project's errors; the timeouts, in seconds, are what was allowed."""
    where = URL(url).host or str(url)
    try:
        yield
    except (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError) as error:
        raise TlsFailed(f"{where} cannot be trusted: {plain(str(error))}") from None
    except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError) as error:
        whom = "the proxy" if isinstance(error, PROXY_ERRORS) else where
        raise ConnectFailed(f"{whom} cannot be reached: {plain(reason(error))}") from None
    except aiohttp.ConnectionTimeoutError:
        raise ConnectFailed(
            f"{where} did not accept a connection within {connect_timeout:g} s",
            hint=f"{ConnectFailed.default_hint} --connect-timeout allows more time.",
        ) from None
    except TimeoutError:
        raise ConnectionLost(
            f"{where} did not answer within {timeout:g} s",
            hint="Check the connection and the address, or allow more time with --response-timeout.",
        ) from None
    except aiohttp.ClientResponseError as error:
        # What follows the colon is the line itself, and could be cut within the key.
        said = plain(error.message.partition(":")[0])
        raise UnexpectedAnswer(f"{where} does not speak HTTP as it should: {said}") from None
    except ValueError:
        raise UsageError(
            f"a request to {where} cannot be made",
            hint="Check the address, the proxy settings and the texts for characters they may not have.",
        ) from None
    except (aiohttp.ClientError, OSError) as error:
        raise ConnectionLost(f"the connection to {where} was lost: {plain(reason(error))}") from None


def reason(error: Exception) -> str:
    """Why a connection failed, in the system's words where it has some."""
    if isinstance(error, aiohttp.ClientConnectorError):
        # asyncio repeats the address in the error's text; resolvers have numbers of their own, below 0.
        if isinstance(error.os_error, ssl.SSLError):  # its numbers are TLS's own
            return f"TLS failed: {(error.os_error.reason or 'no reason').replace('_', ' ').lower()}"
        number = error.os_error.errno or 0
        found = os.strerror(number) if number > 0 else str(error.os_error.strerror or error.os_error)
        return found or type(error.os_error).__name__
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "Server disconnected"  # its own text can be all that was received
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer is not whole"  # its own text is of statuses that nobody sent
    return str(error) or type(error).__name__


def refusal(response: aiohttp.ClientResponse, body: bytes, plain: Plain) -> ApiError | Redirected:
    """The error that stands for an answer whose status is not one of success."""
    where, status = response.url.host, response.status
    if 300 <= status < 400:
        there = plain(_destination(response.url, response.headers.get("Location", "")))
        return Redirected(f"{where} sends on to {there}; no credentials are sent there")
    message, symbol = read_error(body)
    errors = _field_errors(body, plain) if status in WITH_FIELDS else ()
    explanation = plain(message) or phrase(status)
    untold = [str(each) for each in errors if str(each) not in explanation]
    if untold:
        told = f"{explanation.rstrip('.')}: " if message else ""
        explanation = shorten(told + "; ".join(untold))
    return api_error(
        status,
        f"{where} answered {status}: {explanation}",
        symbol=plain(symbol) or None,
        retry_after=parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC)),
        # A page instead of JSON: it is the address that is wrong, rather than an identifier.
        hint=UnexpectedAnswer.default_hint if status == 404 and body.lstrip()[:1] == b"<" else None,
        errors=errors,
    )


def _field_errors(body: bytes, plain: Plain) -> tuple[FieldError, ...]:
    return tuple(
        FieldError(plain(each.field), plain(each.resource), plain(each.message))
        for each in read_field_errors(body)
    )


def _destination(asked: URL, location: str) -> str:
    """Where `location` leads: scheme and host, or the path on the same host. No more of it is told."""
    if not location:
        return "another address"
    try:
        there = asked.join(URL(location))
        home = there.origin() == asked.origin()
    except (ValueError, IndexError):
        return "another address"
    return there.raw_path if home else str(there.origin())
