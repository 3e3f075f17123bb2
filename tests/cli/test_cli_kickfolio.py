"""`pk-upload kickfolio`, against a server of the document alone and against the sandbox."""

from __future__ import annotations

import functools
import json
import plistlib
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cli_harness import Done, Live, finish, live, pk, start

from kickfolio_seed_server import TOKEN, KickfolioSeedServer, answer, hang_up, lose_answer

__all__ = ["live"]

BUNDLE = "https://builds.example/game.zip"
SECRET = "t0k3n-of-4-t3st/+="


@dataclass
class Service:
    """A Kickfolio and the command line pointed at it."""

    url: str
    token: str

    def pk(self, *arguments: str, env: dict[str, str | None] | None = None) -> Done:
        own: dict[str, str | None] = {"KICKFOLIO_URL": self.url, "KICKFOLIO_AUTH_TOKEN": self.token}
        return pk("kickfolio", *arguments, env={**own, **(env or {})})

    def json(self, *arguments: str) -> Any:
        done = self.pk(*arguments, "--json")
        assert done.code == 0, done.out
        return done.json


@pytest.fixture
def seed() -> Iterator[KickfolioSeedServer]:
    with KickfolioSeedServer("/kickfolio") as server:
        yield server


@pytest.fixture
def service(seed: KickfolioSeedServer) -> Service:
    return Service(seed.url, TOKEN)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Nothing on the terminal."""


@pytest.fixture
def builds(tmp_path: Path) -> Iterator[str]:
    """The address of a directory that has `game.zip`, an .app bundle, and `broken.zip`."""
    directory = tmp_path / "builds"
    directory.mkdir()
    with zipfile.ZipFile(directory / "game.zip", "w") as archive:
        archive.writestr("Game.app/Info.plist", plistlib.dumps({"CFBundleIdentifier": "com.example.game"}))
        archive.writestr("Game.app/Game", b"program")
    (directory / "broken.zip").write_bytes(b"no archive")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


# Apps


def test_an_app_from_its_making_to_its_end(service: Service, seed: KickfolioSeedServer) -> None:
    made = service.json("app", "create", "--name", "My game")
    assert made == {**seed.shown(seed.apps[made["id"]])}, "the resource itself, without a name around it"
    assert service.json("app", "show", made["public_key"]) == made
    assert service.json("app", "list") == [made]
    other = seed.add_app(name="Other")
    assert service.json("app", "list", "--ids", other["id"]) == [seed.shown(other)]
    both = service.json("app", "list", "--ids", f"{other['id']}, {made['id']}", "--ids", "nosuch")
    assert [each["id"] for each in both] == [made["id"], other["id"]]
    changed = service.json("app", "update", made["id"], "--name", "Our game")
    assert (changed["id"], changed["name"]) == (made["id"], "Our game")
    gone = service.json("app", "delete", made["public_key"], "--yes")
    assert gone == {"id": made["id"], "deleted": True}
    assert service.pk("app", "show", made["id"]).code == 4


def test_apps_in_words(service: Service, seed: KickfolioSeedServer) -> None:
    app = seed.add_app(name="My game")
    lines = service.pk("app", "list").out.splitlines()
    assert lines[0].split() == ["ID", "PUBLIC", "KEY", "NAME", "BUNDLE", "VERSIONS"]
    assert lines[1].split() == [app["id"], "ABCD123", "My", "game", "com.kickfolio.app", "0"]
    shown = service.pk("app", "show", "ABCD123")
    assert "name: My game\n" in shown.out
    assert (shown.code, shown.err) == (0, "")
    assert service.pk("app", "delete", "ABCD123", "--yes").out == f"app {app['id']} is deleted\n"


def test_an_empty_list_is_an_array(service: Service) -> None:
    assert service.json("app", "list") == []
    assert service.json("version", "list") == []


# Versions


def test_a_version_from_its_making_to_its_end(service: Service, seed: KickfolioSeedServer) -> None:
    app, other = seed.add_app(), seed.add_app()
    made = service.json("version", "create", "--app", "ABCD123", "--bundle-url", BUNDLE)
    assert (made["state"], made["app_id"], made["bundle_url"]) == ("pending", app["id"], BUNDLE)
    assert "state_reason" not in made, "only what the service has said"
    assert service.json("version", "list") == [made]
    assert service.json("version", "list", "--app", other["id"]) == []
    assert service.json("version", "list", "--app", app["id"], "--ids", made["id"]) == [made]
    assert service.json("version", "list", "--ids", "nosuch") == []
    assert service.json("version", "show", made["id"]) == made
    assert service.json("version", "show", made["id"], "--app", app["id"])["id"] == made["id"]
    foreign = service.pk("version", "show", made["id"], "--app", other["public_key"], "--json")
    assert (foreign.code, foreign.error["type"]) == (4, "NotFound")
    for scope in ((), ("--app", app["public_key"])):
        changed = service.json("version", "update", made["id"], "--version-string", f"1.{len(scope)}", *scope)
        assert changed["version_string"] == f"1.{len(scope)}"
        assert (changed["app_id"], changed["bundle_url"]) == (app["id"], BUNDLE)
    moved = service.json("version", "update", made["id"], "--bundle-url", f"{BUNDLE}?2")
    assert (moved["bundle_url"], moved["version_string"]) == (f"{BUNDLE}?2", "1.2")
    assert service.json("version", "delete", made["id"], "--yes") == {"id": made["id"], "deleted": True}
    assert seed.versions == {}


def test_versions_in_words(service: Service, seed: KickfolioSeedServer) -> None:
    app = seed.add_app()
    version = seed.add_version(app)
    lines = service.pk("version", "list").out.splitlines()
    assert lines[0].split() == ["ID", "APP", "STATE", "VERSION", "BUNDLE"]
    assert lines[1].split() == [version["id"], app["id"], "ready", "1.0", version["bundle_url"]]
    assert "state: ready\n" in service.pk("version", "show", version["id"]).out


def test_a_new_version_can_be_waited_for(service: Service, seed: KickfolioSeedServer) -> None:
    seed.add_app()
    how = ("version", "create", "--app", "ABCD123", "--bundle-url", BUNDLE, "--wait")
    assert service.json(*how, "--version-string", "2")["state"] == "ready"
    seed.state_in_the_end = "failed"
    failed = service.pk(*how, "--json")
    assert (failed.code, failed.error["type"]) == (6, "ProcessingFailed")
    seed.ready_looks = 1000
    for bound in ("--processing-timeout", "--timeout"):
        late = service.pk(*how, bound, "1", "--json")
        assert (late.code, late.error["type"]) == (12, "GaveUpWaiting")
        assert list(seed.versions)[-1] in late.error["message"]
        assert "same command" not in late.error["hint"], "it would make another version"


def test_a_version_that_is_there_can_be_waited_for(service: Service, seed: KickfolioSeedServer) -> None:
    app = seed.add_app()
    seed.ready_looks = 3
    made = service.json("version", "create", "--app", "ABCD123", "--bundle-url", BUNDLE)
    assert made["state"] == "pending"
    assert service.json("version", "show", made["id"], "--wait")["state"] == "ready"
    pending = seed.add_version(app, bundle_url=BUNDLE, state="pending")
    changed = service.json("version", "update", pending["id"], "--version-string", "2", "--wait")
    assert (changed["state"], changed["version_string"]) == ("ready", "2")


def test_a_wait_that_was_too_short_says_how_to_go_on(service: Service, seed: KickfolioSeedServer) -> None:
    pending = seed.add_version(seed.add_app(), bundle_url=BUNDLE, state="pending")
    seed.ready_looks = 1000
    for bound in ("--processing-timeout", "--timeout"):
        late = service.pk("version", "show", pending["id"], "--wait", bound, "1", "--json")
        assert late.code == 12
        assert f"`pk-upload kickfolio version show {pending['id']} --wait`" in late.error["hint"]


def test_what_the_service_does_not_tell_is_not_sent_back_as_nothing(
    service: Service, seed: KickfolioSeedServer
) -> None:
    version = seed.add_version(seed.add_app(), bundle_url=None, state="ready")
    done = service.pk("version", "update", version["id"], "--version-string", "2", "--json")
    assert (done.code, done.error["type"]) == (2, "UsageError")
    assert "--bundle-url" in done.error["hint"]
    assert seed.requests("PUT version") == []


def test_a_timeout_before_there_is_a_version_is_no_waiting(
    service: Service, seed: KickfolioSeedServer
) -> None:
    seed.trouble("GET versions", *[answer(503, headers={"Retry-After": "60"})] * 5)
    how = ("version", "create", "--app", "ABCD123", "--bundle-url", BUNDLE, "--wait", "--timeout", "1")
    done = service.pk(*how, "--json")
    assert (done.code, done.error["type"]) == (7, "DeadlineExceeded")


# Publishing


def test_a_bundle_is_published(service: Service, seed: KickfolioSeedServer) -> None:
    done = service.json("publish", BUNDLE, "--name", "Game", "--version-string", "1.2.4")
    assert (done["state"], done["version_string"]) == ("ready", "1.2.4")
    (app,) = seed.apps.values()
    again = service.json("publish", BUNDLE, "--app", app["public_key"])
    assert again["app_id"] == app["id"]
    assert again["id"] != done["id"]
    words = service.pk("publish", BUNDLE, "--name", "Game")
    assert "state: ready\n" in words.out
    assert "processing: version" in words.err


def test_publishing_goes_on_where_it_stopped(service: Service, seed: KickfolioSeedServer) -> None:
    seed.ready_looks = 10**6
    late = service.pk("publish", BUNDLE, "--name", "Game", "--timeout", "1", "--json")
    assert (late.code, late.error["type"]) == (12, "GaveUpWaiting")
    env: dict[str, str | None] = {"KICKFOLIO_URL": service.url, "KICKFOLIO_AUTH_TOKEN": service.token}
    process = start("kickfolio", "publish", BUNDLE, "--name", "Game", env=env)
    assert process.stderr is not None
    before = ""
    while "processing" not in before:
        before += process.stderr.readline()
    process.terminate()
    ended = finish(process, before)
    assert (ended.code, ended.out) == (143, "")
    assert "run the same command again to resume" in ended.err
    seed.ready_looks = 8  # more than both can have had, whose last look may arrive only now
    assert service.json("publish", BUNDLE, "--name", "Game")["state"] == "ready"
    assert len(seed.requests("POST versions")) == 1


# The sandbox


@pytest.fixture
def sandboxed(live: Live) -> Service:
    return Service(f"{live.url}/kickfolio", "sandbox")


def test_a_bundle_is_published_in_the_sandbox(sandboxed: Service, builds: str) -> None:
    done = sandboxed.json("publish", f"{builds}/game.zip", "--name", "Sandboxed", "--version-string", "1.0")
    assert (done["state"], done["version_string"]) == ("ready", "1.0")
    app = sandboxed.json("app", "show", done["app_id"])
    assert (app["bundle"], app["versions"]) == ("com.example.game", [done["id"]])
    changed = sandboxed.json("version", "update", done["id"], "--version-string", "1.1")
    assert changed["version_string"] == "1.1"
    sandboxed.json("version", "delete", done["id"], "--yes")
    sandboxed.json("app", "delete", app["public_key"], "--yes")
    assert sandboxed.pk("app", "show", app["id"]).code == 4


@pytest.mark.parametrize("name", ["broken.zip", "nosuch.zip"])
def test_the_sandbox_says_why_a_bundle_is_none(sandboxed: Service, builds: str, name: str) -> None:
    done = sandboxed.pk("publish", f"{builds}/{name}", "--name", f"No {name}", "--json")
    assert (done.code, done.error["type"]) == (6, "ProcessingFailed")
    assert "is not ready but failed: " in done.error["message"]
    (version,) = [
        each for each in sandboxed.json("version", "list") if each["bundle_url"] == f"{builds}/{name}"
    ]
    assert version["state_reason"] in done.error["message"]


def test_the_sandbox_names_the_field_that_is_wrong(sandboxed: Service) -> None:
    app = sandboxed.json("app", "create", "--name", "Fields")["id"]
    done = sandboxed.pk("version", "create", "--app", app, "--bundle-url", "no address", "--json")
    assert (done.code, done.error["type"]) == (2, "RecordInvalid")
    assert "bundle_url" in done.error["message"]


# Failures


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        ("app list --auth-token wrong", 3, "AuthenticationFailed"),
        ("app show nosuch", 4, "NotFound"),
        ("app update nosuch --name x", 4, "NotFound"),
        ("app delete nosuch --yes", 4, "NotFound"),
        ("version list --app nosuch", 4, "NotFound"),
        ("version show nosuch", 4, "NotFound"),
        ("version update nosuch --version-string x", 4, "NotFound"),
        ("version delete nosuch --yes", 4, "NotFound"),
        ("version create --app nosuch --bundle-url x", 4, "NotFound"),
        ("publish x --app nosuch", 4, "NotFound"),
        ("app show ..", 2, "UsageError"),
        ("app list --url ftp://x", 2, "UsageError"),
        ("app list --url http://127.0.0.1:9 --retries 0", 7, "ConnectFailed"),
    ],
)
def test_failures(service: Service, seed: KickfolioSeedServer, arguments: str, code: int, kind: str) -> None:
    done = service.pk(*arguments.split(), "--json")
    assert (done.code, done.error["type"]) == (code, kind)
    words = service.pk(*arguments.split())
    assert (words.code, words.out) == (code, "")
    assert words.err.count("error: ") == words.err.count("hint: ") == 1
    assert "PATCHKIT" not in words.err
    assert {seen.method for seen in seed.seen} <= {"GET", "PUT"}


@pytest.mark.parametrize(
    ("trouble", "code", "kind"),
    [
        (answer(400), 1, "BadRequest"),
        (answer(422), 2, "RecordInvalid"),
        (answer(500), 7, "ServerError"),
        (answer(302, headers={"Location": "http://127.0.0.1:9/"}), 9, "Redirected"),
        (answer(200, b"<html>"), 7, "UnexpectedAnswer"),
        (hang_up, 7, "ConnectionLost"),
    ],
)
def test_what_goes_wrong_at_the_service(
    service: Service, seed: KickfolioSeedServer, trouble: Any, code: int, kind: str
) -> None:
    seed.trouble("GET apps", trouble)
    done = service.pk("app", "list", "--retries", "0", "--json")
    assert (done.code, done.error["type"]) == (code, kind)


@pytest.mark.parametrize("kind", ["app", "version"])
def test_nothing_is_deleted_without_yes(service: Service, seed: KickfolioSeedServer, kind: str) -> None:
    version = seed.add_version(seed.add_app())
    named = "ABCD123" if kind == "app" else version["id"]
    done = service.pk(kind, "delete", named, "--json")
    assert (done.code, done.error["type"]) == (2, "UsageError")
    assert "--yes" in done.error["hint"]
    assert seed.seen == [], "nor is anything asked for"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("app list --ids a,,b", "--ids"),
        ("app list --ids=", "--ids"),
        ("version update x", "--version-string"),
        ("version create --bundle-url x", "--app"),
        ("version create --app x", "--bundle-url"),
        ("publish x", "--name"),
        ("publish x --app a --name b", "--name"),
        ("publish --name b", "BUNDLE_URL"),
        ("app list --auth-token=", "--auth-token"),
        ("app list --url=", "--url"),
        ("app create", "--name"),
        ("app show", "ID"),
    ],
)
def test_mistakes(service: Service, seed: KickfolioSeedServer, arguments: str, named: str) -> None:
    done = service.pk(*arguments.split(), "--json")
    assert (done.code, done.error["type"]) == (2, "UsageError")
    assert named in done.error["message"] + done.error["hint"]
    assert seed.seen == []


@pytest.mark.parametrize(
    "arguments", [("app", "create"), ("app", "update", "ABCD123"), ("publish", BUNDLE)], ids=" ".join
)
def test_a_blank_name_is_refused(
    service: Service, seed: KickfolioSeedServer, arguments: tuple[str, ...]
) -> None:
    done = service.pk(*arguments, "--name", " ", "--json")
    assert (done.code, done.error["type"]) == (2, "UsageError")
    assert "'--name'" in done.error["message"]
    assert seed.seen == []


@pytest.mark.parametrize("name", ["KICKFOLIO_URL", "KICKFOLIO_AUTH_TOKEN"])
def test_a_missing_setting_is_named_with_its_flag(service: Service, name: str) -> None:
    done = service.pk("app", "list", env={name: None})
    assert (done.code, done.out) == (2, "")
    assert name in done.err
    assert {"KICKFOLIO_URL": "--url", "KICKFOLIO_AUTH_TOKEN": "--auth-token"}[name] in done.err


# Settings, and what nobody may see


def test_flags_beat_the_environment_and_may_stand_anywhere(service: Service) -> None:
    wrong: dict[str, str | None] = {"KICKFOLIO_URL": "http://127.0.0.1:9", "KICKFOLIO_AUTH_TOKEN": "wrong"}
    flags = ("--url", service.url, "--auth-token", service.token, "--json")
    assert service.pk(*flags, "app", "list", env=wrong).json == []
    assert service.pk("app", *flags, "list", env=wrong).json == []
    assert service.pk("app", "list", *flags, env=wrong).json == []


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("app", "create", "--name", "Kickfolio"), "POST apps"),
        (("version", "create", "--app", "ABCD123", "--bundle-url", BUNDLE), "POST versions"),
        (("app", "delete", "ABCD123", "--yes"), "DELETE app"),
    ],
)
def test_a_lost_answer_is_settled(
    service: Service, seed: KickfolioSeedServer, arguments: tuple[str, ...], what: str
) -> None:
    seed.add_app()
    seed.trouble(what, lose_answer)
    done = service.pk(*arguments, "--json")
    assert done.code == 0
    assert "was lost, but it was carried out" in done.err
    assert len(seed.requests(what)) == 1


def test_the_token_is_never_shown(seed: KickfolioSeedServer) -> None:
    service = Service(seed.url, SECRET)
    echo = {"message": f"no {SECRET}", "code": SECRET}
    for arguments in (
        ("app", "list", "--verbose"),
        ("app", "list", "--json", "--progress", "json", "--verbose"),
        ("app", "show", SECRET, "--verbose"),
        ("app", "delete", SECRET),
        ("app", "list", "--auth-token", SECRET),
        ("app", SECRET, "--auth-token", SECRET),
        ("app", SECRET, f"--auth-token={SECRET}"),
        ("publish", f"https://x.example/?auth_token={SECRET}", "--name", SECRET, "--verbose"),
    ):
        for what in ("GET apps", "GET app"):
            seed.troubles[what] = [answer(401, echo)]
        given = any(word.startswith("--auth-token") for word in arguments)
        done = service.pk(*arguments, env={"KICKFOLIO_AUTH_TOKEN": None} if given else {})
        assert done.code in {2, 3}
        assert SECRET not in done.out + done.err
        assert json.dumps(SECRET) not in done.out + done.err
