"""Tables with a header: CSV and TSV of Keras, Lightning, Ultralytics, W&B, MLflow, pandas."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from kashika.errors import LoadError
from kashika.load.logs.decoding import decoded, text_of
from kashika.load.logs.logged import Logged
from kashika.load.logs.loose_numbers import is_number
from kashika.load.logs.nested import logged_in
from kashika.load.logs.tabular import unit_of
from kashika.naming import is_metric, split_of
from kashika.texts import Sentence

_SUFFIXES = (".csv", ".tsv", ".txt", ".log", ".dat", "")
_DELIMITERS = (",", ";", "\t", "|")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+([eE][+-]?\d+)?\s*")
_OF_TOTAL = re.compile(r"(\d+)\s*/\s*\d+")
_MLFLOW = re.compile(r"\d{10,16} \S+ \d+( .*)?")
_TENSORBOARD = ["wall time", "step", "value"]
_RUN_AND_TAG = re.compile(r"run-(?P<run>.*?)-tag-(?P<tag>.*)")


def recognises(path: Path, head: bytes) -> bool:
    """Tell whether a file is a table whose header has a word of training logs in it."""
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES or b"\0\0\0\0" in head[:64]:
        return False
    lines = decoded(head)[0].split("\n")
    if not suffix and "metrics" in path.parts and _MLFLOW.fullmatch(lines[0].strip()):
        return True
    delimiter = _delimiter(lines)
    rows = list(_rows(lines[:50], delimiter)) if delimiter else []
    if len(rows) < 2 or not _is_header(rows[0]):
        return False
    names = [name.strip().lower() for name in rows[0]]
    long = {"key", "metric", "name", "tag"} & set(names) and "value" in names
    if long and any(is_metric(cell) for row in rows[1:5] for cell in row):
        return True
    called = any(is_metric(name) or split_of(name) or unit_of(name) for name in names)
    return (called or names == _TENSORBOARD) and any(map(is_number, rows[1]))


def read(path: Path) -> Logged:
    """Read every column of numbers.

    Raises
    ------
    LoadError
        If it has no header, or no column of numbers.
    """
    text, notes = text_of(path)
    lines = text.split("\n")
    if _MLFLOW.fullmatch(lines[0].strip()):
        return _mlflow(path, lines, notes)
    delimiter = _delimiter(lines)
    rows = [] if delimiter is None else list(_rows(lines, delimiter))
    if not rows or not _is_header(rows[0]):
        found = next((line.strip()[:40] for line in lines if line.strip()), "")
        raise LoadError("errors.log.no_header", path=path, found=found)
    cut = not text.endswith("\n")
    header, cells, said = _fitting(rows, path, cut=cut)
    if delimiter != ",":
        cells = [[_with_point(cell) for cell in row] for row in cells]
    counting = [i for i, name in enumerate(header) if unit_of(name)]
    cells = [[_without_total(c) if i in counting else c for i, c in enumerate(r)] for r in cells]
    header, kept, more = _names(header, path)
    table = [{header[i]: row[i] for i in kept} for row in cells]
    series, left = logged_in(table, path=path)
    if not series:
        raise LoadError("errors.log.no_numbers", path=path, found=", ".join(header)[:80])
    return Logged("TSV" if delimiter == "\t" else "CSV", series, (*notes, *said, *more, *left))


def _delimiter(lines: Sequence[str]) -> str | None:
    """Return what stands between the cells of the first line that is no comment."""
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    counts = {one: first.count(one) for one in _DELIMITERS}
    best = max(counts, key=lambda one: counts[one])
    return best if counts[best] else None


def _rows(lines: Sequence[str], delimiter: str) -> Iterator[list[str]]:
    """Give the cells of every line; an empty cell behind the last delimiter is none."""
    plain = (line.replace("\0", "") for line in lines if not line.startswith("#"))
    reader = csv.reader((line for line in plain if line.strip()), delimiter=delimiter)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:  # a cell of more than 128 kB, as in a file that is something else
            continue
        yield [cell.strip() for cell in row]


def _is_header(row: Sequence[str]) -> bool:
    return bool(row) and not any(is_number(cell) for cell in row if cell)


def _fitting(
    rows: Sequence[list[str]], path: Path, *, cut: bool
) -> tuple[list[str], list[list[str]], list[Sentence]]:
    """Return the header and the rows that have as many cells; the others are counted."""
    header = rows[0][:-1] if len(rows[0]) > 1 and not rows[0][-1] else rows[0]
    width, notes = len(header), []
    again = sum(row[:width] == header for row in rows[1:])
    numbered = [(n, row) for n, row in enumerate(rows, start=1) if row[:width] != header]
    kept = [row[:width] for _, row in numbered if len(row) >= width and not any(row[width:])]
    odd = [(n, row) for n, row in numbered if len(row) < width or any(row[width:])]
    if again:
        notes.append(Sentence("notes.log.headers", path=path, count=again))
    if odd and cut and odd[-1][0] == len(rows):
        n, row = odd.pop()
        notes.append(Sentence("notes.log.cut", path=path, row=n, found=",".join(row)[:40]))
    if odd:
        n, row = odd[0]
        notes.append(
            Sentence(
                "notes.log.ragged",
                path=path, count=len(odd), row=n, found=len(row), expected=width,
            )
        )  # fmt: skip
    return header, kept, notes


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def _without_total(cell: str) -> str:
    """Return "3" for "3/99", as YOLO writes its epochs."""
    found = _OF_TOTAL.fullmatch(cell)
    return cell if found is None else found[1]


def _names(header: Sequence[str], path: Path) -> tuple[list[str], list[int], list[Sentence]]:
    """Return the names of the columns, the places of those that are kept, and what was decided."""
    names = list(header)
    if [name.lower() for name in names] == _TENSORBOARD:
        parts = _RUN_AND_TAG.fullmatch(path.stem)
        tag = "" if parts is None else parts["tag"]
        run = "" if parts is None else parts["run"]
        names[2] = f"{run}/{tag}" if split_of(run) else tag
        return names, [1, 2], []
    names = [name or "index" for name in names]  # pandas writes its index without a name
    notes = []
    runs = {name.partition(" - ")[0] for name in names if " - " in name}
    if len(runs) == 1:
        names = [name.rpartition(" - ")[2] for name in names]
        notes.append(Sentence("notes.log.run", path=path, run=next(iter(runs))))
    bounds = [i for i, name in enumerate(names) if name.endswith(("__MIN", "__MAX"))]
    if bounds:
        notes.append(Sentence("notes.log.bounds", path=path, count=len(bounds)))
    counts: Counter[str] = Counter()
    for i, name in enumerate(names):
        counts[name] += 1
        names[i] = name if counts[name] == 1 else f"{name}_{counts[name]}"
    return names, [i for i in range(len(names)) if i not in bounds], notes


def _mlflow(path: Path, lines: Sequence[str], notes: Sequence[Sentence]) -> Logged:
    """Read `timestamp value step` lines; the name is that of the file below `metrics`."""
    parts = path.parts
    at = len(parts) - parts[::-1].index("metrics") if "metrics" in parts else len(parts) - 1
    rows = [line.split() for line in lines if _MLFLOW.fullmatch(line.strip())]
    name = "/".join(parts[at:])
    table = [{"step": row[2], name: row[1]} for row in rows]
    series, left = logged_in(table, path=path)
    skipped = sum(bool(line.strip()) for line in lines) - len(rows)
    said = [Sentence("notes.log.lines", path=path, count=skipped)] if skipped else []
    if not series:
        raise LoadError("errors.log.no_numbers", path=path, found=name)
    return Logged("MLflow metric", series, (*notes, *said, *left))
