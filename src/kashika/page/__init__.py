"""What the views found -> one HTML file that shows itself, without a script and without a request.

The page is put together from values that hold finished words and pictures, so the template beside
this file only places them. The same input gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import count
from typing import TYPE_CHECKING, Any

from kashika import figure, table
from kashika.diagnosis import Diagnosis
from kashika.errors import one_line
from kashika.progress import Doing
from kashika.texts import Sentence, has, language, text
from kashika.view import Cell, Finding, Level, Picture, Section, Table, View, picture_of

if TYPE_CHECKING:
    from markupsafe import Markup

ROWS = 1000
"""So many rows of one table are listed, so that a browser stays quick and the file small."""
_OPEN = 12
"""Up to so many rows, a table stands open."""
_WIDE = 5.5
"""From so many inches on, a figure takes the whole width of the page."""

_FIXED = (
    "diagnoses",
    "findings",
    "provenance",
    "notes",
    "rules",
    *(f"icon-{level}" for level in Level),
)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A picture: its SVG, or the reason why there is none."""

    anchor: str
    name: str
    caption: str
    svg: Markup | None = None
    inches: float = 0.0
    panels: int = 0
    failed: str = ""

    @property
    def wide(self) -> bool:
        return self.inches > _WIDE

    @property
    def cut(self) -> bool:
        return self.panels > figure.PANELS


@dataclass(frozen=True, slots=True)
class _Listed:
    """A table: headings and cells as a person reads them, or the reason why there are none."""

    title: str
    columns: tuple[tuple[str, bool], ...] = ()  # (heading, whether numbers stand below it)
    rows: tuple[tuple[str, ...], ...] = ()
    total: int = 0
    failed: str = ""

    @property
    def open(self) -> bool:
        return self.total <= _OPEN


@dataclass(frozen=True, slots=True)
class _Judged:
    """A finding with its place in the page, and with the section and picture that show it."""

    anchor: str
    finding: Finding
    view: str
    section: str
    picture: str | None


@dataclass(frozen=True, slots=True)
class _Part:
    """A section: what a view asks, found and shows."""

    anchor: str
    title: str
    question: str
    missing: str | None
    worst: Level
    findings: tuple[_Judged, ...]
    pictures: tuple[_Shown, ...]
    tables: tuple[_Listed, ...]


