"""The decisions of the sandbox's Patchwork that need no server: subjects, diffs, pages, filters, versions."""

from __future__ import annotations

import json
import re
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patchwork_harness import diff

from pk_upload.sandbox.patchwork.diffs import diff_hash, pull_address, split_diff
from pk_upload.sandbox.patchwork.filters import BadMoment, Filter, ZonedMoment, read_moment, read_wanted
from pk_upload.sandbox.patchwork.mail import Mail, Unreadable, read_mail
from pk_upload.sandbox.patchwork.paging import NoSuchPage, Page, link_header, page_size, read_page
from pk_upload.sandbox.patchwork.subjects import read_subject
from pk_upload.sandbox.patchwork.versions import LATEST, of_version, read_version

RECORDINGS = json.loads((Path(__file__).parent.parent / "recordings" / "patchwork.json").read_text())
LINKED = [one for one in RECORDINGS if "Link" in one["response"]["headers"]]
WORDS = st.lists(st.sampled_from(["RFC", "net-next", "GIT", "PULL", "RESEND"]), max_size=3, unique=True)


# Subjects


@pytest.mark.parametrize(
    ("text", "name", "version", "number", "total", "is_reply"),
    [
        ("[PATCH] x", "x", 1, None, 1, False),
        ("[PATCH 3/3] x", "[3/3] x", 1, 3, 3, False),
        ("[PATCH v2 0/5] x", "[v2,0/5] x", 2, 0, 5, False),
        ("[PATCHv3,2/9] x", "[v3,2/9] x", 3, 2, 9, False),
        ("[lab] [PATCH,RFC] x", "[RFC] x", 1, None, 1, False),
        ("[LAB][v2][PATCH 1/2]x", "[v2,1/2] x", 2, 1, 2, False),
        ("[GIT PULL] please pull", "[GIT,PULL] please pull", 1, None, 1, False),
        ("Re: [lab] [PATCH 1/2] x", "[1/2] x", 1, 1, 2, True),
        ("[lab] RE: Fwd: x", "x", 1, None, 1, True),
        ("[PATCH/RFC 1/0] x [y]", "[RFC,1/0] x [y]", 1, 1, 1, False),
        ("  a\r\n\tb\x00 c  ", "a b c", 1, None, 1, False),
        ("Remove: x", "Remove: x", 1, None, 1, False),
        ("[unclosed x", "[unclosed x", 1, None, 1, False),
        ("[]", "", 1, None, 1, False),
    ],
)
def test_a_subject_is_taken_apart(
    text: str, name: str, version: int, number: int | None, total: int, is_reply: bool
) -> None:
    subject = read_subject(text, frozenset({"lab"}))
    assert (subject.name, subject.version, subject.is_reply) == (name, version, is_reply)
    assert (subject.number, subject.total) == (number, total)


@given(WORDS, st.integers(2, 999), st.integers(0, 9999), st.integers(1, 9999), st.booleans())
def test_a_subject_that_was_put_together_comes_apart_as_it_was(
    words: list[str], version: int, number: int, total: int, is_reply: bool
) -> None:
    prefixes = (*words, f"v{version}", f"{number}/{total}")
    text = f"{'Re: ' if is_reply else ''}[lab] [PATCH {' '.join(prefixes)}] title"
    subject = read_subject(text, frozenset({"lab"}))
    assert subject.prefixes == prefixes
    assert (subject.version, subject.number, subject.total) == (version, number, total)
    assert (subject.title, subject.is_reply) == ("title", is_reply)
    again = read_subject(subject.name)
    assert (again.prefixes, again.title) == (subject.prefixes, subject.title)


@given(st.text())
def test_any_subject_is_read(text: str) -> None:
    subject = read_subject(text)
    assert len(subject.name) <= 255
    assert "\n" not in subject.name
    assert subject.total >= 1


# Diffs and mails


def test_hashes_are_those_that_a_server_made() -> None:
    patches = [
        patch
        for recording in RECORDINGS
        for patch in [recording["response"].get("json")]
        if isinstance(patch, dict) and patch.get("diff")
    ]
    assert len({patch["id"] for patch in patches}) == 2
    for patch in patches:
        assert diff_hash(patch["diff"]) == patch["hash"]


