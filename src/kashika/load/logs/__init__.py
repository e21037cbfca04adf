"""One file for each log format, with `recognises(path, head)` and `read(path)`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from kashika.errors import LoadError
from kashika.history import History
from kashika.load.logs import (
    arrays,
    console,
    delimited,
    events,
    json_history,
    json_lines,
    pickled,
    text,
)
from kashika.load.logs.logged import Logged
from kashika.load.logs.merging import merge, remarks
from kashika.load.logs.nested import series_in
from kashika.naming import is_metric
from kashika.texts import Sentence

__all__ = ["Logged", "Logs", "beside_weights", "is_log", "read", "read_all"]

_FORMATS: tuple[ModuleType, ...] = (
    events, pickled, arrays, json_history, json_lines, delimited, console, text,
)  # fmt: skip
"""In this order they are asked whether a file is theirs."""

_BY_SUFFIX: dict[str, ModuleType] = {
    ".json": json_history, ".jsonl": json_lines, ".ndjson": json_lines, ".csv": delimited,
    ".tsv": delimited, ".pkl": pickled, ".pickle": pickled, ".pt": pickled, ".pth": pickled,
    ".npy": arrays, ".npz": arrays,
}  # fmt: skip
"""What a file that is named, and that no format knows, is read as."""

_HEAD = 65_536


def is_log(path: Path) -> bool:
    """Tell whether a file is likely to be a log: one of the formats knows it by its first bytes."""
    return _format_of(path) is not None


def read(path: Path) -> Logged:
    """Read one file that was named as a log.

    Raises
    ------
    LoadError
        If no format can read it.
    """
    if not path.is_file():
        key = "errors.log.directory" if path.is_dir() else "errors.log.no_such_file"
        raise LoadError(key, path=path)
    found = _format_of(path) or _BY_SUFFIX.get(path.suffix.lower(), text)
    logged: Logged = found.read(path)
    return logged


@dataclass(frozen=True, slots=True)
class Logs:
    """The logs of a run, read together.

    Attributes
    ----------
    history : what was logged, None if there is nothing
    notes : every repair and decision
    unread : what the files that could not be read were refused for
    """

    history: History | None
    notes: tuple[Sentence, ...] = ()
    unread: tuple[Sentence, ...] = ()


def read_all(paths: Iterable[Path], *, rename: Mapping[str, str]) -> Logs:
    """Read the logs of one run.

    Parameters
    ----------
    rename : {name as written: "{split}_{metric}"}, before kashika's own table of names

    Raises
    ------
    LoadError
        If none of the files can be read.
    """
    logs: dict[Path, Logged] = {}
    refused: list[LoadError] = []
    for path in paths:
        try:
            logs[path] = read(path)
        except LoadError as error:
            refused.append(error)
    if refused and not logs:
        raise refused[0]
    history, notes = merge(logs, rename=rename)
    said = remarks(history) if history else []
    return Logs(history, (*notes, *said), tuple(error.sentence for error in refused))


def beside_weights(other: Mapping[str, object], *, path: Path, rename: Mapping[str, str]) -> Logs:
    """Take the lists of numbers that stand beside the weights in a checkpoint as a log."""
    lists = {
        name: value
        for name, value in series_in(other).items()
        if is_metric(name) and value.y.size > 1
    }
    history, notes = merge({path: Logged("checkpoint", lists)}, rename=rename)
    return Logs(history, (*notes, *(remarks(history) if history else ())))


def _format_of(path: Path) -> ModuleType | None:
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise LoadError("errors.system", path=path, error=error.strerror) from error
    return next((one for one in _FORMATS if one.recognises(path, head)), None)
