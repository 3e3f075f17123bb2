"""A request whose answer was lost: the state is read before it is sent again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pk_upload.client import Client
from pk_upload.errors import ConnectFailed, NetworkError, PkUploadError, ServerError, UnexpectedAnswer
from pk_upload.events import OnEvent, Retry, Warned

__all__ = ["is_lost", "same_text", "settled"]

T = TypeVar("T")
C = TypeVar("C", bound=Client)


def is_lost(error: PkUploadError) -> bool:
    """Whether a request that ended so may have been carried out."""
    lost = isinstance(error, ServerError | NetworkError | UnexpectedAnswer)
    return lost and not isinstance(error, ConnectFailed)


def same_text(kept: str | None, given: str | None) -> bool:
    """Whether a service keeps what was given so: without the white space around it, or none at all."""
    return (kept or "").strip() == (given or "").strip()


async def settled(
    client: C,
    emit: OnEvent,
    what: str,
    ask: Callable[[C], Awaitable[T]],
    find: Callable[[], Awaitable[T | None]],
) -> T:
    """What `ask` returns, or what `find` reads once an answer is lost; asked again only if it finds nothing.

    `ask` gets a client that repeats nothing by itself. Raises what `ask` raises when the retries are over,
    and at once what `find` raises: to ask again without having read would be blind.
    """
    once = client.listening(emit, retries=0)
    lost = False

    async def attempt() -> T:
        nonlocal lost
        try:
            return await ask(once)
        except PkUploadError as error:
            # A refusal after a lost answer may be for what was done then and did not show at once.
            lost = lost or is_lost(error)
            if not lost:
                raise
            found = await _read(find)
            if found is None:
                raise
        emit(Warned(f"the answer to {what} was lost, but it was carried out"))
        return found

    def tell(count: int, error: PkUploadError, wait: float) -> None:
        emit(Retry(what, count, error.message, wait))

    try:
        return await client.http.retrying(attempt, repeatable=True, on_retry=tell)
    except _Unread as unread:
        raise unread.error from None


class _Unread(Exception):
    """Carries the error of a reading past the retries, which are for the request alone."""

    def __init__(self, error: PkUploadError) -> None:
        super().__init__(error)
        self.error = error


async def _read(find: Callable[[], Awaitable[T | None]]) -> T | None:
    try:
        return await find()
    except PkUploadError as error:
        raise _Unread(error) from error
