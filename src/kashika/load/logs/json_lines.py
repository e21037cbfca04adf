"""JSON lines: one dictionary on each line, as DETR, OpenMMLab and many loops write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from kashika.errors import LoadError
from kashika.load.logs.decoding import decoded, text_of
from kashika.load.logs.literals import literal
from kashika.load.logs.logged import Logged
from kashika.load.logs.nested import logged_in, looks_logged
from kashika.texts import Sentence

_LINES = (".jsonl", ".ndjson")
_SUFFIXES = (*_LINES, ".json", ".txt", ".log", ".out", "")


def recognises(path: Path, head: bytes) -> bool:
    """Tell whether a file holds dictionaries line by line, named as in training."""
    suffix = path.suffix.lower()
    text = decoded(head)[0]
    if suffix not in _SUFFIXES or not text.lstrip().startswith("{"):
        return False
    rows, wrong = _rows(text.split("\n")[:200])
    few = len(rows) < (1 if suffix in _LINES else 2)
    return not few and len(wrong) <= len(rows) and looks_logged(rows, name=path.stem)


def read(path: Path) -> Logged:
    """Read the dictionaries of all lines; lines that are none are counted.

    Raises
    ------
    LoadError
        If no line is one, or they hold no series.
    """
    text, notes = text_of(path)
    lines = text.split("\n")
    rows, wrong = _rows(lines)
    if len(wrong) > len(rows) or not rows:
        raise LoadError("errors.log.json.no_lines", path=path, found=text.strip()[:40])
    last = max((number for number, line in enumerate(lines, start=1) if line.strip()), default=0)
    if wrong and wrong[-1] == last and not text.endswith("\n"):
        notes = [*notes, Sentence("notes.log.json.cut", path=path, line=wrong.pop())]
    if wrong:
        found = lines[wrong[0] - 1].strip()[:40]
        said = Sentence(
            "notes.log.json.lines", path=path, count=len(wrong), line=wrong[0], found=found
        )
        notes = [*notes, said]
    series, more = logged_in(rows, path=path)
    if not series:
        raise LoadError("errors.log.json.no_series", path=path)
    return Logged("JSON lines", series, (*notes, *more))


def _rows(lines: list[str]) -> tuple[list[Mapping[object, object]], list[int]]:
    """Return the dictionaries, and the numbers of the lines that are none."""
    rows: list[Mapping[object, object]] = []
    wrong: list[int] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _row(line)
        if row is None:
            wrong.append(number)
        else:
            rows.append(row)
        if len(wrong) > len(rows) + 1_000:  # it is something else: do not try every line
            break
    return rows, wrong


def _row(line: str) -> Mapping[object, object] | None:
    """Return the dictionary on a line, whatever stands in front of it."""
    word = line[line.find("{") :].strip().rstrip(",")
    for parse in (json.loads, literal):
        try:
            row = parse(word)
        except (ValueError, RecursionError):
            continue
        return row if isinstance(row, dict) else None
    return None
