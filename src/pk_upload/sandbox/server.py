"""The sandbox's server: listens on loopback, answers requests, and runs the workers behind them."""

from __future__ import annotations

import logging
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
from aiohttp import web

from pk_upload.sandbox import auth, injection
from pk_upload.sandbox.answers import Disconnected, Problem, refusal
from pk_upload.sandbox.call import Call, Server, asked_path
from pk_upload.sandbox.faults import FaultPlan
from pk_upload.sandbox.kickfolio import answers as kickfolio_answers
from pk_upload.sandbox.kickfolio import auth as kickfolio_auth
from pk_upload.sandbox.kickfolio.fetching import fetch_forever
from pk_upload.sandbox.patchwork import answers as patchwork_answers
from pk_upload.sandbox.patchwork import router as patchwork_router
from pk_upload.sandbox.patchwork.auth import tokens_of
from pk_upload.sandbox.patchwork.seeding import ensure_project, prepare, seed
from pk_upload.sandbox.places import Places, SandboxError
from pk_upload.sandbox.publishing import publish_forever
from pk_upload.sandbox.router import clean_path, is_kickfolio, resolve
from pk_upload.sandbox.store import Store
from pk_upload.sandbox.worker import recover, work_forever

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from pk_upload.sandbox.arrivals import Arrival
    from pk_upload.sandbox.patchwork.seeding import Seeded
    from pk_upload.sandbox.router import Route

__all__ = ["Sandbox", "serve"]

_log = logging.getLogger(__name__)

_READ_BUFFER = 64 * 1024
_LINGER = 10.0
"""Seconds for which the rest of a refused body is read away, so that its sender gets to read the answer."""
_FAREWELL = 0.5
"""Seconds that requests in progress have when the server ends."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox: its address, its key, where its data is, and where its other services are.

    `patchwork_token` is the maintainer's; `seeded` says what came of each mbox.
    """

    url: str
    api_key: str = field(repr=False)
    data_dir: Path
    kickfolio_url: str
    kickfolio_token: str = field(repr=False)
    patchwork_url: str
    patchwork_token: str = field(repr=False)
    seeded: tuple[Seeded, ...] = ()


@asynccontextmanager
async def serve(
    data_dir: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    api_key: str = "sandbox",
    faults: Sequence[str] = (),
    pace: float = 1.0,
    kickfolio_token: str = "sandbox",  # noqa: S107 - printed in every help, so no secret
    fetch_anywhere: bool = False,
    patchwork_token: str = "sandbox",  # noqa: S107 - as for Kickfolio
    seed_mbox: Sequence[Path] = (),
) -> AsyncIterator[Sandbox]:
    """Run a sandbox on `data_dir`, which is made if need be and keeps everything across restarts.

    Port 0 is any free one. `faults` are described in `FAULTS_HELP`. Publishing takes `pace` seconds.
    Kickfolio's bundles are fetched from loopback addresses alone unless `fetch_anywhere` is true.
    Patchwork's `patchwork_token` is its maintainer's, and with `-submitter` or `-reader` behind it that of
    another user; the mails of the mboxes in `seed_mbox` become its patches, unless it has them already.
    FaultError when a fault is not well written; SandboxError, an OSError, when the directory cannot be used,
    the port is taken or a file is no mbox; ValueError when the API key or a token is empty. What was running
    when the context ends goes on when it is entered again.
    """
    if not api_key or not kickfolio_token or not patchwork_token:
        raise ValueError("the API key and the tokens must not be empty: the server would let everybody in")
    plan = FaultPlan.parse(faults)
    places = Places.prepare(data_dir)
    store = Store(places.database)
    try:
        server = Server(
            store,
            places,
            api_key,
            kickfolio_token,
            tokens_of(patchwork_token),
            fetch_anywhere,
            store.signing_key(),
            plan,
            pace,
        )
        prepare(store.patchwork)
        seeded = await seed(store.patchwork, seed_mbox)
        ensure_project(store.patchwork)
        recover(server)
        async with _workers(server), _listening(server, host, port) as url:
            yield Sandbox(
                url,
                api_key,
                data_dir,
                f"{url}/kickfolio",
                kickfolio_token,
                f"{url}/patchwork",
                patchwork_token,
                (*seeded,),
            )
    finally:
        store.close()


