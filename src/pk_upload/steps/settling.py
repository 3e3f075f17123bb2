"""A POST whose answer was lost: the state is read before it is sent again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pk_upload.errors import ConnectFailed, NetworkError, PkUploadError, ServerError
from pk_upload.events import OnEvent, Retry, Warned
from pk_upload.patchkit import PatchKit

__all__ = ["settled"]

T = TypeVar("T")


async def settled(
    patchkit: PatchKit,
    emit: OnEvent,
    what: str,
    ask: Callable[[PatchKit], Awaitable[T]],
    find: Callable[[], Awaitable[T | None]],
) -> T:
    """What `ask` returns, or what `find` reads once an answer is lost; asked again only if it finds nothing.

    `ask` gets a client that repeats nothing by itself. Raises what `ask` raises when the retries are over.
    """
    once = patchkit.listening(emit, retries=0)

    async def attempt() -> T:
        try:
            return await ask(once)
        except (ServerError, NetworkError) as error:
            found = None if isinstance(error, ConnectFailed) else await find()
            if found is None:
                raise
            emit(Warned(f"the answer to {what} was lost, but it was carried out"))
            return found

    def tell(count: int, error: PkUploadError, wait: float) -> None:
        emit(Retry(what, count, error.message, wait))

    return await patchkit.http.retrying(attempt, repeatable=True, on_retry=tell)
