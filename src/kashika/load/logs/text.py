"""Numbers without names, or under one header line: as `numpy.savetxt` and `print` write them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kashika.errors import LoadError
from kashika.history import Series
from kashika.load.logs.decoding import decoded, text_of
from kashika.load.logs.literals import literal
from kashika.load.logs.logged import Logged
from kashika.load.logs.nested import logged_in
from kashika.load.logs.number_column import column
from kashika.load.logs.number_lines import Lines, take, without_keywords
from kashika.load.logs.tabular import series_of, unit_of
from kashika.naming import is_metric, names_series, split_of
from kashika.texts import Sentence

FORMAT = "text"

_SUFFIXES = (".txt", ".log", ".dat", ".out", ".csv", ".tsv", "")
_DATA = re.compile(
    r"(?i)(^|[\W_])(x|y|data|labels?|targets?|features?|inputs?|images?|ids?|index|indices|list|"
    r"classes|names|files|vocab|seeds?|pred\w*)($|[\W_])"
)
_LITERAL = re.compile(r"\s*([\[{]|(np\.|torch\.)?(tensor|array|Tensor)\(\s*\[)")
_NAMED_LIST = re.compile(r"\s*([^\W\d][\w ./\-]*?)\s*[:=]\s*(\[.*\])\s*")
_PAIR = re.compile(r"([+-]?\d+),(\d+)")
_UNFINISHED = re.compile(r"[.eE+-]$")


def recognises(path: Path, head: bytes) -> bool:
    """Tell whether a file is one of numbers, and is called as logs are."""
    stem = path.stem
    if path.suffix.lower() not in _SUFFIXES:
        return False
    if path.suffix.lower() == ".txt" and names_series(stem):
        return True  # also where it is damaged: then it is told
    split = any(split_of(word) for word in re.split(r"[\W_]+", stem)) and not _DATA.search(stem)
    named = is_metric(stem) or (split and path.suffix.lower() == ".txt")
    lines = [line for line in decoded(head)[0].split("\n")[:50] if line.strip()]
    if not lines:
        return named and is_metric(stem)
    if (match := _NAMED_LIST.match(lines[0])) is not None:
        return is_metric(match[1])
    found = Lines()
    for n, line in enumerate(lines, start=1):
        take(found, line[:10_000], n)
    columns = [name for name in found.header if is_metric(name) or unit_of(name)]
    numbers = sum(found.widths.values())
    return 2 * numbers >= len(lines) - 1 and numbers > 0 and (named or bool(columns))


def read(path: Path) -> Logged:
    """Read the numbers of a file: one series, or one for each column.

    Raises
    ------
    LoadError
        If there is none.
    """
    fast = column(path)
    if fast is not None:
        return Logged(FORMAT, {"": Series(np.arange(1, fast.size + 1), fast, "row")})
    text, notes = text_of(path)
    if (lists := _lists(text)) is not None:
        series, said = logged_in(lists, path=path)
        if series:
            return Logged(FORMAT, series, (*notes, *said))
    found = Lines()
    lines = text.split("\n")
    for n, line in enumerate(lines, start=1):
        take(found, line, n)
    if not found.widths:
        first = next((line.strip()[:40] for line in lines if line.strip()), "")
        raise LoadError(
            "errors.log.empty" if not first else "errors.log.nothing", path=path, found=first
        )
    width = found.widths.most_common(1)[0][0]
    notes += _drop_unfinished(found, lines, path)
    series, said = _columns(found, width)
    if not series:
        raise LoadError("errors.log.nothing", path=path, found=lines[0].strip()[:40])
    return Logged(FORMAT, series, (*notes, *_skipped(found, width, path), *said))


def _lists(text: str) -> object:
    """Return the list that a text is, or the named ones on its lines; None if it is neither."""
    lines = [line for line in text.split("\n") if line.strip()]
    named = [_NAMED_LIST.fullmatch(line) for line in lines[:1000]]
    try:
        if named and all(named):
            return {one[1]: literal(_with_commas(one[2])) for one in named if one}
        return literal(_with_commas(without_keywords(text))) if _LITERAL.match(text) else None
    except ValueError:
        return None


def _with_commas(words: str) -> str:
    """Return "[0.5 0.4]", as NumPy prints it, with commas."""
    return words if "," in words else re.sub(r"(?<=[\d.])\s+(?=[-+\d.])", ", ", words.strip())


def _columns(found: Lines, width: int) -> tuple[dict[str, Series], list[Sentence]]:
    rows = [values for _, values in found.rows if len(values) == width]
    if width == 2 and (decimals := _as_decimals(found)) is not None:
        rows, width, found.commas = decimals, 1, len(decimals)
    if len(found.header) == width and width > 1:
        return series_of({name: [row[i] for row in rows] for i, name in enumerate(found.header)})
    name = found.header[0] if len(found.header) == width == 1 else ""
    if width == 1:
        return _counted([row[0] for row in rows], name), []
    columns = {f"col{i}": [row[i] for row in rows] for i in range(width)}
    first = columns["col0"]
    if _count_up(first, columns["col1"]):
        columns = {"step": first, **{k: v for k, v in columns.items() if k != "col0"}}
    series, notes = series_of(columns)
    return ({"": next(iter(series.values()))} if len(series) == 1 else series), notes


def _counted(values: Sequence[float | None], name: str) -> dict[str, Series]:
    there = [(x, y) for x, y in enumerate(values, start=1) if y is not None]
    if not there:
        return {}
    x, y = zip(*there, strict=True)
    return {name: Series(np.array(x), np.array(y), "row")}


def _count_up(first: Sequence[float | None], second: Sequence[float | None]) -> bool:
    """Tell whether the first of several columns counts steps: whole numbers that rise."""
    x = np.array([np.nan if one is None else one for one in first])
    y = np.array([np.nan if one is None else one for one in second])
    if not np.isfinite(x).all() or (x != np.floor(x)).any() or (x < 0).any():
        return False
    if x.size == 1:
        return bool(y[0] != np.floor(y[0]))
    back = np.diff(x) < 0
    anew = bool((x[1:][back] <= x[0]).all())  # a run that began anew, or went on
    return (anew or bool(back.mean() <= 0.1)) and not back.all() and np.unique(x).size > 1


def _as_decimals(found: Lines) -> list[list[float | None]] | None:
    """Read "0,5" as one half, where every line is such a pair and the first parts do not rise."""
    pairs = [_PAIR.fullmatch(words) for words in found.words]
    if len(pairs) < 2 or not all(pairs):
        return None
    first = [float(pair[1]) for pair in pairs if pair]
    if _count_up(first, first) and np.unique(first).size == len(first):
        return None
    return [[float(words.replace(",", "."))] for words in found.words]


def _drop_unfinished(found: Lines, lines: Sequence[str], path: Path) -> list[Sentence]:
    """Leave out a last line that was cut while it was written."""
    last = lines[-1].strip()
    if not last or len(found.rows) < 2 or found.rows[-1][0] != len(lines):
        return []
    before = {len(lines[n - 1].strip()) for n, _ in found.rows[:-1]}
    short = len(before) == 1 and min(before) > 5 and len(last) < min(before)
    fewer = len(found.rows[-1][1]) < len(found.rows[-2][1])
    if not (_UNFINISHED.search(last) or short or fewer):
        return []
    found.rows.pop()
    found.words.pop()
    return [Sentence("notes.log.cut", path=path, row=len(lines), found=last[:40])]


def _skipped(found: Lines, width: int, path: Path) -> Iterator[Sentence]:
    """Count the lines that were passed over, with the first of them."""
    odd = [(n, len(values)) for n, values in found.rows if len(values) != width]
    if odd:
        yield Sentence(
            "notes.log.ragged",
            path=path, count=len(odd), row=odd[0][0], found=odd[0][1], expected=width,
        )  # fmt: skip
    if found.other:
        n, words = found.other[0]
        yield Sentence(
            "notes.log.skipped", path=path, count=len(found.other), row=n, found=words[:40]
        )
    if found.commas:
        yield Sentence("notes.log.commas", path=path, count=found.commas)
    if found.header and len(found.header) != width > 1:
        names = ", ".join(found.header)
        yield Sentence("notes.log.header", path=path, names=names, count=width)
    if found.rewritten:
        yield Sentence("notes.log.rewritten", path=path, count=found.rewritten)
    rows = [values for _, values in found.rows if len(values) == width]
    some = [any(row[i] is not None for row in rows) for i in range(width)]  # a time never is one
    missing = [
        n
        for n, values in found.rows
        if len(values) == width
        and any(v is None for v, one in zip(values, some, strict=True) if one)
    ]
    if missing:
        yield Sentence("notes.log.missing", path=path, count=len(missing), row=missing[0])
