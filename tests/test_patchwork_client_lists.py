"""Lists over many pages: complete, each item once, no page that nobody wants, and no end that never comes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pk_upload.errors import NotFound, ServerError, UnexpectedAnswer, UsageError, api_error
from pk_upload.patchwork import Listing, Patchwork, User
from pk_upload.patchwork.filters import FILTERS, ORDERS
from pk_upload.patchwork.listing import MOST_AT_ONCE, Page
from pk_upload.patchwork.pages import Links, read_links
from pk_upload.patchwork.query import CHECK_STATES, query
from scripted_server import FAST, Answer, Serve, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
async def serve(anyio_backend: str) -> AsyncIterator[Serve]:
    async with serving() as start:
        yield start


class Numbers:
    """A list of `count` users in pages of `size`, which remembers what it was asked for."""

    def __init__(self, count: int, size: int, *, tells_last: bool = True) -> None:
        self.count = count
        self.size = size
        self.tells_last = tells_last
        self.asked: list[int] = []
        self.busy = 0
        self.most_busy = 0
        self.before: Callable[[int], object] = int

    async def fetch(self, page: int) -> Page[User]:
        self.asked.append(page)
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        await anyio.lowlevel.checkpoint()
        self.busy -= 1
        self.before(page)
        items = [User(id=number) for number in range(self.count)[(page - 1) * self.size : page * self.size]]
        if page > 1 and not items:
            raise api_error(404, "Invalid page.")
        last = max(1, -(-self.count // self.size))
        return Page(items, Links(page + 1 if page < last else None, last if self.tells_last else None))


def run(listing: Listing[User]) -> list[int]:
    async def everything() -> list[int]:
        return [user.id for user in await listing.all()]

    return anyio.run(everything)


@given(st.integers(0, 60), st.integers(1, 20), st.none() | st.integers(0, 70), st.booleans())
def test_a_list_is_complete_and_no_page_is_asked_for_twice(
    count: int, size: int, limit: int | None, tells_last: bool
) -> None:
    numbers = Numbers(count, size, tells_last=tells_last)
    found = run(Listing(numbers.fetch, limit=limit))
    wanted = count if limit is None else min(count, limit)
    assert found == list(range(wanted))
    pages = -(-wanted // size) if limit is not None else max(1, -(-count // size))
    if limit == 0:
        pages = 0
    elif count == 0:
        pages = 1
    assert sorted(numbers.asked) == list(range(1, pages + 1))
    assert numbers.most_busy <= (MOST_AT_ONCE if tells_last else 1)


@given(st.integers(0, 60), st.integers(1, 20), st.none() | st.integers(0, 70), st.integers(2, 5))
def test_a_list_can_be_shared_by_several_tasks(count: int, size: int, limit: int | None, tasks: int) -> None:
    numbers = Numbers(count, size)
    found: list[int] = []

    async def share() -> None:
        listing = Listing(numbers.fetch, limit=limit)

        async def take() -> None:
            async for user in listing:
                found.append(user.id)
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as group:
            for _ in range(tasks):
                group.start_soon(take)

    anyio.run(share)
    assert sorted(found) == list(range(count if limit is None else min(count, limit)))
    assert len(numbers.asked) == len(set(numbers.asked))


async def test_a_long_list_is_fetched_several_pages_at_once() -> None:
    numbers = Numbers(1000, 10)
    assert len(await Listing(numbers.fetch).all()) == 1000
    assert numbers.most_busy == MOST_AT_ONCE


async def test_no_more_pages_are_fetched_than_a_limit_needs() -> None:
    numbers = Numbers(1000, 10)
    assert len(await Listing(numbers.fetch, limit=15).all()) == 15
    assert numbers.asked == [1, 2]


async def test_nothing_is_fetched_that_nobody_asked_for() -> None:
    numbers = Numbers(1000, 10)
    listing = Listing(numbers.fetch)
    assert numbers.asked == []
    for _ in range(10):
        await anext(listing)
    assert numbers.asked == [1]
    await anext(listing)
    assert numbers.asked == [1, 2, 3]


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 6), st.integers(-20, 20))
def test_a_list_that_changes_meanwhile_has_no_item_twice_and_an_end(
    count: int, size: int, when: int, change: int
) -> None:
    numbers = Numbers(count, size)

    def grow_or_shrink(page: int) -> None:
        if page == when:
            numbers.count = max(0, count + change)

    numbers.before = grow_or_shrink
    try:
        found = run(Listing(numbers.fetch))
    except UnexpectedAnswer:  # the page before promised one, and it is empty
        assert change < 0
        return
    assert len(found) == len(set(found))
    assert set(range(min(count, numbers.count))) <= set(found)


async def test_items_that_move_to_a_later_page_come_once() -> None:
    pages = {1: [5, 4], 2: [4, 3], 3: [2]}  # one came in at the front while the first was read

    async def fetch(page: int) -> Page[User]:
        return Page([User(id=number) for number in pages[page]], Links(page + 1 if page < 3 else None, 3))

    assert [user.id for user in await Listing(fetch).all()] == [5, 4, 3, 2]


@pytest.mark.parametrize("following", [1, 0, 2])
async def test_a_list_that_goes_round_in_circles_is_an_error(following: int) -> None:
    async def fetch(page: int) -> Page[User]:
        return Page([User(id=page)], Links(following, 9))

    with pytest.raises(UnexpectedAnswer, match="does not end"):
        await Listing(fetch).all()


async def test_empty_pages_without_end_are_an_error() -> None:
    async def fetch(page: int) -> Page[User]:
        return Page([], Links(page + 1, None))

    with pytest.raises(UnexpectedAnswer):
        await Listing(fetch).all()


async def test_a_page_that_is_not_there_is_the_end_only_where_the_one_before_says_so() -> None:
    def without(missing: int, *, shorter: bool) -> Listing[User]:
        last = 3

        async def fetch(page: int) -> Page[User]:
            nonlocal last
            if page >= missing:
                last = missing - 1 if shorter else last
                raise api_error(404, "Invalid page.")
            return Page([User(id=page)], Links(page + 1 if page < last else None, 3))

        return Listing(fetch)

    for missing in (1, 2, 3):
        with pytest.raises(NotFound):
            await without(missing, shorter=False).all()
    assert [user.id for user in await without(2, shorter=True).all()] == [1]
    assert [user.id for user in await without(3, shorter=True).all()] == [1, 2]


@pytest.mark.parametrize("tells_last", [False, True])
async def test_a_list_may_become_shorter_by_many_pages(tells_last: bool) -> None:
    numbers = Numbers(1000, 10, tells_last=tells_last)

    def shrink(page: int) -> None:
        if page >= 7:
            numbers.count = 15

    numbers.before = shrink
    found = [user.id for user in await Listing(numbers.fetch).all()]
    assert found[:60] == list(range(60))
    assert len(numbers.asked) <= 13


async def test_what_was_fetched_of_a_list_that_became_shorter_is_kept() -> None:
    """The first two are gone when the second page is asked for; what the last one has now was behind them."""
    asked: list[int] = []

    async def fetch(page: int) -> Page[User]:
        asked.append(page)
        if page > 1:
            raise api_error(404, "Invalid page.")
        ids, following = ([1, 2], 2) if len(asked) == 1 else ([3, 4], None)
        return Page([User(id=number) for number in ids], Links(following, following))

    assert [user.id for user in await Listing(fetch).all()] == [1, 2, 3, 4]


async def test_a_page_that_brings_an_error_is_asked_for_again_and_no_other() -> None:
    fails = True

    async def fetch(page: int) -> Page[User]:
        return Page([User(id=page)], Links(1 if fails and page == 3 else page + 1 if page < 4 else None, 4))

    listing = Listing(fetch)
    found = [(await anext(listing)).id]
    with pytest.raises(UnexpectedAnswer):
        await anext(listing)
    fails = False
    found += [user.id for user in await listing.all()]
    assert found == [1, 2, 3, 4]


async def test_pages_that_are_missing_are_not_looked_for_through_the_whole_list() -> None:
    asked: list[int] = []

    async def fetch(page: int) -> Page[User]:
        asked.append(page)
        if len(asked) > 40:
            raise api_error(404, "Not found.")
        return Page([User(id=page)], Links(page + 1, 1000))

    with pytest.raises(NotFound):
        await Listing(fetch).all()
    assert len(asked) <= 52


async def test_an_order_that_is_made_here_has_all_after_a_failure_too() -> None:
    fails = True

    async def fetch(page: int) -> Page[User]:
        nonlocal fails
        if page == 2 and fails:
            fails = False
            raise api_error(500, "Trouble.")
        return Page([User(id=page)], Links(page + 1 if page < 3 else None, 3))

    listing = Listing(fetch).sorted(lambda user: -user.id)
    with pytest.raises(ServerError):
        await anext(listing)
    assert [user.id for user in await listing.all()] == [3, 2, 1]


async def test_a_list_that_repeats_itself_is_soon_an_error() -> None:
    asked: list[int] = []

    async def fetch(page: int) -> Page[User]:
        asked.append(page)
        return Page([User(id=1)], Links(page + 1, None))

    with pytest.raises(UnexpectedAnswer, match="brings nothing new"):
        await Listing(fetch).all()
    assert len(asked) <= 5


async def test_what_goes_wrong_with_one_of_several_pages_is_what_is_raised() -> None:
    numbers = Numbers(100, 10)

    def fail(page: int) -> None:
        if page == 3:
            raise api_error(500, "broken")

    numbers.before = fail
    listing = Listing(numbers.fetch)
    with pytest.raises(ServerError, match="broken"):
        await listing.all()


# Links


@pytest.mark.parametrize(
    ("header", "links"),
    [
        ('<http://a/?page=2&per_page=5>; rel="next", <http://a/?page=26>; rel="last"', Links(2, 26)),
        ('<http://a/?per_page=5>; rel="prev", <http://a/?page=3>; rel=last', Links(None, 3)),
        ('<http://a/?q=%2C%3E&page=4>;rel="next"', Links(4, None)),
        ("<http://a/?page=2>; title='x'; rel='next'", Links(2, None)),
        ('<http://a/?page=2>; rel = "next", <http://a/?page=7>; REL=Last', Links(2, 7)),
        ('</style.css>; rel=preload; as=style, <http://a/?page=2>; rel="last next"', Links(2, 2)),
        ('<http://a/?page=2>; rel="next", <http://a/?page=9>; rel="next"', Links(2, None)),
        ('<http://a/?page=x>; rel="last"', Links(None, None)),
        ("nonsense", Links(None, None)),
        ("", Links(None, None)),
    ],
)
def test_the_link_header_is_read(header: str, links: Links) -> None:
    assert read_links(header) == links


@pytest.mark.parametrize(
    "address", ["http://a/?page=x", f"http://a/?page={'9' * 30}", "http://[", "?page=%C2%B2"]
)
def test_a_next_page_without_a_number_is_an_error_and_not_the_end(address: str) -> None:
    with pytest.raises(UnexpectedAnswer, match="Link"):
        read_links(f'<{address}>; rel="next"')


@given(st.text() | st.text("<>;=, \"'rel"))
def test_any_link_header_is_read_without_a_crash(header: str) -> None:
    for each in (header, f'<{header}>; rel="next"'):
        with suppress(UnexpectedAnswer):
            read_links(each)


# Filters


def pairs(resource: str, **filters: Any) -> list[tuple[str, str]]:
    return [*query(resource, filters).pairs]


def test_filters_become_parameters() -> None:
    assert pairs("patches", project="lab", state=["new", "rfc"], archived=False, series=7) == [
        ("project", "lab"),
        ("state", "new"),
        ("state", "rfc"),
        ("archived", "false"),
        ("series", "7"),
    ]
    assert pairs("patches", submitter=["a@b.example", 3]) == [
        ("submitter", "a@b.example"),
        ("submitter", "3"),
    ]
    assert pairs("patches", msgid="<one@two>") == [("msgid", "one@two")]
    assert pairs("events", category="check-created") == [("category", "check-created")]
    assert pairs("patches", q=None, state=None) == []


@pytest.mark.parametrize("number", range(4))
def test_states_of_checks_are_asked_for_by_number(number: int) -> None:
    assert pairs("checks", state=CHECK_STATES[number]) == [("state", str(number))]


@given(st.datetimes(), st.integers(-23, 23))
def test_moments_are_sent_naive_and_in_utc(naive: datetime, hours: int) -> None:
    try:
        aware = naive.replace(tzinfo=timezone(timedelta(hours=hours)))
        utc = aware.astimezone(UTC)
    except OverflowError:
        return
    [(_, sent)] = pairs("patches", since=aware)
    assert datetime.fromisoformat(sent) == utc.replace(tzinfo=None)
    [(_, as_it_is)] = pairs("patches", since=naive)
    assert datetime.fromisoformat(as_it_is) == naive


@pytest.mark.parametrize(
    ("resource", "filters"),
    [
        ("patches", {"state": ""}),
        ("patches", {"hash": ["a", "b"]}),
        ("patches", {"q": ["a", "b"]}),
        ("checks", {"context": ["a", "b"]}),
        ("events", {"category": ["check-created", "cover-created"]}),
        ("events", {"actor": "maint"}),
        ("events", {"actor": [1, 2]}),
        ("patches", {"state": " "}),
        ("patches", {"q": ""}),
        ("patches", {"project": ""}),
        ("patches", {"project": 0}),
        ("patches", {"project": True}),
        ("patches", {"series": "7"}),
        ("patches", {"series": [1, -1]}),
        ("patches", {"series": 2**63}),
        ("patches", {"series": range(1, 2000)}),
        ("patches", {"submitter": "Dev A"}),
        ("patches", {"archived": "yes"}),
        ("patches", {"since": "2025-01-01"}),
        ("patches", {"msgid": "<>"}),
        ("patches", {"q": "\ud800"}),
        ("patches", {"since": datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))}),
        ("checks", {"state": "great"}),
        ("events", {"category": "patch-eaten"}),
    ],
)
def test_a_filter_that_a_service_would_leave_out_is_refused(resource: str, filters: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        query(resource, filters)
    assert caught.value.hint


@pytest.mark.parametrize("resource", ORDERS)
def test_orders_are_those_of_the_list(resource: str) -> None:
    for order in ORDERS[resource]:
        ties = ",id" if order not in {"id", "date" if resource == "events" else ""} else ""
        assert query(resource, {}, order).pairs[0] == ("order", f"{order}{ties}")
        assert query(resource, {}, f"-{order}").pairs[0] == ("order", f"-{order}{ties.replace('id', '-id')}")
    for order in ("", "-", "size", "--id"):
        with pytest.raises(UsageError):
            query(resource, {}, order)


async def test_of_no_values_nothing_is_asked_for(serve: Serve) -> None:
    server = await serve(Answer(200, b'[{"id": 1}]'))
    async with Patchwork(server.url, retry=FAST) as client:
        assert await client.patches(state=[]).all() == []
        assert await client.patches(project="lab", series=()).all() == []
    assert server.seen == []


async def test_the_order_that_a_service_gets_wrong_is_made_here(serve: Serve) -> None:
    states = ["fail", "pending", "warning", "success", "pending", "new kind"]
    patches = [{"id": number, "check": state} for number, state in enumerate(states, 1)]
    server = await serve(Answer(200, json.dumps(patches).encode()))
    async with Patchwork(server.url, retry=FAST) as client:
        assert [patch.id async for patch in client.patches(order="check")] == [2, 5, 4, 3, 1, 6]
        assert [patch.id async for patch in client.patches(order="-check", limit=2)] == [6, 1]
    assert not any("order" in seen.target for seen in server.seen)


async def test_an_unknown_filter_is_an_error_and_not_everything() -> None:
    async with Patchwork("http://127.0.0.1:1") as client:
        with pytest.raises(UsageError, match="no filter 'stat' of patches") as caught:
            client.patches(stat="new")  # type: ignore[call-arg]
        assert "state" in caught.value.hint
        with pytest.raises(UsageError, match="no filter 'patch' of covers"):
            client.covers(patch=1)  # type: ignore[call-arg]
        with pytest.raises(UsageError):
            client.patches(order="size")


@pytest.mark.parametrize("resource", FILTERS)
def test_every_filter_is_known_by_how_it_is_read(resource: str) -> None:
    for name in FILTERS[resource].__annotations__:
        with pytest.raises(UsageError, match=name):
            query(resource, {name: object()})


@pytest.mark.parametrize("name", ["hash", "msgid"])
async def test_a_filter_that_an_older_version_would_leave_out_is_refused(serve: Serve, name: str) -> None:
    server = await serve(Answer(200, b"[]"))
    async with Patchwork(server.url, version="1.1", retry=FAST) as client:
        with pytest.raises(UsageError, match=name):
            await client.patches(**{name: "abc"}).all()  # type: ignore[arg-type]
        assert server.seen == []
        assert await client.covers(msgid="abc").all() == []  # which have had that filter from the beginning
    async with Patchwork(server.url, version="1.2", retry=FAST) as client:
        assert await client.patches(**{name: "abc"}).all() == []  # type: ignore[arg-type]


async def test_the_links_of_a_long_address_are_read(serve: Serve) -> None:
    address = f"http://a/?{'series=12345&' * 440}"
    links = ", ".join(f'<{address}page={page}>; rel="{rel}"' for page, rel in ((2, "next"), (1, "first")))
    server = await serve(
        Answer(200, b'[{"id": 1}]', {"Link": links}), Answer(200, b'[{"id": 2}]', {"Link": ""})
    )
    async with Patchwork(server.url, retry=FAST) as client:
        found = await client.patches(series=[12345] * 440).all()
    assert [patch.id for patch in found] == [1, 2]


async def test_links_of_others_do_not_hide_those_of_the_list(serve: Serve) -> None:
    first = (
        b"HTTP/1.1 200 OK\r\nLink: </x.css>; rel=preload\r\nLink: <http://a/?page=2>; rel=next\r\n"
        b'Content-Length: 12\r\nConnection: close\r\n\r\n[{"id": 1} ]'
    )
    server = await serve(first, Answer(200, b'[{"id": 2}]'))
    async with Patchwork(server.url, retry=FAST) as client:
        assert [patch.id for patch in await client.patches().all()] == [1, 2]


async def test_pages_are_as_large_as_they_may_be_and_no_larger_than_wanted(serve: Serve) -> None:
    server = await serve(Answer(200, json.dumps([{"id": number} for number in range(250)]).encode()))
    async with Patchwork(server.url, retry=FAST) as client:
        await client.patches().all()
        assert len(await client.patches(limit=7).all()) == 7
        await client.patches(limit=1000).all()
        assert await client.patches(limit=0).all() == []
        with pytest.raises(UsageError):
            client.patches(limit=-1)
    sizes = [dict(parse_qsl(urlsplit(seen.target).query))["per_page"] for seen in server.seen]
    assert sizes == ["250", "7", "250"]
