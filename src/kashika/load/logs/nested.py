"""Lists and dictionaries of numbers, nested as their programs happen to nest them -> series."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from kashika.history import Series
from kashika.load.logs.loose_numbers import are_numbers, listed, number
from kashika.load.logs.rows import Left, Table, tables_of
from kashika.load.logs.tabular import series_of
from kashika.naming import is_metric
from kashika.texts import Sentence

_DEPTH = 6
_WRAPPERS = {
    "history", "hist", "log_history", "log", "logs", "metrics", "results", "data", "records",
    "scalars", "epochs", "rounds", "losses_and_metrics",
}  # fmt: skip
"""What stands around series without saying anything about them."""
_SETTINGS = {
    "args", "cfg", "config", "hparams", "hyperparameters", "hyper_parameters", "model", "opt",
    "optim", "optimizer", "optimizers", "optimizer_states", "optimizer_state_dict", "options",
    "params", "scheduler", "schedulers", "lr_scheduler", "lr_schedulers", "scaler", "settings",
    "state_dict", "model_state_dict", "stateful_callbacks", "callbacks", "loops", "rng_state",
}  # fmt: skip
"""What holds numbers that were not logged."""
_X = ("steps", "step", "epochs", "epoch", "iterations", "x")
_Y = ("values", "value", "y")
_BESIDE = {"timestamps", "timestamp", "wall_time", "wall_times", "name", "type", "mode", "unit"}
_NUMBERED = re.compile(r"(?i)(epoch|step|iter|iteration|round)?[ _-]?(\d{1,15})")
_UNNAMED = "\0"  # in place of no name, which would be that of an index
_SINCE_1970 = 1e9  # seconds; a wall time is more than these, and nothing else in a log is


_LEFT = {
    "other": "notes.log.nested.other",
    "settings": "notes.log.nested.settings",
    "summary": "notes.log.nested.summary",
    "twice": "notes.log.nested.twice",
}
"""{why something is not read: how that is said}."""


def series_in(content: object) -> dict[str, Series]:
    """Return the series in lists and dictionaries; see `logged_in` for what is left out.

    Returns
    -------
    {name as written: series}; names of dictionaries within dictionaries are joined with "/"
    """
    return logged_in(content, path=Path())[0]


def logged_in(content: object, *, path: Path) -> tuple[dict[str, Series], list[Sentence]]:
    """Return the series in lists and dictionaries, and a note on what is none.

    Parameters
    ----------
    content : lists, tuples, mappings, arrays and tensors of numbers, or of each other
    path : of the file, for the notes
    """
    series: dict[str, Series] = {}
    left: dict[str, list[str]] = {}
    notes: list[Sentence] = []
    for found in _walk(content, ()):
        if isinstance(found, Left):
            left.setdefault(found.why, []).append(found.name)
            continue
        named, said = _series(found, path)
        notes += said
        for name, one in named.items():
            if name in series:
                left.setdefault("twice", []).append(name)
            series.setdefault(name, one)
    said = [
        Sentence(_LEFT[why], path=path, count=len(names), names=_short(names))
        for why, names in left.items()
    ]
    return series, [*notes, *said]


def looks_logged(content: object, *, name: str) -> bool:
    """Tell whether a series in it is called as in training, or `name`, where it has no name."""
    if isinstance(content, Mapping) and "log_history" in content:
        return True
    tables = (one for one in _walk(content, ()) if isinstance(one, Table))
    names = (
        ([name, *one.prefix][-1] if not column or column.isdecimal() else column)
        for one in tables
        for column in one.columns
    )
    return any(is_metric(word) and not _is_rate(word) for word in names)


def _is_rate(name: str) -> bool:
    """Tell the learning rate, which stands in lists of settings as well."""
    return name.lower() in ("lr", "lrs", "learning_rate", "learning_rates")


def _series(table: Table, path: Path) -> tuple[dict[str, Series], list[Sentence]]:
    columns, notes = {}, []
    for name, cells in table.columns.items():
        columns[name or _UNNAMED], wrong = _numbers(cells)
        if wrong:
            row, value = wrong[0]
            notes.append(
                Sentence(
                    "notes.log.nested.skipped",
                    path=path, name=name, count=len(wrong), row=row, found=value,
                )
            )  # fmt: skip
    found, said = series_of(columns)
    joined = {
        "/".join(filter(None, (*table.prefix, name.removeprefix(_UNNAMED)))): one
        for name, one in found.items()
    }
    return joined, [*notes, *said]


def _numbers(cells: Sequence[object]) -> tuple[list[float | None], list[tuple[int, str]]]:
    """Return the numbers in cells; and those that are none, with their rows."""
    numbers: list[float | None] = []
    wrong = []
    for row, cell in enumerate(cells, start=1):
        try:
            numbers.append(number(cell))
        except ValueError:
            numbers.append(None)
            # Only text is quoted: the rest may be huge, or be nested too deeply to be printed.
            wrong.append((row, cell[:40] if isinstance(cell, str) else type(cell).__name__))
    return numbers, wrong


def _walk(content: object, place: tuple[str, ...]) -> Iterator[Table | Left]:
    """Give every table in lists and mappings."""
    values = listed(content)
    if len(place) > _DEPTH:
        yield Left("/".join(place))
    elif isinstance(content, Mapping):
        yield from _in_mapping({str(key): one for key, one in content.items()}, place)
    elif values:
        yield from _in_list(values, place)


def _in_list(values: Sequence[object], place: tuple[str, ...]) -> Iterator[Table | Left]:
    rows = [one for one in values if isinstance(one, Mapping)]
    inner = [one for one in map(listed, values) if one]
    if len(rows) == len(values):
        yield from tables_of([{str(k): v for k, v in row.items()} for row in rows], prefix=place)
    elif are_numbers(values):
        yield Table(place[:-1], {place[-1] if place else "": values})
    elif len(inner) == len(values) and all(map(are_numbers, inner)):
        yield from _of_lists(inner, place)
    else:
        yield Left("/".join(place) or type(values[0]).__name__)


def _of_lists(lists: Sequence[Sequence[object]], place: tuple[str, ...]) -> Iterator[Table | Left]:
    """Give the columns of a matrix; or its rows, where these are few and long."""
    prefix, name = place[:-1], place[-1] if place else ""
    widths = {len(one) for one in lists}
    if widths == {3} and all(_is_wall_time(one[0]) for one in lists):  # TensorBoard's download
        yield Table(prefix, {"step": [one[1] for one in lists], name: [one[2] for one in lists]})
    elif widths == {2} and len(lists) > 2 and _rise([one[0] for one in lists]):
        yield Table(prefix, {"step": [one[0] for one in lists], name: [one[1] for one in lists]})
    elif len(lists) <= 8 and min(widths) > len(lists):
        for i, one in enumerate(lists):
            yield Table(place, {str(i): one})
    elif len(widths) == 1 and max(widths) <= 64:
        yield Table(place, {str(i): column for i, column in enumerate(zip(*lists, strict=True))})
    else:
        yield Left("/".join(place) or "lists")


def _is_wall_time(cell: object) -> bool:
    return isinstance(cell, float | int) and cell > _SINCE_1970


def _rise(cells: Sequence[object]) -> bool:
    """Tell whether cells are whole numbers that only rise, as steps do."""
    try:
        x = np.array([number(cell) for cell in cells], np.float64)
    except ValueError:
        return False
    return bool(np.all(np.diff(x) > 0) and np.all(x == np.floor(x)))


def _in_mapping(content: Mapping[str, object], place: tuple[str, ...]) -> Iterator[Table | Left]:
    if (pair := _pair(content)) is not None:
        yield Table(place[:-1], {"step": pair[0], place[-1] if place else "": pair[1]})
    elif "columns" in content and "data" in content:
        yield from _framed(content, place)
    elif content and all(map(_NUMBERED.fullmatch, content)):
        yield from _numbered(content, place)
    else:
        yield from _named(content, place)


def _named(content: Mapping[str, object], place: tuple[str, ...]) -> Iterator[Table | Left]:
    """Give the lists of a mapping, those of one length as one table, and what is further inside."""
    lists: dict[int, dict[str, Sequence[object]]] = {}
    for name, value in content.items():
        values = _indexed(value) or listed(value)
        if name.lower() in _SETTINGS and (values is not None or isinstance(value, Mapping)):
            yield Left("/".join((*place, name)), "settings")
        elif values and are_numbers(values):
            lists.setdefault(len(values), {})[name] = values
        elif values or isinstance(value, Mapping):
            yield from _walk(value, place if name.lower() in _WRAPPERS else (*place, name))
        else:
            yield Left("/".join((*place, name)), "settings")
    for columns in lists.values():
        yield Table(place, columns)


def _indexed(value: object) -> Sequence[object] | None:
    """Return a column as pandas writes it, {"0": …, "1": …}, as a list."""
    if not isinstance(value, Mapping) or not value:
        return None
    same = all(str(key) == str(i) for i, key in enumerate(value))
    return [*value.values()] if same and are_numbers([*value.values()]) else None


def _numbered(content: Mapping[str, object], place: tuple[str, ...]) -> Iterator[Table | Left]:
    """Give what stands under the numbers of epochs or steps, or of rows from 0 on."""
    values = [*content.values()]
    if not are_numbers(values) and not all(isinstance(one, Mapping) for one in values):
        yield from _named(content, place)
        return
    keys = [match for match in map(_NUMBERED.fullmatch, content) if match]
    x = [int(key[2]) for key in keys]
    word = (keys[0][1] or ("epoch" if np.all(np.diff(x) == 1) else "step")).lower()
    column = {} if x == [*range(len(x))] and not keys[0][1] else {word: x}
    if are_numbers(values):
        yield Table(place[:-1], {**column, place[-1] if place else "": values})
    else:
        rows = [
            {**{name: cells[i] for name, cells in column.items()}, **row}
            for i, row in enumerate(values)
            if isinstance(row, Mapping)
        ]
        yield from _in_list(rows, place)


def _pair(content: Mapping[str, object]) -> tuple[Sequence[object], Sequence[object]] | None:
    """Return the steps and the values of one series that is a mapping of both."""
    x = next((one for name in _X if (one := listed(content.get(name)))), None)
    y = next((one for name in _Y if (one := listed(content.get(name)))), None)
    others = set(content) - {*_X, *_Y, *_BESIDE}
    if others or not x or not y or len(x) != len(y) or not are_numbers(y):
        return None
    return x, y


def _framed(content: Mapping[str, object], place: tuple[str, ...]) -> Iterator[Table | Left]:
    """Give a data frame as pandas writes it with orient="split"."""
    names, rows = listed(content["columns"]) or (), listed(content["data"]) or ()
    cells = [dict(zip(map(str, names), listed(row) or (), strict=False)) for row in rows]
    yield from tables_of(cells, prefix=place)


def _short(names: Sequence[str], *, most: int = 8) -> str:
    return ", ".join(names if len(names) <= most else [*names[:most], f"… ({len(names)})"])
