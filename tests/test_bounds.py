"""Every wait has a bound that can be set, and an error that says which flag sets it."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
from cli_harness import pk

import pk_upload
from hostile_server import Meddled, Reply, hostile
from leaping_clock import Clock
from pk_upload import PatchKit, RetryPolicy, TransferConfig
from pk_upload.errors import (
    AuthenticationFailed,
    ConnectFailed,
    ConnectionLost,
    Forbidden,
    GaveUpWaiting,
    NotFound,
    PkUploadError,
    Refused,
    ServerError,
    Stalled,
    UsageError,
)
from pk_upload.events import Event, Retry
from pk_upload.http import CONNECT_TIMEOUT, RESPONSE_TIMEOUT, Http

pytestmark = pytest.mark.anyio

ONCE = RetryPolicy(retries=0)
QUICK = RetryPolicy(first_wait=0.001, longest_wait=0.002)  # as many retries as ever
LONG = 60.0  # seconds; what is still waiting then waits for ever


@pytest.fixture
def nobody_answers() -> Iterator[int]:
    """A port where connections stand and nothing is ever said."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield listener.getsockname()[1]


@pytest.fixture
def nobody_accepts() -> Iterator[int]:
    """A port where no more connections come to stand."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture
def hanging_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No name is ever looked up to the end."""
    over = threading.Event()

    def hang(*_: object, **__: object) -> None:
        over.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield
    over.set()


# Connecting


async def call(http: Http, url: str) -> None:
    await http.call("GET", url)


async def send(http: Http, url: str) -> None:
    """What chunks go by."""
    with aiohttp.MultipartWriter("form-data") as body:
        body.append(b"bytes").set_content_disposition("form-data", name="chunk")
    await http.send("POST", url, body=body, headers={})


Way = Callable[[Http, str], Awaitable[None]]
both_ways = pytest.mark.parametrize("way", [call, send], ids=["a call", "a chunk"])


async def assert_not_connected(way: Way, url: str, within: float = 0.2) -> None:
    async with Http(auth={}, retry=ONCE, timeout=LONG * 2, connect_timeout=within) as http:
        with anyio.fail_after(LONG), pytest.raises(ConnectFailed, match=rf" within {within:g} s$") as caught:
            await way(http, url)
    assert "--connect-timeout" in caught.value.hint


@both_ways
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue refuses")
async def test_a_connection_that_does_not_come_to_stand_is_given_up(way: Way, nobody_accepts: int) -> None:
    await assert_not_connected(way, f"http://127.0.0.1:{nobody_accepts}")


@both_ways
async def test_a_server_that_is_silent_about_tls_is_given_up(way: Way, nobody_answers: int) -> None:
    await assert_not_connected(way, f"https://127.0.0.1:{nobody_answers}")


