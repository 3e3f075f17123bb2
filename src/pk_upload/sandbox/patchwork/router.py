"""Which of a Patchwork's endpoints a path means, and the way of a request through it.

An address without its trailing slash is redirected to the one with it, whatever the verb. Every answer of
the API says which verbs the address takes.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote

from aiohttp import web

from pk_upload.sandbox.answers import Problem
from pk_upload.sandbox.patchwork import (
    bundles,
    checks,
    comments,
    downloads,
    events,
    index,
    letters,
    patches,
    people,
)
from pk_upload.sandbox.patchwork.answers import NoPage, page, refusal
from pk_upload.sandbox.patchwork.asked import SITE, Asked
from pk_upload.sandbox.patchwork.auth import user_name
from pk_upload.sandbox.patchwork.versions import read_version
from pk_upload.sandbox.router import Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pk_upload.sandbox.call import Call
    from pk_upload.sandbox.patchwork.versions import Version

    Handler: TypeAlias = Callable[[Asked], Awaitable[web.StreamResponse]]
    RouteHandler: TypeAlias = Callable[[Call], Awaitable[web.StreamResponse]]

__all__ = ["ENDPOINTS", "is_patchwork", "resolve"]

_API = re.compile(rf"{SITE}/api(?:/(1\.[0-4]))?(/.*)")
_VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_ACCEPTED = re.compile(r"\*/\*|application/(?:json|\*)|text/(?:html|\*)", re.IGNORECASE)
_NUMBERED = frozenset({"id", "comment", "check"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A kind of address: the name by which faults know it, and what answers each verb.

    `since` is the first version of the API that has it, `written_since` the first in which it can be written.
    """

    name: str
    pattern: re.Pattern[str]
    handlers: Mapping[str, Handler]
    since: Version = (1, 0)
    written_since: Version = (1, 0)
    for_users: bool = False
    in_api: bool = True

    @property
    def allowed(self) -> str:
        """The verbs that it takes."""
        return ", ".join((*(verb for verb in _VERBS if verb in self.handlers), "HEAD", "OPTIONS"))


def _endpoint(
    name: str,
    path: str,
    *,
    since: Version = (1, 0),
    written_since: Version = (1, 0),
    for_users: bool = False,
    in_api: bool = True,
    **handlers: Handler,
) -> Endpoint:
    def part(found: re.Match[str]) -> str:
        given, _, pattern = found[1].partition(":")
        return f"(?P<{given}>{pattern or ('[0-9]+' if given in _NUMBERED else '[^/]+')})"

    pattern = re.compile(re.sub(r"\{([^}]+)\}", part, path))
    return Endpoint(name, pattern, handlers, since, written_since, for_users, in_api)


_MAIL = "/project/{link}/{kind:patch|cover}/{msgid}/mbox/"
_DIFF = "/project/{link}/patch/{msgid}/raw/"
_COMMENTS = "/{parent:patches|covers}/{id}/comments/"
ENDPOINTS = (
    _endpoint("patchwork-index", "/", GET=index.show_index),
    _endpoint("patchwork-projects", "/projects/", GET=people.list_projects),
    _endpoint(
        "patchwork-project",
        "/projects/{project}/",
        GET=people.show_one_project,
        PUT=people.update_project,
        PATCH=people.update_project,
    ),
    _endpoint("patchwork-users", "/users/", for_users=True, GET=people.list_users),
    _endpoint(
        "patchwork-user",
        "/users/{id}/",
        for_users=True,
        GET=people.show_one_user,
        PUT=people.update_user,
        PATCH=people.update_user,
    ),
    _endpoint("patchwork-people", "/people/", for_users=True, GET=people.list_people),
    _endpoint("patchwork-person", "/people/{id}/", for_users=True, GET=people.show_one_person),
    _endpoint("patchwork-patches", "/patches/", GET=patches.list_patches),
    _endpoint(
        "patchwork-patch",
        "/patches/{id}/",
        GET=patches.show_one_patch,
        PUT=patches.update_patch,
        PATCH=patches.update_patch,
    ),
    _endpoint("patchwork-checks", "/patches/{id}/checks/", GET=checks.list_checks, POST=checks.create_check),
    _endpoint("patchwork-check", "/patches/{id}/checks/{check}/", GET=checks.show_one_check),
    _endpoint("patchwork-comments", _COMMENTS, since=(1, 1), GET=comments.list_comments),
    _endpoint(
        "patchwork-comment",
        f"{_COMMENTS}{{comment}}/",
        since=(1, 3),
        GET=comments.show_one_comment,
        PUT=comments.update_comment,
        PATCH=comments.update_comment,
    ),
    _endpoint("patchwork-covers", "/covers/", GET=letters.list_covers),
    _endpoint("patchwork-cover", "/covers/{id}/", GET=letters.show_one_cover),
    _endpoint("patchwork-series-list", "/series/", GET=letters.list_series),
    _endpoint("patchwork-series", "/series/{id}/", GET=letters.show_one_series),
    _endpoint("patchwork-events", "/events/", GET=events.list_events),
    _endpoint(
        "patchwork-bundles",
        "/bundles/",
        written_since=(1, 2),
        GET=bundles.list_bundles,
        POST=bundles.create_bundle,
    ),
    _endpoint(
        "patchwork-bundle",
        "/bundles/{id}/",
        written_since=(1, 2),
        GET=bundles.show_one_bundle,
        PUT=bundles.update_bundle,
        PATCH=bundles.update_bundle,
        DELETE=bundles.delete_bundle,
    ),
    _endpoint("patchwork-mbox", _MAIL, in_api=False, GET=downloads.send_mail),
    _endpoint("patchwork-mbox", _DIFF, in_api=False, GET=downloads.send_diff),
    _endpoint("patchwork-mbox", "/series/{id}/mbox/", in_api=False, GET=downloads.send_series),
    _endpoint("patchwork-mbox", "/bundle/{owner}/{name}/mbox/", in_api=False, GET=downloads.send_bundle),
)