def test_a_hash_is_of_what_changes_wherever_that_is() -> None:
    text = diff(1)
    assert diff_hash(text.replace("a/f1", "old/f1").replace("b/f1", "new/f1")) == diff_hash(text)
    assert diff_hash(text.replace("d95f3ad", "1234567")) == diff_hash(text)
    hunk = "--- a/x\n+++ b/x\n@@ -{},2 +{} @@ def f():\n-a\n b\n"
    assert diff_hash(hunk.format(1, 1)) == diff_hash(hunk.format(70, 60))
    for other in (
        text.replace("content", "Content"),
        text.replace("b/f1", "b/f2"),
        text.replace("+1 @@", "+1,2 @@"),
    ):
        assert diff_hash(other) != diff_hash(text)


@given(
    st.lists(st.integers(1, 99), min_size=1, max_size=4),
    st.sampled_from(["", "Why\n", "Why\n---\n f | 1 +\n"]),
)
def test_a_diff_is_found_behind_what_is_said_and_before_the_signature(numbers: list[int], said: str) -> None:
    whole = "".join(map(diff, numbers))
    for line_end in ("\n", "\r\n"):
        text = f"{said}\n{whole}-- \n2.40.1\n".replace("\n", line_end)
        assert split_diff(text) == (said, whole)


@pytest.mark.parametrize(
    "text",
    [
        "--- a\n+++ b\n@@ -1,2 +1 @@\n-x\n y\n\\ No newline at end of file\n",
        "diff --git a/x b/x\nold mode 100644\nnew mode 100755\n",
        "diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n",
        "diff --git a/x b/x\nindex 1..2\nGIT binary patch\nliteral 3\nKcmZQzAb\n\nliteral 0\nHcmV?d001\n",
        f"Index: x\n{'=' * 67}\n--- x\t(old)\n+++ x\t(new)\n@@ -1 +1 @@\n--- like a header\n+++ another\n",
    ],
)  # fmt: skip
def test_diffs_of_every_sort_are_found(text: str) -> None:
    assert split_diff(f"Why\n\n{text}\n-- \nme\n") == ("Why\n", text)


@pytest.mark.parametrize(
    "text",
    ["", "hello\n", "---\nx\n", "--- x\nno new name\n", "> diff --git a/x b/x\n> index 1\n",
     "diff --git a b\ntalk\n", "@@ -1 +1 @@\n"],
)  # fmt: skip
def test_what_is_no_diff_is_said(text: str) -> None:
    assert split_diff(text) == (text, None)


def test_a_hunk_ends_at_what_is_no_line_of_one() -> None:
    begun = "--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n a\n-b\n+c\n\n\\ No newline\n"
    for line in ("From me@x Mon Jan  6 16:00:00 2025", "x", "\tx", "@x", "diff"):
        assert split_diff(f"Why\n{begun}{line}\n+more\n") == (f"Why\n{line}\n+more\n", begun)
    again = diff(1)
    assert split_diff(f"{begun}{again}") == ("", begun + again)


@given(st.text(alphabet="+- @ab\n\\1,/x"))
def test_any_text_is_split_without_a_line_lost(text: str) -> None:
    said, found = split_diff(text)
    assert len(said) + len(found or "") <= len(text) + 2
    diff_hash(found or "")
    pull_address(text)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_mail_or_of_no_use(data: bytes) -> None:
    for head in (
        b"",
        b"From: a@example.com\n",
        b"From: a@example.com\nContent-Type: multipart/mixed; boundary=x\n\n--x\n",
    ):
        try:
            mail = read_mail(head + data)
        except Unreadable:
            continue
        assert isinstance(mail, Mail)
        json.dumps([mail.headers, mail.content, mail.diff], ensure_ascii=False).encode()
        assert re.fullmatch("<.+>", mail.msgid)


# Pages


@pytest.mark.parametrize("recording", LINKED, ids=lambda one: one["request"]["path"])
def test_links_are_those_that_a_server_made(recording: dict[str, dict[str, dict[str, str]]]) -> None:
    path, expected = str(recording["request"]["path"]), recording["response"]["headers"]["Link"]
    query = parse_qsl(urlsplit(path).query)
    last = re.search(r'[?&]page=([0-9]+)[^>]*>; rel="last"', expected)
    assert last is not None
    page = Page(int(dict(query).get("page", 1)), int(last[1]))
    assert link_header(f"http://patchwork.test{urlsplit(path).path}", query, page) == expected


