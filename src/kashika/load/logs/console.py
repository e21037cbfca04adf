"""What a training loop printed: lines with names and numbers, `Epoch 3/10 … loss: 0.12`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from kashika.errors import LoadError
from kashika.load.logs.decoding import decoded, text_of
from kashika.load.logs.logged import Logged
from kashika.load.logs.spellings import plain
from kashika.load.logs.tabular import series_of
from kashika.naming import is_metric, split_of
from kashika.texts import Sentence

FORMAT = "print log"

_SUFFIXES = (".txt", ".log", ".out", ".err", ".stdout", ".csv", "")
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:nan|inf)\b"
_CLOCK = re.compile(
    r"\d{4}[-/]\d\d[-/]\d\d|\d\d/\d\d(?=\s\d)|\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?|"
    r"\b\d+(?:\.\d+)?\s?(?:ms|us|s|sec|min|h|it|MB|GB|MiB|GiB)(?:/(?:step|it|s|epoch|iter))?\b"
)
_BAR = re.compile(r"\[[=>.#\- ]{3,}\]|\|[█▏▎▍▌▋▊▉#\-\s]*\||━+")
_PROGRESS = re.compile(r"(?<![\d.])(\d+)\s*/\s*(\d+)(?![\d.])")
_PERCENT_DONE = re.compile(r"^\s*\d+(?:\.\d+)?%|\(\s*\d+(?:\.\d+)?\s*%\s*\)")
_TOTAL = "/total"  # no metric is called so; how many steps an epoch has
_EPOCH = re.compile(
    r"(?i)(?<![a-z_])(?:epochs?|episodes?|rounds?|ep|エポック)(?:\s*(?:no\.?|number))?\s*[:=#]?\s*[\[(]?\s*"
    r"(\d+(?:\.\d+)?)(?:\s*(?:/|of)\s*\d+)?\s*[\])]?"
)
_STEP = re.compile(
    r"(?i)(?<![a-z_/])(?:global[_ ]step|step|iter(?:ation)?s?|it|batch|update|ステップ|反復)"
    r"\s*[:=#]?\s*[\[(]?\s*(\d+)(?:\s*(?:/|of)\s*(?P<total>\d+))?\s*[\])]?"
)
_OF_BATCHES = re.compile(r"(\d+)\s*/\s*(?P<total>\d+)\s+(?:batches|steps|iter\w*)\b")
_BRACKETED = re.compile(r"\[\s*(\d+)\s*/\s*(?P<total>\d+)[^\]]*\]")
_PAIR = re.compile(r"\s*\[\s*(\d+)\s*,\s*(\d+)\s*\]")  # [epoch, batch] of PyTorch's tutorials
_HEADING = re.compile(
    r"(?i)\W*(train(?:ing)?|val(?:id(?:ation)?)?|test(?:ing)?|eval(?:uation)?)\b[^:\d]*:\s*"
)
_LEADING = re.compile(r"\s*\[?(\d+)\s*[:|)\]]?\s+(?=[\[(A-Za-z])")
_SPLIT = re.compile(
    r"(?i)^\W*(?:\w+\s+)?(train(?:ing)?|val(?:id(?:ation)?)?|test(?:ing)?|eval(?:uation)?|dev)\b"
)
_LABEL = re.compile(
    r"(?i)(?<![\w/])(train(?:ing)?|val(?:id(?:ation)?)?|test(?:ing)?|eval(?:uation)?|dev|学習|訓練|検証|評価|テスト)"
    r"(?:\s+(?:set|results?|metrics?|data))?\s*[:\]|>-]+(?!\s*\d)"
)
_PROSE = re.compile(r"(?i)\b(?:the|we|was|is|with|this|that)\b")
_RATES = ("lr", "learning_rate", "learning rate")  # stand among settings as well
_NAME = r"[^\W\d][\w@/.\-%]{0,80}(?: [^\W\d][\w@/.\-%]{0,80}){0,3}"
_VALUE = re.compile(
    rf"(?i)(?P<name>{_NAME})(?:\s*(?P<sign>[:=])\s*|\s+)\(?(?P<value>{_NUMBER})(?P<percent>\s?%)?"
)


@dataclass(frozen=True, slots=True)
class _Row:
    """What one line says.

    Attributes
    ----------
    cells : {name: value}, with "epoch" and "step" where the line names them
    going : whether it is a progress bar that has not ended
    """

    cells: dict[str, float]
    going: bool = False


def recognises(path: Path, head: bytes) -> bool:
    """Tell whether lines of a file print the same metric again and again."""
    if path.suffix.lower() not in _SUFFIXES or b"\0\0\0\0" in head[:64]:
        return False
    lines = decoded(head)[0].replace("\r\n", "\n").split("\n")[:2000]
    lines = [line for line in lines if not _is_prose(line)]
    counts: dict[str, int] = {}
    placed = False
    for row in map(_row, lines):
        for name in row.cells:
            if is_metric(name) and name.lower() not in _RATES:
                counts[name] = counts.get(name, 0) + 1
        placed = placed or bool({"epoch", "step"} & row.cells.keys())
    return bool(counts) and (max(counts.values()) >= 2 or placed)


def _is_prose(line: str) -> bool:
    """Tell a sentence, which may speak of a loss, from what a loop prints."""
    return line.rstrip().endswith(".") and _PROSE.search(line) is not None


def read(path: Path) -> Logged:
    """Read the named numbers of every line, with the epoch and the step that it names.

    A line without an epoch belongs to the one that was named last.

    Raises
    ------
    LoadError
        If no line has a number with a name.
    """
    text, notes = text_of(path)
    rows = [row for row in map(_row, _under_headings(text.split("\n"))) if row.cells]
    kept = [row for i, row in enumerate(rows) if not row.going or _last_of_bar(rows, i)]
    cells = _through_epochs(_with_places([row.cells for row in kept]))
    counts = Counter(name for row in cells for name in row)
    once = [name for name, count in counts.items() if count == 1 and not is_metric(name)]
    names = [name for name in counts if name not in once or name in ("epoch", "step")]
    if not set(names) - {"epoch", "step"}:
        found = next((line.strip()[:40] for line in text.split("\n") if line.strip()), "")
        raise LoadError("errors.log.nothing", path=path, found=found)
    if len(rows) > len(kept):
        notes.append(Sentence("notes.log.bars", path=path, count=len(rows) - len(kept)))
    series, said = series_of({name: [row.get(name) for row in cells] for name in names})
    notes += _not_understood(text.split("\n"), path)
    if left := [name for name in once if name not in ("epoch", "step")]:
        notes.append(Sentence("notes.log.once", path=path, names=", ".join(left[:10])))
    return Logged(FORMAT, series, (*notes, *said))


def _not_understood(lines: Sequence[str], path: Path) -> Iterator[Sentence]:
    """Count the lines that name a metric and numbers, of which none could be taken."""
    left = [
        (n, line)
        for n, line in enumerate(lines, start=1)
        if is_metric(line[:500]) and any(map(str.isdigit, line[:500]))
        and not _row(line).cells.keys() - {"epoch", "step", _TOTAL}
    ]  # fmt: skip
    if left:
        n, line = left[0]
        found = line.strip()[:40]
        yield Sentence("notes.log.skipped", path=path, count=len(left), row=n, found=found)


def _last_of_bar(rows: list[_Row], place: int) -> bool:
    """Tell whether a bar that has not ended is the last that is known of it."""
    return place + 1 == len(rows) or not rows[place + 1].cells.keys() >= rows[place].cells.keys()


def _with_places(rows: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """Give the epoch, or the step, that was named last to rows without one.

    Where the first rows have no epoch, they belong to the one that is named after them.
    """
    unit = "epoch" if any("epoch" in row for row in rows) else "step"
    follows = unit == "epoch" and unit not in rows[0]
    place, placed = None, []
    for row in reversed(rows) if follows else rows:
        place = row.get(unit, place)
        placed.append(row if place is None else {unit: place, **row})
    kept = [row for row in placed if row.keys() - {"epoch", "step", _TOTAL}]
    return kept[::-1] if follows else kept


def _through_epochs(rows: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """Count steps on through the epochs, where lines say how many steps an epoch has."""
    counted = [row for row in rows if {"epoch", "step", _TOTAL} <= row.keys()]
    first = min((row["epoch"] for row in counted), default=0.0)
    # Where a new epoch does not begin anew, the steps are counted through already.
    anew = any(b["step"] <= a["step"] for a, b in pairwise(counted) if a["epoch"] < b["epoch"])
    for row in counted if anew else ():
        row["step"] += (row["epoch"] - first) * row[_TOTAL]
    return [{name: cell for name, cell in row.items() if name != _TOTAL} for row in rows]


def _under_headings(lines: Sequence[str]) -> Iterator[str]:
    """Put a heading such as "Test Error:" in front of the line that it stands above."""
    heading = ""
    for line in lines:
        found = _HEADING.fullmatch(line)
        if found is not None:
            heading = found[1]
            continue
        yield f"{heading}: {line.strip()}" if heading and line.strip() else line
        heading = heading if not line.strip() else ""


def _row(line: str) -> _Row:
    """Find the epoch, the step and the named numbers in a line."""
    if len(line) > 20_000 or not any(letter.isdigit() for letter in line):
        return _Row({})
    words, cells = plain(line), dict[str, float]()
    if pair := _PAIR.match(words):
        cells = {"epoch": float(pair[1]), "step": float(pair[2])}
        words = words[pair.end() :]
    else:
        words = _mark(_EPOCH, "epoch", words, cells)
    bar = _BAR.search(words)
    going = False
    if bar is not None and (progress := _PROGRESS.search(words)):
        going = int(progress[1]) < int(progress[2])
        words = _PROGRESS.sub(" ", words, count=1)
    words = _CLOCK.sub(";", _BAR.sub(";", words))
    words = _mark(_STEP, "step", words, cells)
    for pattern in (_OF_BATCHES, _BRACKETED):
        if "step" not in cells and ("epoch" in cells or words.rstrip().endswith("]")):
            words = _mark(pattern, "step", words, cells)
    if not cells:
        words = _mark(_LEADING, "step", words, cells, anchored=True)
    words = _PROGRESS.sub(";", _PERCENT_DONE.sub(";", words))
    return _Row({**cells, **dict(_pairs(words))}, going)


def _mark(
    pattern: re.Pattern[str],
    name: str,
    words: str,
    cells: dict[str, float],
    *,
    anchored: bool = False,
) -> str:
    """Take an epoch or a step out of a line."""
    found = pattern.match(words) if anchored else pattern.search(words)
    if found is None:
        return words
    cells[name] = float(found[1])
    if found.groupdict().get("total"):
        cells[_TOTAL] = float(found["total"])
    return f"{words[: found.start()]};{words[found.end() :]}"


def _pairs(words: str) -> Iterator[tuple[str, float]]:
    """Give every name with its number; a label such as "Val:" holds for all up to the next one."""
    label = _SPLIT.match(words)
    split = "" if label is None else label[1]
    for part in re.split(r"(?<=[;|\]\[])|(?=[\[|])", words):
        if found := _LABEL.search(part):
            split = found[1]
        for match in _VALUE.finditer(part):
            name = _cleaned(match["name"], split)
            known = is_metric(name) or split_of(name) is not None
            if not name or (match["sign"] is None and not known) or name.endswith(" from"):
                continue
            says_split = any(split_of(word) for word in re.split(r"[\s_/.\-]+", name))
            yield name if says_split else f"{split} {name}".strip(), float(match["value"])


def _cleaned(name: str, split: str) -> str:
    """Return a name without the words of the sentence in front of it."""
    name = name.strip(" .-/")
    words = name.split()
    while words and words[0].lower() in _FILLERS:
        words = words[1:]
    if len(words) > 1 and split and words[0].lower() == split.lower() and is_metric(words[-1]):
        words = words[1:]
    return " ".join(words)


_FILLERS = {"the", "and", "is", "at", "of", "end", "with", "set", "info"}
