"""A report: every view applied, every rule judged, nothing lost, and open to views from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn
from toy import Toy, two_clouds

import kashika as ks
from kashika import report as reports
from kashika.cli import main
from kashika.errors import LoadError
from kashika.load.code.named import parse
from kashika.run import Observations
from kashika.texts import Sentence
from kashika.view import Finding, Level, Picture, View
from kashika.views import BUILTIN
from kashika.views.boundary import Boundary

THIRD_PARTY = """
from dataclasses import dataclass

from kashika import Evidence, Finding, Level, Picture, Run, Table, View
from kashika.errors import need


@dataclass(frozen=True)
class Length:
    epochs: int


def measure(run: Run) -> Length:
    history = need(run.history, "history")
    return Length(max(len(series.y) for series in history.series.values()))


def short(length: Length, *, least: int = 10) -> Finding:
    level = Level.WARNING if length.epochs < least else Level.OK
    return Finding("length.short", level, (Evidence("epochs", length.epochs, limit=least),))


def draw(length: Length, axes) -> None:
    axes.barh(["epochs"], [length.epochs])


LENGTH = View(
    "length", measure, rules=(short,), pictures=(Picture("bar", draw),),
    tables=(Table("epochs", lambda length: [{"epochs": length.epochs}]),),
)
"""


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with ks.speaking("en"):
        yield


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder with four epochs of logs, and a view of the user's own beside it."""
    folder = tmp_path / "run"
    folder.mkdir()
    np.savetxt(folder / "train_loss.txt", [0.7, 0.5, 0.4, 0.3])
    np.savetxt(folder / "valid_loss.txt", [0.71, 0.52, 0.41, 0.33])
    (tmp_path / "mine.py").write_text(THIRD_PARTY, encoding="utf-8")
    return folder


def view_of(file: Path) -> ks.View[Any]:
    """Take a view out of a user's file, as the command line does."""
    view = parse(f"{file}:LENGTH", option="--view").load()
    assert isinstance(view, ks.View)
    return view


def levels(*given: ks.Level, name: str = "made") -> ks.View[None]:
    """A view whose rules find just these levels."""

    def rule_for(index: int, level: ks.Level) -> Any:
        def rule(_measurement: None) -> ks.Finding:
            return ks.Finding(f"{name}.rule{index}", level)

        rule.__name__ = f"rule{index}"
        return rule

    rules = tuple(rule_for(index, level) for index, level in enumerate(given))
    return ks.View(name, lambda _run: None, rules)


# --- views from outside ---------------------------------------------------------------------------


