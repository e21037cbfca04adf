"""What the views found -> lines for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unicodedata import east_asian_width

from kashika.diagnosis import Diagnosis
from kashika.texts import Sentence, text
from kashika.view import Finding, Level, Section, picture_of

Paint = Callable[[str, Level], str]
"""(words, level) -> the same words in the colour of that level."""

_CLOSING = "。、，．）」』】〉》・：；？！ー…々ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
_OPENING = "（「『【〈《"


def plain(words: str, _level: Level) -> str:
    """Leave words as they are."""
    return words


def render(
    name: str,
    findings: Sequence[Finding],
    sections: Sequence[Section[Any]],
    *,
    diagnoses: Sequence[Diagnosis] = (),
    partial: Sequence[Sentence] = (),
    notes: Sequence[Sentence],
    width: int | None = None,
    paint: Paint = plain,
) -> str:
    """Return the diagnoses, then every finding with its advice, what is missing, and the notes.

    Parameters
    ----------
    name : of the run
    findings : of all sections, in the order in which they are shown
    diagnoses : what most likely lies behind them
    partial : what was interrupted, which is said before all else
    width : columns of the terminal; lines as long as their sentences if None
    paint : colours the words of a level
    """
    lines = wrapped(text("report.of", name=name), width)
    for note in partial:
        lines += wrapped(text("report.partial", said=note), width)
    lines += [""]
    for number, one in enumerate(diagnoses, start=1):
        lines += _diagnosis(number, one, width, paint)
    said = [finding for finding in findings if finding.said]
    if diagnoses:
        lines += [text("diagnosis.single")]
    for finding in said:
        lines += _finding(finding, picture_of(sections, finding.rule), width, paint)
    lines += [""] if said else []
    counted = [finding.level for finding in findings if finding.muted is None]
    counts = {str(level): counted.count(level) for level in Level}
    lines += wrapped(text("report.counts", **counts), width)
    for finding in findings:
        if finding.muted is not None:
            muted = text("diagnosis.muted", rule=finding.rule, reason=finding.muted)
            lines += wrapped(muted, width)
    for section in sections:
        if section.missing:
            lines += wrapped(f"{section.view.name}: {section.missing}", width)
    for note in notes:
        lines += wrapped(str(note), width)
    return "\n".join(lines)


def _diagnosis(number: int, one: Diagnosis, width: int | None, paint: Paint) -> Iterator[str]:
    worst = max(finding.level for finding in one.findings)
    head, *more = wrapped(f"{number}. {one.title} ({one.confidence})", width, hanging=3)
    yield paint(head, worst)
    yield from (paint(line, worst) for line in more)
    rules = ", ".join(finding.rule for finding in one.findings)
    yield from wrapped(f"{text('diagnosis.rests_on')} {rules}", width, indent=3)
    yield from wrapped(text("diagnosis.try_first", advice=one.advice), width, indent=3)
    yield ""


def _finding(
    finding: Finding, picture: str | None, width: int | None, paint: Paint
) -> Iterator[str]:
    where = f"  ({text('diagnosis.see', picture=picture)})" if picture else ""
    level = text(f"levels.{finding.level}")
    yield f"{paint(level, finding.level)}  {finding.rule}{where}"
    yield from wrapped(finding.summary, width, indent=4)
    if finding.advice:
        yield from wrapped(f"→ {finding.advice}", width, indent=4, hanging=2)


def wrapped(words: str, width: int | None, *, indent: int = 0, hanging: int = 0) -> list[str]:
    """Break words into lines of a terminal, in which a Japanese character takes two columns.

    Parameters
    ----------
    width : columns; no line is broken if None
    indent : blanks before every line
    hanging : further blanks before every line but the first

    References
    ----------
    JIS X 4051: no line begins with a closing bracket, a comma or a small kana, and none ends with
    an opening bracket.
    """
    lines, line, room = [], " " * indent, width
    for piece in _pieces(words):
        if room is not None and columns(line + piece.rstrip()) > room and line.strip():
            lines.append(line.rstrip())
            line = " " * (indent + hanging)
            piece = piece.lstrip()
        line += piece
    return [*lines, line.rstrip()]


def columns(words: str) -> int:
    """Return how many columns of a terminal words take."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in words)


def _pieces(words: str) -> Iterator[str]:
    """Cut words where a line may be broken: after a blank, and beside a Japanese character."""
    piece = ""
    for letter in words:
        wide = east_asian_width(letter) in "WF"
        last = piece[-1:]
        beside = wide or (last and east_asian_width(last) in "WF")
        opened = piece.rstrip(" ")[-1:] in _OPENING
        breakable = (last == " " or beside) and not opened
        if piece and letter not in f" {_CLOSING}" and breakable:
            yield piece
            piece = ""
        piece += letter
    yield piece
