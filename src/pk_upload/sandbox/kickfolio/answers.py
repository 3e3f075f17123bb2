"""Kickfolio's answers: a resource under its name, an error as `{"message", "code", "errors"}`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from pk_upload.sandbox.answers import Problem, answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pk_upload.sandbox.records import Json

__all__ = ["FieldError", "Invalid", "nothing", "refusal"]


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with a field of a resource, as the end of a sentence about it."""

    field: str
    resource: str
    message: str


class Invalid(Problem):
    """422: the record is invalid, for these reasons, of which there is at least one."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(422, f"The {errors[0].resource} is invalid.", "record_invalid")
        self.errors = (*errors,)


def refusal(problem: Problem) -> web.Response:
    """The answer that stands for `problem`."""
    body: dict[str, Json] = {"message": problem.message, "code": problem.symbol}
    if isinstance(problem, Invalid):
        body["errors"] = [asdict(error) for error in problem.errors]
    return answer(body, problem.status, headers=problem.headers)


def nothing() -> web.Response:
    """204, with the empty body that the document promises."""
    return web.Response(status=204)
