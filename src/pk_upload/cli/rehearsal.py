"""`pk-upload push --dry-run`: what would be done, and nothing of it done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pk_upload.archive import StoredFolder, preflighted, refuse, surveyed, warn
from pk_upload.cli.errand import Answer, Desk
from pk_upload.cli.settings import Settings
from pk_upload.transfer.plan import Plan
from pk_upload.units import counted, size

if TYPE_CHECKING:
    from pk_upload.cli.push import Wish

__all__ = ["rehearse"]


async def rehearse(settings: Settings, wish: Wish, desk: Desk) -> Answer:
    """What a push of `wish` would upload, entry by entry where it is a folder. Nothing is asked of the
    service.
    """
    config, packing = settings.transfer(), settings.packing()
    async with surveyed(wish.source, packing, emit=desk.emit) as build:
        found = await preflighted(build, strict=wish.strict)
        warn(found.warnings, desk.emit)
        refuse(found)
    chunks = len(Plan(build.size, config.chunk_size))
    value: dict[str, Any] = {
        "source": str(wish.source),
        "bytes_total": build.size,
        "chunks": chunks,
        "chunk_size": config.chunk_size,
        "files": found.files,
        "bytes_unpacked": found.unpacked,
        "app": wish.app,
        "label": wish.label,
        "changelog": wish.changelog,
        "publish": wish.publish,
        "wait": wish.wait,
        "overwrite_draft": wish.overwrite_draft,
    }
    lines: list[str] = []
    stored = ""
    if isinstance(build, StoredFolder):
        members = build.tree.members
        value |= {
            "compression": packing.compression,
            "entries": [{"name": member.name, "size": member.size} for member in members],
        }
        lines = [f"{size(member.size):>12}  {member.name}" for member in members]
        stored = {"auto": ", less if packing it first ends sooner", "deflate": " before it is packed"}.get(
            packing.compression, ""
        )
    then = "then published" if wish.publish else "then left as a draft"
    cut = f"{counted(chunks, 'chunk')} of {size(config.chunk_size)}"
    lines += [
        f"would upload {wish.source}: {size(build.size)} in {cut}{stored}",
        f"{counted(found.files, 'file')}, {size(found.unpacked)} unpacked",
        f"as the version {wish.label!r} of {wish.app or 'a new app'}, {then}",
    ]
    return Answer(value, "\n".join(lines))
