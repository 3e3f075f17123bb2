"""The versions of Patchwork's API, and what each brought. Pure."""

from __future__ import annotations

from typing import Literal, get_args

from pk_upload.errors import UsageError

__all__ = ["VERSIONS", "Version", "require", "version_asked"]

Version = Literal["1.0", "1.1", "1.2", "1.3", "1.4"]
VERSIONS: tuple[Version, ...] = get_args(Version)  # the oldest first


def version_asked(text: str, name: str = "the version") -> Version | Literal["newest"]:
    """`text`, called `name`, as the version it names, or the newest; raises `UsageError` if it is none."""
    if text == "newest":
        return "newest"
    for version in VERSIONS:
        if version == text:
            return version
    raise UsageError(
        f"{name} is one of {', '.join(VERSIONS)}, or newest",
        hint="What the site offers is told by its page /api/docs.",
    )


def require(what: str, since: Version, pinned: Version) -> None:
    """Raises `UsageError` where `pinned` has not `what` yet, which came with the version `since`."""
    if VERSIONS.index(pinned) < VERSIONS.index(since):
        raise UsageError(
            f"version {pinned} of the API has no {what}",
            hint=f"Ask for version {since} or a newer one, if the site has it.",
        )
