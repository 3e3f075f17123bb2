"""`pk-upload patchwork`: every command, what it asks for and answers, and what goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import click
import pytest
from cli_harness import PROGRAM, environment, pk
from patchwork_site import Site, server, site
from test_cli_help import LISTEN

from pk_upload.cli.patchwork import bundle, check, cover, event, group, patch, person, series, user
from pk_upload.cli.settings import Settings
from pk_upload.errors import UsageError
from pk_upload.patchwork import filters, query, versions
from recorded_patchwork import RecordedPatchwork, answer, hang_up, lose_answer

__all__ = ["server", "site"]

COMMANDS = {
    "patch": ("list", "show", "update", "download"),
    "series": ("list", "show", "download"),
    "cover": ("list", "show", "download"),
    "check": ("list", "show", "create"),
    "comment": ("list", "show", "update"),
    "bundle": ("list", "show", "create", "update", "delete", "download"),
    "event": ("list",),
    "project": ("list", "show", "update"),
    "user": ("list", "show", "update"),
    "person": ("list", "show"),
}
SECRET = "t0k3n-of-4-t3st/+="


# Help


def test_there_are_these_commands() -> None:
    assert set(group.NOUNS) == set(COMMANDS)


@pytest.mark.parametrize(
    "command", [(), *((noun,) for noun in COMMANDS), *((n, c) for n, cs in COMMANDS.items() for c in cs)]
)
def test_every_command_has_help(command: tuple[str, ...]) -> None:
    done = pk("patchwork", *command, "-h")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: {' '.join(('pk-upload', 'patchwork', *command))} ")
    for option in ("--url", "--token", "--api-version", "--json", "--quiet"):
        assert f"  {option}" in done.out
    assert "..." not in done.out.replace("[ARGS]...", "")
    if len(command) < 2:
        assert "\n  Examples:\n" in done.out


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "patch list --help",
        "event list --help",
        "patch update 1",
        "bundle delete 1",
        "check create 1",
    ],
)
def test_help_and_mistakes_import_nothing_heavy(arguments: str) -> None:
    command = [sys.executable, "-c", LISTEN, "patchwork", *arguments.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0" if "--help" in arguments else "2"]


def test_what_is_repeated_is_what_the_client_has() -> None:
    assert check.STATES == query.CHECK_STATES
    assert event.CATEGORIES == query.CATEGORIES
    lists = {
        "bundles": bundle.list_,
        "covers": cover.list_,
        "events": event.list_,
        "patches": patch.list_,
        "people": person.list_,
        "series": series.list_,
        "users": user.list_,
    }
    assert lists.keys() == filters.ORDERS.keys()
    for resource, command in lists.items():
        [order] = [each for each in command.params if each.name == "order"]
        choices = {*cast("click.Choice[str]", order.type).choices}
        assert choices == {sign + field for sign in ("", "-") for field in filters.ORDERS[resource]}, resource
    assert f"[{'|'.join(versions.VERSIONS)}|newest]" in pk("patchwork", "-h").out


# Patches, series, cover letters


@pytest.mark.parametrize(
    ("command", "record"),
    [
        ("patch show 8", ("patches", 8)),
        ("series show 25", ("series", 25)),
        ("cover show 1", ("covers", 1)),
        ("check show 1 1", ("patches/1/checks", 1)),
        ("comment show 13 --patch 1", ("patches/1/comments", 13)),
        ("comment show 1 --cover 1", ("covers/1/comments", 1)),
        ("bundle show 2", ("bundles", 2)),
        ("project show lab", ("projects", 1)),
        ("project show 2", ("projects", 2)),
        ("user show 2", ("users", 2)),
        ("person show 3", ("people", 3)),
    ],
)
def test_one_thing_is_shown_whole(
    site: Site, server: RecordedPatchwork, command: str, record: tuple[str, int]
) -> None:
    noun, number = record
    expected = server.records[noun][number]
    told = site.json(*command.split())
    dates = {name for name in expected if name == "date"}
    assert {name: told[name] for name in expected if name not in {*dates, *NESTED_DATES}} == {
        name: value for name, value in expected.items() if name not in {*dates, *NESTED_DATES}
    }
    for name in dates:
        assert told[name] == f"{expected[name]}Z", "a moment has its zone"
    assert "UNSET" not in json.dumps(told)


NESTED_DATES = {"series", "patches", "cover_letter"}


def test_a_patch_in_words(site: Site) -> None:
    lines = site.table("patch", "show", "8")
    assert "name: [3/3] widget: rework part 2 step 3" in lines
    assert "archived: yes" in lines
    assert "delegate:" in lines, "nobody"
    assert "    - from a.example.com" in lines
    assert "  - id: 2" in lines, "the series"
    assert "  diff --git a/f8.txt b/f8.txt" in lines
    assert "  +content 8" in lines


def test_a_diff_keeps_its_spaces(site: Site, server: RecordedPatchwork) -> None:
    server.records["patches"][8]["diff"] = "@@ -1,2 +1,2 @@\n     two  spaces\n-\ttab\n+\x1b[31mred\x07\r\n\n"
    out = site.pk("patch", "show", "8").out
    assert "diff:\n  @@ -1,2 +1,2 @@\n       two  spaces\n  -       tab\n  + [31mred\nprefixes:" in out


def test_what_an_older_version_lacks_is_not_shown(site: Site, server: RecordedPatchwork) -> None:
    for name in ("web_url", "related", "comments"):
        del server.records["patches"][8][name]
    told = site.json("patch", "show", "8", "--api-version", "1.0")
    assert not {"web_url", "related", "comments"} & set(told)
    assert server.seen[-1].path == "/api/1.0/patches/8/"
    assert "web_url:" not in "\n".join(site.table("patch", "show", "8")).split("project:")[0]


def test_a_patch_is_changed(site: Site, server: RecordedPatchwork) -> None:
    how = "--state accepted --archived --delegate maint --commit-ref 0123abcd --related 1 --related 2"
    told = site.json("patch", "update", "8", *how.split(), "--pull-url", "git://example.com/x.git next")
    [sent] = server.requests("PATCH patches/ID")
    assert sent.body == {
        "state": "accepted",
        "archived": True,
        "delegate": 2,
        "commit_ref": "0123abcd",
        "pull_url": "git://example.com/x.git next",
        "related": [1, 2],
    }
    assert (told["state"], told["delegate"]["username"]) == ("accepted", "maint")
    assert [each["id"] for each in told["related"]] == [1, 2]


def test_what_a_patch_has_is_taken_away(site: Site, server: RecordedPatchwork) -> None:
    how = "--no-archived --no-delegate --no-commit-ref --no-pull-url --no-related"
    told = site.json("patch", "update", "8", *how.split())
    [sent] = server.requests("PATCH patches/ID")
    nothing: dict[str, Any] = {
        "delegate": None,
        "commit_ref": None,
        "pull_url": None,
        "related": [],
        "archived": False,
    }
    assert sent.body == nothing
    assert told["commit_ref"] is None


def test_an_unknown_state_is_refused_with_those_that_there_are(site: Site) -> None:
    done = site.pk("patch", "update", "8", "--state", "bogus", "--json")
    assert (done.code, done.error["type"]) == (2, "RecordInvalid")
    assert "Expected one of: new, under-review" in done.error["message"]


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ("patch download 8", "/project/lab/patch/patch-2-3@lab.example.com/mbox/"),
        ("patch download 8 --series *", "/project/lab/patch/patch-2-3@lab.example.com/mbox/"),
        ("patch download 8 --series 2", "/project/lab/patch/patch-2-3@lab.example.com/mbox/"),
        ("patch download 122", "/project/lab/patch/pull-1%252Fwith%20slash@lab.example.com/mbox/"),
        ("series download 25", "/series/25/mbox/"),
        ("cover download 1", "/project/lab/cover/cover-1@lab.example.com/mbox/"),
        ("bundle download 1", "/bundle/maint/for-next/mbox/"),
    ],
)
def test_a_download(site: Site, server: RecordedPatchwork, tmp_path: Path, arguments: str, path: str) -> None:
    place = tmp_path / "Ünïcode 名.mbox"
    told = site.json(*arguments.split(), "--to", str(place))
    assert told == {"file": str(place), "bytes": len(server.mbox.encode())}
    assert place.read_bytes() == server.mbox.encode()
    assert server.seen[-1].path == path
    series = arguments.partition("--series ")[2]
    assert server.seen[-1].query == ([("series", series)] if series else [])
    done = site.pk(*arguments.split(), "--to", str(place))
    assert (done.code, done.out) == (0, f"{place}: {len(server.mbox.encode())} bytes\n")


def test_a_download_goes_to_stdout_as_it_is(site: Site, server: RecordedPatchwork) -> None:
    done = site.pk("patch", "download", "8", "--to", "-")
    assert (done.code, done.out, done.err) == (0, server.mbox, "")
    refused = site.pk("patch", "download", "8", "--to", "-", "--json")
    assert (refused.code, refused.error["message"]) == (2, "--to - and --json exclude each other")


@pytest.mark.skipif(sys.platform == "win32", reason="stdout has no name there")
def test_stdout_by_another_name_is_not_replaced(
    site: Site, server: RecordedPatchwork, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    download = [*PROGRAM, "patchwork", "patch", "download", "8", "--to"]
    for name in ("/dev/stdout", str(log)):
        script = f'(echo before; "$@" {name}; echo after) > {log}'
        subprocess.run(["bash", "-c", script, "-", *download], env=environment(site.env), check=True)
        assert log.read_text() == f"before\n{server.mbox}after\n"
    told = subprocess.run(
        ["bash", "-c", f'"$@" {log} --json > {log}', "-", *download], env=environment(site.env), check=False
    )
    assert told.returncode == 2
    assert json.loads(log.read_text())["error"]["message"] == f"{log} is where the result goes"


def test_a_series_that_is_not_complete_is_told_of(
    site: Site, server: RecordedPatchwork, tmp_path: Path
) -> None:
    server.records["series"][25] |= {"received_all": False, "received_total": 2, "total": 5}
    done = site.pk("series", "download", "25", "--to", str(tmp_path / "s"))
    assert done.code == 0
    assert done.err == "warning: the series is not complete: 2 of 5 were received\n"


@pytest.mark.parametrize("ending", ["/", "/api", "/api/", "/api/1.2", "/api/1.4/"])
def test_the_address_may_end_as_other_clients_want_it(site: Site, ending: str) -> None:
    assert site.pk("patch", "show", "8", "--json", "--url", f"{site.url}{ending}").code == 0


@pytest.mark.parametrize("number", ["abc", "0", "-1", "9" * 30, "1.5"])
def test_what_is_no_id(site: Site, server: RecordedPatchwork, number: str) -> None:
    done = site.pk("patch", "show", "--json", "--", number)
    assert done.code == 2
    assert f"'{number}' is no id" in done.error["message"]
    assert server.seen == []


def test_what_is_written_in_parts_is_written_whole(site: Site, tmp_path: Path) -> None:
    command = [*PROGRAM, "patchwork", "event", "list", "--csv"]
    for unbuffered in ("", "1"):
        done = subprocess.run(
            ["bash", "-c", f'ulimit -f 1; exec "$@" > {tmp_path}/x', "-", *command],
            env=environment({**site.env, "PYTHONUNBUFFERED": unbuffered}),
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert done.stderr == "error: the result cannot be written: File too large\n"


def test_a_download_that_has_no_place(site: Site, tmp_path: Path) -> None:
    for place, reason in (
        (tmp_path, "is a directory"),
        (tmp_path / "nosuch" / "x", "is no directory"),
        (f"{tmp_path}/new/", "is no directory"),
    ):
        done = site.pk("patch", "download", "8", "--to", str(place), "--json")
        assert (done.code, done.error["type"]) == (2, "UsageError")
        assert reason in done.error["message"]
    assert [*tmp_path.iterdir()] == [tmp_path / "state"] or not [*tmp_path.iterdir()]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_a_download_that_cannot_be_written(site: Site, tmp_path: Path) -> None:
    place = tmp_path / "8.mbox"
    command = [*PROGRAM, "patchwork", "patch", "download", "8", "--to", str(place)]
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 0; exec "$@"', "-", *command],
        env=environment(site.env),
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {place}: File too large\nhint: ")
    assert [*tmp_path.glob("*.part"), *tmp_path.glob("8.mbox")] == []


@pytest.mark.skipif(sys.platform == "win32", reason="names are text there")
def test_a_place_whose_name_is_no_text(site: Site, tmp_path: Path) -> None:
    place = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n\x1b[2J.mbox")
    done = site.pk("patch", "download", "8", "--to", place)
    assert done.code == 0
    assert Path(place).exists()
    assert "\x1b" not in done.out
    assert done.out.count("\n") == 1
    assert site.json("patch", "download", "8", "--to", place)["bytes"] > 0


# Checks, comments, bundles


def test_a_check_is_made(site: Site, server: RecordedPatchwork) -> None:
    url = "https://ci.example.com/1"
    how = ("--context", "build", "--description", "grün ✓", "--target-url", url)
    told = site.json("check", "create", "8", "--state", "warning", *how)
    [sent] = server.requests("POST patches/checks")
    expected = {"state": "warning", "context": "build", "description": "grün ✓", "target_url": url}
    assert (sent.path, sent.body) == ("/api/1.4/patches/8/checks/", expected)
    assert {name: told[name] for name in expected} == expected
    assert site.json("check", "show", "8", str(told["id"])) == told
    site.json("check", "create", "8", "--state", "fail")
    assert server.requests("POST patches/checks")[1].body == {"state": "fail", "context": "default"}


@pytest.mark.parametrize(("about", "where"), [("--patch", "patches/1"), ("--cover", "covers/1")])
def test_a_comment_is_marked(site: Site, server: RecordedPatchwork, about: str, where: str) -> None:
    told = [
        site.json("comment", "update", "1", about, "1", flag)["addressed"]
        for flag in ("--addressed", "--no-addressed", "--unset")
    ]
    assert told == [True, False, None]
    assert [(seen.method, seen.path, seen.body) for seen in server.seen] == [
        ("PATCH", f"/api/1.4/{where}/comments/1/", {"addressed": each}) for each in told
    ]


def test_a_bundle_from_its_making_to_its_end(site: Site, server: RecordedPatchwork) -> None:
    made = site.json("bundle", "create", "--name", "名 next", "--patch", "1", "--patch", "8", "--public")
    number = str(made["id"])
    [sent] = server.requests("POST bundles")
    assert sent.body == {"name": "名 next", "patches": [1, 8], "public": True}
    assert made["owner"]["username"] == "maint"
    changed = site.json("bundle", "update", number, "--patch", "2", "--private", "--name", "older")
    assert server.seen[-1].body == {"name": "older", "patches": [2], "public": False}
    assert [each["id"] for each in changed["patches"]] == [2]
    assert site.json("bundle", "delete", number, "--yes") == {"id": made["id"], "deleted": True}
    assert site.pk("bundle", "show", number).code == 4
    assert site.pk("bundle", "delete", "1", "--yes").out == "bundle 1 is deleted\n"
    site.json("bundle", "create", "--name", "mine", "--patch", "1")
    assert server.requests("POST bundles")[1].body["public"] is False


def test_nothing_is_deleted_without_yes(site: Site, server: RecordedPatchwork) -> None:
    done = site.pk("bundle", "delete", "1", "--json")
    assert (done.code, done.error["type"]) == (2, "UsageError")
    assert "--yes" in done.error["hint"]
    assert server.seen == []


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("check", "create", "1", "--state", "success"), "POST patches/checks"),
        (("bundle", "create", "--name", "next", "--patch", "1"), "POST bundles"),
        (("bundle", "delete", "1", "--yes"), "DELETE bundles/ID"),
    ],
)
def test_a_lost_answer_is_settled(
    site: Site, server: RecordedPatchwork, arguments: tuple[str, ...], what: str
) -> None:
    server.trouble(what, lose_answer)
    done = site.pk(*arguments, "--json")
    assert done.code == 0
    assert "was lost, but it was carried out" in done.err
    assert len(server.requests(what)) == 1


def test_the_name_of_a_bundle_is_taken_once(site: Site) -> None:
    done = site.pk("bundle", "create", "--name", "for-next", "--patch", "1", "--json")
    assert (done.code, done.error["type"]) == (5, "Conflict")
    assert "'for-next' already (1)" in done.error["message"]


# Projects and users


def test_a_project_is_changed(site: Site, server: RecordedPatchwork) -> None:
    names = ["web", "scm", "webscm", "list-archive"]
    flags = {f"{name}-url": f"https://{name}.example.com" for name in names}
    flags |= {"list-archive-url-format": "https://x.example/{}", "commit-url-format": ""}
    given = [word for name, value in flags.items() for word in (f"--{name}", value)]
    told = site.json("project", "update", "lab", *given, "--no-show-dependencies")
    expected = {name.replace("-", "_"): value for name, value in flags.items()} | {"show_dependencies": False}
    assert (server.seen[-1].path, server.seen[-1].body) == ("/api/1.4/projects/lab/", expected)
    assert {name: told[name] for name in expected} == expected


def test_ones_own_user_is_changed(site: Site, server: RecordedPatchwork) -> None:
    site.json("user", "update", "2", "--first-name", "Märy", "--last-name", "")
    assert server.seen[-1].body == {"first_name": "Märy", "last_name": ""}
    site.json("user", "update", "2", "--items-per-page", "50", "--no-show-ids", "--send-email")
    settings = {"items_per_page": 50, "show_ids": False, "send_email": True}
    assert server.seen[-1].body == {"settings": settings}


# Mistakes and failures


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("patch update 8", "nothing to change"),
        ("patch update 8 --delegate maint --no-delegate", "--no-delegate"),
        ("patch update 8 --commit-ref x --no-commit-ref", "--no-commit-ref"),
        ("patch update 8 --pull-url x --no-pull-url", "--no-pull-url"),
        ("patch update 8 --related 1 --no-related", "--no-related"),
        ("patch update 8 --related 0", "--related"),
        ("patch update 0 --archived", "ID"),
        ("patch show first", "ID"),
        ("patch show", "ID"),
        ("patch download 8", "--to"),
        ("patch download 8 --to=", "--to"),
        ("patch download 8 --to x --series all", "--series"),
        ("check list", "PATCH"),
        ("check show 1", "CHECK"),
        ("check create 1", "--state"),
        ("check create 1 --state great", "--state"),
        ("check create 1 --state fail --context a/b", "a/b"),
        ("check create 1 --state fail --target-url nope", "target_url"),
        ("comment list", "--cover"),
        ("comment list --patch 1 --cover 1", "--cover"),
        ("comment show 1", "--patch"),
        ("comment update 1 --patch 1", "--unset"),
        ("comment update 1 --patch 1 --unset --addressed", "--unset"),
        ("comment update 1 --addressed", "--patch"),
        ("bundle create --name x", "--patch"),
        ("bundle create --patch 1", "--name"),
        ("bundle create --name a/b --patch 1", "a/b"),
        ("bundle update 1", "nothing to change"),
        ("project update lab", "nothing to change"),
        ("project show .", "identifier"),
        ("user update 2", "nothing to change"),
        ("patch list --api-version 2.0", "--api-version"),
        ("patch list --token=", "--token"),
        ("patch list --url=", "--url"),
        ("patch list --url ftp://x", "address"),
    ],
)
def test_mistakes(site: Site, server: RecordedPatchwork, arguments: str, named: str) -> None:
    done = site.pk(*arguments.split(), "--json")
    assert (done.code, done.error["type"]) == (2, "UsageError")
    assert named in done.error["message"] + done.error["hint"]
    assert server.seen == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("comment list --patch 1 --api-version 1.0", "version 1.0 of the API has no comments"),
        ("comment show 1 --patch 1 --api-version 1.2", "no single comments"),
        ("comment update 1 --cover 1 --addressed --api-version 1.2", "no single comments"),
        ("patch list --hash x --api-version 1.1", "no filter 'hash'"),
        ("patch list --msgid x --api-version 1.1", "no filter 'msgid'"),
        ("event list --actor 2 --api-version 1.1", "no filter 'actor'"),
        ("bundle update 1 --public --api-version 1.1", "no writing of bundles"),
        ("project update lab --show-dependencies --api-version 1.3", "no dependencies of series"),
        ("user update 2 --show-ids --api-version 1.1", "no settings of users"),
    ],
)
def test_what_came_with_a_later_version(
    site: Site, server: RecordedPatchwork, arguments: str, said: str
) -> None:
    done = site.pk(*arguments.split(), "--json")
    assert (done.code, done.error["type"]) == (2, "UsageError")
    assert said in done.error["message"]
    assert server.seen == []


def test_the_newest_version_is_found_out(site: Site, server: RecordedPatchwork) -> None:
    server.versions = ("1.0", "1.1", "1.2")
    site.json("patch", "show", "8", "--api-version", "newest")
    assert server.seen[-1].path == "/api/1.2/patches/8/"
    older = site.pk("patch", "show", "8")
    assert older.code == 4
    assert "PATCHWORK_API_VERSION" in older.err
    for version in ("1.2", "newest"):
        assert site.pk("patch", "show", "8", env={"PATCHWORK_API_VERSION": version}).code == 0
    wrong = site.pk("patch", "show", "8", "--json", env={"PATCHWORK_API_VERSION": "2"})
    assert (wrong.code, wrong.error["type"]) == (2, "UsageError")
    assert "PATCHWORK_API_VERSION" in wrong.error["message"]


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        ("patch list --token wrong", 3, "Forbidden"),
        ("patch show 99999", 4, "NotFound"),
        ("patch update 99999 --archived", 4, "NotFound"),
        ("patch download 99999 --to x", 4, "NotFound"),
        ("check create 99999 --state fail", 4, "NotFound"),
        ("bundle delete 99999 --yes", 4, "NotFound"),
        ("project show nosuch", 4, "NotFound"),
        ("patch list --url http://127.0.0.1:9 --retries 0", 7, "ConnectFailed"),
    ],
)
def test_failures(site: Site, server: RecordedPatchwork, arguments: str, code: int, kind: str) -> None:
    done = site.pk(*arguments.split(), "--json")
    assert (done.code, done.error["type"]) == (code, kind)
    words = site.pk(*arguments.split())
    assert (words.code, words.out) == (code, "")
    assert words.err.count("error: ") == words.err.count("hint: ") == 1
    assert "PATCHKIT" not in words.err
    assert "POST" not in {seen.method for seen in server.seen}


@pytest.mark.parametrize(
    ("trouble", "code", "kind"),
    [
        (answer(403), 3, "Forbidden"),
        (answer(409), 5, "Conflict"),
        (answer(500, b"<html>Server Error (500)</html>"), 7, "ServerError"),
        (answer(301, headers={"Location": "/api/1.4/patches/8"}), 9, "Redirected"),
        (answer(200, b"<html>"), 7, "UnexpectedAnswer"),
        (answer(200, {"id": "8"}), 7, "UnexpectedAnswer"),
        (hang_up, 7, "ConnectionLost"),
    ],
)
def test_what_goes_wrong_at_the_service(
    site: Site, server: RecordedPatchwork, trouble: Any, code: int, kind: str
) -> None:
    server.trouble("GET patches/ID", trouble)
    done = site.pk("patch", "show", "8", "--retries", "0", "--json")
    assert (done.code, done.error["type"]) == (code, kind)


# Settings, and what nobody may see


def test_reading_asks_for_no_token(server: RecordedPatchwork) -> None:
    site = Site(server.url, None)
    assert site.json("patch", "show", "8")["id"] == 8
    assert "authorization" not in server.seen[-1].headers
    done = site.pk("person", "list", "--json")
    assert (done.code, done.error["type"]) == (3, "Forbidden")


@pytest.mark.parametrize(
    "arguments",
    [
        "patch update 8 --archived",
        "check create 8 --state fail",
        "comment update 1 --patch 1 --addressed",
        "bundle create --name x --patch 1",
        "bundle update 1 --public",
        "bundle delete 1 --yes",
        "project update lab --web-url x",
        "user update 2 --last-name x",
    ],
)
def test_writing_asks_for_a_token(server: RecordedPatchwork, arguments: str) -> None:
    done = Site(server.url, None).pk(*arguments.split(), "--json")
    assert (done.code, done.error["type"]) == (2, "UsageError")
    assert "PATCHWORK_TOKEN" in done.error["hint"]
    assert "--token" in done.error["hint"]
    assert server.seen == []


def test_a_missing_address_is_a_mistake(site: Site) -> None:
    for arguments in ("patch list", "patch show 1", "patch download 1 --to x", "bundle delete 1 --yes"):
        done = site.pk(*arguments.split(), env={"PATCHWORK_URL": None})
        assert (done.code, done.out) == (2, "")
        assert "PATCHWORK_URL" in done.err
        assert "--url" in done.err


def test_flags_beat_the_environment_and_may_stand_anywhere(site: Site) -> None:
    wrong: dict[str, str | None] = {"PATCHWORK_URL": "http://127.0.0.1:9", "PATCHWORK_TOKEN": "wrong"}
    flags = ("--url", site.url, "--token", str(site.token), "--json")
    for arguments in (
        (*flags, "cover", "list"),
        ("cover", *flags, "list"),
        ("cover", "list", *flags),
    ):
        assert len(site.pk(*arguments, env=wrong).json) == 2


def test_the_token_is_never_shown(server: RecordedPatchwork) -> None:
    site = Site(server.url, SECRET)
    for arguments in (
        ("patch", "show", "8", "--verbose"),
        ("patch", "show", "8", "--json", "--progress", "json", "--verbose"),
        ("patch", "list", "--csv", "-q", SECRET),
        ("project", "show", SECRET, "--verbose"),
        ("patch", SECRET, "--token", SECRET),
        ("patch", SECRET, f"--token={SECRET}"),
        ("bundle", "create", "--name", SECRET, "--patch", "1", "--verbose"),
    ):
        for what in ("GET patches/ID", "GET patches", "GET projects/ID", "GET bundles"):
            server.troubles[what] = [answer(403, {"detail": f"no {SECRET}"})]
        given = any(word.startswith("--token") for word in arguments)
        done = site.pk(*arguments, env={"PATCHWORK_TOKEN": None} if given else {})
        assert done.code in {2, 3}
        assert SECRET not in done.out + done.err
        assert json.dumps(SECRET) not in done.out + done.err


@pytest.mark.parametrize("form", [(), ("--json",), ("--csv",)])
def test_an_answer_that_repeats_the_token(server: RecordedPatchwork, form: tuple[str, ...]) -> None:
    """A short one, which is left in answers as they are read, for it may be a word of anybody's."""
    server.records["covers"][1]["name"] = "with k3y-of-10 in it, token=k3y-of-10, and on"
    server.trouble("GET covers", answer(200, [*server.records["covers"].values()]))
    done = Site(server.url, "k3y-of-10").pk("cover", "list", *form)
    assert done.code == 0
    assert "k3y-of" not in done.out
    assert "with [redacted] in it, token=[redacted], and on" in done.out