@asynccontextmanager
async def _workers(server: Server) -> AsyncIterator[None]:
    failure: BaseException | None = None
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work_forever, server)
            tasks.start_soon(publish_forever, server)
            tasks.start_soon(fetch_forever, server)
            try:
                yield
            except Exception as error:  # raised again outside, where no group wraps it
                failure = error
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        failure = group.exceptions[0]  # a worker's own, such as a full disk
    if failure is not None:
        raise failure


@asynccontextmanager
async def _listening(server: Server, host: str, port: int) -> AsyncIterator[str]:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await _answer(server, request)

    # An unattached logger, which drops all: aiohttp quotes a malformed request line, and the key with it.
    dropped = logging.Logger("aiohttp")  # noqa: LOG001 - to be attached nowhere
    dropped.addHandler(logging.NullHandler())
    listener = web.Server(
        handle,
        access_log=None,
        logger=dropped,
        lingering_time=_LINGER,
        read_bufsize=_READ_BUFFER,
        auto_decompress=False,
    )
    runner = web.ServerRunner(listener, shutdown_timeout=_FAREWELL)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)  # asyncio's text says it twice
            raise SandboxError(f"The sandbox cannot listen on {host}:{port}: {reason}.") from error
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{runner.addresses[0][1]}"
    finally:
        server.closing.set()
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


async def _answer(server: Server, request: web.BaseRequest) -> web.StreamResponse:
    path = _path(request)
    what = _described(request, path)
    refused = _refusal(path)
    if "Content-Range" in request.headers:
        _log.debug("%s arrives", what)  # its body may take long, and the answer may never come to be
    try:
        with server.arrivals.arriving() as arrival:
            response = await _dispatch(server, request, path, arrival)
    except Problem as problem:
        response = refused(problem)
    except Disconnected:
        _log.debug("%s is cut off", what)
        injection.cut(request)
        return web.Response(status=499)  # it goes nowhere
    except Exception:
        _log.exception("%s %s failed by an error of the sandbox.", request.method, path)
        response = refused(Problem(500, "This server made a mistake; try again.", "internal_error"))
    if response.status >= 400 and "Expect" in request.headers:
        response.force_close()  # whether the body still comes is the sender's choice
    _log.debug("%s %d", what, response.status)  # before the answer is on its way
    return response


def _path(request: web.BaseRequest) -> str:
    """The path, as it came for Patchwork, where it matters how it ends, and else as the router knows it."""
    path = asked_path(request)
    return path if patchwork_router.is_patchwork(path) else clean_path(path)


def _refusal(path: str) -> Callable[[Problem], web.Response]:
    """What puts a problem into the words of the service that the path is of."""
    if patchwork_router.is_patchwork(path):
        return patchwork_answers.refusal
    return kickfolio_answers.refusal if is_kickfolio(path) else refusal


def _described(request: web.BaseRequest, path: str) -> str:
    """The request for the log: the path without its query, which may hold the key, and the bytes it is of."""
    span = request.headers.get("Content-Range")
    return f"{request.method} {path}" if span is None else f"{request.method} {path} {span}"


async def _dispatch(
    server: Server, request: web.BaseRequest, path: str, arrival: Arrival
) -> web.StreamResponse:
    auth.refuse_web_page(request)
    find = patchwork_router.resolve if patchwork_router.is_patchwork(path) else resolve
    route, params = find(request.method, path)
    call = Call(request, server, arrival, params, server.faults.draw(route.endpoint, request.method))

    async def handler(call: Call) -> web.StreamResponse:
        await _check_key(route, call)
        response = await route.handler(call)
        if call.has_fault("lost-answer"):
            _log.debug("%s is carried out", _described(request, path))
        return response

    return await injection.answer_with_faults(call, route.endpoint, handler)


async def _check_key(route: Route, call: Call) -> None:
    if route.access == "token":
        kickfolio_auth.check_token(call.server.kickfolio_token, call.request)
        kickfolio_auth.check_version(call.request)
    if route.access != "key" or call.has_key():
        return
    form_key = (await call.fields()).get("api_key", "") if call.request.body_exists else ""
    if not auth.is_key(call.server.api_key, [form_key]):
        raise auth.unauthorized()
