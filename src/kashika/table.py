"""Rows of a measurement as a data frame, or as cells that a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kashika.texts import has, text
from kashika.view import Cell, Row

if TYPE_CHECKING:
    from pandas import DataFrame


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
