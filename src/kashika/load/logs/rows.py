"""Rows of named cells, as loggers write them one after the other -> tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kashika.load.logs.loose_numbers import are_numbers, is_number, listed
from kashika.naming import split_of

Row = Mapping[str, object]

_MOST_CELLS = 20_000_000
_DEPTH = 4  # mappings in a mapping in a row
_WIDTH = 64  # numbers of a list in a row that become series of their own
_MODES = ("mode", "phase", "split", "stage", "subset", "partition", "dataset", "set")
_NAMES = ("key", "name", "metric", "tag", "metric_name", "metricName")
_VALUES = ("value", "val", "metric_value")
_PLACES = ("step", "epoch", "iter", "iteration", "global_step", "x")
_SUMMARY = ("train_runtime", "total_flos")
_SETTINGS = ("env_info", "config", "hyperparameters", "args")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns over the same rows.

    Attributes
    ----------
    prefix : what stands before the name of each column, as ("train",); the columns that count
        epochs or steps are known by their names without it
    columns : {name: (rows,) what stands in the cells}, None where a row has no such cell
    """

    prefix: tuple[str, ...]
    columns: Mapping[str, Sequence[object]]


@dataclass(frozen=True, slots=True)
class Left:
    """Something that is no series.

    Attributes
    ----------
    name : as it stands in the file
    why : "other", "settings" or "summary"
    """

    name: str
    why: str = "other"


def tables_of(rows: Sequence[Row], *, prefix: tuple[str, ...] = ()) -> Iterator[Table | Left]:
    """Put the cells of rows under their names; each kind of row becomes a table of its own.

    Rows that say "train" or "val" are apart: what they count need not be the same.
    """
    kept = []
    for row in rows:
        if any(key in row for key in _SUMMARY):
            yield Left(", ".join(key for key in row if key not in _PLACES), "summary")
        elif any(key in row for key in _SETTINGS) and not any(key in row for key in _PLACES):
            yield Left(", ".join(row), "settings")
        else:
            kept.append(row)
    if _are_long(kept):
        yield from _pivoted(kept, prefix)
        return
    for mode, group in _by_mode(kept).items():
        yield from _columns([_flat(row) for row in group], (*prefix, *mode))


def _are_long(rows: Sequence[Row]) -> bool:
    """Tell rows of one value each, with its name beside it."""
    return bool(rows) and all(
        any(isinstance(row.get(key), str) for key in _NAMES) and any(key in row for key in _VALUES)
        for row in rows
    )


def _pivoted(rows: Iterable[Row], prefix: tuple[str, ...]) -> Iterator[Table | Left]:
    series: dict[tuple[str, ...], list[dict[str, object]]] = {}
    for row in rows:
        name = next(str(row[key]) for key in _NAMES if isinstance(row.get(key), str))
        value = next(row[key] for key in _VALUES if key in row)
        place = {key: row[key] for key in _PLACES if key in row}
        modes = [str(row[key]) for key in _MODES if isinstance(row.get(key), str)]
        series.setdefault((*modes, name), []).append({**place, name: value})
    for (*mode, _), group in series.items():
        yield from _columns(group, (*prefix, *mode))


def _by_mode(rows: Sequence[Row]) -> dict[tuple[str, ...], list[Row]]:
    """Sort the rows by the split that they name; () for those that name none.

    OpenMMLab counts the batches of the validation in `iter`, or its epochs in `step`: the first is
    taken out there, the second is called what it is.
    """
    key = next((key for key in _MODES if any(_names_split(row.get(key)) for row in rows)), None)
    if key is None:
        return _by_loop(rows)
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        mode = (str(row[key]),) if isinstance(row.get(key), str) else ()
        inner = {name: cell for name, cell in row.items() if name != key}
        if "epoch" in row and mode and split_of(mode[0]) != "train":
            inner.pop("iter", None)
        groups.setdefault(mode, []).append(inner)
    return groups


def _by_loop(rows: Sequence[Row]) -> dict[tuple[str, ...], list[Row]]:
    train = [row for row in rows if "iter" in row and "step" in row]
    rest = [row for row in rows if "iter" not in row and "step" in row]
    epochs = [row["epoch"] for row in train if isinstance(row.get("epoch"), int)]
    if not train or not rest or len(train) + len(rest) < len(rows):
        return {(): [*rows]}
    last = max((int(str(one)) for one in epochs), default=0)
    if all(isinstance(row["step"], int) and row["step"] <= last for row in rest):
        rest = [
            {"epoch" if name == "step" else name: cell for name, cell in row.items()}
            for row in rest
        ]  # fmt: skip
    return {(): train, ("val",): rest}


def _names_split(value: object) -> bool:
    return isinstance(value, str) and split_of(value) is not None


def _flat(row: Row) -> dict[str, object]:
    """Name the cells of mappings and short lists within a row after the place they stand in."""
    flat: dict[str, object] = {}
    inside: list[tuple[str, object, int]] = [(name, cell, 0) for name, cell in row.items()]
    for name, cell, depth in inside:
        inner = listed(cell)
        if isinstance(cell, Mapping) and depth < _DEPTH:
            inside += [(f"{name}/{key}", one, depth + 1) for key, one in cell.items()]
        elif inner is not None and 0 < len(inner) <= _WIDTH and are_numbers(inner):
            inside += [(f"{name}/{i}", one, _DEPTH) for i, one in enumerate(inner)]
        else:
            flat[name] = cell
    return flat


def _columns(rows: Sequence[Row], prefix: tuple[str, ...]) -> Iterator[Table | Left]:
    """Turn rows into columns; those without any number are named and left out."""
    counts: dict[str, bool] = {}
    for row in rows:
        for name, cell in row.items():
            counts[name] = counts.get(name, False) or is_number(cell)
    names = [name for name, some in counts.items() if some]
    most = names[: _MOST_CELLS // max(1, len(rows))]
    for name in [*names[len(most) :], *(name for name, some in counts.items() if not some)]:
        yield Left("/".join((*prefix, name)))
    if most:
        yield Table(prefix, {name: [row.get(name) for row in rows] for name in most})
