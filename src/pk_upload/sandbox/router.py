"""Which endpoint a verb and a path mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import unquote

from pk_upload.sandbox import apps, content, locks, uploads, versions
from pk_upload.sandbox.answers import Problem
from pk_upload.sandbox.kickfolio import apps as kickfolio_apps
from pk_upload.sandbox.kickfolio import versions as kickfolio_versions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from pk_upload.sandbox.call import Call

    Handler: TypeAlias = Callable[[Call], Awaitable[web.StreamResponse]]

__all__ = ["ROUTES", "Route", "clean_path", "is_kickfolio", "resolve"]

Access: TypeAlias = Literal["key", "own", "open", "token"]
"""key, or Kickfolio's token: the dispatcher asks for it; own: the handler does, in time; open: public."""


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint: the name by which faults know it, and what answers it."""

    endpoint: str
    verbs: frozenset[str]
    pattern: re.Pattern[str]
    access: Access
    handler: Handler


def _route(endpoint: str, verbs: str, path: str, access: Access, handler: Handler) -> Route:
    named = dict.fromkeys(("secret", "guid", "app", "id"), "[^/]+") | {"kind": "content|diff"}
    pattern = re.sub(r"\{(\w+)\}", lambda name: f"(?P<{name[1]}>{named.get(name[1], '[0-9]{1,18}')})", path)
    return Route(endpoint, frozenset(verbs.split()), re.compile(pattern), access, handler)


_APP = "/1/apps/{secret}"
_VERSION = "/1/apps/{secret}/versions/{version}"
_KICKFOLIO = "/kickfolio"
_APPS = f"{_KICKFOLIO}/api/apps"
_VERSIONS = f"{_KICKFOLIO}/api/versions"
_APP_VERSIONS = f"{_APPS}/{{app}}/versions"

ROUTES = (
    _route("account", "GET", "/1/account", "key", apps.show_account),
    _route("apps", "GET", "/1/apps", "key", apps.list_apps),
    _route("apps", "POST", "/1/apps", "key", apps.create_app),
    _route("app", "GET", _APP, "open", apps.show_app),
    _route("changelog", "GET", f"{_APP}/changelog", "open", versions.show_changelog),
    _route("versions", "GET", f"{_APP}/versions", "open", versions.list_versions),
    _route("versions", "POST", f"{_APP}/versions", "key", versions.create_version),
    _route("latest", "GET", f"{_APP}/versions/latest", "open", versions.show_latest),
    _route("latest", "GET", f"{_APP}/versions/latest/id", "open", versions.show_latest_id),
    _route("version", "GET", _VERSION, "open", versions.show_version),
    _route("version", "PATCH", _VERSION, "key", versions.update_version),
    _route("publish", "POST PUT", f"{_VERSION}/publish", "key", versions.publish_version),
    _route("content_file", "PUT", f"{_VERSION}/content_file", "key", content.set_content_file),
    _route("content", "GET", f"{_VERSION}/{{kind}}_summary", "open", content.show_summary),
    _route("content", "GET", f"{_VERSION}/{{kind}}_urls", "open", content.show_urls),
    _route("file", "GET", "/_files/{guid}", "open", content.send_file),
    _route("uploads", "POST", "/1/uploads", "key", uploads.create_upload),
    _route("chunk", "POST", "/1/uploads/{upload}/chunk", "own", uploads.receive_chunk),
    _route("gen_chunk_url", "POST", "/1/uploads/{upload}/gen_chunk_url", "key", uploads.generate_url),
    _route("part", "PUT", "/_parts/{upload}/{first}/{end}", "own", uploads.receive_part),
    _route("job", "GET", "/1/background_jobs/{guid}", "open", content.show_job),
    _route("lock", "POST", "/1/global_locks/acquire", "key", locks.acquire_lock),
    _route("kickfolio-apps", "GET", _APPS, "token", kickfolio_apps.list_apps),
    _route("kickfolio-apps", "POST", _APPS, "token", kickfolio_apps.create_app),
    _route("kickfolio-app", "GET", f"{_APPS}/{{app}}", "token", kickfolio_apps.show_app),
    _route("kickfolio-app", "PUT", f"{_APPS}/{{app}}", "token", kickfolio_apps.update_app),
    _route("kickfolio-app", "DELETE", f"{_APPS}/{{app}}", "token", kickfolio_apps.delete_app),
    *(
        route
        for path in (_VERSIONS, _APP_VERSIONS)
        for route in (
            _route("kickfolio-versions", "GET", path, "token", kickfolio_versions.list_versions),
            _route("kickfolio-versions", "POST", path, "token", kickfolio_versions.create_version),
            _route("kickfolio-version", "GET", f"{path}/{{id}}", "token", kickfolio_versions.show_version),
            _route("kickfolio-version", "PUT", f"{path}/{{id}}", "token", kickfolio_versions.update_version),
            _route(
                "kickfolio-version", "DELETE", f"{path}/{{id}}", "token", kickfolio_versions.delete_version
            ),
        )
    ),
    _route("kickfolio-image", "GET", f"{_KICKFOLIO}/images/{{guid}}", "open", kickfolio_apps.send_image),
)


def clean_path(target: str) -> str:
    """The path of a request target, with doubled slashes made one: official clients send `//1/...`."""
    path = re.sub("/{2,}", "/", target.partition("?")[0])
    return path.rstrip("/") or "/"


def is_kickfolio(path: str) -> bool:
    """Whether the path is one of Kickfolio's, known or not, so that the answer is to be in its words."""
    return path == _KICKFOLIO or path.startswith(f"{_KICKFOLIO}/")


def resolve(verb: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route and the parts of its path. Problem 404 for an unknown path, 405 for a wrong verb."""
    allowed: set[str] = set()
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match is None:
            continue
        if verb in route.verbs or (verb == "HEAD" and "GET" in route.verbs):
            return route, {name: unquote(text) for name, text in match.groupdict().items()}
        allowed |= route.verbs
    if not allowed:
        raise Problem(404, "There is nothing at this address.", "not_found")
    verbs = ", ".join(sorted(allowed))
    raise Problem(405, f"This address takes {verbs} only.", "method_not_allowed", headers={"Allow": verbs})
