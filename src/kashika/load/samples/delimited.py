"""The cells of CSV and its relatives, and of Parquet, as columns."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kashika.distribution import Array
from kashika.errors import LoadError, one_line
from kashika.load.samples import files

Columns = dict[str, Array]
"""{name: (rows,) numbers, or words with "" where a cell is missing}"""

MISSING = frozenset(
    ("", "na", "n/a", "#n/a", "nan", "null", "none", "-", "--", "?", "<na>", "nat", "欠損")
)
_DELIMITERS = ("\t", ";", "|", ",", " ")
_HEAD = 50
_LONGEST = 200
"""So many characters of a cell are kept: no name of a class is longer."""


def columns_of_text(path: Path, *, target: str | None) -> Columns:
    """Read CSV, TSV or the like: any usual delimiter and encoding, with or without a header.

    Parameters
    ----------
    target : a column that there is, if it has a header; columns without one are called "0", "1", …

    Raises
    ------
    LoadError
        If it is no text, or a row has more or fewer cells than the others.
    """
    rows, comma = _rows(path)
    header = [cell.strip() for cell in rows[0][1]] if rows else []
    if target not in header and any(map(_is_number, header)):
        header = [str(index) for index in range(len(header))]
    else:
        rows = rows[1:]
    if not rows:
        raise LoadError("errors.dataset.empty", path=path)
    if not header[-1]:  # a delimiter at the end of each row, if not of the header alone
        header = header[:-1]
    if all(len(row) == len(header) + 1 for _, row in rows):
        if any(row[-1].strip() for _, row in rows):
            header = ["", *header]  # R gives the names of the rows no header
        else:
            rows = [(line, row[:-1]) for line, row in rows]
    for line, row in rows:
        if len(row) != len(header):
            raise LoadError(
                "errors.dataset.row", path=path, row=line, cells=len(header), found=len(row)
            )  # fmt: skip
    cells = zip(*(row for _, row in rows), strict=True)
    names = _unique(header)
    return {name: column_of(one, comma=comma) for name, one in zip(names, cells, strict=True)}


def columns_of_parquet(path: Path) -> Columns:
    """Read a Parquet file.

    Raises
    ------
    LoadError
        If it is damaged, or pyarrow is not installed.
    """
    try:
        from pyarrow import parquet  # type: ignore[import-untyped]
    except ImportError:
        raise LoadError("errors.dataset.pyarrow", path=path) from None
    try:
        meta = parquet.read_metadata(path)
        groups = range(meta.num_row_groups)
        size = max(
            sum(meta.row_group(one).total_byte_size for one in groups),
            meta.num_rows * meta.num_columns,
        )
        files.bounded(size, stored=path.stat().st_size, path=path)
        table = parquet.read_table(path)
    except LoadError:
        raise
    except Exception as error:  # pyarrow raises many types for damaged files
        raise LoadError("errors.dataset.damaged", path=path, error=one_line(error)) from error
    names = _unique(table.column_names)
    return {name: column_of(one) for name, one in zip(names, table.columns, strict=True)}


def column_of(cells: Any, *, comma: bool = False) -> Array:
    """Return a column as numbers with NaN for what is missing, else as words with "".

    Parameters
    ----------
    cells : text, or a column of pandas or pyarrow
    comma : numbers may be written with a decimal comma
    """
    if hasattr(cells, "to_numpy"):
        values = cells.to_numpy()
        if values.dtype.kind in "fiub":
            return np.asarray(values)
        cells = values.tolist()
    words = ["" if cell is None else str(cell).strip()[:_LONGEST] for cell in cells]
    given = [word for word in words if word.lower() not in MISSING]
    numbers = _numbers(given, comma=comma)
    if numbers is None:
        return np.array([word if word.lower() not in MISSING else "" for word in words])
    column = np.full(len(words), np.nan)
    column[[word.lower() not in MISSING for word in words]] = numbers
    return column


def _numbers(words: Sequence[str], *, comma: bool) -> Array | None:
    """Return words as numbers, true and false as 1 and 0; None if one is neither."""
    if words and {word.lower() for word in words} <= {"true", "false"}:
        return np.array([word.lower() == "true" for word in words], dtype=np.float64)
    for found in (words, [word.replace(",", ".") for word in words] if comma else words):
        try:
            return np.array([float(word) for word in found])
        except ValueError:
            continue
    return None


def _is_number(word: str) -> bool:
    return bool(word) and _numbers([word], comma=False) is not None


def _rows(path: Path) -> tuple[list[tuple[int, list[str]]], bool]:
    """Return the rows with their lines, and whether the comma is free for decimals."""
    text = _decoded(files.text(path), path)
    lines = text.splitlines(keepends=True)
    delimiter = _delimiter(lines[:_HEAD])
    blank = delimiter == " "
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=blank)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise LoadError(
            "errors.dataset.damaged", path=path, error=f"{error}, row {reader.line_num}"
        ) from None
    return rows, delimiter != ","


def _delimiter(lines: Sequence[str]) -> str:
    """Return the delimiter that gives every line the same number of cells, two at least."""
    for delimiter in _DELIMITERS:
        try:
            rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter == " "))
        except csv.Error:
            continue
        widths = {len(row) for row in rows[1:] if row} or {len(row) for row in rows}
        if len(widths) == 1 and widths != {1} and abs(len(rows[0]) - max(widths)) <= 1:
            return delimiter
    return ","


def _decoded(content: bytes, path: Path) -> str:
    encodings = ["utf-8-sig", "cp932", "cp1252"]
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise LoadError("errors.dataset.text", path=path, found=content[:16])


def _unique(names: Sequence[str]) -> list[str]:
    """Tell columns of the same name apart: "x", "x.1", as pandas does."""
    found: dict[str, None] = {}
    for name in names:
        number, new = 0, name
        while new in found:
            number += 1
            new = f"{name}.{number}"
        found[new] = None
    return list(found)
