"""Kickfolio's resources as the sandbox keeps them, and the JSON that clients see of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pk_upload.sandbox.records import Json

__all__ = ["FAILED", "PENDING", "READY", "App", "Bundle", "Version"]

PENDING = "pending"
READY = "ready"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class App:
    """An app and the ids of its versions; `icon` is the guid of an image."""

    number: int
    id: str
    public_key: str
    name: str
    bundle: str | None
    default_to_landscape: bool
    icon: str | None
    device_type: str
    created_at: str
    updated_at: str
    versions: tuple[str, ...]

    def to_json(self, user_id: str, address: Callable[[str], str]) -> Json:
        """The fields of the service's document; `address` makes the URL of an image's guid."""
        return {
            "id": self.id,
            "user_id": user_id,
            "name": self.name,
            "public_key": self.public_key,
            "bundle": self.bundle,
            "default_to_landscape": self.default_to_landscape,
            "icon": self.icon and address(self.icon),
            "device_type": self.device_type,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "versions": self.versions,
        }


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an app; the default images are guids.

    `given_string` is the version string of a client, `found_string` the bundle's own. `fetch` counts how
    often its bundle was asked for: what an earlier fetch brings is of no use any more.
    """

    number: int
    id: str
    app: int
    app_id: str
    state: str
    state_reason: str | None
    bundle_url: str
    given_string: str | None
    found_string: str | None
    default_image: str | None
    default_image_landscape: str | None
    fetch: int
    created_at: str
    updated_at: str

    def to_json(self, address: Callable[[str], str]) -> Json:
        """The fields of the service's document, and the reason where there is one."""
        shown: dict[str, Json] = {
            "id": self.id,
            "app_id": self.app_id,
            "state": self.state,
            "bundle_url": self.bundle_url,
            "version_string": self.found_string if self.given_string is None else self.given_string,
            "default_image": self.default_image and address(self.default_image),
            "default_image_landscape": self.default_image_landscape and address(self.default_image_landscape),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "comments": (),
        }
        return shown if self.state_reason is None else shown | {"state_reason": self.state_reason}


@dataclass(frozen=True, slots=True)
class Bundle:
    """What an .app bundle tells of itself; the images are the bytes of PNG files."""

    identifier: str
    version_string: str | None = None
    landscape: bool = False
    device_type: str = "iPhone"
    icon: bytes | None = None
    default_image: bytes | None = None
    default_image_landscape: bytes | None = None
