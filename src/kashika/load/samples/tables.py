"""Tables whose rows are samples: one column holds the targets, all others the inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kashika.distribution import Array
from kashika.errors import LoadError, listed
from kashika.load.samples.content import Content
from kashika.load.samples.delimited import (
    Columns,
    column_of,
    columns_of_parquet,
    columns_of_text,
)
from kashika.load.samples.roles import split_called
from kashika.naming import SPLITS, Split
from kashika.run import Arrays, Samples
from kashika.texts import Sentence

_TEXT = (".csv", ".tsv", ".data", ".csv.gz", ".tsv.gz")
_PARQUET = (".parquet", ".pq")
_TARGETS = ("target", "label", "y", "class", "targets", "labels", "目的変数", "ラベル", "正解")
_SPLITS = ("split", "set", "subset", "fold", "partition", "dataset", "分割")
_INDICES = ("", "id", "index", "idx", "no", "number", "__index_level_0__", "番号")


def is_table(path: Path) -> bool:
    """Tell a table by its name."""
    return path.name.lower().endswith((*_TEXT, *_PARQUET))


def is_frame(value: object) -> bool:
    """Tell a data frame of pandas or the like."""
    return hasattr(value, "columns") and hasattr(value, "iloc")


def samples_of_tables(paths: Sequence[Path], *, target: str | None, where: Path) -> Content:
    """Read one table, or one for each split such as `train.csv` and `test.csv`.

    Parameters
    ----------
    target : column that holds the targets; found by its name if None
    where : file or folder that was named

    Raises
    ------
    LoadError
        If one is damaged, there is no target column, or inputs are no numbers.
    """
    if len(paths) == 1:
        split = _split_in(paths[0])
        columns = _columns(paths[0], target=target)
        return _of_columns(columns, target=target, where=paths[0], split=split)
    called = {path: split for path in paths if (split := _split_in(path)) is not None}
    if not called or len(set(called.values())) < len(called):
        names = listed(path.name for path in paths)
        raise LoadError("errors.dataset.several", path=where, names=names)
    samples: dict[Split, Samples] = {}
    notes: list[Sentence] = []
    left = [path.name for path in paths if path not in called]
    for path in sorted(called, key=lambda path: SPLITS.index(called[path])):
        columns = _columns(path, target=target)
        if samples and _target(columns, target) is None:
            left.append(path.name)  # the table of a competition, whose targets are kept back
            continue
        found, said = _of_columns(columns, target=target, where=path, split=called[path])
        samples |= found
        notes += said
    if left:
        notes.append(Sentence("notes.dataset.unused", path=where, names=listed(left)))
    return samples, notes


def samples_of_frame(frame: Any, *, target: str | None, where: str) -> Content:
    """Take a data frame as a table.

    Raises
    ------
    LoadError
        If there is no target column, or inputs are no numbers.
    """
    columns = {str(name): column_of(frame[name]) for name in frame.columns}
    return _of_columns(columns, target=target, where=where, split=None)


def _columns(path: Path, *, target: str | None) -> Columns:
    if path.name.lower().endswith(_PARQUET):
        return columns_of_parquet(path)
    return columns_of_text(path, target=target)


def _split_in(path: Path) -> Split | None:
    """Return the split in a name such as `iris_train.csv`."""
    words = path.name.partition(".")[0].replace("-", "_").split("_")
    found = {split for word in words if (split := split_called(word)) is not None}
    return found.pop() if len(found) == 1 else None


def _of_columns(
    columns: Columns, *, target: str | None, where: object, split: Split | None
) -> Content:
    """Take columns apart into inputs and targets, and rows into splits."""
    wanted = _target(columns, target)
    if wanted is None:
        names = listed(columns)
        if target is None:
            raise LoadError("errors.dataset.no_target", path=where, names=names)
        raise LoadError("errors.dataset.target", path=where, found=target, names=names)
    notes = [Sentence("notes.dataset.target_found", path=where, name=wanted)] * (target is None)
    own = next((name for name in columns if name != wanted and name.lower() in _SPLITS), None)
    rows, said = _rows(columns, own, split=split, where=where)
    notes += said
    rest = {name: one for name, one in columns.items() if name not in (wanted, own)}
    if dropped := [name for name, one in rest.items() if _is_index(name, one)]:
        notes.append(Sentence("notes.dataset.index", path=where, names=listed(map(repr, dropped))))
    x, y = _inputs(rest, left=dropped, where=where), columns[wanted]
    kept = ~np.isnan(x).any(axis=1) & (y != "" if y.dtype.kind == "U" else ~np.isnan(y))
    if not kept.any():
        raise LoadError("errors.dataset.all_missing", path=where, rows=len(kept))
    if count := int((~kept).sum()):
        notes.append(Sentence("notes.dataset.missing", path=where, count=count, rows=len(kept)))
    y = _whole(y)
    inputs = tuple(name for name in rest if name not in dropped)
    samples: dict[Split, Samples] = {
        one: replace(Arrays.of(x[kept & chosen], y[kept & chosen], split=one), columns=inputs)
        for one, chosen in rows.items()
    }
    return samples, notes


def _target(columns: Mapping[str, Array], target: str | None) -> str | None:
    """Return the column that was named, by number if it has no name, or is called so usually."""
    names = list(columns)
    if target is None:
        found = [name for usual in _TARGETS for name in names if name.lower() == usual]
        return found[0] if found else None
    same = [name for name in names if name.strip().lower() == target.strip().lower()]
    if target in names or len(same) == 1:
        return target if target in names else same[0]
    if target.lstrip("-").isdecimal() and -len(names) <= int(target) < len(names):
        return names[int(target)]
    return None


def _is_index(name: str, column: Array) -> bool:
    """Tell a column that only numbers the rows."""
    word = name.strip().lower()
    if word.startswith("unnamed:"):
        word = ""
    with np.errstate(invalid="ignore"):  # a NaN may be one that signals
        whole = column.dtype.kind in "iuU" or bool(np.all(column == np.floor(column)))
    return word in _INDICES and whole and len(np.unique(column)) == len(column)


def _inputs(columns: Columns, *, left: Sequence[str], where: object) -> Array:
    """Return the (rows, columns) inputs without the columns that are left out."""
    used = {name: one for name, one in columns.items() if name not in left}
    words = {name: one for name, one in used.items() if one.dtype.kind == "U"}
    if words:
        said = listed(
            f"{name} ({str(next(filter(None, one), ''))!r})" for name, one in words.items()
        )
        raise LoadError("errors.dataset.words", path=where, names=said)
    if not used:
        raise LoadError("errors.dataset.no_inputs", path=where, names=listed(columns) or "-")
    return np.stack(list(used.values()), axis=1).astype(np.float64)


def _rows(
    columns: Columns, own: str | None, *, split: Split | None, where: object
) -> tuple[dict[Split, Array], list[Sentence]]:
    """Return the rows of each split, by the column `own` that names it, else all of them."""
    names = None if own is None else columns[own]
    if names is not None and names.dtype.kind == "U":
        called = {str(name): split_called(str(name)) for name in np.unique(names)}
        if unknown := [name for name, found in called.items() if found is None]:
            raise LoadError("errors.dataset.splits", path=where, found=listed(map(repr, unknown)))
        found = {
            one: np.isin(names, [name for name, other in called.items() if other == one])
            for one in SPLITS
        }
        return {one: rows for one, rows in found.items() if rows.any()}, []
    count = len(next(iter(columns.values())))
    notes = []
    if names is not None:  # numbers of folds, of which none is known to be the test data
        notes.append(Sentence("notes.dataset.folds", path=where, name=own))
    if split is None:
        notes.append(Sentence("notes.dataset.table", path=where, count=count))
    return {split or "test": np.ones(count, dtype=bool)}, notes


def _whole(targets: Array) -> Array:
    """Return targets as whole numbers where all of them are."""
    if targets.dtype.kind != "f":
        return targets
    given = targets[~np.isnan(targets)]
    if (given == np.floor(given)).all() and (np.abs(given) < 2**53).all():
        return np.nan_to_num(targets).astype(np.int64)
    return targets