def test_what_people_wrote_is_shown_as_it_is(site: Site, server: RecordedPatchwork) -> None:
    """It may look like secrets: a source text speaks of passwords."""
    source = 'token = strsep(&p, ","); password=NULL; Authorization: none; ssh://git@example.com/x.git?sig=main&key=7'
    server.records["patches"][8] |= {"name": source, "diff": source, "pull_url": source}
    assert site.json("patch", "show", "8")["diff"] == source
    assert source in site.pk("patch", "show", "8").out
    assert site.json("patch", "update", "8", "--archived")["pull_url"] == source
    server.trouble("GET patches", *[answer(200, [server.records["patches"][8]])] * 3)
    assert site.json("patch", "list")[0]["name"] == source
    assert site.csv("patch", "list")[0]["name"] == source
    assert source in "\n".join(site.table("patch", "list"))


def test_what_steers_a_terminal_is_escaped_in_json(site: Site, server: RecordedPatchwork) -> None:
    steering = "\x9b31m \x7f \u202e \u2066 \u2028 é 漢 🎮"
    server.records["patches"][8]["name"] = steering
    done = site.pk("patch", "show", "8", "--json")
    assert done.json["name"] == steering
    assert not {"\x9b", "\x7f", "\u202e", "\u2066", "\u2028"} & set(done.out)
    assert "é 漢 🎮" in done.out
    missing = site.pk("project", "show", steering, "--json")
    assert (missing.code, "\x9b" in missing.out) == (4, False)