@both_ways
async def test_a_proxy_that_makes_no_tunnel_is_given_up(
    way: Way, nobody_answers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{nobody_answers}")
    await assert_not_connected(way, "https://patchkit.test")


@both_ways
async def test_a_tunnel_to_nowhere_is_given_up(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    async def dig(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readline()).startswith(b"CONNECT patchkit.test:443 ")
        writer.write(b"HTTP/1.1 200 Go\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.read(1) == b"\x16", "TLS begins"
        clock.leap(LONG / 2 + 1)  # aiohttp rounds up
        await reader.read()  # until the client leaves
        writer.close()

    async with await asyncio.start_server(dig, "127.0.0.1", 0) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
        await assert_not_connected(way, "https://patchkit.test", LONG / 2)


@both_ways
@pytest.mark.usefixtures("hanging_names")
async def test_a_name_that_is_never_found_is_given_up(way: Way) -> None:
    await assert_not_connected(way, "http://patchkit.test")


async def test_a_name_is_found() -> None:
    async with hostile(lambda *_: None) as server, Http(auth={}, retry=ONCE) as http:
        there = server.url.replace("127.0.0.1", "localhost")
        assert b"5776de94" in await http.call("GET", f"{there}/1/background_jobs/5776de94")


async def test_a_name_that_nobody_has_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    async with Http(auth={}, retry=ONCE) as http:
        with pytest.raises(ConnectFailed, match=r"^patchkit\.test cannot be reached: Name or service"):
            await http.call("GET", "http://patchkit.test")


HANGING = """
import socket, sys, time
socket.getaddrinfo = lambda *_, **__: time.sleep(3600)
from pk_upload.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_the_program_does_not_wait_for_a_lookup_that_hangs() -> None:
    arguments = ["app", "list", "--api-url", "http://patchkit.test", "--api-key", "some-key"]
    done = subprocess.run(
        [sys.executable, "-c", HANGING, *arguments, "--connect-timeout", "0.2", "--retries", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 7
    assert "--connect-timeout" in done.stderr


# Answers


async def test_a_call_that_is_not_answered_names_its_flag(nobody_answers: int) -> None:
    async with Http(auth={}, retry=ONCE, timeout=0.2) as http:
        with pytest.raises(ConnectionLost, match=r"did not answer within 0\.2 s$") as caught:
            await http.call("GET", f"http://127.0.0.1:{nobody_answers}")
    assert "--response-timeout" in caught.value.hint


async def without_end(parts: list[bytes], clock: Clock) -> AsyncIterator[bytes]:
    """These parts, and the last one again and again, a second after the other as the clock has it."""
    while True:
        yield parts.pop(0) if len(parts) > 1 else parts[0]
        await anyio.sleep(0.01)
        clock.leap(1)


@pytest.mark.parametrize(
    "answer",
    [[b""], [b"HTTP/1.1 201 Created\r\nContent-Length: 1000000\r\n\r\n", b" "]],
    ids=["never", "without end"],
)
async def test_a_chunk_that_is_taken_and_not_answered_stalls(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: list[bytes]
) -> None:
    clock = Clock(monkeypatch)

    def meddle(what: str, reply: Reply) -> Meddled:
        return without_end([*answer], clock) if what == "POST chunk" else None

    config = TransferConfig(retries=0, stall_timeout=LONG / 3, state_dir=tmp_path / "s")
    async with hostile(meddle) as server, PatchKit("some-key", api_url=server.url, retry=ONCE) as patchkit:
        with anyio.fail_after(LONG), pytest.raises(Stalled) as caught:
            await pk_upload.upload(patchkit, build, config=config)
    assert server.asked[-1] == "POST chunk"  # the server has read all of it
    assert "--stall-timeout" in caught.value.hint


# Flags and parameters


@pytest.mark.parametrize(
    "command",
    ["push", "upload", "job", "app list", "app show", "app create", "version list", "version publish"],
)
def test_whoever_calls_a_service_can_bound_it(command: str) -> None:
    said = " ".join(pk(*command.split(), "--help").out.split())
    for flag, default in {"connect": CONNECT_TIMEOUT, "response": RESPONSE_TIMEOUT}.items():
        found = re.search(rf" --{flag}-timeout S [^\[]*\[default: (\d+)\]", said)
        assert found is not None
        assert float(found[1]) == default


@pytest.mark.parametrize("flag", ["--connect-timeout", "--response-timeout"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "1e400", ""])
def test_a_bound_that_is_none_is_a_mistake(flag: str, value: str) -> None:
    done = pk("app", "list", "--api-key", "some-key", "--json", flag, value)
    assert (done.code, done.error["type"]) == (2, "UsageError")
    assert flag in done.error["message"]


def test_the_flags_reach_the_client(nobody_answers: int) -> None:
    where = ("--api-key", "some-key", "--retries", "0", "--json")
    silent = pk(
        "app", "list", *where, "--api-url", f"http://127.0.0.1:{nobody_answers}", "--response-timeout", "0.2"
    )
    assert (silent.code, silent.error["type"]) == (7, "ConnectionLost")
    assert "within 0.2 s" in silent.error["message"]
    assert "--response-timeout" in silent.error["hint"]
    mute = pk(
        "app", "list", *where, "--api-url", f"https://127.0.0.1:{nobody_answers}", "--connect-timeout", "0.2"
    )
    assert (mute.code, mute.error["type"]) == (7, "ConnectFailed")
    assert "within 0.2 s" in mute.error["message"]
    assert "--connect-timeout" in mute.error["hint"]


@pytest.mark.parametrize("name", ["timeout", "connect_timeout"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf")])
def test_a_parameter_that_bounds_nothing_is_a_mistake(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=name):
        PatchKit("some-key", **{name: value})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=name):
        PatchKit.from_env({"PATCHKIT_API_KEY": "some-key"}, **{name: value})


async def test_a_bound_beyond_all_clocks_is_a_long_one() -> None:
    bounds: dict[str, Any] = {"timeout": 10**400, "connect_timeout": 1e300}
    async with (
        hostile(lambda *_: None) as server,
        PatchKit("some-key", api_url=server.url, **bounds) as patchkit,
    ):
        assert (await patchkit.job("5776de94")).finished


# Watching the service work


class Releaser:
    """Releases the build to a server that answers `where` with `meddled` for ever, or as often as told."""

    def __init__(self, build: Path, state_dir: Path) -> None:
        self._build = build
        self._config = TransferConfig(state_dir=state_dir)

    async def __call__(
        self, where: str, answer: Callable[[], Meddled], times: float = float("inf"), **how: Any
    ) -> pk_upload.Release:
        def meddle(what: str, reply: Reply) -> Meddled:
            nonlocal times
            if what != where or times <= 0:
                return None
            times -= 1
            return answer()

        async with (
            hostile(meddle) as server,
            PatchKit("some-key", api_url=server.url, retry=QUICK) as patchkit,
        ):
            with anyio.fail_after(LONG):
                return await pk_upload.release(
                    patchkit, self._build, app="a", label="1.0", publish=True, config=self._config, **how
                )


@pytest.fixture
def release(build: Path, tmp_path: Path) -> Releaser:
    return Releaser(build, tmp_path / "s")


POLLS = ["GET job", "GET version", "GET published version"]


@pytest.mark.parametrize("where", POLLS)
@pytest.mark.parametrize(
    ("status", "kind", "exit_code"),
    [
        (401, AuthenticationFailed, 3),
        (403, Forbidden, 3),
        (404, NotFound, 4),
        (410, NotFound, 4),
        (408, Refused, 7),
        (429, Refused, 7),
        (500, ServerError, 7),
        (503, Refused, 7),
    ],
)
async def test_an_error_that_stays_ends_the_watching(
    release: Releaser, where: str, status: int, kind: type[PkUploadError], exit_code: int
) -> None:
    with pytest.raises(kind) as caught:
        await release(where, lambda: Reply(status, b"{}"))
    assert caught.value.exit_code == exit_code


@pytest.mark.parametrize(
    ("where", "bound"),
    [
        ("GET job", "processing_timeout"),
        ("GET published version", "publishing_timeout"),
        ("GET job", "timeout"),
        ("GET version", "timeout"),
        ("GET published version", "timeout"),
    ],
)
async def test_a_service_that_asks_for_patience_again_and_again_is_given_what_the_user_has(
    release: Releaser, monkeypatch: pytest.MonkeyPatch, where: str, bound: str
) -> None:
    clock, waits = Clock(monkeypatch), list[float]()

    def listen(event: Event) -> None:
        if isinstance(event, Retry):
            waits.append(event.wait)
            clock.leap(LONG / 2)

    how: dict[str, Any] = {bound: LONG / 2, "on_event": listen}
    with pytest.raises(GaveUpWaiting) as caught:
        await release(where, lambda: Reply(429, b"{}", "Retry-After: 600\r\n"), **how)
    assert waits == [600]
    assert f"--{bound.replace('_', '-')}" in caught.value.message + caught.value.hint


@pytest.mark.parametrize("where", POLLS)
@pytest.mark.parametrize("answer", [Reply(502, b""), b""], ids=["502", "hung up"])
async def test_a_short_outage_does_not_end_the_watching(
    release: Releaser, where: str, answer: Meddled
) -> None:
    assert (await release(where, lambda: answer, times=QUICK.retries)).published