def test_a_view_from_a_file_is_applied_by_the_command_line(logs: Path) -> None:
    word = f"{logs.parent / 'mine.py'}:LENGTH"
    done = CliRunner().invoke(
        main, ["check", str(logs), "--view", word, "--json", "--lang", "en"]
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [one["view"] for one in found["sections"]] == [*(v.name for v in BUILTIN), "length"]
    (mine,) = [one for one in found["findings"] if one["rule"] == "length.short"]
    assert mine["level"] == "warning"
    assert mine["evidence"] == [
        {"quantity": "epochs", "value": 4, "limit": 10, "unit": "", "where": ""}
    ]


def test_a_view_from_a_file_counts_for_the_exit_status(logs: Path) -> None:
    arguments = ["check", str(logs), "--view", f"{logs.parent / 'mine.py'}:LENGTH"]
    assert CliRunner().invoke(main, [*arguments, "--fail-on", "warning"]).exit_code == 1
    assert CliRunner().invoke(main, [*arguments, "--fail-on", "problem"]).exit_code == 0


def test_a_view_from_a_file_has_its_place_in_the_page_and_its_figures(logs: Path) -> None:
    word = f"{logs.parent / 'mine.py'}:LENGTH"
    done = CliRunner().invoke(main, ["report", str(logs), "--view", word, "--lang", "en"])
    assert done.exit_code == 0, done.output
    page = (logs / "report.html").read_text(encoding="utf-8")
    assert 'id="length"' in page
    assert 'id="length-bar' in page
    bar = logs / "bar.svg"
    done = CliRunner().invoke(
        main, ["figure", str(logs), "length.bar", "--view", word, "-o", str(bar)]
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "epochs" in bar.read_text(encoding="utf-8")


def test_a_view_from_a_file_is_applied_in_a_notebook(logs: Path) -> None:
    mine = view_of(logs.parent / "mine.py")
    report = ks.analyze(history={"train_loss": np.ones(20)}, views=[mine])
    (section,) = report.sections
    assert section.measurement is not None
    assert section.measurement.epochs == 20
    assert [one.level for one in report.findings] == [ks.Level.OK]


def test_views_that_installed_packages_bring_come_after_the_built_in_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Point:
        def load(self) -> ks.View[None]:
            return levels(ks.Level.OK, name="installed")

    def entry_points(*, group: str) -> list[Point]:
        return [Point()] if group == "kashika.views" else []

    monkeypatch.setattr(reports, "entry_points", entry_points)
    report = reports.analyze(ks.Run("empty"))
    assert [one.view.name for one in report.sections] == [*(v.name for v in BUILTIN), "installed"]


def test_what_is_no_view_is_refused_in_one_line(logs: Path) -> None:
    word = f"{logs.parent / 'mine.py'}:measure"
    done = CliRunner().invoke(main, ["check", str(logs), "--view", word, "--lang", "en"])
    assert done.exit_code == 2
    assert done.stderr == (
        f"kashika: --view {word}: expected a View, found function; name a kashika.View\n"
    )


# --- what does not fit ----------------------------------------------------------------------------


def test_a_mismatch_of_network_and_data_is_an_error_and_no_missing_section() -> None:
    with pytest.raises(ks.MismatchError) as caught:
        ks.analyze(nn.Linear(3, 2), train=(np.zeros((4, 2)), [0, 1, 0, 1]))
    assert str(caught.value) == (
        "train: expected inputs that the network takes, found shape (4, 2), and it raised "
        "RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x2 and 3x2); "
        "check that --data and --model belong together"
    )


def test_a_mismatch_in_another_split_than_the_first_is_an_error_too() -> None:
    good = (np.zeros((4, 3)), [0, 1, 0, 1])
    with pytest.raises(ks.MismatchError, match=r"^test: expected classes from 0 to 1"):
        ks.analyze(nn.Linear(3, 2), train=good, test=(np.zeros((4, 3)), [0, 1, 2, 3]))


def test_a_test_split_of_one_class_is_read_as_the_training_was() -> None:
    train, test = (np.eye(4), [0.0, 1.0, 2.0, 0.5]), (np.eye(4), [1.0, 1.0, 1.0, 0.0])
    with torch.random.fork_rng([]):
        found = ks.analyze(nn.Linear(4, 1), train=train, test=test).sections[1].measurement
    assert found.scores["test"].correct is None  # type: ignore[union-attr]


# --- findings -------------------------------------------------------------------------------------


def test_findings_come_the_worst_first_and_else_in_the_order_of_the_views() -> None:
    ok, note, problem = ks.Level.OK, ks.Level.NOTE, ks.Level.PROBLEM
    views = [levels(ok, note, name="a"), levels(problem, note, name="b")]
    report = reports.analyze(ks.Run("run"), views=views)
    assert [one.rule for one in report.findings] == ["b.rule0", "a.rule1", "b.rule1", "a.rule0"]
    assert report.worst is problem


@pytest.mark.parametrize("worst", ks.Level)
def test_the_worst_level_is_that_of_the_worst_finding(worst: ks.Level) -> None:
    report = reports.analyze(ks.Run("run"), views=[levels(ks.Level.OK, worst, ks.Level.OK)])
    assert report.worst is worst


def test_without_a_view_all_is_well() -> None:
    assert reports.analyze(ks.Run("run"), views=[]).worst is ks.Level.OK


def test_a_rule_that_raises_is_unknown_and_says_why_and_the_others_are_asked() -> None:
    def broken(_measurement: None) -> ks.Finding:
        raise KeyError("loss")

    def warns(_measurement: None) -> ks.Finding:
        return ks.Finding("bad.warns", ks.Level.WARNING)

    views = [ks.View("bad", lambda _run: None, (broken, warns)), levels(ks.Level.OK)]
    report = reports.analyze(ks.Run("run"), views=views)
    assert [one.missing for one in report.sections] == [None, None]
    assert [(one.rule, one.level) for one in report.findings] == [
        ("bad.warns", ks.Level.WARNING), ("bad.broken", ks.Level.UNKNOWN),
        ("made.rule0", ks.Level.OK),
    ]  # fmt: skip
    assert report.findings[1].summary == "This rule failed: KeyError: 'loss'"


def test_a_network_that_breaks_in_the_middle_leaves_what_was_seen_before_it() -> None:
    class Second(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if len(x) < 1024:  # the last batch
                raise ZeroDivisionError("by zero")
            return super().forward(x)

    data = (np.zeros((1500, 2)), np.arange(1500) % 2)
    network = Second(2, 2)
    nn.init.zeros_(network.weight)  # one answer everywhere: a boundary's grid is asked once
    report = ks.analyze(network, train=data, history={"train_loss": [1.0, 0.5, 0.1]})
    assert {one.missing for one in report.sections} == {None}
    (boundary,) = (one.measurement for one in report.sections if one.view.name == "boundary")
    assert isinstance(boundary, Boundary)
    assert [one.kind for one in boundary.refused] == ["margins"]
    assert [str(note) for note in report.notes][1:] == [
        (
            "train: an error at batch 2 (ZeroDivisionError: by zero); "
            "1 batch (476 samples) was left out"
        )
    ]


# --- JSON and text --------------------------------------------------------------------------------


def overfitted() -> reports.Report:
    history = {
        "train_loss": [8.0, 4, 2, 1, 1, 1, 0.5, 0.5, 0.5],
        "valid_loss": [8.0, 4, 4, 4, *[8] * 5],
    }
    run = ks.Run(
        "two words",
        history=ks.History.of(history),
        notes=(Sentence("errors.weights.empty", path="a.pth"),),
        provenance=(("seed", "0"), ("torch", "2.13")),
    )
    return reports.analyze(run, views=[BUILTIN[0], BUILTIN[4]])


def test_the_json_is_one_object_with_the_promised_keys() -> None:
    found = json.loads(overfitted().to_json())
    assert list(found) == [
        "schema", "run", "partial", "diagnoses", "findings", "sections", "notes", "provenance"
    ]  # fmt: skip
    assert found["schema"] == 1
    assert found["run"] == "two words"
    assert found["sections"] == [
        {"view": "curves", "missing": None},
        {
            "view": "weights",
            "missing": "needs weights; give a folder with a checkpoint such as model.pth, "
            "or pass the model",
        },
    ]
    assert found["notes"] == [
        "a.pth: expected a checkpoint, found an empty file (0 bytes); save or copy it again"
    ]
    assert found["provenance"] == {"seed": "0", "torch": "2.13"}
    first = found["findings"][0]
    assert list(first) == [
        "rule", "level", "muted", "picture", "evidence", "summary", "meaning", "doubt", "advice",
        "reference",
    ]  # fmt: skip
    assert (first["rule"], first["level"]) == ("curves.overfitting", "problem")
    assert first["evidence"][0] == {
        "quantity": "rise", "value": 1.0, "limit": 0.1, "unit": "", "where": ""
    }  # fmt: skip
    assert first["evidence"][2] == {
        "quantity": "least_at", "value": 2, "limit": None, "unit": "epoch", "where": "valid_loss"
    }  # fmt: skip


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_json_does_not_know_is_null(value: float) -> None:
    def rule(_measurement: None) -> ks.Finding:
        return ks.Finding("v.rule", ks.Level.NOTE, (ks.Evidence("q", value, limit=value),))

    report = reports.analyze(ks.Run("run"), views=[ks.View("v", lambda _run: None, (rule,))])
    (evidence,) = json.loads(report.to_json())["findings"][0]["evidence"]
    assert evidence["value"] is None
    assert evidence["limit"] is None


def test_the_text_says_what_is_wrong_what_to_do_and_what_is_missing() -> None:
    assert str(overfitted()) == (
        "kashika: two words\n"
        "\n"
        "1. The network has memorised its training data (almost certain)\n"
        "   It explains: curves.overfitting, curves.best_passed\n"
        "   Try first: Keep the weights of the best epoch (early stopping). Then try more data or "
        "augmentation, weight decay or dropout, or a smaller network.\n"
        "\n"
        "The single findings\n"
        "problem  curves.overfitting  (seen in curves.loss)\n"
        "    The smoothed validation loss was least at epoch 2 (4) and rose to 8 by epoch 9 "
        "(+100%), while the training loss fell from 4 to 0.5.\n"
        "    → Keep the weights of the best epoch (early stopping). Then try more data or "
        "augmentation, weight decay, or a smaller network.\n"
        "note  curves.best_passed  (seen in curves.loss)\n"
        "    By valid_loss the best was epoch 2, by train_loss epoch 7; the training went on to "
        "epoch 9, where the validation loss is 100% above its least.\n"
        "    → Save the weights whenever the validation improves, and use the best ones; or stop "
        "when it has not improved for some epochs.\n"
        "\n"
        "problems: 1, warnings: 0, notes: 1, unknown: 7, ok: 7\n"
        "weights: needs weights; give a folder with a checkpoint such as model.pth, "
        "or pass the model\n"
        "a.pth: expected a checkpoint, found an empty file (0 bytes); save or copy it again"
    )


def test_a_report_is_read_in_the_language_of_the_reader_whenever_it_was_made() -> None:
    report = overfitted()
    with ks.speaking("ja"):
        japanese, page = str(report), report._page()
    assert "検証損失" in japanese
    assert '<html lang="ja"' in page
    assert "検証損失" not in str(report)


# --- the page -------------------------------------------------------------------------------------


def complete() -> reports.Report:
    network = Toy()
    samples = {"train": two_clouds(), "test": two_clouds(seed=2)}
    return reports.analyze(
        ks.Run(
            "complete",
            history=ks.History.of({"train_loss": [1.0, 0.5, 0.2], "valid_loss": [1.0, 0.6, 0.3]}),
            network=network,
            observations=Observations(network, samples),  # type: ignore[arg-type]
        )
    )


def test_saving_leaves_one_file_and_the_same_report_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "報告 1.html"
    complete().save(path)
    first = path.read_bytes()
    complete().save(str(path))
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == first


def test_every_view_and_every_picture_is_told_before_it_is_made(tmp_path: Path) -> None:
    said: list[str] = []
    log = ks.History.of({"train_loss": [1.0, 0.5, 0.2]})
    report = reports.analyze(ks.Run("run", history=log), doing=lambda one: said.append(str(one)))
    assert said == [f"looking at {view.name} …" for view in BUILTIN]
    said.clear()
    report.save(tmp_path / "a.html", doing=lambda one: said.append(str(one)))
    assert said == [f"drawing curves.{one.name} …" for one in BUILTIN[0].pictures]


def test_a_page_has_a_section_and_the_pictures_of_every_view(tmp_path: Path) -> None:
    complete().save(tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    for view in BUILTIN:
        assert f'id="{view.name}"' in page
    assert page.count("<svg") >= 10
    assert page.count("This view failed") == page.count("could not be drawn") == 0


def test_a_report_shows_itself_in_a_notebook_in_a_frame_of_its_own() -> None:
    report = complete()
    shown = report._repr_html_()
    said, frame = shown.split("<iframe srcdoc=")
    assert unescape(said) == f"<pre>{report}</pre>"  # stays where a viewer takes frames out
    assert unescape(frame).count("<svg") >= 10
    assert "<script" not in shown
    assert "<svg" not in shown  # the page is quoted, so that its ids and styles stay inside


# --- what the user says of a rule -----------------------------------------------------------------


def judged(**rules: ks.Setting) -> reports.Report:
    history = ks.History.of(
        {
            "train_loss": [8.0, 4, 2, 1, 1, 1, 0.5, 0.5, 0.5],
            "valid_loss": [8.0, 4, 4, 4, *[8] * 5],
        }
    )
    named = {name.replace("__", "."): one for name, one in rules.items()}
    return reports.analyze(ks.Run("run", history=history), views=[BUILTIN[0]], rules=named)


def level_of(report: reports.Report, rule: str) -> Level:
    return next(one.level for one in report.findings if one.rule == rule)


def test_a_rule_judges_by_the_limits_that_the_user_gives_and_the_report_says_why() -> None:
    patient = ks.Setting("a short run", {"rise": 5.0, "noise": 2})
    report = judged(curves__overfitting=patient)
    assert level_of(judged(), "curves.overfitting") is Level.PROBLEM
    assert level_of(report, "curves.overfitting") is Level.OK
    with ks.speaking("en"):
        assert str(report.notes[-1]) == (
            "Rule curves.overfitting judged by other limits than kashika's own: "
            "rise = 5, noise = 2 (a short run)."
        )


def test_a_muted_rule_is_asked_and_listed_and_counts_for_nothing() -> None:
    report = judged(curves__overfitting=ks.Setting("on purpose", muted=True))
    assert level_of(report, "curves.overfitting") is Level.PROBLEM
    assert report.worst < Level.WARNING
    assert report.diagnoses == ()
    with ks.speaking("en"):
        assert "Muted: curves.overfitting (on purpose)" in str(report)
        assert "Muted: curves.overfitting (on purpose)" in report._page()
    by_rule = {one["rule"]: one for one in json.loads(report.to_json())["findings"]}
    assert by_rule["curves.overfitting"]["muted"] == "on purpose"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            {"curves__overfiting": ks.Setting("why", muted=True)},
            "rule curves.overfiting: expected one of curves.nonfinite, ",
        ),
        (
            {"curves__overfitting": ks.Setting("why", {"raise": 1})},
            "rule curves.overfitting: expected the limits rise, ",
        ),
    ],
)  # fmt: skip
def test_a_rule_or_limit_that_there_is_not_is_told(
    rules: dict[str, ks.Setting], message: str
) -> None:
    with ks.speaking("en"), pytest.raises(LoadError) as caught:
        judged(**rules)
    assert str(caught.value).startswith(message)


def test_a_finding_names_the_picture_that_shows_it() -> None:
    def draw(_subject: object, _axes: object) -> None: ...

    def broken(_measurement: object) -> list[object]:
        raise ZeroDivisionError

    def sick(_measurement: object) -> Finding:
        return Finding("own.sick", Level.WARNING)

    pictures: tuple[Picture[int], ...] = (
        Picture("fails", draw, each=broken, shows=("sick",)),
        Picture("empty", draw, each=lambda _: (), shows=("sick",)),
        Picture("other", draw),
        Picture("it", draw, shows=("sick",)),
    )
    view: View[int] = View("own", measure=lambda _: 1, rules=(sick,), pictures=pictures)
    (finding,) = json.loads(reports.analyze(ks.Run("run"), views=[view]).to_json())["findings"]
    assert finding["picture"] == "own.it"
