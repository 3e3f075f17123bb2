"""A local PatchKit: a server on loopback that official clients and this package run against.

`serve` starts it, `Sandbox` says where it is, `SandboxError` why it cannot start; `FaultError` and
`FAULTS_HELP` belong to the faults it can be told to have. The server itself is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pk_upload.sandbox.faults import DESCRIPTION as FAULTS_HELP
from pk_upload.sandbox.faults import FaultError

if TYPE_CHECKING:
    from pk_upload.sandbox.places import SandboxError
    from pk_upload.sandbox.server import Sandbox, serve

__all__ = ["FAULTS_HELP", "FaultError", "Sandbox", "SandboxError", "serve"]


def __getattr__(name: str) -> Any:
    if name in {"Sandbox", "serve"}:
        from pk_upload.sandbox import server

        return getattr(server, name)
    if name == "SandboxError":
        from pk_upload.sandbox.places import SandboxError

        return SandboxError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
