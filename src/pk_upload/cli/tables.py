"""Answers for people: a thing as "field: value" lines, things as an aligned table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pk_upload.answers import moment
from pk_upload.redaction import plain

__all__ = ["fields", "table"]

MOMENTS = frozenset({"publish_date", "publish_time"})


def fields(value: Any) -> str:
    """A struct as lines under the service's own names."""
    import msgspec

    return "\n".join(_lines(msgspec.to_builtins(value), ""))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as what is in them; the last one is not padded."""
    from rich.cells import cell_len

    lines = [list(header), *([plain(cell) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def _lines(value: dict[str, Any], indent: str) -> list[str]:
    lines: list[str] = []
    for name, each in value.items():
        match each:
            case dict():
                lines += [f"{indent}{name}:", *_lines(each, f"{indent}  ")]
            case list() if each:
                lines.append(f"{indent}{name}:")
                for item in each:
                    lines.append(f"{indent}  - {_said(item)}")
            case str() if "\n" in each.strip():
                lines += [f"{indent}{name}:", *(f"{indent}  {plain(line)}" for line in each.split("\n"))]
            case _:
                lines.append(f"{indent}{name}: {_value(name, each)}".rstrip())
    return lines


def _said(item: Any) -> str:
    """An item of a list on one line, such as a message with its severity."""
    return (
        ": ".join(plain(str(each)) for each in item.values()) if isinstance(item, dict) else plain(str(item))
    )


def _value(name: str, value: Any) -> str:
    match value:
        case None | []:
            return ""
        case bool():
            return "yes" if value else "no"
        case int() if name in MOMENTS and value:
            return f"{value} ({moment(value)})"
        case _:
            return plain(str(value))
