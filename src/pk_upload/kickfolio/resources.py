"""What Kickfolio's answers are about: apps and versions.

Unknown fields of an answer are ignored, and missing ones take the values below; without an `id`, with a field
of a wrong type or without the resource's name around it, an answer raises `UnexpectedAnswer`.
"""

from __future__ import annotations

import msgspec

__all__ = ["App", "Apps", "OneApp", "OneVersion", "Version", "Versions"]


class App(msgspec.Struct, frozen=True):
    """An app. `id` and `public_key` both identify it; what describes the bundle is null before the first.

    Moments stay the texts they are, for the service writes some without leading zeros.
    """

    id: str
    user_id: str | None = None
    name: str = ""
    public_key: str | None = None
    bundle: str | None = None
    default_to_landscape: bool | None = False
    icon: str | None = None
    device_type: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    versions: tuple[str, ...] = ()


class Version(msgspec.Struct, frozen=True):
    """A version of an app. `state` is "pending" until the service has fetched `bundle_url`, then "ready".

    What a comment looks like is documented nowhere, so that each stays what its JSON is. `state_reason` is
    not documented either: the sandbox says there why a version has failed.
    """

    id: str
    state: str
    app_id: str = ""
    bundle_url: str | None = None
    version_string: str | None = None
    default_image: str | None = None
    default_image_landscape: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    comments: tuple[object, ...] = ()
    state_reason: str | msgspec.UnsetType | None = msgspec.UNSET


# What is around them in an answer.


class OneApp(msgspec.Struct):
    app: App


class Apps(msgspec.Struct):
    apps: list[App]


class OneVersion(msgspec.Struct):
    version: Version


class Versions(msgspec.Struct):
    versions: list[Version]
