"""One file for each log format, with `recognises(path)` and `read(path)`."""

from collections.abc import Collection, Mapping
from pathlib import Path

from kashika.errors import LoadError
from kashika.history import History, Series
from kashika.load.logs import text
from kashika.naming import SPLITS, series_name
from kashika.texts import Sentence

_FORMATS = (text,)


def is_log(path: Path) -> bool:
    """Tell whether a file is a log: its name says what was logged, and a format knows it."""
    return series_name(path.stem) is not None and any(one.recognises(path) for one in _FORMATS)


def read_directory(directory: Path) -> tuple[History | None, list[Sentence]]:
    """Read every log in a directory.

    Returns
    -------
    What was logged, None if there is no log; and a note on each file that is none, although its
    name looks like one (train_list.txt).

    Raises
    ------
    LoadError
        If a loss or an accuracy cannot be read, or two files hold the same quantity.
    """
    series: dict[str, Series] = {}
    sources: dict[str, Path] = {}
    notes: list[Sentence] = []
    for path in sorted(directory.iterdir()):
        name = series_name(path.stem)
        if name is None or not is_log(path):
            continue
        if name in series:
            raise LoadError("errors.same_series", first=sources[name], second=path, name=name)
        one = next(one for one in _FORMATS if one.recognises(path))
        try:
            series[name], sources[name] = one.read(path), path
        except LoadError as error:
            if name.partition("_")[2] in ("loss", "acc"):
                raise
            notes.append(Sentence("notes.log_skipped", error=error.sentence))
    return (History(_in_order(series)) if series else None), notes


def _in_order(series: Mapping[str, Series]) -> dict[str, Series]:
    """Sort by metric, then by split."""
    place = [f"{split}_{metric}" for metric in sorted(_metrics(series)) for split in SPLITS]
    return {name: series[name] for name in place if name in series}


def _metrics(names: Collection[str]) -> set[str]:
    return {name.partition("_")[2] for name in names}
