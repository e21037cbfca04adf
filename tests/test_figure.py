"""Figures: every medium from one drawing, in both languages, and nothing of the user's changed."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text

from kashika import Evidence, Finding, History, Level, LoadError, Picture, View, figure, speaking
from kashika.figure import fonts
from kashika.palette import ALARM
from kashika.texts import text
from kashika.view import Row, Table, measured
from kashika.views import curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FALL = np.exp(-np.arange(12) / 4)
CURVES = curves.measure(History.of({"train_loss": FALL, "valid_loss": FALL + 0.1}))
NOTE = "No Japanese font was found on this machine, so the labels of the figures are in English."

# 𓀀 stands in no font that carries text, a dollar starts typesetting where that is switched on.
STRANGE = "損失 𓀀 $x^{$ & <b>"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


@pytest.fixture
def japanese() -> Iterator[str]:
    family = fonts.japanese()
    if family is None:
        pytest.skip("no Japanese font on this machine")
    with speaking("ja"):
        yield family


@pytest.fixture
def no_font(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fonts, "japanese", lambda: None)
    with speaking("ja"):
        yield


def drawn(name: str = "loss") -> Figure:
    """One picture of the curves."""
    (picture,) = (one for one in curves.VIEW.pictures if one.name == name)
    found = figure.draw(picture, CURVES)
    assert found is not None
    return found


def texts(found: Figure) -> list[Text]:
    return found.findobj(Text)


def words(found: Figure) -> set[str]:
    return {one.get_text() for one in texts(found)} - {""}


def one_word(name: str, axes: Axes) -> None:
    axes.plot([0, 1], [1, 2], label=name)
    axes.set(title=name, xlabel=name)
    axes.legend()


def no_rows(_subject: str) -> list[Row]:
    return []


NAMED: View[str] = View(
    "named", measure=lambda _run: STRANGE, pictures=(Picture("word", one_word),),
    tables=(Table("none", no_rows),),
)  # fmt: skip


# --- languages ------------------------------------------------------------------------------------


def test_labels_are_in_the_language_that_is_spoken(japanese: str) -> None:
    assert {"損失", "学習", "検証"} <= words(drawn())
    with speaking("en"):
        assert {"Loss", "train", "valid"} <= words(drawn())
    assert japanese in font_manager.get_font_names()


def test_japanese_labels_are_drawn_with_a_font_that_has_their_glyphs(japanese: str) -> None:
    found = drawn()
    path = font_manager.findfont(japanese, fallback_to_default=False)
    glyphs = font_manager.get_font(path)
    shown = "".join(one for one in words(found) if re.search("[ぁ-ん一-龠]", one))
    assert all(glyphs.get_char_index(ord(character)) for character in shown)
    for one in texts(found):
        if re.search("[ぁ-ん一-龠]", one.get_text()):
            assert japanese in one.get_fontfamily()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a glyph that is missing is a warning of matplotlib's
        found.canvas.draw()


@pytest.mark.usefixtures("no_font")
def test_without_a_japanese_font_the_labels_are_english_and_a_note_says_so() -> None:
    with figure.drawable() as note:
        assert str(note) == NOTE
        assert {"Loss", "train", "valid"} <= words(drawn())
    shown = CURVES._repr_html_()
    assert shown.count(NOTE) == 1
    assert shown.index(NOTE) < shown.index("<img")
    assert "損失" not in shown


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
@pytest.mark.usefixtures("no_font")
def test_a_file_without_a_japanese_font_is_the_english_one(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"loss.{ending}"
    figure.save(measured(curves.VIEW, CURVES), path, picture="loss")
    in_japanese = path.read_bytes()
    with speaking("en"):
        figure.save(measured(curves.VIEW, CURVES), path, picture="loss")
    assert path.read_bytes() == in_japanese


@pytest.mark.usefixtures("japanese")
def test_a_file_with_a_japanese_font_is_not_the_english_one(tmp_path: Path) -> None:
    path = tmp_path / "loss.png"
    figure.save(measured(curves.VIEW, CURVES), path, picture="loss")
    in_japanese = path.read_bytes()
    with speaking("en"):
        figure.save(measured(curves.VIEW, CURVES), path, picture="loss")
    assert path.read_bytes() != in_japanese


@pytest.mark.usefixtures("no_font")
def test_a_page_is_japanese_all_the_same_since_its_reader_has_the_glyphs() -> None:
    assert "損失" in figure.svg(drawn(), name="loss")


def test_with_a_font_or_in_english_there_is_no_note(japanese: str) -> None:
    assert japanese
    with figure.drawable() as note:
        assert note is None
    with speaking("en"), figure.drawable() as note:
        assert note is None


@pytest.mark.parametrize("language", ["en", "ja"])
def test_glyphs_that_no_font_has_warn_nobody(language: str, tmp_path: Path) -> None:
    with speaking(language), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.save(measured(NAMED, STRANGE), tmp_path / "word.png")
        figure.save(measured(NAMED, STRANGE), tmp_path / "word.pdf")
        figure.html(NAMED, STRANGE)
        found = figure.draw(NAMED.pictures[0], STRANGE)
        assert found is not None
        figure.svg(found, name="word")


def test_a_name_is_drawn_as_it_is_whatever_signs_are_in_it() -> None:
    found = figure.draw(NAMED.pictures[0], STRANGE)
    assert found is not None
    root = ET.fromstring(figure.svg(found, name="word"))
    said = ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert said.count(STRANGE) == 3


# --- the page's figures ---------------------------------------------------------------------------


def test_ids_begin_with_the_name_occur_once_and_every_reference_leads_to_one() -> None:
    content = figure.svg(drawn(), name="curves-loss")
    ids = re.findall(r'\bid="([^"]*)"', content)
    assert len(ids) == len(set(ids)) > 10
    assert all(one.startswith("curves-loss-") for one in ids)
    referred = re.findall(r'(?:href="#|url\(#)([^")]+)', content)
    assert referred
    assert set(referred) <= set(ids)


def test_figures_of_other_names_share_no_id() -> None:
    first, second = (
        set(re.findall(r'\bid="([^"]*)"', figure.svg(drawn(), name=name))) for name in ("a", "b")
    )
    assert first.isdisjoint(second)


def test_an_svg_is_well_formed_with_real_text_and_scales_to_its_place() -> None:
    root = ET.fromstring(figure.svg(drawn(), name="loss"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    said = ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Loss", "Epoch", "train", "valid"} <= set(said)
    assert "viewBox" in root.attrib
    assert {"width", "height"}.isdisjoint(root.attrib)


def test_an_svg_names_no_date_and_no_address_but_its_own_language() -> None:
    content = figure.svg(drawn(), name="loss")
    assert "metadata" not in content
    assert not re.search(r"\d{4}-\d{2}-\d{2}", content)
    addresses = set(re.findall(r'https?://[^"]+', content))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_the_ink_of_an_svg_is_the_pages_own() -> None:
    content = figure.svg(drawn(), name="loss")
    assert "currentColor" in content
    assert "var(--grid)" in content
    assert "#222324" not in content
    assert "#000000" not in content


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_the_same_picture_gives_the_same_bytes(ending: str, tmp_path: Path) -> None:
    for name in ("first", "second"):
        figure.save(measured(curves.VIEW, CURVES), tmp_path / f"{name}.{ending}", picture="loss")
    first, second = (tmp_path / f"{name}.{ending}" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    assert figure.svg(drawn(), name="a") == figure.svg(drawn(), name="a")


# --- files ----------------------------------------------------------------------------------------

STARTS = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}


@pytest.mark.parametrize("ending", STARTS)
def test_a_file_is_what_its_ending_says(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"図 1.{ending.upper()}"
    assert figure.save(measured(curves.VIEW, CURVES), path, picture="gap") == [path]
    assert path.read_bytes().startswith(STARTS[ending])
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_several_pictures_get_their_names_before_the_ending(tmp_path: Path) -> None:
    files = figure.save(measured(curves.VIEW, CURVES), tmp_path / "curves.svg")
    names = ["curves-loss.svg", "curves-loss_log.svg", "curves-gap.svg"]
    assert [one.name for one in files] == names
    assert all(one.is_file() for one in files)


@pytest.mark.parametrize("name", ["a.bmp", "a"])
def test_a_file_of_another_kind_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with pytest.raises(LoadError) as caught:
        figure.save(measured(curves.VIEW, CURVES), path)
    assert str(caught.value) == (
        f"{path}: expected a file ending in one of svg, png, pdf, found {path.suffix[1:]!r}; "
        "give another ending"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_the_view_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError) as caught:
        figure.save(measured(curves.VIEW, CURVES), tmp_path / "a.svg", picture="lost")
    assert str(caught.value) == (
        "picture: expected one of loss, loss_log, accuracy, gap, metrics of the view curves, "
        "found 'lost'; choose one of them"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_this_run_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError) as caught:
        figure.save(measured(curves.VIEW, CURVES), tmp_path / "a.svg", picture="accuracy")
    assert str(caught.value) == (
        "curves.accuracy: expected a picture of this run, found that it does not apply to it; "
        "see kashika views for others"
    )
    assert list(tmp_path.iterdir()) == []


# --- panels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("subjects", "panels", "shown"), [(1, 24, 1), (5, 24, 5), (30, 24, 24)])
def test_every_subject_has_axes_of_its_own_up_to_a_number(
    subjects: int, panels: int, shown: int
) -> None:
    picture: Picture[int] = Picture("many", one_word, each=lambda n: [str(k) for k in range(n)])
    found = figure.draw(picture, subjects, panels=panels)
    assert found is not None
    with_something = [one for one in found.axes if one.lines]
    assert len(with_something) == shown
    whole = figure.draw(picture, subjects)
    assert whole is not None
    assert len([one for one in whole.axes if one.lines]) == subjects


def test_a_picture_without_subjects_is_no_figure() -> None:
    assert figure.draw(Picture("none", one_word, each=lambda _: ()), "x") is None


# --- what is the user's ---------------------------------------------------------------------------


def fail(_subject: object, _axes: Axes) -> None:
    raise ZeroDivisionError


def _save(tmp_path: Path) -> object:
    return figure.save(measured(curves.VIEW, CURVES), tmp_path / "a.png")


def _plot(_tmp_path: Path) -> object:
    return CURVES.plot(Figure().subplots())


def _html(_tmp_path: Path) -> object:
    return CURVES._repr_html_()


def _svg(_tmp_path: Path) -> object:
    return figure.svg(drawn(), name="a")


def _failing(_tmp_path: Path) -> object:
    with pytest.raises(ZeroDivisionError):
        figure.draw(Picture("fails", fail), CURVES)
    return None


@pytest.mark.parametrize("use", [_save, _plot, _html, _svg, _failing])
def test_settings_backend_and_open_figures_stay_the_users(
    use: Callable[[Path], object], tmp_path: Path
) -> None:
    with mpl.rc_context({"font.size": 21, "font.family": ["serif"], "svg.fonttype": "path"}):
        mine = plt.figure()
        try:
            settings = dict(mpl.rcParams)
            state = (mpl.get_backend(), plt.get_fignums(), plt.gcf(), list(warnings.filters))
            use(tmp_path)
            assert dict(mpl.rcParams) == settings
            assert (
                mpl.get_backend(),
                plt.get_fignums(),
                plt.gcf(),
                list(warnings.filters),
            ) == state
        finally:
            plt.close(mine)


def test_the_users_settings_do_not_change_a_picture() -> None:
    plain = figure.svg(drawn(), name="a")
    with mpl.rc_context({"lines.linewidth": 9, "font.size": 30, "svg.fonttype": "path"}):
        assert figure.svg(drawn(), name="a") == plain


def test_the_users_axes_keep_their_figures_size_and_layout() -> None:
    mine = Figure(figsize=(9, 2), layout="tight")
    left, right = mine.subplots(1, 2)
    CURVES.plot(left)
    assert tuple(mine.get_size_inches()) == (9, 2)
    assert type(mine.get_layout_engine()).__name__ == "TightLayoutEngine"
    assert left.lines
    assert not right.lines


# --- the places that findings name ----------------------------------------------------------------


def drawn_with(finding: Finding, draw: Callable[[object, Axes], None], shows: str) -> Axes:
    picture: Picture[int] = Picture("own", draw, shows=(shows,))
    made = figure.draw(picture, 0, findings=[finding])
    assert made is not None
    (axes,) = made.axes
    return axes


def line(_subject: object, axes: Axes) -> None:
    axes.plot([0, 10], [1, 2])
    axes.set_xlabel(text("labels.epoch"))


def marks_of(axes: Axes) -> list[float]:
    return [
        float(np.asarray(one.get_xdata()).item())
        for one in axes.get_lines()
        if str(one.get_gid()).startswith("mark-")
    ]


def test_the_epochs_of_a_finding_are_marked_where_it_can_be_seen() -> None:
    evidence = (
        Evidence("least_at", 4, unit="epoch", where="valid_loss"),
        Evidence("last_at", 11, unit="epoch", where="valid_loss"),
        Evidence("other_at", 3, unit="step", where="valid_loss"),
    )
    finding = Finding("view.sick", Level.WARNING, evidence)
    before = drawn_with(finding, line, "healthy").get_xlim()
    axes = drawn_with(finding, line, "sick")
    assert marks_of(axes) == [4]  # 11 lies outside, and steps are another axis
    assert axes.get_xlim() == before
    assert marks_of(drawn_with(finding, line, "healthy")) == []


def test_nothing_is_marked_that_is_well_or_muted() -> None:
    evidence = (Evidence("least_at", 4, unit="epoch"),)
    for finding in (
        Finding("view.sick", Level.OK, evidence),
        Finding("view.sick", Level.PROBLEM, evidence, muted="why"),
    ):
        assert marks_of(drawn_with(finding, line, "sick")) == []


def test_the_layer_of_a_finding_is_marked_in_the_title_and_on_the_axis() -> None:
    def layers(_subject: object, axes: Axes) -> None:
        axes.set_title("fc1.weight")
        axes.set_yticks([0, 1], ["fc1", "fc2"])

    finding = Finding("view.sick", Level.WARNING, (Evidence("share", 1, where="fc1.weight"),))
    axes = drawn_with(finding, layers, "sick")
    marked = [axes.title, *axes.get_yticklabels()]
    assert [one.get_text() for one in marked if one.get_color() == ALARM] == ["fc1.weight", "fc1"]


def test_the_caption_explains_the_marks_where_there_are_any() -> None:
    def sick(_measurement: object) -> Finding:
        return Finding("own.sick", Level.WARNING, (Evidence("at", 4, unit="epoch"),))

    shown: Picture[int] = Picture("curve", line, shows=("sick",))
    other: Picture[int] = Picture("other", line)
    view: View[int] = View("own", lambda _: 0, rules=(sick,), pictures=(shown, other))
    section = measured(view, 0)
    assert figure.caption(section, shown) == f"own.curve {text('diagnosis.marks')}"
    assert figure.caption(section, other) == "own.other"
