"""Patchwork's answers: JSON, `{"detail": ...}` for what is refused, and pages for what is not the API's."""

from __future__ import annotations

import json
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from pk_upload.sandbox.answers import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pk_upload.sandbox.records import Json

__all__ = ["Broken", "Invalid", "NoPage", "answer", "denied", "missing", "nothing", "page", "refusal"]


class Invalid(Problem):
    """400: the body says what is wrong, mostly with which field."""

    def __init__(self, errors: Json) -> None:
        super().__init__(400, "What was sent is not valid.", "invalid")
        self.errors = errors


class NoPage(Problem):
    """404: nothing is at this address; a page says it, as for all that is no resource."""

    def __init__(self) -> None:
        super().__init__(404, "Page not found", "not_found")


class Broken(Problem):
    """500, at what breaks a running server too."""

    def __init__(self, message: str) -> None:
        super().__init__(500, message, "internal_error")


def missing(kind: str) -> Problem:
    """404: there is no resource of this kind, or none that the client may see."""
    return Problem(404, f"No {kind} matches the given query.", "not_found")


def denied(reason: str = "You do not have permission to perform this action.") -> Problem:
    """403: the client may not do this."""
    return Problem(403, reason, "forbidden")


def answer(data: Json, status: int = 200, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """`data` as JSON."""
    body = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")  # requests may have any bytes
    return web.Response(
        body=body, status=status, content_type="application/json", headers=dict(headers or {})
    )


def nothing() -> web.Response:
    """204, with an empty body."""
    return web.Response(status=204)


def page(status: int, message: str, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """A page that says this, or an empty one."""
    title = f"{status}: {HTTPStatus(status).phrase}" if status in {*HTTPStatus} else str(status)
    body = f"<p>{escape(message)}</p>"
    text = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>{body}</body></html>\n"
    return web.Response(
        body=text.encode("utf-8", "replace") if message else b"",
        status=status,
        content_type="text/html",
        charset="utf-8",
        headers=dict(headers or {}),
    )


def refusal(problem: Problem) -> web.Response:
    """The answer that stands for `problem`; a server's own failures are pages."""
    if isinstance(problem, Invalid):
        return answer(problem.errors, problem.status)
    if isinstance(problem, NoPage) or problem.status >= 500:
        return page(problem.status, problem.message, headers=problem.headers)
    return answer({"detail": problem.message}, problem.status, headers=problem.headers)
