"""The versions of the API, and the fields that came to each of its resources after the first one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pk_upload.sandbox.records import Json

__all__ = ["LATEST", "Version", "of_version", "read_version"]

Version: TypeAlias = "tuple[int, int]"

LATEST: Version = (1, 4)

_SINCE: dict[str, dict[str, Version]] = {
    "project": {
        "subject_match": (1, 1),
        "list_archive_url": (1, 2),
        "list_archive_url_format": (1, 2),
        "commit_url_format": (1, 2),
        "show_dependencies": (1, 4),
    },
    "user": {"settings": (1, 2)},
    "patch": {"web_url": (1, 1), "comments": (1, 1), "list_archive_url": (1, 2), "related": (1, 2)},
    "cover": {"web_url": (1, 1), "mbox": (1, 1), "comments": (1, 1), "list_archive_url": (1, 2)},
    "series": {"web_url": (1, 1), "dependencies": (1, 4), "dependents": (1, 4)},
    "comment": {"web_url": (1, 1), "list_archive_url": (1, 2), "url": (1, 3), "addressed": (1, 3)},
    "bundle": {"web_url": (1, 1)},
    "event": {"actor": (1, 2)},
}


def read_version(text: str | None) -> Version:
    """The version that stands in an address, such as 1.2; the latest where there is none."""
    if text is None:
        return LATEST
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def of_version(kind: str, version: Version, body: dict[str, Json]) -> dict[str, Json]:
    """`body` without the fields that a resource of this `kind` did not have yet in `version`."""
    since = _SINCE[kind]
    return {name: value for name, value in body.items() if since.get(name, version) <= version}
