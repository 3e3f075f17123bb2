"""Whether to pack a folder before it is sent: what is likely to have all of it delivered first. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pk_upload.archive.folder.sampling import Sample
from pk_upload.units import size as bytes_of

__all__ = ["Choice", "Rate", "choose"]

CHECKED = 1024**3  # bytes a second that are read and summed, which both ways begin with
LEAST_GAIN, LEAST_SHARE = 2.0, 0.05  # seconds, and as a part of the whole: what packing has to save
SPARE, SPARE_SHARE = 64 * 1024**2, 1.1  # bytes, and a factor on what the archive is likely to need


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast bytes will be sent, a second, and how that is known: "given by --limit-rate"."""

    per_second: float
    origin: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What to do, and a sentence for the user that says why."""

    compression: Literal["store", "deflate"]
    reason: str


def choose(content: int, *, headers: int, sample: Sample | None, rate: Rate, room: int | None) -> Choice:
    """Which way ends sooner for files of `content` bytes and the bytes of `headers` that a ZIP adds.

    `room` is what the directory for temporary files has left, in bytes, if that is known.
    """
    size = content + headers
    if sample is None:
        return Choice("store", "store: there is nothing to pack")
    per_second, at = max(rate.per_second, 1.0), f"at {bytes_of(rate.per_second)}/s, {rate.origin},"
    packed = int(sample.ratio * content) + headers
    plain = size / CHECKED + size / per_second
    deflated = size / min(sample.all_cores, CHECKED) + packed / per_second
    if plain - deflated < max(LEAST_GAIN, LEAST_SHARE * plain):
        sending = f"{at} sending {bytes_of(size)} takes {_time(plain)}"
        return Choice("store", f"store: {sending}; packing it first would end after {_time(deflated)}")
    if room is not None and room < SPARE_SHARE * packed + SPARE:
        needed = f"packing would end sooner but needs about {bytes_of(packed)}"
        return Choice(
            "store", f"store: {needed}, and the directory for temporary files has {bytes_of(room)} left"
        )
    packing = (
        f"{at} packing {bytes_of(size)} to about {bytes_of(packed)} and sending that takes {_time(deflated)}"
    )
    return Choice("deflate", f"deflate: {packing}; sending it as it is would take {_time(plain)}")


def _time(seconds: float) -> str:
    """Seconds in words: "0.4 s", "51 s", "12 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
