"""Answers for people: a thing as "field: value" lines, things as an aligned table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pk_upload.answers import moment
from pk_upload.redaction import plain

__all__ = ["fields", "table"]

MOMENTS = frozenset({"publish_date", "publish_time"})
WIDEST = 200  # cells that a column is padded to: one hostile text must not make every line as long
NARROWEST = 8  # cells that are left of a column that is shortened
DOTS = "..."


def fields(value: Any) -> str:
    """A struct as lines under the service's own names."""
    import msgspec

    return "\n".join(_lines(msgspec.to_builtins(value), ""))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None = None) -> str:
    """Columns as wide as what is in them; to fit `width` cells, those are shortened that are the widest."""
    from rich.cells import cell_len

    lines = [list(header), *([plain(cell) for cell in row] for row in rows)]
    widths = [min(max(map(cell_len, column)), WIDEST) for column in zip(*lines, strict=True)]
    if width is not None:
        widths = _fitted(widths, width - 2 * (len(widths) - 1))
        lines = [[_shortened(cell, wide) for cell, wide in zip(line, widths, strict=True)] for line in lines]
    return "\n".join(
        "  ".join(
            cell + " " * (wide - cell_len(cell)) for cell, wide in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def _fitted(widths: Sequence[int], room: int) -> list[int]:
    """The widths of columns that have `room` together, as far as none becomes too narrow to say anything."""
    fitted = list(widths)
    while sum(fitted) > room and max(fitted) > NARROWEST:
        widest = max(range(len(fitted)), key=lambda column: (fitted[column], column))
        fitted[widest] -= 1
    return fitted


def _shortened(text: str, room: int) -> str:
    """`text` in at most `room` cells."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= room:
        return text
    return set_cell_size(text[:room], room - len(DOTS)).rstrip() + DOTS


def _lines(value: dict[str, Any], indent: str) -> Iterator[str]:
    for given, each in value.items():
        name = plain(given)
        match each:
            case dict():
                yield f"{indent}{name}:"
                yield from _lines(each, f"{indent}  ")
            case list() | tuple() if each:
                yield f"{indent}{name}:"
                for item in each:
                    yield from _item(item, f"{indent}  ")
            case str() if "\n" in each.strip():
                yield f"{indent}{name}:"
                yield from (f"{indent}  {_kept(line)}".rstrip() for line in each.rstrip().split("\n"))
            case _:
                yield f"{indent}{name}: {_value(name, each)}".rstrip()


def _item(item: Any, indent: str) -> Iterator[str]:
    """An item of a list: on one line, such as a message with its severity, or as fields of its own."""
    if not isinstance(item, dict):
        yield f"{indent}- {plain(str(item))}"
    elif len(item) > 2:
        first, *others = _lines(item, f"{indent}  ")
        yield f"{indent}- {first.lstrip()}"
        yield from others
    else:
        yield f"{indent}- {': '.join(plain(str(each)) for each in item.values())}"


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


def _kept(line: str) -> str:
    """A line of a text whose spaces mean something, such as a diff."""
    return "".join(c if c.isprintable() else " " for c in line.expandtabs())
