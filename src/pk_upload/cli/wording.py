"""Events in words."""

from __future__ import annotations

from pk_upload.events import ChunkRetry, Event, Message, Retry, Stage, Warned

__all__ = ["ACTIVITIES", "sentence"]

ACTIVITIES = {
    "preflight": "checking",
    "packing": "packing",
    "version": "preparing",
    "upload": "uploading",
    "processing": "processing",
    "checks": "checking",
    "publishing": "publishing",
}


def sentence(event: Event) -> str | None:
    """The line that tells of `event`; `None` for those that only move a bar."""
    match event:
        case Stage("scheduled", detail):
            return detail
        case Stage("done"):
            return None  # the result says it
        case Stage(stage, detail):
            return f"{ACTIVITIES[stage]}: {detail}" if detail else ACTIVITIES[stage]
        case Retry(what, attempt, cause, wait):
            return f"retry: {what}, attempt {attempt}: {cause}; again in {wait:.1f} s"
        case ChunkRetry(chunk, _, attempt, cause, wait):
            return f"retry: chunk {chunk}, attempt {attempt}: {cause}; again in {wait:.1f} s"
        case Message(severity, message):
            return f"{severity} about the build: {message}"
        case Warned(message):
            return f"warning: {message}"
        case _:
            return None
