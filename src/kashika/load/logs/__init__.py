"""One file for each log format, with `recognises(path)` and `read(path)`."""

from collections.abc import Collection, Mapping
from pathlib import Path

from kashika.errors import LoadError
from kashika.load.logs import text
from kashika.run import SPLITS, History, Series, split_of

_FORMATS = (text,)

_METRICS = {"accuracy": "acc"}


def is_log(path: Path) -> bool:
    """Tell whether a file is a log: its name says what was logged, and a format knows it."""
    return name_of(path) is not None and any(one.recognises(path) for one in _FORMATS)


def read_directory(directory: Path) -> History | None:
    """Read every log in a directory; None if it holds none.

    Raises
    ------
    LoadError
        If a log cannot be read, or two of them hold the same quantity.
    """
    series: dict[str, Series] = {}
    sources: dict[str, Path] = {}
    for path in sorted(directory.iterdir()):
        name = name_of(path)
        if name is None or not is_log(path):
            continue
        if name in series:
            raise LoadError("errors.same_series", first=sources[name], second=path, name=name)
        one = next(one for one in _FORMATS if one.recognises(path))
        series[name], sources[name] = one.read(path), path
    return History(_in_order(series)) if series else None


def name_of(path: Path) -> str | None:
    """Return "{split}_{metric}" for a file such as val_accuracy.txt, else None."""
    word, _, metric = path.stem.lower().partition("_")
    split = split_of(word)
    return f"{split}_{_METRICS.get(metric, metric)}" if split and metric else None


def _in_order(series: Mapping[str, Series]) -> dict[str, Series]:
    """Sort by metric, then by split."""
    place = [f"{split}_{metric}" for metric in sorted(_metrics(series)) for split in SPLITS]
    return {name: series[name] for name in place if name in series}


def _metrics(names: Collection[str]) -> set[str]:
    return {name.partition("_")[2] for name in names}
