"""A list that is longer than a page: fetched as it is gone through, several pages at once if it is long."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

import anyio

from pk_upload.errors import NotFound, UnexpectedAnswer, UsageError, first_cause
from pk_upload.patchwork.pages import Links
from pk_upload.patchwork.resources import Resource

__all__ = ["Listing", "Page", "checked_limit"]

MOST_AT_ONCE = 4  # pages
MOST_STALE = 3  # pages on end, of which nothing is new; one may be so where a list grows meanwhile

T = TypeVar("T", bound=Resource)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list, and where it goes on."""

    items: list[T]
    links: Links


class Listing(AsyncIterator[T]):
    """The items of a list, each once, over all pages or until there are `limit` of them.

    Nothing is fetched before the first item is asked for: one page then, and further ones when those before
    them are used up, one, two and then four at once. Each step raises what the client's calls raise.
    Several tasks may share it; each item comes to one of them.
    A list is not frozen: where items leave it meanwhile, such as patches that are given another state than
    the one it is filtered by, as many of the next page are left out. Take `all` of it before you change them.
    """

    def __init__(self, fetch: Callable[[int], Awaitable[Page[T]]], *, limit: int | None = None) -> None:
        self._fetch = fetch
        self._left = checked_limit(limit)
        self._items: deque[T] = deque()
        self._seen: set[int] = set()
        self._next: int | None = 1
        self._last = 1
        self._at_once = 1
        self._size = 1  # of the largest page so far, in items
        self._stale = 0
        self._fetching = anyio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while self._left != 0:
            if self._items:
                if self._left is not None:
                    self._left -= 1
                return self._items.popleft()
            async with self._fetching:
                if not self._items:
                    if self._next is None:
                        break
                    await self._go_on(self._next)
        raise StopAsyncIteration

    async def all(self) -> list[T]:
        """What is left of the list."""
        return [item async for item in self]

    def sorted(
        self, key: Callable[[T], int], *, reverse: bool = False, limit: int | None = None
    ) -> Listing[T]:
        """The same items by `key`, up to `limit` of them: for an order that a service gets wrong."""

        items: list[T] = []

        async def fetch(_page: int) -> Page[T]:
            async for item in self:
                items.append(item)  # noqa: PERF401 - what came before a failure is kept
            return Page(sorted(items, key=key, reverse=reverse), Links(None, None))

        return Listing(fetch, limit=limit)

    async def _go_on(self, first: int) -> None:
        """Takes in the page `first` and those after it that are wanted as well."""
        wanted = self._at_once if self._left is None else min(self._at_once, -(-self._left // self._size))
        numbers = range(first, max(first, min(first + wanted - 1, self._last)) + 1)
        pages: dict[int, Page[T]] = {}
        missing: dict[int, NotFound] = {}

        async def fetch(number: int) -> None:
            try:
                pages[number] = await self._fetch(number)
            except NotFound as error:
                missing[number] = error

        with first_cause():
            async with anyio.create_task_group() as group:
                for number in numbers:
                    group.start_soon(fetch, number)
        for number in numbers:
            if number in missing:
                await self._settle(number, missing[number], [pages[each] for each in sorted(pages)])
                return
            if not self._take_in(number, pages[number]):
                self._next = None
                return
            self._next = number + 1
        self._at_once = min(2 * self._at_once, MOST_AT_ONCE)

    async def _settle(self, number: int, error: NotFound, pages: list[Page[T]]) -> None:
        """Takes in the rest of a list that ends before page `number` by now; raises `error` if it does not.

        That rest is what the last page has by now, and what was fetched before the list became shorter.
        """
        last = await self._last_before(number)
        if last is None or last.links.next is not None:
            raise error
        for page in (*pages, last):
            self._keep(page)
        self._next = None

    async def _last_before(self, number: int) -> Page[T] | None:
        """The last page that there still is before page `number`, which is gone."""
        there, gone, last = 0, number, None
        middle = number - 1
        while gone - there > 1:
            try:
                last = await self._fetch(middle)
                there = middle
            except NotFound:
                gone = middle
            middle = (there + gone) // 2
        return last

    def _take_in(self, number: int, page: Page[T]) -> bool:
        """Keeps what is new of the page; whether there is another one after it."""
        fresh = self._keep(page)
        if page.links.next is None:
            return False
        self._stale = 0 if fresh else self._stale + 1
        if page.links.next <= number or not page.items or self._stale >= MOST_STALE:
            raise UnexpectedAnswer(f"the list does not end after page {number}, and brings nothing new")
        self._last = page.links.last or page.links.next
        return True

    def _keep(self, page: Page[T]) -> bool:
        """Keeps what is new of the page; whether anything is."""
        fresh = [item for item in page.items if item.id not in self._seen]
        self._seen.update(item.id for item in fresh)
        self._items.extend(fresh)
        self._size = max(self._size, len(page.items))
        return bool(fresh)


def checked_limit(limit: int | None) -> int | None:
    """`limit` itself; raises `UsageError` if it is none."""
    if limit is not None and (type(limit) is not int or limit < 0):
        raise UsageError("a limit is a number of items, 0 or more")
    return limit
