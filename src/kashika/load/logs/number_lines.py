"""Lines of numbers: what each of them says, and what is none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from unicodedata import normalize

from kashika.load.logs.loose_numbers import number
from kashika.load.logs.tabular import unit_of
from kashika.naming import is_metric, split_of

_COMMENT = re.compile(r"\s*(#|%|//).*")
_KEYWORDS = re.compile(r",\s*\w+=(<[^>]*>|'[^']*'|\"[^\"]*\"|[\w.:]+)")
_CALL = re.compile(r"[A-Za-z_][\w.]*\(")
_CLUTTER = str.maketrans("()[]{}", "      ")


def without_keywords(words: str) -> str:
    """Return "tensor(0.5, device='cpu')" as "tensor(0.5)"."""
    return _KEYWORDS.sub("", words)


@dataclass(slots=True)
class Lines:
    """What the lines of a file say.

    Attributes
    ----------
    header : names of the columns, from a line in front of the numbers
    rows : (number of the line, its values); None for one that is missing
    other : (number of the line, its text) for each line that is neither
    words : the text of these lines
    widths : {number of values in a line: how many lines have so many}
    rewritten : lines whose numbers stand in brackets or calls, or in full width
    commas : lines whose numbers have decimal commas
    """

    header: tuple[str, ...] = ()
    rows: list[tuple[int, list[float | None]]] = field(default_factory=list)
    other: list[tuple[int, str]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    widths: Counter[int] = field(default_factory=Counter)
    rewritten: int = 0
    commas: int = 0


def take(found: Lines, line: str, n: int) -> None:
    """Sort a line in."""
    plain = line if line.isascii() else normalize("NFKC", line).replace("、", ",").replace("。", "")
    comment = _COMMENT.search(plain)
    words = plain if comment is None else plain[: comment.start()]
    if not words.strip():
        if comment is not None and not found.rows and not found.header:
            found.header = names_in(plain.strip().lstrip("#%/ "))
        return
    values = _values(words)
    if values is None and (values := _with_decimal_commas(words)) is not None:
        found.commas += 1
    if values is None and found.header and len(found.header) > 1:
        values = _loose(words, found.header)
    if values is not None:
        found.rows.append((n, values))
        found.rewritten += plain != line or any(one in words for one in "([{")
        found.words.append(words.strip())
        if any(value is not None for value in values):
            found.widths[len(values)] += 1
    elif not found.rows and not found.header and (names := names_in(words)):
        found.header = names
    else:
        found.other.append((n, words.strip()))


def _values(words: str) -> list[float | None] | None:
    """Return the numbers of a line; None if something else stands in it."""
    if "(" in words or "[" in words or "{" in words:
        words = _CALL.sub("(", _KEYWORDS.sub("", words)).translate(_CLUTTER)
    try:
        return [number(cell) for cell in re.split(r"[,;\s|]+", words.strip().strip(",;|"))]
    except ValueError:
        return None


def _with_decimal_commas(words: str) -> list[float | None] | None:
    cells = re.split(r"[;\s|]+", words.strip())
    try:
        return [number(cell.replace(",", ".")) for cell in cells]
    except ValueError:
        return None


def _loose(words: str, header: Sequence[str]) -> list[float | None] | None:
    """Return the cells under a header, of which some, such as a time, need not be numbers.

    A row that names no epoch where the header has one belongs to something else.
    """
    cells = re.split(r"[,;\s|]+", words.strip().strip(",;|"))
    if len(cells) != len(header):
        return None
    values: list[float | None] = []
    for name, cell in zip(header, cells, strict=True):
        try:
            values.append(number(cell.partition("/")[0] if unit_of(name) else cell))
        except ValueError:
            if unit_of(name):
                return None
            values.append(None)
    return values if any(one is not None for one in values) else None


def names_in(words: str) -> tuple[str, ...]:
    """Return the names in a header line; () if it does not look like one."""
    cells = [cell for cell in re.split(r"[,;\s|]+", words.strip()) if cell]
    named = all(re.fullmatch(r"[^\d\W][\w./@%()\-]*", cell) for cell in cells)
    known = any(is_metric(cell) or unit_of(cell) or split_of(cell) for cell in cells)
    return tuple(cells) if cells and named and (known or len(cells) == 1) else ()
