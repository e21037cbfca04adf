"""Rows of a measurement as a data frame, or as cells that a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar
from unicodedata import east_asian_width

from kashika.texts import has, text
from kashika.view import Cell, Row, Table, View

if TYPE_CHECKING:
    from pandas import DataFrame

M = TypeVar("M")


def frame(rows: Sequence[Row]) -> DataFrame:
    """Return the rows as a pandas data frame; column names stay the same in every language."""
    from pandas import DataFrame

    return DataFrame([dict(row) for row in rows])


def heading(column: str) -> str:
    """Return the heading of a column in the reader's language."""
    return text(f"columns.{column}") if has(f"columns.{column}") else column


def words(cell: Cell) -> str:
    """Return a cell as a person reads it: four significant digits, a dash for nothing."""
    match cell:
        case None:
            return "–"
        case bool():
            return text("words.yes" if cell else "words.no")
        case float():
            return f"{cell:.4g}"
        case _:
            return str(cell)


def split_of(measurement: object) -> str:
    """Return the split that a measurement looks at, in words; "" if there is none."""
    split = getattr(measurement, "split", None)
    return text(f"labels.{split}") if split else ""


def first(view: View[M], measurement: M) -> Table[M] | None:
    """Return the first table of a view that applies to a measurement."""
    return next((one for one in view.tables if one.rows(measurement)), None)


def plain(view: View[M], measurement: M, *, most: int = 12) -> str:
    """Write the first table of a measurement as text, at most so many rows."""
    shown = first(view, measurement)
    rows = shown.rows(measurement) if shown else []
    return aligned(rows, most=most) if rows else view.name


def aligned(rows: Sequence[Row], *, most: int | None = None) -> str:
    """Write rows as text in columns, under their headings; at most so many of them."""
    cells = [[heading(column) for column in rows[0]]]
    cells += [[words(cell) for cell in row.values()] for row in rows[:most]]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in cells
    ]
    if most is not None and len(rows) > most:
        lines.append(text("words.more_rows", count=len(rows) - most))
    return "\n".join(lines)


def _width(cell: str) -> int:
    """Return how many columns of a terminal a text takes: Japanese letters take two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in cell)