@given(
    st.integers(0, 10_000),
    st.integers(1, 250),
    st.data(),
    st.lists(st.tuples(st.text(min_size=1, max_size=5), st.text(max_size=5)), max_size=4),
)
def test_links_lead_to_pages_that_there_are(
    total: int, size: int, data: st.DataObject, filters: list[tuple[str, str]]
) -> None:
    last = read_page("last", size, total).number
    number = data.draw(st.integers(1, last))
    page = read_page(str(number), size, total)
    query = [*filters, ("page", str(number))]
    links = re.findall(r'<([^>]*)>; rel="(\w+)"', link_header("http://x/", query, page))
    around = [*(["next"] if number < last else []), *(["prev"] if number > 1 else [])]
    assert [rel for _, rel in links] == [*around, "first", "last"]
    for address, _ in links:
        found = parse_qsl(urlsplit(address).query, keep_blank_values=True)
        assert read_page(dict(found).get("page"), size, total).number <= last
        assert sorted(pair for pair in found if pair[0] != "page") == sorted(
            pair for pair in filters if pair[0] != "page"
        )
    for wrong in (str(last + 1), "0", "-1", "x", " "):
        with pytest.raises(NoSuchPage):
            read_page(wrong, size, total)


@given(st.text())
def test_a_page_has_a_size_whatever_is_asked(asked: str) -> None:
    assert 1 <= page_size(asked) <= 250


# Filters


@given(st.datetimes(min_value=datetime(1, 1, 1)), st.sampled_from(["T", " "]))  # noqa: DTZ001 - without a zone
def test_a_time_without_a_zone_is_kept_as_it_is(moment: datetime, separator: str) -> None:
    assert read_moment(moment.isoformat(separator)) == moment.isoformat()
    for zone in ("Z", "+00:00", "-0530"):
        with pytest.raises(ZonedMoment):
            read_moment(f"{moment.isoformat(separator)}{zone}")


@given(st.text())
def test_any_other_time_is_none(text: str) -> None:
    try:
        assert datetime.fromisoformat(read_moment(text)).tzinfo is None
    except (BadMoment, ZonedMoment):
        return


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", "q", "order", "x"]), st.text(max_size=8))))
def test_any_query_is_read(query: list[tuple[str, str]]) -> None:
    filters = {"a": Filter("id"), "b": Filter("flag"), "c": Filter("id or name"), "q": Filter("words")}
    wanted = read_wanted(query, filters, ("a", "b"))
    assert wanted.ids.keys() | wanted.names.keys() <= filters.keys()
    assert all(isinstance(value, int) for values in wanted.ids.values() for value in values)
    assert {name for name, _ in wanted.order} <= {"a", "b"}
    values = [value.strip() for name, value in query if name in {"a", "c"}]
    assert "" not in values or wanted.nothing
    given = {name for name, _ in query} & {"a", "c"}
    assert wanted.nothing or given == (wanted.ids.keys() | wanted.names.keys()) - {"b"}


def test_an_order_is_by_the_first_mention_of_each_field() -> None:
    wanted = read_wanted([("order", " -date,id ,x,date,-id")], {}, ("id", "date"))
    assert wanted.order == [("date", True), ("id", False)]


def test_the_widest_of_several_times_counts() -> None:
    filters = {"since": Filter("since"), "before": Filter("before")}
    query = [(name, f"2025-01-0{day}") for name in ("since", "before") for day in (3, 1, 2)]
    wanted = read_wanted(query, filters, ())
    assert (wanted.since, wanted.before) == ("2025-01-01T00:00:00", "2025-01-03T00:00:00")


# Versions


def test_a_version_has_all_fields_of_those_before_it() -> None:
    versions = [read_version(text) for text in ("1.0", "1.1", "1.2", "1.3", "1.4")]
    assert versions[-1] == LATEST == read_version(None)
    for kind in ("project", "user", "patch", "cover", "series", "comment", "bundle", "event"):
        names = [
            "id",
            "url",
            "web_url",
            "mbox",
            "comments",
            "related",
            "list_archive_url",
            "addressed",
            "actor",
        ]
        seen = [set(of_version(kind, version, dict.fromkeys(names))) for version in versions]
        assert all(before <= after for before, after in pairwise(seen))
        assert seen[-1] == set(names)
        assert "id" in seen[0]
