"""What a deletion asks for, and what it answers: there is no undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pk_upload.cli.errand import Answer
from pk_upload.errors import UsageError

__all__ = ["deleted", "require_yes", "yes_option"]

F = TypeVar("F", bound=Callable[..., Any])


def yes_option(function: F) -> F:
    """The option without which nothing is deleted."""
    return click.option("--yes", is_flag=True, help="Delete it for good; nothing is deleted without.")(
        function
    )


def require_yes(yes: bool, what: str) -> None:
    """Raises `UsageError` unless the user has said that they mean it."""
    if not yes:
        raise UsageError(f"{what} is not deleted: there is no undo", hint="Say that you mean it with --yes.")


def deleted(kind: str, identifier: str | int) -> Answer:
    """The answer once it is done; the service itself says nothing."""
    return Answer({"id": identifier, "deleted": True}, f"{kind} {identifier} is deleted")
