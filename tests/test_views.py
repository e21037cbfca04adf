"""What holds for every view, built in or brought: one contract."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from toy import Toy, two_clouds

from kashika import (
    Evidence,
    Finding,
    History,
    Level,
    Missing,
    Picture,
    Run,
    Section,
    Table,
    View,
    figure,
    speaking,
    table,
)
from kashika.errors import need
from kashika.naming import SPLITS
from kashika.report import analyze
from kashika.run import Observations
from kashika.texts import LANGUAGES
from kashika.views import BUILTIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


# --- a view as a user would write it --------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Length:
    """How long the training was."""

    epochs: int

    def plot(self, ax: Axes | None = None) -> Axes:
        return figure.plot(draw_epochs, self, ax)

    def to_frame(self) -> DataFrame:
        return table.frame(rows(self))

    def _repr_html_(self) -> str:
        return figure.html(LENGTH, self)


def of_run(run: Run) -> Length:
    history = need(run.history, "history")
    return Length(max(one.x.size for one in history.series.values()))


def short(length: Length, *, least: int = 10) -> Finding:
    """Training was stopped after a few epochs."""
    level = Level.NOTE if length.epochs < least else Level.OK
    return Finding("length.short", level, (Evidence("epochs", length.epochs, limit=least),))


def draw_epochs(length: Length, axes: Axes) -> None:
    axes.barh(["epochs"], [length.epochs])


def rows(length: Length) -> list[dict[str, Any]]:
    return [{"epochs": length.epochs}]


LENGTH = View(
    "length", of_run, (short,), (Picture("epochs", draw_epochs),), (Table("epochs", rows),)
)

VIEWS = [*BUILTIN, LENGTH]
each_view = pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)


# --- runs -----------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def complete() -> Run:
    """A run that has everything."""
    network = Toy()
    samples = {"train": two_clouds(), "valid": two_clouds(seed=1), "test": two_clouds(seed=2)}
    fall = np.exp(-np.arange(12) / 4)
    logs = {"train_loss": fall, "valid_loss": fall + 0.1, "train_acc": 1 - fall / 2}
    return Run(
        "complete",
        history=History.of(logs),
        network=network,
        observations=Observations(network, samples),  # type: ignore[arg-type]
    )


def section(view: View[Any], run: Run) -> Section[Any]:
    (found,) = analyze(run, views=[view]).sections
    return found


def measurement(view: View[Any]) -> Any:
    found = section(view, complete())
    assert found.missing is None
    return found.measurement


# --- the contract ---------------------------------------------------------------------------------


def test_no_two_views_share_a_name() -> None:
    names = [view.name for view in VIEWS]
    assert len(set(names)) == len(names)


@each_view
def test_a_view_without_its_input_is_skipped_with_a_reason(view: View[Any]) -> None:
    found = section(view, Run("empty"))
    assert found.measurement is None
    assert found.missing is not None
    what, how = found.missing.split("; ")
    assert re.match(r"needs \w", what)
    assert re.match(r"\w", how)


@each_view
def test_the_reason_is_put_into_words_in_the_language_of_the_reader(view: View[Any]) -> None:
    found = section(view, Run("empty"))
    with speaking("ja"):
        assert found.missing is not None
        assert re.search("[ぁ-ん]", found.missing)


@each_view
def test_what_cannot_be_measured_leaves_every_rule_unknown(view: View[Any]) -> None:
    findings = section(view, Run("empty")).findings
    assert [one.rule for one in findings] == [f"{view.name}.{one.__name__}" for one in view.rules]
    assert {one.level for one in findings} <= {Level.UNKNOWN}


@each_view
def test_every_rule_answers_under_the_name_of_its_view_and_its_disease(view: View[Any]) -> None:
    findings = section(view, complete()).findings
    assert [one.rule for one in findings] == [f"{view.name}.{one.__name__}" for one in view.rules]
    for finding in findings:
        for language in LANGUAGES:
            with speaking(language):
                assert finding.summary
                assert "{" not in finding.summary


@each_view
def test_every_picture_is_drawn_into_the_axes_that_it_is_handed(view: View[Any]) -> None:
    found = measurement(view)
    there = 0
    for picture in view.pictures:
        for subject in picture.each(found):
            mine, other = Figure().subplots(2)
            empty = len(other.get_children())
            with mpl.rc_context({"axes.titlesize": 17}):
                settings, windows = dict(mpl.rcParams), plt.get_fignums()
                assert picture.draw(subject, mine) is None  # type: ignore[func-returns-value]
                assert dict(mpl.rcParams) == settings
                assert plt.get_fignums() == windows
            assert len(mine.get_children()) > empty
            assert len(other.get_children()) == empty
            there += 1
    assert there


@each_view
def test_a_picture_is_drawn_the_same_twice(view: View[Any]) -> None:
    found = measurement(view)
    for picture in view.pictures:
        first, second = (figure.draw(picture, found) for _ in range(2))
        assert (first is None) == (second is None)
        if first is not None and second is not None:
            assert figure.svg(first, name="a") == figure.svg(second, name="a")


@each_view
def test_plot_gives_back_the_axes_that_it_drew_into(view: View[Any]) -> None:
    axes = Figure().subplots()
    empty = len(axes.get_children())
    windows = plt.get_fignums()
    assert measurement(view).plot(axes) is axes
    assert len(axes.get_children()) > empty
    assert plt.get_fignums() == windows


@each_view
def test_plot_without_axes_opens_one_figure_for_the_notebook_to_show(view: View[Any]) -> None:
    settings, windows = dict(mpl.rcParams), plt.get_fignums()
    axes = measurement(view).plot()
    try:
        (number,) = set(plt.get_fignums()) - set(windows)
        assert axes in plt.figure(number).axes
        assert dict(mpl.rcParams) == settings
    finally:
        plt.close(axes.figure)


@each_view
def test_a_measurement_shows_itself_with_a_picture_and_a_table_and_no_script(
    view: View[Any],
) -> None:
    settings, windows = dict(mpl.rcParams), plt.get_fignums()
    shown = measurement(view)._repr_html_()
    assert dict(mpl.rcParams) == settings
    assert plt.get_fignums() == windows
    images = re.findall(r'<img [^>]*src="data:image/png;base64,([^"]+)"', shown)
    assert images
    assert all(base64.b64decode(one).startswith(b"\x89PNG") for one in images)
    assert "<table>" in shown
    assert "<script" not in shown
    assert "http" not in shown
    assert all(re.findall(r'<img alt="([^"]+)"', shown))


@each_view
def test_a_measurement_writes_itself_as_a_table(view: View[Any]) -> None:
    found = measurement(view)
    if view is LENGTH:  # an author may leave that to the dataclass
        return
    head, *lines = repr(found).splitlines()
    (first, *_) = [one.rows(found) for one in view.tables if one.rows(found)]
    assert head.split() == " ".join(table.heading(column) for column in first[0]).split()
    assert len(lines) == min(len(first), 12) + (len(first) > 12)


@each_view
def test_a_measurement_becomes_a_frame_whose_columns_no_language_changes(view: View[Any]) -> None:
    found = measurement(view)
    frame = found.to_frame()
    assert len(frame)
    with speaking("ja"):
        assert list(found.to_frame().columns) == list(frame.columns)


@each_view
def test_the_rows_of_a_table_all_have_the_same_columns(view: View[Any]) -> None:
    found = measurement(view)
    for one in view.tables:
        columns = {tuple(row) for row in one.rows(found)}
        assert len(columns) <= 1
        for row in one.rows(found):
            assert all(isinstance(cell, str | int | float | bool | None) for cell in row.values())
            assert not any(isinstance(cell, np.generic) for cell in row.values())


@each_view
def test_a_view_that_raises_leaves_the_others_as_they_are(view: View[Any]) -> None:
    def fail(_run: Run) -> None:
        raise ZeroDivisionError("of\nits own")

    broken: View[None] = View("broken", fail, rules=(short,))  # type: ignore[arg-type]
    first, other = analyze(complete(), views=[broken, view]).sections
    assert first.missing == "This view failed: ZeroDivisionError: of its own"
    assert [one.level for one in first.findings] == [Level.UNKNOWN]
    assert other.missing is None
    assert [one.rule for one in other.findings] == [
        one.rule for one in section(view, complete()).findings
    ]


@each_view
def test_a_rule_or_picture_keeps_its_hands_off_the_measurement(view: View[Any]) -> None:
    found = measurement(view)
    before = found.to_frame()
    for rule in view.rules:
        rule(found)
    for picture in view.pictures:
        figure.draw(picture, found)
    assert before.equals(found.to_frame())


def test_every_split_is_observed_once_for_all_views() -> None:
    run = complete()
    analyze(run, views=VIEWS)
    assert isinstance(run.network, Toy)
    assert sorted(run.network.observed) == sorted(SPLITS)
    assert sum(run.network.asked) < 360 * 270 / 2  # the grid is asked where the answer changes


def test_a_view_may_say_what_is_missing_itself() -> None:
    def measure(_run: Run) -> None:
        raise Missing("missing.weights")

    assert section(View("own", measure), Run("empty")).missing == (
        "needs weights; give a folder with a checkpoint such as model.pth, or pass the model"
    )
