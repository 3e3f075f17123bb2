"""What can be resumed, for people: the journals in a state directory, listed and forgotten."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pk_upload.archive import Fingerprint
from pk_upload.errors import StateError
from pk_upload.transfer.lock import held, holder
from pk_upload.transfer.plan import Plan
from pk_upload.transfer.records import FORMAT, Begun, Damaged, State
from pk_upload.transfer.state_dir import journals, read

__all__ = ["Kept", "forget", "kept"]


class Kept(msgspec.Struct, frozen=True):
    """What is kept of one run. Sizes are bytes, `updated` is Unix seconds.

    `step` is where its release stands: version, upload, processing, processed or publishing. `held_by` is
    the id of the process that is at work on it, 0 if it cannot be told; `damage` is why it cannot be resumed.
    """

    id: str
    source: str
    app: str
    label: str
    api_url: str
    step: str
    version_id: int | None
    upload_id: int | None
    job_guid: str | None
    chunk_size: int
    bytes_total: int
    bytes_confirmed: int
    updated: int
    held_by: int | None
    damage: str | None


def kept(directory: Path) -> list[Kept]:
    """What the journals in `directory` tell, the newest first. Raises `StateError` if it cannot be read."""
    try:
        found = [each for path in journals(directory) if (each := _told(path)) is not None]
    except OSError as error:
        raise StateError(
            f"{directory} cannot be read: {error.strerror or error}",
            hint="Check --state-dir and its permissions.",
        ) from None
    return sorted(found, key=lambda each: each.updated, reverse=True)


def forget(directory: Path, name: str) -> None:
    """Removes the journal with this id: its run can no longer be resumed.

    Raises `StateLocked` while a run is at work on it, `StateError` if it cannot be removed.
    """
    path = directory / f"{name}.journal"
    try:
        with held(path):
            path.unlink(missing_ok=True)
            path.with_suffix(".sums").unlink(missing_ok=True)
    except OSError as error:
        raise StateError(f"{path} cannot be removed: {error.strerror or error}") from None


_NOTHING = Begun(FORMAT, "", Fingerprint(0, 0, 0, ""), "")


def _told(path: Path) -> Kept | None:
    """What one journal tells; `None` if its run has just ended and removed it."""
    state, damage, updated = State(), None, 0
    try:
        updated = int(path.lstat().st_mtime)
        state, _ = read(path)
    except FileNotFoundError:
        return None
    except Damaged as found:
        damage = str(found)
    except OSError as error:
        damage = f"it cannot be read: {error.strerror or error}"
    about = state.begun or _NOTHING
    plan = Plan(about.fingerprint.size, state.chunk_size)
    return Kept(
        id=path.stem,
        source=about.source,
        app=about.app,
        label=about.label,
        api_url=about.api_url,
        step=state.step,
        version_id=state.version_id,
        upload_id=state.upload_id,
        job_guid=state.job_guid,
        chunk_size=state.chunk_size,
        bytes_total=about.fingerprint.size,
        bytes_confirmed=plan.size_of(state.chunks) if state.upload_id is not None else 0,
        updated=updated,
        held_by=holder(path),
        damage=damage,
    )
