"""Bytes and seconds in words."""

from __future__ import annotations

__all__ = ["amount", "amounts", "counted", "duration", "size"]

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


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


def counted(count: int, what: str, several: str = "") -> str:
    """So many of them: "1 file", "1,200 files", or what `several` are called."""
    return f"{count:,} {what if count == 1 else several or f'{what}s'}"


def _unit(count: float) -> int:
    unit = 0
    while count >= 1024 and unit < len(UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return unit