def is_patchwork(path: str) -> bool:
    """Whether the path is one of Patchwork's, known or not, so that the answer is to be in its words."""
    return path == SITE or path.startswith(f"{SITE}/")


def resolve(verb: str, path: str) -> tuple[Route, dict[str, str]]:
    """What answers the verb at the path, and the parts of the path. NoPage where nothing does."""
    found = _find(path)
    if found is not None:
        endpoint, version, match = found
        params = {name: unquote(text) for name, text in match.groupdict().items()}
        return _route(endpoint, verb, functools.partial(_serve, endpoint, version)), params
    without_slash = None if path.endswith("/") else _find(f"{path}/")
    if without_slash is None:
        raise NoPage
    return _route(without_slash[0], verb, _redirect), {}


def _route(endpoint: Endpoint, verb: str, handler: RouteHandler) -> Route:
    return Route(endpoint.name, frozenset({verb}), endpoint.pattern, "own", handler)


def _find(path: str) -> tuple[Endpoint, str | None, re.Match[str]] | None:
    in_api = _API.fullmatch(path)
    text, rest = (in_api[1], in_api[2]) if in_api else (None, path.removeprefix(SITE))
    for endpoint in ENDPOINTS:
        match = endpoint.pattern.fullmatch(rest) if endpoint.in_api == bool(in_api) else None
        if match is not None:
            return None if endpoint.since > read_version(text) else (endpoint, text, match)
    return None


async def _redirect(call: Call) -> web.StreamResponse:
    _, question, query = call.request.raw_path.partition("?")
    return page(301, "", headers={"Location": f"{call.path}/{question}{query}"})


async def _serve(endpoint: Endpoint, version: str | None, call: Call) -> web.StreamResponse:
    """The endpoint's answer, with what it allows."""
    try:
        response = await _answer(endpoint, version, call)
    except Problem as problem:
        response = refusal(problem)
        if isinstance(problem, NoPage) or problem.status >= 500:
            return response
    if endpoint.in_api and not response.prepared:
        response.headers["Allow"] = endpoint.allowed
    return response


def _name(endpoint: Endpoint, call: Call) -> str | None:
    """Who asks. Problem 403 for wrong credentials, which outside of the API are as good as none."""
    try:
        return user_name(call.server.patchwork_tokens, call.request)
    except Problem:
        if endpoint.in_api:
            raise
        return None


async def _answer(endpoint: Endpoint, version: str | None, call: Call) -> web.StreamResponse:
    verb, number = call.request.method, read_version(version)
    name = _name(endpoint, call)
    user = None if name is None else call.server.store.patchwork.people.user_by_name(name)
    asked = Asked(call, number, f"{SITE}/api/{version}" if version else f"{SITE}/api", user)
    accepted = ",".join(call.request.headers.getall("Accept", ["*/*"]))
    if endpoint.in_api and not _ACCEPTED.search(accepted or "*/*"):
        raise Problem(406, "Could not satisfy the request Accept header.", "not_acceptable")
    if endpoint.for_users:
        asked.logged_in()
    if verb == "OPTIONS" and endpoint.in_api:
        return index.describe(endpoint.name.removeprefix("patchwork-").replace("-", " ").title())
    handler = endpoint.handlers.get("GET" if verb == "HEAD" else verb)
    if handler is None or (verb not in {"GET", "HEAD"} and number < endpoint.written_since):
        raise Problem(405, f'Method "{verb}" not allowed.', "method_not_allowed")
    return await handler(asked)
