"""What the clients of all services have in common: one session, opened and closed with them."""

from __future__ import annotations

import copy
from types import TracebackType
from typing import Self

from pk_upload.events import OnEvent
from pk_upload.http import Http

__all__ = ["Client"]


class Client:
    """A client of one service, over the session `http`. Use it as an async context manager."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, traceback)

    @property
    def http(self) -> Http:
        """The session under this client, for who drives attempts of their own."""
        return self._http

    def listening(self, on_event: OnEvent, *, retries: int | None = None) -> Self:
        """The same client, telling `on_event` of repeated calls, with other `retries` if they are given."""
        other = copy.copy(self)
        other._http = self._http.listening(on_event, retries=retries)
        return other
