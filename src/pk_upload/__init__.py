"""Uploads large game builds to PatchKit, resumes after any interruption, and publishes them.

The names below are imported when first used, so that `import pk_upload` costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pk_upload.archive import Packing as Packing
    from pk_upload.bundles import publish_bundle as publish_bundle
    from pk_upload.errors import PkUploadError as PkUploadError
    from pk_upload.http import RetryPolicy as RetryPolicy
    from pk_upload.kickfolio import Kickfolio as Kickfolio
    from pk_upload.patchkit import PatchKit as PatchKit
    from pk_upload.patchwork import Patchwork as Patchwork
    from pk_upload.release import Release as Release
    from pk_upload.release import release as release
    from pk_upload.reporting import with_check as with_check
    from pk_upload.transfer import TransferConfig as TransferConfig
    from pk_upload.transfer import Upload as Upload
    from pk_upload.transfer import upload as upload

__version__ = "0.1.0"

_HOMES = {
    "Kickfolio": "pk_upload.kickfolio",
    "Packing": "pk_upload.archive",
    "PatchKit": "pk_upload.patchkit",
    "Patchwork": "pk_upload.patchwork",
    "PkUploadError": "pk_upload.errors",
    "Release": "pk_upload.release",
    "RetryPolicy": "pk_upload.http",
    "TransferConfig": "pk_upload.transfer",
    "Upload": "pk_upload.transfer",
    "publish_bundle": "pk_upload.bundles",
    "upload": "pk_upload.transfer",
    "with_check": "pk_upload.reporting",
}

__all__ = ["__version__", "release", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """Keeps `pk_upload.release` the function: importing the module of that name would put itself there."""

    @property
    def release(self) -> Any:
        return import_module("pk_upload.release").release

    @release.setter
    def release(self, module: ModuleType) -> None:
        pass


sys.modules[__name__].__class__ = _Package
