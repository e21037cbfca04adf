"""What is in a file: its format, its series or its tensors, and what would be repaired."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite, prod
from pathlib import Path

import numpy as np

from kashika import table
from kashika.errors import LoadError
from kashika.history import History
from kashika.load import candidates, finding, logs
from kashika.load.logs import Logged
from kashika.load.logs.merging import merge, remarks
from kashika.texts import Sentence, text
from kashika.view import Row
from kashika.views.curves.tables import summary


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds.

    Attributes
    ----------
    path : of the file
    format : what kind of file it is
    series : one row for each series of a log
    tensors : one row for each tensor of a checkpoint
    other : {name: value} of what stands beside the tensors
    notes : every repair and choice
    """

    path: Path
    format: str
    series: tuple[Row, ...] = ()
    tensors: tuple[Row, ...] = ()
    other: Mapping[str, object] | None = None
    notes: tuple[Sentence, ...] = ()

    def to_json(self) -> str:
        """Return it as one JSON object."""
        return json.dumps(
            {
                "schema": 1,
                "path": str(self.path),
                "format": self.format,
                "series": [dict(row) for row in self.series],
                "tensors": [dict(row) for row in self.tensors],
                "other": {key: _plain(value) for key, value in (self.other or {}).items()},
                "notes": [str(note) for note in self.notes],
            },
            ensure_ascii=False,
            indent=2,
        )

    def __str__(self) -> str:
        """The format, then the series or the tensors, then what stands beside them."""
        lines = [f"{self.path}: {self.format}"]
        if self.series:
            lines += ["", table.aligned(self.series)]
        if self.tensors:
            numbers = sum(int(row["numbers"] or 0) for row in self.tensors)
            count = text("contents.tensors", count=len(self.tensors), numbers=f"{numbers:,}")
            lines += [count, "", table.aligned(self.tensors)]
        lines += [""] if self.other else []
        lines += [
            f"{self._said(name)}: {_short(value)}" for name, value in (self.other or {}).items()
        ]
        lines += ["", *map(str, self.notes)] if self.notes else []
        return "\n".join(lines)

    def _said(self, name: str) -> str:
        """Return what stands beside tensors as it is called there; parts of a run in words."""
        parts = {part: text(f"contents.{part}") for part in PARTS}
        return name if self.tensors or self.series else parts.get(name, name)


PARTS = ("logs", "checkpoint", "model", "data")


def inspect(path: Path, *, rename: Mapping[str, str], weights: str | None = None) -> Contents:
    """Look into a log, a checkpoint or a directory; of tensors the names and shapes are read.

    Parameters
    ----------
    rename : {name in a log: "{split}_{metric}"}
    weights : which set of weights in the file, where it has several

    Raises
    ------
    LoadError
        If it is neither, or cannot be read.
    """
    if not path.exists():
        raise LoadError("errors.finding.no_such_path", path=path)
    from kashika.load import checkpoints

    finding.refuse_code(path)
    if not logs.is_log(path) and (checkpoints.is_checkpoint(path) or finding.names_weights(path)):
        try:
            found = checkpoints.contents(path, weights=weights)
        except LoadError as error:
            if weights is not None:
                raise
            return _series_instead(path, rename, error)
        rows = tuple(_tensor(*tensor) for tensor in found.tensors)
        return Contents(path, found.format, (), rows, found.other, found.notes)
    if path.is_dir():
        return _directory(path)
    return _of_log(path, logs.read(path), rename)


def _of_log(path: Path, logged: Logged, rename: Mapping[str, str]) -> Contents:
    history, notes = merge({path: logged}, rename=rename)
    history = history or History({})
    said = (*notes, *remarks(history), *_not_finite(history))
    return Contents(path, logged.format, tuple(_series(history)), notes=said)


def _series_instead(path: Path, rename: Mapping[str, str], refused: LoadError) -> Contents:
    """Look for lists of numbers in a file that is called as checkpoints are, and is none."""
    try:
        return _of_log(path, logs.read(path), rename)
    except LoadError:
        raise refused from None


def _not_finite(history: History) -> Iterator[Sentence]:
    """Count the values that are NaN or infinite; in a report a rule does that."""
    for name, one in history.series.items():
        bad = ~np.isfinite(one.y)
        if bad.any() and not bad.all():
            first = Sentence(f"words.at_{one.unit}", x=int(one.x[bad][0]))
            yield Sentence("notes.log.not_finite", name=name, count=int(bad.sum()), first=first)


def _series(history: History) -> Iterator[Row]:
    """Give one row for each series: where it lies, then how it went."""
    for row, (name, one) in zip(summary(history), history.series.items(), strict=True):
        ends = [float(x) if x % 1 else int(x) for x in one.x[[0, -1]]] if one.x.size else [None] * 2
        place = {"unit": one.unit, "from": ends[0], "to": ends[1], "segments": len(one.starts)}
        yield {
            "series": name,
            "points": row["points"],
            **place,
            **{key: row[key] for key in _COURSE},
        }


_COURSE = ("first", "best", "best_at", "last")


def _tensor(name: str, shape: tuple[int, ...], dtype: str) -> Row:
    return {"tensor": name, "shape": str(tuple(shape)), "type": dtype, "numbers": prod(shape)}


def _directory(path: Path) -> Contents:
    """Say what a report on a directory would read, and what may be its code and data."""
    found = finding.find(path)
    if not found.logs and not found.checkpoints:
        raise LoadError("errors.nothing_to_read", path=path)
    other = {
        "logs": [str(one.relative_to(path)) for one in found.logs],
        "checkpoint": [str(one.relative_to(path)) for one in found.checkpoints[:1]],
        "model": candidates.models(found.files, path),
        "data": candidates.data(found.files, path),
    }
    there = {name: names for name, names in other.items() if names}
    return Contents(path, text("contents.directory"), other=there, notes=found.notes)


def _short(value: object) -> str:
    """Return a value on one line, a long list by its ends."""
    if isinstance(value, list | tuple) and len(value) > 8:
        return f"{len(value)}: {', '.join(map(str, value[:3]))}, …, {value[-1]}"
    words = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return words if len(words) <= 200 else f"{words[:200]}…"


def _plain(value: object) -> object:
    """Return a value as JSON has it; what JSON has not, as text."""
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return value if isfinite(value) else str(value)
        case list() | tuple():
            return [_plain(one) for one in value]
        case Mapping():
            return {str(key): _plain(one) for key, one in value.items()}
        case _:
            return str(value)
