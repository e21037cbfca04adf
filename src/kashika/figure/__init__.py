"""Pictures -> matplotlib figures: shown in a notebook, saved as a file, or embedded in a page.

Nothing here knows what is drawn. No pyplot state is touched, except where a notebook asks for a
new figure, and no setting outlives a call.
"""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kashika import table
from kashika.errors import LoadError, one_line
from kashika.figure import fonts, marks
from kashika.palette import INK
from kashika.texts import Sentence, has, language, speaking, text
from kashika.view import Finding, Level, Picture, Section, Table, View, measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

M = TypeVar("M")
S = TypeVar("S")

FORMATS = ("svg", "png", "pdf")
PANELS = 24
"""So many axes of one picture are shown in a page or a notebook; a file of its own shows all."""

_GRID = "#b4b5b6"  # as INK, it becomes the page's own colour in `svg`
_STYLE = {
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.grid.axis": "both",
    "axes.axisbelow": True,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.unicode_minus": False,
    "figure.dpi": 100,
    "font.size": 9,
    "grid.color": _GRID,
    "grid.linewidth": 0.4,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "savefig.dpi": 150,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a user's name is a dollar; typesetting is slow
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


def plot(draw: Callable[[S, Axes], None], subject: S, ax: Axes | None) -> Axes:
    """Draw one subject into `ax`; without it, into a new pyplot figure, which a notebook shows."""
    if ax is None:
        import matplotlib.pyplot as plt

        # Before the style, not under it: the first figure of a notebook starts its backend, whose
        # settings would end with the style, and no figure after it would be shown.
        figure = plt.figure(layout="constrained")
        with _lettering():
            ax = figure.subplots()
    with drawable(), _lettering():
        draw(subject, ax)
    return ax


def draw(
    picture: Picture[M],
    measurement: M,
    *,
    panels: int | None = None,
    findings: Sequence[Finding] = (),
) -> Figure | None:
    """Draw a picture into a figure of its own, one axes for each subject.

    Parameters
    ----------
    panels : draw at most so many of the subjects
    findings : of the view; the places that they name are marked where the picture shows them

    Returns
    -------
    The figure, or None where the picture does not apply to this measurement.
    """
    from matplotlib.figure import Figure

    subjects = list(picture.each(measurement))[:panels]
    if not subjects:
        return None
    columns = min(3, len(subjects))
    rows = ceil(len(subjects) / columns)
    width, height = (4.8, 3.3) if columns == 1 else (3.2 * columns, 2.3 * rows)
    with _lettering():
        figure = Figure((width, height), layout="constrained" if columns < 3 else None)
        axes = figure.subplots(rows, columns, squeeze=False).flat
        for one in axes:
            one.set_axis_off()
        for subject, one in zip(subjects, figure.axes, strict=False):
            one.set_axis_on()
            picture.draw(subject, one)
            _plain_powers(one)
            for finding in marks.seen_in(picture, findings):
                marks.mark(finding, one)
        _lay_out(figure, rows)
    return figure


def save(section: Section[M], path: Path, *, picture: str | None = None) -> list[Path]:
    """Save one picture of a view, or all of them, as SVG, PNG or PDF by the ending of `path`.

    Returns
    -------
    The files: `path`, or with several pictures `path` with the picture's name before the ending.

    Raises
    ------
    LoadError
        If there is nothing to draw, the ending or the picture is not known, or it does not apply.
    """
    ending = path.suffix.lower().lstrip(".")
    view = section.view
    if section.measurement is None:
        raise LoadError("errors.section_missing", view=view.name, reason=section.missing)
    if ending not in FORMATS:
        raise LoadError("errors.figure_format", path=path, found=ending, formats=", ".join(FORMATS))
    names = [one.name for one in view.pictures]
    if picture is not None and picture not in names:
        raise LoadError(
            "errors.no_such_picture", view=view.name, found=picture, names=", ".join(names)
        )  # fmt: skip
    chosen = [one for one in view.pictures if picture in (None, one.name)]
    with drawable():
        drawn = [
            (one.name, _drawn(view, one, section.measurement, section.findings)) for one in chosen
        ]
        figures = [(name, figure) for name, figure in drawn if figure is not None]
        if not figures:
            raise LoadError("errors.picture_not_applicable", name=f"{view.name}.{picture}")
        files = []
        for name, figure in figures:
            file = path if len(figures) == 1 else path.with_stem(f"{path.stem}-{name}")
            _write(figure, file, ending)
            files.append(file)
    return files


def _drawn(
    view: View[M], picture: Picture[M], measurement: M, findings: Sequence[Finding]
) -> Figure | None:
    try:
        return draw(picture, measurement, findings=findings)
    except Exception as error:  # a picture from outside may raise anything
        name = f"{view.name}.{picture.name}"
        raise LoadError("errors.drawing", name=name, error=one_line(error)) from error


def html(view: View[M], measurement: M) -> str:
    """Show a measurement in a notebook: every picture and the first table, without a script."""
    section = measured(view, measurement)
    with drawable() as note:
        parts = [f"<p>{escape(str(note))}</p>"] if note else []
        parts += [
            f'<img alt="{escape(caption(section, picture))}" style="max-width:100%" '
            f'src="data:image/png;base64,{base64.b64encode(_bytes(figure, "png")).decode()}">'
            for picture in view.pictures
            if (figure := draw(picture, measurement, panels=PANELS, findings=section.findings))
            is not None
        ]
        parts += [_finding(section)]
        shown = table.first(view, measurement)
        parts += [_rows(shown, measurement)] if shown else []
    return f"<div>{''.join(parts)}</div>"


def svg(figure: Figure, *, name: str) -> str:
    """Return a figure as an <svg> element in the page's own colours.

    Parameters
    ----------
    name : prefix of every id inside, so that several figures can stand in one page
    """
    import matplotlib as mpl

    with _lettering(), mpl.rc_context({"svg.hashsalt": name}):
        content = _bytes(figure, "svg", transparent=True).decode()
    content = content[content.index("<svg") :].replace(_GRID, "var(--grid)")
    content = content.replace(INK, "currentColor")
    content = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", content)
    content = re.sub(r"<metadata>.*?</metadata>", "", content, flags=re.DOTALL)
    opening, rest = content.split(">", maxsplit=1)
    return re.sub(r' (?:width|height)="[^"]*"', "", opening) + ">" + rest


def caption(section: Section[M], picture: Picture[M]) -> str:
    """Return what a picture shows and how to read it; its name for a picture from outside."""
    name = f"{section.view.name}.{picture.name}"
    key = f"pictures.{name}"
    said = text(key, split=table.split_of(section.measurement)) if has(key) else name
    marked = any(marks.places(finding) for finding in marks.seen_in(picture, section.findings))
    return f"{said} {text('diagnosis.marks')}" if marked else said


@contextmanager
def drawable() -> Generator[Sentence | None]:
    """Speak a language that the machine's fonts can draw; give a note where that is another one."""
    if language() == "ja" and fonts.japanese() is None:
        with speaking("en"):
            yield Sentence("notes.no_japanese_font")
    else:
        yield None


@contextmanager
def _lettering() -> Generator[None]:
    """Set style and fonts inside the block; a page's reader has glyphs that this machine lacks."""
    import matplotlib as mpl

    family = ["DejaVu Sans", *filter(None, [fonts.japanese()])]
    style: Any = _STYLE | {"font.family": family}
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def _lay_out(figure: Figure, rows: int) -> None:
    """Give the axes their places, once: one that keeps its engine is drawn twice when saved."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
        return
    # Small multiples need no more room than this, and measuring it takes longer than drawing.
    width, height = figure.get_size_inches()
    wide, high = (width - 1.75) / 3, (height - 0.75 - 0.75 * (rows - 1)) / rows
    figure.subplots_adjust(
        left=0.5 / width, right=1 - 0.15 / width, wspace=0.55 / wide,
        bottom=0.45 / height, top=1 - 0.4 / height, hspace=0.75 / high,
    )  # fmt: skip


def _plain_powers(axes: Axes) -> None:
    """Write 0.001 on logarithmic axes, since mathematical typesetting is switched off."""
    from matplotlib.ticker import LogLocator, NullLocator

    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_locator(NullLocator())


def _write(figure: Figure, path: Path, ending: str) -> None:
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(_bytes(figure, ending))
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _bytes(figure: Figure, ending: str, *, transparent: bool = False) -> bytes:
    """Return a figure as a file; without the date, so that the same figure gives the same bytes."""
    import matplotlib as mpl

    metadata: Mapping[str, Mapping[str, str | None]] = {
        "svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {},
    }  # fmt: skip
    smaller: Mapping[str, Any] = {"pil_kwargs": {"optimize": True}} if ending == "png" else {}
    buffer = io.BytesIO()
    salt = mpl.rcParams["svg.hashsalt"] or "kashika"
    with _lettering(), mpl.rc_context({"svg.hashsalt": salt}):
        figure.savefig(
            buffer, format=ending, metadata=metadata[ending], transparent=transparent, **smaller
        )
    return buffer.getvalue()


def _finding(section: Section[M]) -> str:
    said = [f for f in section.findings if f.level >= Level.NOTE]
    items = "".join(f"<li><b>{escape(f.title)}</b>: {escape(f.summary)}</li>" for f in said)
    return f"<ul>{items}</ul>" if items else ""


def _rows(one: Table[M], measurement: M, *, most: int = 12) -> str:
    rows = one.rows(measurement)
    head = "".join(f"<th>{escape(table.heading(column))}</th>" for column in rows[0])
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(table.words(cell))}</td>' for cell in row.values())}</tr>"
        for row in rows[:most]
    )
    more = (
        f"<p>{escape(text('words.more_rows', count=len(rows) - most))}</p>"
        if len(rows) > most
        else ""
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"
