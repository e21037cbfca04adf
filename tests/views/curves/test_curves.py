"""Learning curves: verdicts that closed forms know, and that no scale or numbering changes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import beta

from kashika import Evidence, Finding, History, Level, Series, speaking
from kashika.distribution import FloatArray
from kashika.views.curves import VIEW, Curves, measure
from kashika.views.curves.pictures import draw_accuracy, draw_gap, draw_loss, draw_loss_log
from kashika.views.curves.rules import nonfinite, not_learning, overfitting
from kashika.views.curves.tables import points, summary

RUNS = Path(__file__).parents[4] / "shared" / "runs"
"""What real trainings left behind; it lies beside the repository, which does not ship it."""


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def curves(
    train: object = None,
    valid: object = None,
    *,
    train_loss: float = np.nan,
    chance_loss: float = np.nan,
    **series: object,
) -> Curves:
    """Curves of losses, one for each epoch from 1 on."""
    named = {"train_loss": train, "valid_loss": valid, **series}
    history = History.of({k: np.asarray(v) for k, v in named.items() if v is not None})
    return measure(history, train_loss=train_loss, chance_loss=chance_loss)


def numbers(finding: Finding) -> dict[str, Evidence]:
    return {one.quantity: one for one in finding.evidence}


def falling(points: int = 100, *, to: float = 0.1, rate: float = 20.0) -> FloatArray:
    """An exponential fall from 1 to near `to`."""
    return np.asarray(to + (1 - to) * np.exp(-np.arange(points) / rate))


def turning(points: int = 100, *, rise: float, at: int = 30) -> FloatArray:
    """A fall from 1 to 0.5 at point `at`, then a straight rise by the share `rise` of that."""
    x = np.arange(points)
    return np.where(x <= at, 1 - 0.5 * x / at, 0.5 * (1 + rise * (x - at) / (points - 1 - at)))


def noisy(values: FloatArray, sd: float, *, seed: int = 0) -> FloatArray:
    return values + sd * np.random.default_rng(seed).normal(size=values.size)


# --- overfitting ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rise", "level"),
    [(0.0, Level.OK), (0.05, Level.OK), (0.2, Level.WARNING), (0.5, Level.PROBLEM)],
)
def test_a_valid_loss_that_turns_up_is_as_bad_as_it_rises(rise: float, level: Level) -> None:
    assert overfitting(curves(falling(), turning(rise=rise))).level is level


def test_the_evidence_of_overfitting_is_the_turn_and_the_end() -> None:
    found = numbers(overfitting(curves(falling(), turning(rise=0.5))))
    # A running median over five points cuts the turn and the end by two points each.
    assert found["rise"].value == pytest.approx(0.5, abs=0.05)
    assert found["rise"].limit == 0.1
    assert found["least"].value == pytest.approx(0.5, abs=0.01)
    assert found["last"].value == pytest.approx(0.75, abs=0.01)
    assert found["least_at"].value == pytest.approx(31, abs=1)
    assert found["last_at"].value == 100
    assert found["least_at"].where == "valid_loss"
    assert found["train_last"].value < found["train_then"].value


def test_overfitting_is_told_in_one_sentence_with_its_numbers() -> None:
    train, valid = [8.0, 4, 2, 1, 1, 1, 0.5, 0.5, 0.5], [8.0, 4, 4, 4, 8, 8, 8, 8, 8]
    finding = overfitting(curves(train, valid))
    assert finding.summary == (
        "The smoothed validation loss was least at epoch 2 (4) and rose to 8 by epoch 9 (+100%), "
        "while the training loss fell from 4 to 0.5."
    )


def test_a_gap_that_stays_is_no_overfitting() -> None:
    assert overfitting(curves(falling(to=0.01), falling(to=0.5))).level is Level.OK


def test_a_valid_loss_below_the_train_loss_is_no_overfitting() -> None:
    assert overfitting(curves(falling(to=0.3), falling(to=0.2))).level is Level.OK


def test_a_valid_loss_that_rises_from_its_first_value_on_is_overfitting() -> None:
    train = Series(np.arange(25, 5001, 25), np.geomspace(0.3, 0.001, 200), "step")
    valid = Series(np.arange(1000, 5001, 1000), np.linspace(0.32, 0.42, 5), "step")
    finding = overfitting(measure(History({"train_loss": train, "valid_loss": valid})))
    assert finding.level >= Level.WARNING
    assert numbers(finding)["least_at"].value == 1000


def test_a_valid_loss_that_rises_together_with_the_train_loss_is_no_overfitting() -> None:
    both = turning(rise=0.5)
    assert overfitting(curves(both, both)).level is Level.OK


def test_a_rise_without_consequence_is_no_overfitting() -> None:
    # From 1e-8 to 2e-8 is a rise by 100 %, in a run that began at 1.
    valid = np.concatenate([np.geomspace(1, 1e-8, 10), np.linspace(1e-8, 2e-8, 90)])
    finding = overfitting(curves(falling(to=0), valid))
    assert numbers(finding)["rise"].value == pytest.approx(1, abs=0.1)
    assert finding.level is Level.OK


def test_a_single_spike_at_the_end_is_no_overfitting() -> None:
    valid = falling(to=0.3)
    valid[-1] = 3.0
    assert overfitting(curves(falling(), valid)).level is Level.OK


@pytest.mark.parametrize("seed", range(20))
def test_noise_alone_is_no_overfitting(seed: int) -> None:
    valid = noisy(falling(40, to=0.5, rate=4), 0.1, seed=seed)
    assert overfitting(curves(falling(40), valid)).level is Level.OK


@pytest.mark.parametrize("seed", range(20))
def test_a_rise_is_seen_through_noise(seed: int) -> None:
    valid = noisy(turning(200, rise=1.0), 0.05, seed=seed)
    assert overfitting(curves(falling(200), valid)).level is Level.PROBLEM


def test_losses_below_zero_have_no_relative_rise() -> None:
    assert overfitting(curves(falling() - 2, turning(rise=0.5) - 2)).level is Level.OK


@pytest.mark.parametrize(
    ("train", "valid"),
    [(None, falling()), (falling(), None), (falling(3), falling()), (falling(), falling(3)),
     (falling(), np.full(100, np.nan))],
    ids=["no train", "no valid", "short train", "short valid", "nothing finite"],
)  # fmt: skip
def test_without_both_losses_overfitting_is_unknown(train: object, valid: object) -> None:
    assert overfitting(curves(train, valid)).level is Level.UNKNOWN


# --- not learning ---------------------------------------------------------------------------------


def test_a_loss_that_falls_has_learned_and_one_that_stays_has_not() -> None:
    assert not_learning(curves(falling())).level is Level.OK
    assert not_learning(curves(np.full(20, 0.7))).level is Level.WARNING
    assert not_learning(curves(np.linspace(0.7, 0.9, 20))).level is Level.WARNING


def test_two_per_cent_of_the_first_loss_is_what_must_be_gained() -> None:
    assert not_learning(curves([1.0, *[0.985] * 20])).level is Level.WARNING
    assert not_learning(curves([1.0, *[0.975] * 20])).level is Level.OK


def test_a_fall_to_the_loss_of_a_constant_answer_is_no_learning() -> None:
    # It began with wrong answers that it was sure of, and ended with ln 2: half and half.
    train = [5.0, 2.0, 1.0, *[np.log(2)] * 20]
    assert not_learning(curves(train)).level is Level.OK
    finding = not_learning(curves(train, train_loss=np.log(2), chance_loss=np.log(2)))
    assert finding.level is Level.PROBLEM
    assert numbers(finding)["over_chance"].value == 1


def test_a_loss_that_was_logged_in_another_unit_is_not_compared_with_chance() -> None:
    # Summed over seven batches; recomputed, the network has learned.
    summed = 7 * falling()
    assert not_learning(curves(summed, train_loss=0.1, chance_loss=np.log(2))).level is Level.OK


def test_a_loss_that_never_fell_says_nothing_where_the_logged_answers_are_right() -> None:
    assert not_learning(curves(np.full(20, 0.02), train_acc=[0.99] * 20)).level is Level.UNKNOWN


def test_what_was_learned_before_the_first_value_was_logged_counts() -> None:
    train = np.full(20, 0.05)
    assert not_learning(curves(train)).level is Level.WARNING
    known = curves(train, train_loss=0.05, chance_loss=np.log(2))
    assert not_learning(known).level is Level.OK


def test_a_loss_below_zero_that_goes_on_falling_has_learned() -> None:
    assert not_learning(curves(-np.arange(1.0, 20))).level is Level.OK
    assert not_learning(curves(np.full(20, -3.0))).level is Level.WARNING


def test_two_points_are_too_few_to_tell_learning() -> None:
    assert not_learning(curves([1.0, 0.1])).level is Level.UNKNOWN
    assert not_learning(curves([1.0, np.nan, np.inf, 0.1])).level is Level.UNKNOWN
    assert not_learning(curves(valid=falling())).level is Level.UNKNOWN


# --- nonfinite ------------------------------------------------------------------------------------


def test_values_that_are_not_finite_are_counted_and_the_first_is_placed() -> None:
    found = curves([1.0, 0.5, np.nan, np.inf], [1.0, -np.inf, 0.5, 0.5], train_acc=[0.5] * 4)
    finding = nonfinite(found)
    assert finding.level is Level.PROBLEM
    assert numbers(finding)["count"].value == 3
    first = numbers(finding)["first_at"]
    assert (first.value, first.where, first.unit) == (2, "valid_loss", "epoch")
    assert finding.summary == (
        "Logged values that are NaN or infinite: 3, the first in valid_loss at epoch 2."
    )


def test_finite_values_are_all_right_and_no_values_are_unknown() -> None:
    assert nonfinite(curves(falling(), falling())).level is Level.OK
    assert nonfinite(measure(History({}))).level is Level.UNKNOWN


# --- what must not change a verdict ---------------------------------------------------------------

HISTORIES = {
    "healthy": (falling(), falling(to=0.2)),
    "noisy": (noisy(falling(), 0.02), noisy(falling(to=0.2), 0.02, seed=1)),
    "overfitted": (falling(), turning(rise=0.5)),
    "slightly overfitted": (falling(), turning(rise=0.2)),
    "stuck": (noisy(np.full(100, 0.7), 0.001), np.full(100, 0.7)),
    "broken": (np.where(np.arange(100) < 60, falling(), np.nan), falling(to=0.2)),
}


def verdicts(found: Curves) -> dict[str, Level]:
    return {finding.rule: finding.level for finding in (rule(found) for rule in VIEW.rules)}


def alarms(found: Curves) -> dict[str, Level]:
    return {rule: level for rule, level in verdicts(found).items() if level >= Level.WARNING}


def test_the_histories_differ_in_their_verdicts() -> None:
    assert {name: alarms(curves(*pair)) for name, pair in HISTORIES.items()} == {
        "healthy": {},
        "noisy": {},
        "overfitted": {"curves.overfitting": Level.PROBLEM},
        "slightly overfitted": {"curves.overfitting": Level.WARNING},
        "stuck": {"curves.not_learning": Level.WARNING},
        "broken": {"curves.nonfinite": Level.PROBLEM},
    }


@pytest.mark.parametrize("pair", HISTORIES.values(), ids=HISTORIES)
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
def test_a_verdict_does_not_depend_on_the_unit_of_the_loss(
    pair: tuple[FloatArray, FloatArray], scale: float
) -> None:
    train, valid = pair
    plain = curves(train, valid, chance_loss=0.9)
    scaled = curves(scale * train, scale * valid, chance_loss=scale * 0.9)
    assert verdicts(scaled) == verdicts(plain)
    np.testing.assert_allclose(
        [one.value for one in overfitting(scaled).evidence if one.quantity == "rise"],
        [one.value for one in overfitting(plain).evidence if one.quantity == "rise"],
    )


@pytest.mark.parametrize("pair", HISTORIES.values(), ids=HISTORIES)
def test_a_verdict_does_not_depend_on_how_epochs_are_numbered(
    pair: tuple[FloatArray, FloatArray],
) -> None:
    names = ("train_loss", "valid_loss")
    places = np.arange(100)
    plain, shifted = (
        measure(History({name: Series(x, y) for name, y in zip(names, pair, strict=True)}))
        for x in (places, 500 * places + 499)
    )
    assert verdicts(shifted) == verdicts(plain)
    if "least_at" in numbers(overfitting(plain)):
        first = numbers(overfitting(plain))["least_at"].value
        assert numbers(overfitting(shifted))["least_at"].value == 500 * first + 499


@pytest.mark.parametrize("pair", HISTORIES.values(), ids=HISTORIES)
def test_a_verdict_does_not_change_when_every_point_is_logged_twice(
    pair: tuple[FloatArray, FloatArray],
) -> None:
    plain, doubled = curves(*pair), curves(*(np.repeat(one, 2) for one in pair))
    assert verdicts(doubled) == verdicts(plain)


def test_a_train_loss_of_every_step_is_compared_at_the_step_of_the_least_valid_loss() -> None:
    steps, epochs = np.arange(1, 1001), np.arange(100, 1001, 100)
    train = Series(steps, np.geomspace(1, 0.01, 1000), "step")
    valid = Series(epochs, np.array([9.0, 5, 4, 4, 4, 6, 7, 8, 9, 9]), "step")
    finding = overfitting(measure(History({"train_loss": train, "valid_loss": valid})))
    assert finding.level is Level.PROBLEM
    found = numbers(finding)
    least_at = int(found["least_at"].value)
    assert least_at in (300, 400, 500)
    assert found["least_at"].unit == "step"
    # The step losses of that epoch are averaged, as in a log by epoch.
    assert found["train_then"].value == pytest.approx(train.y[least_at - 100 : least_at].mean())


ANY = st.lists(
    st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 1e308, -1e308, 5e-324]),
    max_size=30,
)


@settings(deadline=None, max_examples=50)
@given(train=ANY, valid=ANY, chance=st.floats())
def test_every_rule_answers_to_any_numbers(
    train: list[float], valid: list[float], chance: float
) -> None:
    series = {
        name: Series(np.arange(len(values)), np.array(values, dtype=float))
        for name, values in (("train_loss", train), ("valid_loss", valid), ("train_acc", valid))
        if values
    }
    found = measure(History(series), chance_loss=chance)
    for rule in VIEW.rules:
        finding = rule(found)
        assert finding.rule == f"curves.{rule.__name__}"
        with speaking("en"):
            assert finding.summary
    assert len(summary(found.history)) == len(series)
    assert len(points(found)) == sum(one.y.size for one in series.values())


@pytest.mark.parametrize(
    "values",
    [[0.7], [0.7] * 10, [0.0] * 10, [np.nan] * 10, [-1.0, -2.0, -3.0, -4.0], [3e38, 1.0] * 5,
     [np.inf, -np.inf, np.nan, 1.0], [5e-324] * 4],
    ids=["one", "constant", "zero", "nan", "negative", "huge", "mixed", "tiny"],
)  # fmt: skip
def test_odd_series_are_measured_judged_and_drawn(values: list[float]) -> None:
    found = curves(values, values, train_acc=values)
    assert all(rule(found).summary for rule in VIEW.rules)
    for picture in VIEW.pictures:
        for subject in picture.each(found):
            axes = Figure().subplots()
            picture.draw(subject, axes)
            axes.figure.canvas.draw()


# --- real runs ------------------------------------------------------------------------------------


def real(name: str) -> Path:
    """A file that a real training left behind."""
    path = RUNS / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return path


def keras(name: str) -> Mapping[str, Series]:
    """The losses in a table whose columns are called as Keras does."""
    with real(name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {"train_loss": "loss", "valid_loss": "val_loss"}
    return {
        split: Series(np.arange(len(rows)), np.array([float(row[column]) for row in rows]))
        for split, column in columns.items()
    }


def test_a_real_run_whose_valid_loss_lies_below_its_train_loss_is_healthy() -> None:
    series = keras("unet_log.csv")
    assert series["valid_loss"].y[-1] < series["train_loss"].y[-1]
    found = {rule: level for rule, level in verdicts(measure(History(series))).items() if level}
    assert found == {
        "curves.valid_below_train": Level.NOTE,
        "curves.overconfident": Level.UNKNOWN,  # no accuracy is read here
    }
    assert measure(History(series)).best == 92


def test_lists_printed_into_files_are_the_columns_of_the_table() -> None:
    series = keras("unet_log.csv")
    for split, name in (("train", "list_repr_train.txt"), ("valid", "list_repr_val.txt")):
        printed = json.loads(real(name).read_text(encoding="utf-8"))
        np.testing.assert_allclose(printed, series[f"{split}_loss"].y)


def test_a_real_run_that_overfits_mildly_is_no_problem() -> None:
    found = measure(History(keras("keras_csvlogger_mnist.csv")))
    assert found.best == 11
    assert max(verdicts(found).values()) < Level.PROBLEM


def test_a_real_run_whose_valid_loss_rises_from_the_first_value_on_is_alarmed() -> None:
    log = json.loads(real("hf_whisper_ja_trainer_state.json").read_text(encoding="utf-8"))
    entries = log["log_history"]
    series = {
        split: Series(
            np.array([one["step"] for one in entries if key in one]),
            np.array([one[key] for one in entries if key in one]),
            "step",
        )
        for split, key in (("train_loss", "loss"), ("valid_loss", "eval_loss"))
    }
    np.testing.assert_allclose(
        series["valid_loss"].y, [0.3210, 0.3585, 0.3937, 0.4123, 0.4200], atol=5e-5
    )
    found = measure(History(series))
    assert alarms(found) == {"curves.overfitting": Level.WARNING}
    assert found.best == 1000


@pytest.mark.parametrize("name", ["deepfd_31556268_log.csv", "deepfd_59282996_log.csv"])
def test_known_faulty_programs_are_found_not_to_learn(name: str) -> None:
    found = verdicts(measure(History(keras(name))))
    assert found["curves.not_learning"] is Level.WARNING  # from the log alone
    assert found["curves.nonfinite"] is Level.OK


def test_a_real_run_of_a_classifier_that_is_sure_of_itself_is_no_problem() -> None:
    train, test = (np.loadtxt(real(f"snn_{split}_loss.txt")) for split in ("train", "test"))
    assert max(verdicts(curves(train, test)).values()) < Level.PROBLEM


@pytest.mark.parametrize("name", ["step_comma_loss_train.txt", "step_comma_loss_short.txt"])
def test_real_losses_with_their_steps_have_learned(name: str) -> None:
    steps, losses = np.loadtxt(real(name), delimiter=",", unpack=True)
    found = measure(History({"train_loss": Series(steps.astype(int), losses, "step")}))
    assert verdicts(found)["curves.nonfinite"] is Level.OK
    assert verdicts(found)["curves.not_learning"] is Level.OK


@pytest.mark.parametrize("column", range(3))
def test_each_of_three_real_columns_has_learned(column: int) -> None:
    losses = np.loadtxt(real("three_columns_train.txt"))[:, column]
    assert verdicts(curves(losses))["curves.not_learning"] is Level.OK


@pytest.mark.parametrize("name", ["single_value_loss.txt", "single_value_no_newline.txt"])
def test_a_real_single_value_is_a_series_of_one(name: str) -> None:
    found = curves(np.loadtxt(real(name)))
    assert found.loss.series["train"].y.size == 1
    assert set(verdicts(found).values()) == {Level.OK, Level.UNKNOWN}


# --- what is measured -----------------------------------------------------------------------------


def test_the_best_epoch_is_that_of_the_least_valid_loss_else_of_the_least_train_loss() -> None:
    assert curves([3.0, 2, 1], [2.0, 1, 3]).best == 2
    assert curves([3.0, 2, 1]).best == 3
    assert curves([3.0, 2, np.nan]).best == 2
    assert curves([np.nan, np.nan]).best is None
    assert curves(train_acc=[0.5, 0.6]).best is None


def test_the_gap_is_taken_where_both_were_logged() -> None:
    train = Series(np.arange(10), np.arange(10.0))
    valid = Series(np.array([0, 5, 9, 20]), np.array([1.0, 7.0, np.nan, 0.0]))
    gap = measure(History({"train_loss": train, "valid_loss": valid})).gap
    assert gap is not None
    np.testing.assert_array_equal(gap.x, [0, 5])
    np.testing.assert_array_equal(gap.y, [1.0, 2.0])


@pytest.mark.parametrize("first", [0, 1])
def test_epochs_are_spread_over_the_steps_whether_they_begin_at_0_or_1(first: int) -> None:
    train = Series(np.arange(1, 101), np.arange(100.0, 0, -1), "step")
    valid = Series(np.arange(first, first + 4), np.array([80.0, 60.0, 40.0, 5.0]), "epoch")
    found = measure(History({"train_loss": train, "valid_loss": valid}))
    np.testing.assert_allclose(found.loss.series["valid"].x, [25, 50, 75, 100])
    assert found.loss.series["valid"].unit == "step"
    assert found.gap is not None
    np.testing.assert_allclose(found.gap.y, [4.0, 9.0, 14.0, 4.0])  # train is 101 - step
    assert found.best == 100


def test_the_last_run_of_a_log_is_judged_and_the_earlier_ones_are_drawn() -> None:
    x = np.r_[1:6, 1:5]
    train = Series(x, np.r_[9.0, 8, 7, 6, 5, 4, 3, 2, 1])
    found = measure(History({"train_loss": train}))
    np.testing.assert_array_equal(found.loss.series["train"].y, [4, 3, 2, 1])
    earlier, judged = drawn(draw_loss, found).get_lines()[:2]
    np.testing.assert_array_equal(np.asarray(earlier.get_ydata()), [9, 8, 7, 6, 5])
    np.testing.assert_array_equal(np.asarray(judged.get_ydata()), [4, 3, 2, 1])


def test_a_value_after_the_end_of_training_is_not_the_best_and_is_drawn_apart() -> None:
    x = np.array([1718, 3437, 5156, 6875, 8594, 8595])  # validate() was called once more
    valid = Series(x, np.array([0.0711, 0.0459, 0.0443, 0.0467, 0.0392, 0.0142]), "step")
    found = measure(History({"valid_loss": valid}))
    assert found.best == 8594
    late, line = drawn(draw_loss, found).get_lines()[:2]
    assert np.asarray(late.get_data()).ravel().tolist() == [8595, 0.0142]
    assert np.asarray(line.get_xdata())[-1] == 8594


def test_several_values_at_one_step_are_their_mean_within_their_range() -> None:
    valid = Series(np.repeat([1, 2], 3), np.array([1.0, 2, 6, 0, 1, 2]), "step")
    found = measure(History({"valid_loss": valid}))
    np.testing.assert_array_equal(found.loss.series["valid"].y, [3, 1])
    (band,) = drawn(draw_loss, found).collections
    heights = np.asarray(band.get_paths()[0].vertices)[:, 1]
    assert (heights.min(), heights.max()) == (0, 6)


def test_every_valid_loss_of_several_is_drawn_beside_the_one_train_loss() -> None:
    one = Series(np.arange(4), np.arange(4.0), "step")
    names = ("train_loss", "valid_g0_loss", "valid_g1_loss")
    found = measure(History(dict.fromkeys(names, one)))
    panels = {one.metric: one for one in (found.loss, *found.others)}
    assert set(panels["g0_loss"].series) == set(panels["g1_loss"].series) == {"train", "valid"}
    assert found.loss is panels["g0_loss"]


def test_an_accuracy_in_percent_is_drawn_and_judged_as_a_share() -> None:
    percent = Series(np.arange(2), np.array([50.0, 93.75]), percent=True)
    found = measure(History({"valid_acc": percent}), samples={"valid": 100})
    np.testing.assert_array_equal(found.accuracy.series["valid"].y, [0.5, 0.9375])
    assert np.isfinite(found.band["valid"]).all()


def test_the_band_of_an_accuracy_is_that_of_its_number_of_samples() -> None:
    history = History.of({"valid_acc": [0.5, 1.0], "train_acc": [0.5, 1.0]})
    found = measure(history, samples={"valid": 100})
    assert list(found.band) == ["valid"]
    np.testing.assert_allclose(found.band["valid"][0], [beta.ppf(0.025, 50, 51), 0.025**0.01])
    np.testing.assert_allclose(found.band["valid"][1], [beta.ppf(0.975, 51, 50), 1.0])


def test_the_summary_says_where_a_series_began_was_best_and_ended() -> None:
    rows = summary(curves([3.0, 1.0, np.nan, 2.0], valid_acc=[0.5, 0.9, 0.8]).history)
    assert rows == [
        {"series": "train_loss", "points": 4, "first": 3.0, "best": 1.0, "best_at": 2, "last": 2.0},
        {"series": "valid_acc", "points": 3, "first": 0.5, "best": 0.9, "best_at": 2, "last": 0.8},
    ]


def test_a_frame_has_every_value() -> None:
    frame = curves([3.0, 1.0], valid_acc=[0.5]).to_frame()
    assert frame.to_dict("list") == {
        "series": ["train_loss", "train_loss", "valid_acc"],
        "epoch": [1, 2, 1],
        "value": [3.0, 1.0, 0.5],
    }


def test_a_history_names_its_split_and_is_a_list_of_numbers() -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        History.of({"loss": [1.0]})
    assert str(caught.value) == (
        "history['loss']: expected {split}_{metric}, the split one of ('train', 'valid', 'test'), "
        "and a list of numbers; found an array of shape (1,)"
    )
    with pytest.raises(ValueError, match="shape"):
        History.of({"train_loss": [[1.0, 2.0]]})


# --- pictures -------------------------------------------------------------------------------------


def drawn(draw: Callable[[Curves, Axes], None], found: Curves) -> Axes:
    axes = Figure().subplots()
    draw(found, axes)
    return axes


def test_the_lines_are_the_logged_numbers_in_the_colours_of_their_splits() -> None:
    axes = drawn(draw_loss, curves([3.0, 2, 1], [4.0, 2, 3]))
    train, valid, best, last = axes.get_lines()
    np.testing.assert_array_equal(np.asarray(train.get_data()), [[1, 2, 3], [3, 2, 1]])
    np.testing.assert_array_equal(np.asarray(valid.get_data()), [[1, 2, 3], [4, 2, 3]])
    assert (train.get_color(), train.get_linestyle()) == ("#0072B2", "-")
    assert (valid.get_color(), valid.get_linestyle()) == ("#D55E00", "--")
    assert np.asarray(best.get_xdata()).tolist() == [2, 2]
    assert np.asarray(last.get_xdata()).tolist() == [3, 3]
    labels = [one.get_text() for one in axes.get_legend().get_texts()]  # type: ignore[union-attr]
    assert labels == ["train", "valid", "best: 2", "last: 3"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Epoch", "Loss")


@pytest.mark.parametrize("draw", [draw_loss, draw_loss_log, draw_accuracy])
def test_a_single_point_is_a_marker_and_a_series_is_none(
    draw: Callable[[Curves, Axes], None],
) -> None:
    one = drawn(draw, curves([0.5], train_acc=[0.5])).get_lines()[0]
    many = drawn(draw, curves([0.5, 0.4], train_acc=[0.5, 0.6])).get_lines()[0]
    assert one.get_marker() == "o"
    assert many.get_marker() in ("", "None")


def test_a_gap_of_one_point_is_a_marker() -> None:
    gap = curves([0.5], [0.75]).gap
    assert gap is not None
    axes = Figure().subplots()
    draw_gap(gap, axes)
    (line,) = [line for line in axes.get_lines() if line.get_marker() == "o"]
    np.testing.assert_array_equal(np.asarray(line.get_data()), [[1], [0.25]])


def test_zeros_on_a_logarithmic_axis_are_left_out_and_the_rest_stays_in_sight() -> None:
    axes = drawn(draw_loss_log, curves([1, 0.1, 0, 0]))
    axes.figure.canvas.draw()
    assert axes.get_yscale() == "log"
    low, high = axes.get_ylim()
    assert 0 < low <= 0.1 < 1 <= high


def test_the_accuracy_is_drawn_with_its_band() -> None:
    found = measure(History.of({"valid_acc": [0.5, 1.0]}), samples={"valid": 100})
    axes = drawn(draw_accuracy, found)
    (band,) = axes.collections
    heights = np.asarray(band.get_paths()[0].vertices)[:, 1]
    assert heights.min() == pytest.approx(beta.ppf(0.025, 50, 51))
    assert heights.max() == 1.0


def test_a_picture_is_there_where_its_series_are() -> None:
    def there(found: Curves) -> list[str]:
        return [picture.name for picture in VIEW.pictures if picture.each(found)]

    assert there(curves([-1.0, -2])) == ["loss"]  # nothing that a logarithmic axis could show
    assert there(curves([1.0, 2], [1.0, 2])) == ["loss", "loss_log", "gap"]
    assert there(curves(train_acc=[0.5, 0.6])) == ["accuracy"]
    assert there(curves(train_f1=[0.5, 0.6])) == ["metrics"]
    assert there(curves([np.nan, np.nan], train_f1=[np.nan])) == []
    assert there(measure(History({}))) == []
