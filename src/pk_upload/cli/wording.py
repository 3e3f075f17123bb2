"""Numbers and events in words."""

from __future__ import annotations

from pk_upload.events import ChunkRetry, Event, Message, Retry, Stage, Warned

__all__ = ["ACTIVITIES", "amount", "amounts", "duration", "sentence", "size"]

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
ACTIVITIES = {
    "version": "preparing",
    "upload": "uploading",
    "processing": "processing",
    "checks": "checking",
    "publishing": "publishing",
}


def size(count: float) -> str:
    """Bytes in the largest unit that leaves a number of at least 1: "10.2 GiB"."""
    unit = _unit(count)
    return f"{amount(count, unit)} {UNITS[unit]}"


def amounts(part: float, whole: float) -> str:
    """Both in the unit of `whole`: "3.1/10.2 GiB"."""
    unit = _unit(whole)
    return f"{amount(part, unit)}/{amount(whole, unit)} {UNITS[unit]}"


def amount(count: float, unit: int) -> str:
    return f"{count:.0f}" if unit == 0 else f"{count / 1024**unit:.1f}"


def duration(seconds: float) -> str:
    """Seconds as a clock shows them: "0:07", "12:34", "3:00:00"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


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


def _unit(count: float) -> int:
    unit = 0
    while count >= 1024 and unit < len(UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return unit