@pytest.mark.parametrize("name", ["=HYPERLINK(A1)", "+1", "-1", "@SUM(1)|cmd"])
def test_what_a_spreadsheet_would_calculate_is_a_text(
    site: Site, server: RecordedPatchwork, name: str
) -> None:
    patches = [{**server.records["patches"][8], "name": name}] * 2
    server.trouble("GET patches", answer(200, patches), answer(200, patches))
    assert site.csv("patch", "list")[0]["name"] == f"'{name}"
    assert any(line.endswith(f" {name}") for line in site.table("patch", "list"))


# What a push reports with


def push_settings(**given: Any) -> Settings:
    settings = Settings([], {"PATCHWORK_URL": "https://env.example", "PATCHWORK_TOKEN": "env"})
    settings.given = given
    return settings


def test_the_flags_of_a_push_are_the_same_settings() -> None:
    plain = push_settings()
    assert plain.require_patchwork() == ("https://env.example", "env")
    assert (plain.check_patch, plain.check_context) == (None, "pk-upload")
    own = push_settings(patchwork_url="https://a.example", patchwork_token="b", check=7, check_context="c")
    assert own.require_patchwork(writing=True) == ("https://a.example", "b")
    assert (own.check_patch, own.check_context) == (7, "c")
    assert "b" in own.secrets()
    bare = Settings(["push", "--patchwork-token", "d", "--patchwork-token=e"], {})
    assert bare.secrets() == {"d", "e"}
    bare.given = {"check": 7}
    with pytest.raises(UsageError) as caught:
        bare.require_patchwork(writing=True)
    assert "--patchwork-url" in caught.value.hint