def render(
    name: str,
    findings: Sequence[Finding],
    sections: Sequence[Section[Any]],
    *,
    diagnoses: Sequence[Diagnosis] = (),
    partial: Sequence[Sentence] = (),
    notes: Sequence[Sentence],
    provenance: Sequence[tuple[str, str]],
    doing: Doing | None = None,
) -> str:
    """Return a report as one HTML page in the present language.

    A picture or a table that fails leaves a sentence in its place.

    Parameters
    ----------
    name : of the run
    findings : of all sections, in the order in which they are shown
    diagnoses : what most likely lies behind them
    partial : what was interrupted, which is said above all else
    notes : what loading repaired or chose
    provenance : (what, value)
    doing : called before every picture
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    anchor = _anchors()
    anchors = [anchor(section.view.name) for section in sections]
    place = {s.view.name: at for s, at in zip(reversed(sections), reversed(anchors), strict=True)}
    judged = tuple(_judged(finding, sections, place, anchor) for finding in findings)
    anchor_of = {one.finding.rule: one.anchor for one in judged}
    parts = [
        _part(section, at, judged, anchor, doing)
        for section, at in zip(sections, anchors, strict=True)
    ]
    here = files(__name__)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(here.joinpath("template.html.j2").read_text("utf-8"))
    page = template.render(
        name=name,
        language=language(),
        style=Markup(here.joinpath("style.css").read_text("utf-8")),
        diagnoses=diagnoses,
        partial=[text("report.partial", said=note) for note in partial],
        anchor_of=anchor_of,
        said=[one for one in judged if one.finding.said],
        muted=[one.finding for one in judged if one.finding.muted is not None],
        judged=judged,
        counts={
            level: sum(f.level is level for f in findings if f.muted is None) for level in Level
        },
        parts=parts,
        notes=[str(note) for note in notes],
        provenance=provenance,
        panels=figure.PANELS,
        Level=Level,
        text=text,
        quantity=_quantity,
        number=_number,
    )
    # A file name may hold bytes that are no characters; the page can be saved all the same.
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def _judged(
    finding: Finding,
    sections: Sequence[Section[Any]],
    place: dict[str, str],
    anchor: Callable[[str], str],
) -> _Judged:
    view = finding.rule.partition(".")[0]
    return _Judged(
        anchor(f"finding-{finding.rule}"),
        finding,
        _title(view),
        place.get(view, ""),
        picture_of(sections, finding.rule) if finding.said else None,
    )


def _part(
    section: Section[Any],
    at: str,
    judged: Sequence[_Judged],
    anchor: Callable[[str], str],
    doing: Doing | None,
) -> _Part:
    view, measurement = section.view, section.measurement
    missing = measurement is None
    question = f"views.{view.name}.question"
    return _Part(
        anchor=at,
        title=_title(view.name),
        question=text(question) if has(question) else "",
        missing=section.missing,
        worst=max((f.level for f in section.findings if f.muted is None), default=Level.OK),
        findings=tuple(one for one in judged if one.section == at and one.finding.said),
        pictures=() if missing else tuple(_pictures(section, anchor, doing)),
        tables=() if missing else tuple(_tables(view, measurement)),
    )


def _pictures(
    section: Section[Any], anchor: Callable[[str], str], doing: Doing | None
) -> list[_Shown]:
    view, shown = section.view, []
    for picture in view.pictures:
        at = anchor(f"{view.name}-{picture.name}")
        if doing is not None:
            doing(Sentence("progress.drawing", name=f"{view.name}.{picture.name}"))
        try:
            one = _shown(section, picture, at)
        except Exception as error:  # noqa: BLE001 - a broken picture must not take the page along
            one = _Shown(at, f"{view.name}.{picture.name}", "", failed=one_line(error))
        if one is not None:
            shown.append(one)
    return shown


def _shown(section: Section[Any], picture: Picture[Any], at: str) -> _Shown | None:
    from markupsafe import Markup, escape

    view, measurement = section.view, section.measurement
    drawn = figure.draw(picture, measurement, panels=figure.PANELS, findings=section.findings)
    if drawn is None:
        return None
    caption = figure.caption(section, picture)
    svg = figure.svg(drawn, name=at).replace(
        "<svg ", f'<svg role="img" aria-label="{escape(caption)}" ', 1
    )
    return _Shown(
        at,
        f"{view.name}.{picture.name}",
        caption,
        svg=Markup(svg),
        inches=float(drawn.get_figwidth()),
        panels=len(picture.each(measurement)),
    )


def _tables(view: View[Any], measurement: Any) -> list[_Listed]:
    listed = []
    for one in view.tables:
        key = f"tables.{view.name}.{one.name}"
        title = text(key, split=table.split_of(measurement)) if has(key) else one.name
        try:
            shown = _listed(one, measurement, title)
        except Exception as error:  # noqa: BLE001 - a broken table must not take the page along
            shown = _Listed(title, failed=one_line(error))
        if shown.total or shown.failed:
            listed.append(shown)
    return listed


def _listed(one: Table[Any], measurement: Any, title: str) -> _Listed:
    rows = one.rows(measurement)
    if not rows:
        return _Listed(title)
    return _Listed(
        title,
        columns=tuple(
            (table.heading(column), all(_is_number(row[column]) for row in rows))
            for column in rows[0]
        ),
        rows=tuple(tuple(table.words(cell) for cell in row.values()) for row in rows[:ROWS]),
        total=len(rows),
    )


def _title(view: str) -> str:
    key = f"views.{view}.title"
    return text(key) if has(key) else view


def _quantity(name: str) -> str:
    key = f"quantities.{name}"
    return text(key) if has(key) else table.heading(name)


def _number(value: float) -> str:
    """Return a number of the evidence as a person reads it; an epoch or a count in full."""
    whole = float(value).is_integer() and abs(value) < 1e9
    return table.words(int(value) if whole else float(value))


def _is_number(cell: Cell) -> bool:
    """Tell whether a cell stands right-aligned in its column; nothing goes with either."""
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _anchors() -> Callable[[str], str]:
    """Return a function that makes ids out of names, no two of them the same."""
    taken = set(_FIXED)

    def anchor(name: str) -> str:
        stem = re.sub(r"[^\w-]+", "-", name)
        numbered = (f"{stem}-{n}" for n in count(2))
        free = stem if stem not in taken else next(one for one in numbered if one not in taken)
        taken.add(free)
        return free

    return anchor
