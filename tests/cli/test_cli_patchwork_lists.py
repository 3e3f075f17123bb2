"""The lists of `pk-upload patchwork`: complete, filtered, and as tables, arrays and records."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from cli_harness import PROGRAM, environment
from hypothesis import given
from hypothesis import strategies as st
from patchwork_site import Site, server, site

from pk_upload.cli.patchwork import bundle, cover, patch, series
from pk_upload.cli.tables import table
from pk_upload.patchwork.filters import ORDERS
from recorded_patchwork import RecordedPatchwork, Trouble, answer

__all__ = ["server", "site"]

HOSTILE = 'a "b", c;\r\nd\x1b[2J\x07e\u202ef\tg\x9b名\u0301 é\x00'
IN_RECORDS = 'a "b", c;  d [2J e f g 名\u0301 é '
IN_TABLES = 'a "b", c; d [2J e f g 名\u0301 é'

LISTS: dict[str, tuple[str, str, list[str]]] = {
    # the list, where it is, and the header of its table
    "patch list": ("patches", "/api/1.4/patches/", ["ID", "DATE", "STATE", "CHECK", "SUBMITTER", "NAME"]),
    "series list": (
        "series",
        "/api/1.4/series/",
        ["ID", "DATE", "VERSION", "RECEIVED", "SUBMITTER", "NAME"],
    ),
    "cover list": ("covers", "/api/1.4/covers/", ["ID", "DATE", "SUBMITTER", "NAME"]),
    "check list 1": (
        "patches/1/checks",
        "/api/1.4/patches/1/checks/",
        ["ID", "DATE", "STATE", "CONTEXT", "USER", "DESCRIPTION"],
    ),
    "comment list --patch 1": (
        "patches/1/comments",
        "/api/1.4/patches/1/comments/",
        ["ID", "DATE", "ADDRESSED", "SUBMITTER", "SUBJECT"],
    ),
    "comment list --cover 1": (
        "covers/1/comments",
        "/api/1.4/covers/1/comments/",
        ["ID", "DATE", "ADDRESSED", "SUBMITTER", "SUBJECT"],
    ),
    "bundle list": (
        "bundles",
        "/api/1.4/bundles/",
        ["ID", "OWNER", "PROJECT", "PUBLIC", "PATCHES", "NAME"],
    ),
    "event list": ("events", "/api/1.4/events/", ["ID", "DATE", "CATEGORY", "ACTOR", "NAME"]),
    "project list": ("projects", "/api/1.4/projects/", ["ID", "LINK NAME", "LIST", "NAME"]),
    "user list": ("users", "/api/1.4/users/", ["ID", "USER", "FIRST NAME", "LAST NAME", "EMAIL"]),
    "person list": ("people", "/api/1.4/people/", ["ID", "EMAIL", "USER", "NAME"]),
}
each_list = pytest.mark.parametrize("command", LISTS)


@each_list
def test_a_list_in_every_form(site: Site, server: RecordedPatchwork, command: str) -> None:
    noun, path, header = LISTS[command]
    records = [server.records[noun][number] for number in sorted(server.records[noun])]
    ids = [each["id"] for each in records]
    told = site.json(*command.split())
    assert [each["id"] for each in told] == ids
    assert set(told[0]) >= set(records[0]) - {"headers", "content", "diff", "prefixes", "settings"}
    lines = site.table(*command.split())
    assert lines[0].split() == " ".join(header).split()
    assert [int(line.split()[0]) for line in lines[1:]] == ids
    rows = site.csv(*command.split())
    assert [int(row["id"]) for row in rows] == ids
    assert {seen.path for seen in server.seen} == {path}


@each_list
def test_an_empty_list(site: Site, server: RecordedPatchwork, command: str) -> None:
    noun, _, header = LISTS[command]
    server.records[noun].clear()
    assert site.json(*command.split()) == []
    [line] = site.table(*command.split())
    assert line.split() == " ".join(header).split()
    assert site.csv(*command.split()) == []


def test_a_state_that_most_sites_have_not_is_doubted_where_nothing_is_found(
    site: Site, server: RecordedPatchwork
) -> None:
    server.records["patches"].clear()
    assert "warning: this site may have no state 'under_review'; most have new, under-review," in (
        site.pk("patch", "list", "--state", "under_review").err
    )
    assert site.pk("patch", "list", "--state", "under-review").err == ""


@pytest.mark.parametrize("flag", ["--project", "--delegate"])
def test_names_that_a_site_may_not_know_are_doubted_where_nothing_is_found(
    site: Site, server: RecordedPatchwork, flag: str
) -> None:
    server.records["patches"].clear()
    done = site.pk("patch", "list", flag, "nope")
    assert done.code == 0
    assert done.err == f"warning: nothing is found; this site may not know {flag} nope\n"
    assert site.pk("patch", "list", "--query", "nope").err == ""


def test_private_bundles_are_shown_to_somebody(site: Site) -> None:
    done = site.pk("bundle", "list", "--private", env={"PATCHWORK_TOKEN": None})
    assert (done.code, "no token of Patchwork" in done.err) == (2, True)


def test_what_the_columns_say(site: Site, server: RecordedPatchwork) -> None:
    [line] = [line for line in site.table("patch", "list") if line.startswith("8 ")]
    assert re.split("  +", line) == [
        "8",
        "2025-01-06 23:03",
        "accepted",
        "pending",
        "Dev A",
        "[3/3] widget: rework part 2 step 3",
    ]
    [row] = [row for row in site.csv("patch", "list") if row["id"] == "8"]
    assert {name: row[name] for name in ("date", "state", "archived", "series", "delegate", "project")} == {
        "date": "2025-01-06T23:03:00Z",
        "state": "accepted",
        "archived": "true",
        "series": "2",
        "delegate": "",
        "project": "lab",
    }
    assert row["url"] == f"{server.url}/api/1.4/patches/8/"
    bundles = {row["name"]: row for row in site.csv("bundle", "list")}
    held = [str(each["id"]) for each in server.records["bundles"][1]["patches"]]
    assert bundles["for-next"]["patches"].split() == held
    assert bundles["for-next"]["patch_count"] == str(len(held))
    assert (bundles["private-one"]["public"], bundles["for-next"]["public"]) == ("false", "true")


def test_what_an_event_says(site: Site) -> None:
    told = {row["category"]: row for row in site.csv("event", "list")}
    assert told["series-created"]["name"] == "A sample series"
    assert told["cover-created"]["name"] == "[v2,0/2] A sample series"
    assert told["cover-comment-created"]["comment"] == "5"
    assert told["patch-delegated"]["current_delegate"] == "maint"
    changed, checked = told["patch-state-changed"], told["check-created"]
    assert (changed["previous_state"], changed["current_state"]) == ("new", "superseded")
    assert (checked["patch"], checked["check"], checked["check_state"]) == ("30", "60", "pending")


def test_a_person_without_a_name_goes_by_the_address(site: Site, server: RecordedPatchwork) -> None:
    server.records["covers"][1]["submitter"] |= {"name": None}
    server.records["covers"][2]["submitter"] = None
    assert [row["submitter"] for row in site.csv("cover", "list")] == ["contrib@example.com", ""]
    assert " -  " in site.table("cover", "list")[2]


# Pages and limits


def test_a_list_is_complete_over_all_pages(site: Site, server: RecordedPatchwork) -> None:
    server.largest_page = 15
    ids = sorted(server.records["patches"])
    assert [each["id"] for each in site.json("patch", "list")] == ids
    assert len(server.requests("GET patches")) == 3
    assert [int(row["id"]) for row in site.csv("patch", "list")] == ids
    assert len(site.table("patch", "list")) == len(ids) + 1


def test_a_limit_is_kept_over_pages(site: Site, server: RecordedPatchwork) -> None:
    server.largest_page = 5
    ids = sorted(server.records["patches"])
    assert [each["id"] for each in site.json("patch", "list", "--limit", "12")] == ids[:12]
    server.seen.clear()
    assert [each["id"] for each in site.json("patch", "list", "--limit", "2")] == ids[:2]
    assert [seen.asked("per_page") for seen in server.seen] == [["2"]]


def test_a_page_that_cannot_be_had_leaves_nothing_half_said(site: Site, server: RecordedPatchwork) -> None:
    server.largest_page = 5
    for form in ("--json", "--csv"):
        server.troubles["GET patches"] = [passing, answer(403)]
        done = site.pk("patch", "list", form)
        assert done.code == 3
        assert done.out.count("\n") == (form == "--json")


def passing(handler: Any) -> bool:
    """No trouble for this one."""
    return False


# Filters

ALL_OF_A_PATCH = (
    "--project lab --project 2 --series 1 --series 25 --submitter 3 --submitter a@b.example "
    "--delegate maint --delegate 3 --state new --state under-review --archived --hash 0ab1 "
    "--msgid <x@y.example> --since 2025-01-06T16:01:00+01:00 --before 2025-02-01 -q höhe"
)

ALL_OF_AN_EVENT = (
    "--project lab --category check-created --series 1 --patch 8 --patch 9 --cover 1 --actor 2 "
    "--since 2025-01-06 --before 2026-01-06"
)
FILTERS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "patch list": (
        ALL_OF_A_PATCH,
        [
            ("project", "lab"),
            ("project", "2"),
            ("series", "1"),
            ("series", "25"),
            ("submitter", "3"),
            ("submitter", "a@b.example"),
            ("delegate", "maint"),
            ("delegate", "3"),
            ("state", "new"),
            ("state", "under-review"),
            ("archived", "true"),
            ("hash", "0ab1"),
            ("msgid", "x@y.example"),
            ("since", "2025-01-06T15:01:00"),
            ("before", "2025-02-01T00:00:00"),
            ("q", "höhe"),
        ],
    ),
    "series list": (
        "--project lab --submitter 3 --since 2025-01-06 --before 2025-01-06T16:01:00Z --query part",
        [
            ("project", "lab"),
            ("submitter", "3"),
            ("since", "2025-01-06T00:00:00"),
            ("before", "2025-01-06T16:01:00"),
            ("q", "part"),
        ],
    ),
    "cover list": (
        "--project lab --submitter 3 --msgid x@y.example --since 2025-01-06 --before 2026-01-06 -q part",
        [
            ("project", "lab"),
            ("submitter", "3"),
            ("msgid", "x@y.example"),
            ("since", "2025-01-06T00:00:00"),
            ("before", "2026-01-06T00:00:00"),
            ("q", "part"),
        ],
    ),
    "check list 1": (
        "--user maint --user 3 --state fail --context build --since 2025-01-06 --before 2026-01-06",
        [
            ("user", "maint"),
            ("user", "3"),
            ("state", "3"),
            ("context", "build"),
            ("since", "2025-01-06T00:00:00"),
            ("before", "2026-01-06T00:00:00"),
        ],
    ),
    "bundle list": (
        "--project lab --owner maint --private -q next",
        [("project", "lab"), ("owner", "maint"), ("public", "false"), ("q", "next")],
    ),
    "event list": (
        ALL_OF_AN_EVENT,
        [
            ("project", "lab"),
            ("category", "check-created"),
            ("series", "1"),
            ("patch", "8"),
            ("patch", "9"),
            ("cover", "1"),
            ("actor", "2"),
            ("since", "2025-01-06T00:00:00"),
            ("before", "2026-01-06T00:00:00"),
        ],
    ),
    "user list": ("-q mary", [("q", "mary")]),
    "person list": ("--query mary", [("q", "mary")]),
}


@pytest.mark.parametrize("command", FILTERS)
def test_every_filter_reaches_the_address(site: Site, server: RecordedPatchwork, command: str) -> None:
    flags, expected = FILTERS[command]
    site.json(*command.split(), *flags.split())
    sent = [(name, value) for name, value in server.seen[0].query if name not in {"per_page", "page"}]
    assert sorted(sent) == sorted(expected)


def test_no_flag_is_no_filter(site: Site, server: RecordedPatchwork) -> None:
    site.json("patch", "list")
    assert {name for name, _ in server.seen[0].query} <= {"per_page", "page"}
    site.json("patch", "list", "--no-archived")
    site.json("bundle", "list", "--public")
    assert [seen.asked("archived") + seen.asked("public") for seen in server.seen[1:]] == [
        ["false"],
        ["true"],
    ]


@pytest.mark.parametrize(
    ("command", "order"),
    [
        ("patch", "-date"),
        ("series", "name"),
        ("cover", "-submitter"),
        ("bundle", "owner"),
        ("event", "date"),
        ("user", "username"),
        ("person", "email"),
    ],
)
def test_an_order_reaches_the_address(
    site: Site, server: RecordedPatchwork, command: str, order: str
) -> None:
    site.json(command, "list", "--order", order)
    [sent] = server.seen[0].asked("order")
    assert sent.split(",")[0] == order


def test_orders_are_those_of_the_client() -> None:
    for module, resource in ((patch, "patches"), (series, "series"), (cover, "covers"), (bundle, "bundles")):
        assert ORDERS[resource] == module.ORDERS


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("patch list --csv --json", "--csv and --json"),
        ("--json patch list --csv", "--csv and --json"),
        ("patch list --order nothing", "--order"),
        ("comment list --patch 1 --order date", "--order"),
        ("patch list --limit 0", "--limit"),
        ("patch list --limit many", "--limit"),
        ("patch list --series x", "--series"),
        ("patch list --submitter mary", "'mary'"),
        ("patch list --state=", "--state"),
        ("patch list --since yesterday", "--since"),
        ("patch list --before 2025-13-01", "--before"),
        ("patch list --since 0001-01-01T00:00+14:00", "since"),
        ("patch list --query=", "--query"),
        ("check list 1 --state great", "--state"),
        ("event list --category nothing", "--category"),
        ("event list --actor maint", "--actor"),
        ("event list extra", "extra"),
    ],
)
def test_mistakes(site: Site, server: RecordedPatchwork, arguments: str, named: str) -> None:
    done = site.pk(*arguments.split(), *(() if "--json" in arguments else ("--json",)))
    assert (done.code, done.error["type"]) == (2, "UsageError")
    assert named in done.error["message"]
    assert server.seen == []


# Records, and what hostile names do to them


def test_records_are_as_rfc_4180_has_them(site: Site, server: RecordedPatchwork) -> None:
    server.records["covers"][1]["name"] = 'say "hi", all'
    raw = raw_output(site, "cover", "list", "--csv")
    lines = raw.split(b"\r\n")
    assert lines.pop() == b""
    assert b"\n" not in b"".join(lines)
    assert lines[0] == b"id,date,submitter,name,submitter_email,project,series,msgid,web_url,url"
    assert b'1,2025-01-06T16:00:00Z,Carl Contributor,"say ""hi"", all",contrib@example.com,lab,1,' in lines[1]


def test_records_are_utf_8_wherever_they_go(site: Site, server: RecordedPatchwork) -> None:
    server.records["covers"][1]["name"] = "höhe 名 ✓"
    raw = raw_output(site, "cover", "list", "--csv", PYTHONUTF8="0", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert "höhe 名 ✓" in raw.decode()
    assert rb"h\xf6he" in raw_output(site, "cover", "list", PYTHONUTF8="0", PYTHONIOENCODING="ascii")


def raw_output(site: Site, *arguments: str, **env: str) -> bytes:
    command = [*PROGRAM, "patchwork", *arguments]
    settings = environment({**site.env, **env})
    return subprocess.run(command, env=settings, capture_output=True, check=True, timeout=60).stdout


def with_hostile_names(server: RecordedPatchwork) -> None:
    for record in (*server.records["patches"].values(), *server.records["covers"].values()):
        record["name"] = HOSTILE
        record["submitter"] = {"id": 1, "name": HOSTILE, "email": "x"}
    for record in server.records["patches/1/checks"].values():
        record |= {"description": HOSTILE, "context": HOSTILE, "state": HOSTILE}
    for record in server.records["patches/1/comments"].values():
        record |= {"subject": HOSTILE, "content": HOSTILE * 3}


@pytest.mark.parametrize("command", ["patch list", "cover list", "check list 1", "comment list --patch 1"])
def test_hostile_names_steer_nothing(site: Site, server: RecordedPatchwork, command: str) -> None:
    with_hostile_names(server)
    count = len(server.records[LISTS[command][0]])
    rows = site.csv(*command.split())
    assert len(rows) == count
    text = {row.get("name") or row.get("description") or row.get("subject") for row in rows}
    assert text == {IN_RECORDS}
    done = site.pk(*command.split())
    assert done.out.count("\n") == count + 1
    assert IN_TABLES in done.out
    raw = raw_output(site, *command.split(), "--csv").decode() + done.out
    assert all(c.isprintable() or c in "\r\n" for c in raw)
    assert HOSTILE in site.json(*command.split())[0].values(), "JSON has it as it is"


def test_a_shown_thing_with_hostile_names_steers_nothing(site: Site, server: RecordedPatchwork) -> None:
    with_hostile_names(server)
    server.records["patches"][8] |= {
        "headers": {HOSTILE: HOSTILE, "x\nid: 9": [HOSTILE, HOSTILE]},
        "content": f"{HOSTILE}\n{HOSTILE}",
    }
    out = site.pk("patch", "show", "8").out
    assert all(c.isprintable() or c == "\n" for c in out)
    assert "\nid: 9" not in out


def test_one_huge_name_does_not_make_every_line_as_long(site: Site, server: RecordedPatchwork) -> None:
    huge = "x" * 100_000
    server.records["patches"][1] |= {"state": huge, "name": huge}
    done = site.pk("patch", "list")
    assert done.code == 0
    assert huge in done.out, "and none is shortened"
    assert len(done.out) < 2 * len(huge) + 20_000
    assert site.csv("patch", "list")[0]["state"] == huge


def test_a_token_in_a_name_ends_no_record_early(site: Site, server: RecordedPatchwork) -> None:
    server.records["covers"][1]["name"] = f"see https://ci.example.com/?token={site.token}"
    server.records["covers"][2]["name"] = f'a "{site.token}", and on'
    rows = site.csv("cover", "list")
    assert [row["name"] for row in rows] == [
        "see https://ci.example.com/?token=[redacted]",
        'a "[redacted]", and on',
    ]
    assert [row["project"] for row in rows] == ["lab", "lab"]


# Tables that have to fit


def test_a_table_that_fits_is_left_as_it_is() -> None:
    header, rows = ("ID", "NAME"), [("1", "one"), ("22", "名名")]
    expected = "ID  NAME\n1   one\n22  名名"
    assert table(header, rows) == table(header, rows, width=80) == table(header, rows, width=8) == expected


def test_the_widest_columns_are_shortened_to_fit() -> None:
    rows = [("1", "a" * 50), ("2", "名" * 50), ("3", "short")]
    assert table(("ID", "NAME"), rows, width=30).splitlines() == [
        "ID  NAME",
        f"1   {'a' * 23}...",
        f"2   {'名' * 11}...",
        "3   short",
    ]
    assert "a" * 50 in table(("ID", "NAME"), rows)
    narrow = table(("ID", "NAME"), rows, width=3).splitlines()
    assert narrow[1] == "1   aaaaa...", "something is left of it, however narrow the terminal is"
    many = table(("A", "B", "C"), [("a" * 40, "b" * 10, "c" * 60)], width=50)
    assert many.splitlines()[1] == f"{'a' * 15}...  {'b' * 10}  {'c' * 15}..."


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(20, 200))
def test_a_table_fits_wherever_its_columns_can(widths: list[int], width: int) -> None:
    row = ["x" * wide for wide in widths]
    shown = table([""] * len(widths), [row], width=width)
    longest = max(map(len, shown.splitlines()))
    assert longest <= max(width, sum(min(wide, 8) for wide in widths) + 2 * (len(widths) - 1))
    whole = table([""] * len(widths), [row])
    assert shown == whole or max(map(len, whole.splitlines())) > width


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_on_a_terminal_names_are_shortened(site: Site, server: RecordedPatchwork) -> None:
    import pty

    server.records["covers"][1]["name"] = "long " * 50
    server.records["covers"][2]["name"] = f"https://ci.example.com/?{site.token}{'ijkl' * 50}"
    ours, theirs = pty.openpty()
    env = environment({**site.env, "COLUMNS": "80", "TERM": "xterm-256color"})
    process = subprocess.Popen(
        [*PROGRAM, "patchwork", "cover", "list"], env=env, stdin=subprocess.DEVNULL, stdout=theirs
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:
        pass  # how Linux tells that the other side is closed
    finally:
        os.close(ours)
    assert process.wait(60) == 0
    lines = shown.decode().split("\r\n")
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].endswith("...")
    assert "oken" not in shown.decode(), "a secret is taken out, and before it is cut in two"
    assert "long " * 50 in site.pk("cover", "list").out.replace("\n", " ")


def test_a_table_in_a_pipe_has_whole_names(site: Site, server: RecordedPatchwork) -> None:
    server.records["covers"][1]["name"] = "long " * 50
    out = site.pk("cover", "list", env={"COLUMNS": "40"}).out
    assert ("long " * 50).strip() in out


TROUBLES: list[tuple[Trouble, int]] = [
    (answer(200, b"[" * 100_000), 7),
    (answer(200, {"id": 1}), 7),
    (answer(200, [{"name": "no id"}]), 7),
    (answer(200, [{"id": 1, "date": "yesterday"}]), 7),
]


@pytest.mark.parametrize(("trouble", "code"), TROUBLES)
def test_an_answer_that_is_no_list(
    site: Site, server: RecordedPatchwork, trouble: Trouble, code: int
) -> None:
    server.trouble("GET covers", trouble)
    done = site.pk("cover", "list", "--retries", "0", "--json")
    assert (done.code, done.error["type"]) == (code, "UnexpectedAnswer")


def test_records_can_be_read_back(site: Site, server: RecordedPatchwork) -> None:
    with_hostile_names(server)
    done = site.pk("patch", "list", "--csv")
    rows = [*csv.reader(io.StringIO(done.out), strict=True)]
    assert {len(row) for row in rows} == {17}
