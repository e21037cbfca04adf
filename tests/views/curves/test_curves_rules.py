"""The rules of the curves: each disease from closed forms, and what only looks like one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kashika import Evidence, Finding, History, Level, Series, speaking
from kashika.distribution import FloatArray
from kashika.load.rundir import load_history
from kashika.views.curves import VIEW, Curves, measure
from kashika.views.curves.course import course_of
from kashika.views.curves.panel import best_place, competes
from kashika.views.curves.rules import (
    best_passed,
    diverging,
    duplicate,
    nonfinite,
    not_learning,
    overconfident,
    overfitting,
    slow,
    still_improving,
    unstable,
    valid_below_train,
)

RUNS = Path(__file__).parents[4] / "shared" / "runs"
SEEDS = range(10)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def curves(train: object = None, valid: object = None, **series: object) -> Curves:
    """Curves of losses, one for each epoch from 1 on."""
    named = {"train_loss": train, "valid_loss": valid, **series}
    return measure(History.of({k: np.asarray(v) for k, v in named.items() if v is not None}))


def by_step(**series: tuple[object, object]) -> Curves:
    """Curves of losses that were logged at steps: name = (steps, values)."""
    return measure(
        History(
            {
                name: Series(np.asarray(x), np.asarray(y, dtype=float), "step")
                for name, (x, y) in series.items()
            }
        )
    )


def numbers(finding: Finding) -> dict[str, Evidence]:
    return {one.quantity: one for one in finding.evidence}


def alarms(found: Curves) -> dict[str, Level]:
    """Warnings and problems."""
    said = [rule(found) for rule in VIEW.rules]
    return {one.rule.partition(".")[2]: one.level for one in said if one.level >= Level.WARNING}


def exponential(points: int, *, times: float, to: float = 0.0, start: float = 1.0) -> FloatArray:
    """A fall from `start` towards `to`, whose time constant is in the training so many times."""
    return to + (start - to) * np.exp(-times * np.arange(points) / points)


def noisy(values: FloatArray, sd: float, *, seed: int = 0) -> FloatArray:
    return values + sd * np.random.default_rng(seed).normal(size=values.size)


def converged(points: int = 60, *, to: float = 0.1, seed: int = 0) -> FloatArray:
    """A training as it should be."""
    return noisy(exponential(points, times=8, to=to), 0.004, seed=seed)


# --- diverging ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("back", "level"), [(0.1, Level.OK), (0.35, Level.WARNING), (0.7, Level.PROBLEM), (3, 4)]
)
def test_a_loss_that_rises_and_stays_diverges_by_what_it_gives_back(
    back: float, level: Level
) -> None:
    # It falls from 1 to 0.1 in 40 epochs, gives back a share of these 0.9 in ten, and stays.
    train = np.r_[np.linspace(1, 0.1, 40), np.linspace(0.1, 0.1 + 0.9 * back, 10),
                  np.full(30, 0.1 + 0.9 * back)]  # fmt: skip
    finding = diverging(curves(train))
    assert finding.level is Level(level)
    assert numbers(finding)["lost_again"].value == pytest.approx(back, rel=0.11)
    assert numbers(finding)["least_at"].value == pytest.approx(40, abs=2)


def test_diverging_is_told_with_its_places() -> None:
    train = [8.0, 4, 2, 1, 1, 1, 1, 1, 5, 5, 5, 5, 5, 5, 5]
    assert diverging(curves(train)).summary == (
        "The smoothed training loss was least at epoch 4 (1), rose and stayed up: it is 5 at "
        "epoch 15. That is 57% of what had been gained."
    )


def test_a_spike_at_the_end_and_a_loss_that_returns_do_not_diverge() -> None:
    spike, returned = converged(), converged()
    spike[-1] = 5.0
    returned[20:30] = 5.0
    assert diverging(curves(spike)).level is Level.OK
    assert diverging(curves(returned)).level is Level.OK


def test_a_loss_that_only_rises_diverges() -> None:
    assert diverging(curves(np.geomspace(0.7, 70, 20))).level is Level.PROBLEM


# --- not learning ---------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_chance_is_told_from_a_log_by_the_loss_and_the_accuracy_of_a_choice_by_lot(
    classes: int,
) -> None:
    # The first epoch began far out, so that the loss fell: to where every answer is the same.
    train = np.r_[5.0, np.full(20, np.log(classes))]
    flat = np.r_[0.0, np.full(20, 1 / classes)]
    assert not_learning(curves(train, train_acc=flat)).level is Level.WARNING
    assert not_learning(curves(train, train_acc=2 * flat)).level is Level.OK
    assert not_learning(curves(train)).level is Level.OK


def test_what_diverged_had_learned() -> None:
    train = np.r_[converged(40), np.linspace(0.1, 2, 40)]
    assert not_learning(curves(train)).level is Level.OK
    assert set(alarms(curves(train))) >= {"diverging"}


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_about_a_level_is_no_learning(seed: int) -> None:
    assert not_learning(curves(noisy(np.full(60, 0.7), 0.003, seed=seed))).level is Level.WARNING
    # Much noise may hide a small fall, so it is not known.
    assert not_learning(curves(noisy(np.full(60, 0.7), 0.1, seed=seed))).level is not Level.OK


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fall_within_the_noise_of_batches_has_learned(seed: int) -> None:
    train = noisy(exponential(300, times=3, to=0.5), 0.3, seed=seed)
    assert not_learning(by_step(train_loss=(np.arange(300), train))).level is Level.OK


# --- slow, still improving ------------------------------------------------------------------------


@pytest.mark.parametrize("times", [0.05, 0.3, 1.0])
def test_a_straight_fall_is_slow(times: float) -> None:
    train = noisy(exponential(50, times=times), 1e-4)
    finding = slow(curves(train, train))
    assert finding.level is Level.WARNING
    # The second half brings exp(-times / 2) of what the first brings.
    assert numbers(finding)["second_half"].value == pytest.approx(np.exp(-times / 2), rel=0.1)


@pytest.mark.parametrize("times", [2.0, 5.0, 20.0])
def test_a_fall_that_bends_is_not_slow(times: float) -> None:
    assert slow(curves(noisy(exponential(50, times=times), 1e-4))).level is Level.OK


def test_a_slow_fall_is_seen_while_the_learning_rate_falls_like_a_cosine() -> None:
    progress = np.cumsum(1 + np.cos(np.pi * np.arange(40) / 40)) / 40
    train = 2.3 - 0.02 * progress
    finding = slow(curves(train, train))
    assert finding.level is Level.WARNING
    assert numbers(finding)["second_half"].value == pytest.approx(0.22, abs=0.02)


def test_a_network_that_overfits_needs_no_longer_steps() -> None:
    train, valid = np.linspace(1, 0.4, 50), np.r_[np.linspace(1, 0.8, 20), np.linspace(0.8, 2, 30)]
    assert slow(curves(train, valid)).level is Level.OK
    assert slow(curves(train, train)).level is Level.WARNING


def test_of_few_points_nobody_can_tell_too_short_from_too_few() -> None:
    train = np.linspace(1, 0.7, 10)
    assert slow(curves(train, train)).level is Level.UNKNOWN
    assert still_improving(curves(train, train)).level is Level.PROBLEM


@pytest.mark.parametrize("points", [6, 12, 18])
def test_a_short_training_whose_losses_fall_still_improves(points: int) -> None:
    train = exponential(points, times=2)
    assert still_improving(curves(train, 1.1 * train)).level >= Level.WARNING


@pytest.mark.parametrize(("lasting", "level"), [(0.0, Level.WARNING), (0.25, Level.OK)])
def test_what_falls_by_a_fiftieth_of_what_is_left_still_improves(
    lasting: float, level: Level
) -> None:
    # After a quick start by a power of the time, down to what can never be learned: of the loss
    # before training the last fifth brings less than a hundredth in both cases.
    time = np.arange(41.0)
    train = 0.7 * np.exp(-time) + lasting + (0.3 - lasting) * (1 + time) ** -0.15
    finding = still_improving(curves(train, 1.1 * train))
    assert finding.level is level
    assert 0 < numbers(finding)["late_fall"].value < 0.01


def test_where_it_is_slow_the_improvement_is_a_note_that_says_so() -> None:
    train = np.linspace(1, 0.5, 50)
    finding = still_improving(curves(train, train))
    assert finding.level is Level.NOTE
    assert "slow" in finding.summary


@pytest.mark.parametrize("to", [0.1, 1e-2, 0.0])
@pytest.mark.parametrize("points", [20, 60, 300])
def test_a_training_that_has_settled_need_not_go_on(to: float, points: int) -> None:
    train = exponential(points, times=10, to=to)
    assert still_improving(curves(train, train)).level is Level.OK


def test_a_fall_from_1e_4_to_1e_8_is_of_no_consequence() -> None:
    train = np.r_[np.geomspace(1, 1e-4, 20), np.geomspace(1e-4, 1e-8, 80)]
    assert alarms(curves(train, 1.1 * train)) == {}


def test_a_validation_loss_that_has_settled_needs_no_more_epochs() -> None:
    train, valid = exponential(20, times=1.5), exponential(20, times=12, to=0.3)
    assert still_improving(curves(train, valid)).level is Level.OK


def test_the_end_of_a_cycle_of_the_learning_rate_is_no_progress() -> None:
    cycle = np.r_[np.linspace(0.3, 0.1, 20)]
    train = np.r_[exponential(20, times=8, to=0.1), cycle, cycle]
    assert alarms(curves(train, 1.1 * train)) == {}


def test_a_metric_that_was_better_before_says_that_a_small_fall_brings_nothing() -> None:
    train = np.r_[np.linspace(1, 0.4, 30), np.linspace(0.4, 0.34, 30)]
    passed = np.r_[np.linspace(0, 0.8, 30), np.linspace(0.8, 0.7, 30)]
    assert still_improving(curves(train, train)).level is Level.WARNING
    assert still_improving(curves(train, train, valid_dice=passed)).level is Level.OK
    assert still_improving(curves(train, train, valid_dice=passed[::-1])).level is Level.OK
    rising = np.linspace(0, 0.8, 60)
    assert still_improving(curves(train, train, valid_dice=rising)).level is Level.WARNING


# --- unstable -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_swings_of_both_losses_are_unstable(seed: int) -> None:
    train = noisy(exponential(60, times=5, to=0.3), 0.1, seed=seed)
    valid = noisy(exponential(60, times=5, to=0.3), 0.2, seed=seed + 100)
    finding = unstable(curves(np.abs(train), np.abs(valid)))
    assert finding.level >= Level.WARNING
    place = numbers(finding)["swung_at"]
    assert (place.unit, place.where) == ("epoch", "train_loss")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("batch", [16, 64])
def test_the_losses_of_single_batches_do_not_swing(batch: int, seed: int) -> None:
    # The loss of a sample varies as much as it is large; one batch was logged for each epoch.
    level = exponential(60, times=8, to=0.2)
    train = level * (1 + np.random.default_rng(seed).normal(size=60) / np.sqrt(batch))
    assert alarms(curves(train, noisy(level, 0.004, seed=seed))) == {}
    assert "unstable" not in alarms(curves(train))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_losses_of_single_steps_do_not_swing(seed: int) -> None:
    level = exponential(400, times=8, to=0.2)
    noise = np.random.default_rng(seed).exponential(size=400)
    steps = np.arange(1, 401)
    found = by_step(
        train_loss=(steps, level * noise),
        valid_loss=(steps[39::40], noisy(level[39::40], 0.01, seed=seed)),
    )
    assert alarms(found) == {}
    assert "unstable" not in alarms(by_step(train_loss=(steps, level * noise)))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("samples", [20, 50])
def test_a_small_validation_set_is_noisy_and_no_fault(samples: int, seed: int) -> None:
    level = exponential(60, times=8, to=0.2)
    valid = level + 0.3 * np.random.default_rng(seed).normal(size=60) / np.sqrt(samples)
    right = np.random.default_rng(seed).binomial(samples, 0.93, size=60) / samples
    found = alarms(curves(converged(to=0.2, seed=seed), np.abs(valid), valid_acc=right))
    assert found == {}


def test_a_network_that_the_first_steps_threw_to_chance_is_unstable() -> None:
    train = np.r_[23.0, noisy(np.full(29, 2.33), 0.01)]
    finding = unstable(curves(train, train, train_acc=np.full(30, 0.1)))
    assert finding.level is Level.WARNING
    assert numbers(finding)["swung_at"].value == 1
    assert unstable(curves(np.r_[23.0, converged(29)])).level is Level.OK


def test_a_validation_far_worse_than_the_first_pass_shows_swings_within_it() -> None:
    # Sorted by class: within each class the loss is small, and after the last all others are lost.
    train, valid = exponential(40, times=6, start=0.4), exponential(40, times=3, start=0.9)
    finding = unstable(curves(train, valid))
    assert finding.level is Level.WARNING
    assert numbers(finding)["greatest_rise"].value == pytest.approx(0.5)
    assert unstable(curves(valid, train)).level is Level.OK
    of_another_kind = valid[0] + np.linspace(0, 0.5, 40)
    assert unstable(curves(train, of_another_kind)).level is Level.OK


def test_a_validation_worse_than_before_training_that_comes_back_shows_swings_within_epochs() -> (
    None
):
    train = exponential(40, times=5, start=2.3)
    valid = np.r_[np.linspace(2.3, 3.5, 8), np.full(8, 3.5), exponential(24, times=4, start=3.5)]
    assert unstable(curves(train, valid)).level is Level.WARNING
    assert numbers(unstable(curves(train, valid)))["swung_at"].value in range(5, 18)
    assert unstable(curves(train, np.r_[valid[:16], np.full(24, 3.5)])).level is Level.OK


def test_an_accuracy_that_swings_is_unstable_where_no_loss_was_logged() -> None:
    swinging = np.tile([0.9, 0.6, 0.9, 0.7], 10)
    assert unstable(curves(train_acc=swinging)).level is Level.PROBLEM
    assert unstable(curves(train_acc=np.linspace(0.5, 0.95, 40))).level is Level.OK
    assert unstable(curves(train_acc=np.ones(40))).level is Level.OK


# --- generalising ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_of_the_classes_themselves_is_no_overfitting(seed: int) -> None:
    # Bayes: no loss can fall below that of the best answer, on neither split.
    rng = np.random.default_rng(seed)
    train, valid = (exponential(60, times=10, to=0.5) + sd * rng.normal(size=60)
                    for sd in (0.005, 0.03))  # fmt: skip
    assert alarms(curves(train, valid)) == {}


def test_a_small_validation_set_overfits_by_its_mean_over_a_third_of_the_training() -> None:
    rng = np.random.default_rng(0)
    train = exponential(60, times=8)
    valid = np.r_[np.linspace(1, 0.6, 10), np.linspace(0.6, 0.75, 50)]
    finding = overfitting(curves(train, valid + 0.04 * rng.normal(size=60)))
    assert finding.level is Level.WARNING
    steady = np.r_[np.linspace(1, 0.65, 10), np.full(50, 0.65)]
    assert overfitting(curves(train, steady + 0.04 * rng.normal(size=60))).level is Level.OK


def overfitted(points: int = 60) -> tuple[FloatArray, FloatArray]:
    return exponential(points, times=6), np.r_[
        np.linspace(1, 0.4, points // 4), np.linspace(0.4, 0.8, points - points // 4)
    ]


@pytest.mark.parametrize(
    ("metric", "place"), [("loss_giou", 1), ("mape", 1), ("miou", 2), ("map50", 2), ("lr", None)]
)
def test_which_value_is_best_follows_from_the_name(metric: str, place: int | None) -> None:
    assert best_place(metric, np.array([2.0, 1.0, 3.0])) == place


def test_the_best_by_loss_and_by_another_metric_are_both_named() -> None:
    train, valid = overfitted()
    wer = 0.8 - 0.3 * np.exp(-((np.arange(60) - 29) ** 2) / 200)
    finding = best_passed(curves(train, valid, valid_wer=wer))
    assert finding.level is Level.NOTE
    found = numbers(finding)
    assert (found["best_at"].where, found["best_at"].value) == ("valid_loss", 15)
    assert (found["other_best_at"].where, found["other_best_at"].value) == ("valid_wer", 30)
    assert "epoch 15" in finding.summary
    assert "epoch 30" in finding.summary


def test_weights_that_were_kept_from_the_best_epoch_are_not_passed() -> None:
    train, valid = overfitted()
    history = History.of({"train_loss": train, "valid_loss": valid})
    passed = best_passed(measure(history, saved={"epoch": 60}))
    kept = best_passed(measure(history, saved={"epoch": 16}))
    assert (passed.level, kept.level) == (Level.NOTE, Level.OK)


def test_a_loss_that_rises_while_the_accuracy_holds_is_confidence() -> None:
    train, valid = overfitted()
    held, lost = np.full(60, 0.9), np.linspace(0.9, 0.7, 60)
    assert overconfident(curves(train, valid, valid_acc=held)).level is Level.NOTE
    assert overconfident(curves(train, valid, valid_acc=lost)).level is Level.OK
    assert overconfident(curves(train, train, valid_acc=held)).level is Level.OK
    assert overconfident(curves(train, valid)).level is Level.UNKNOWN


def test_dropout_puts_the_validation_below_the_training_loss_and_that_is_a_note() -> None:
    train, valid = converged(to=0.4), converged(to=0.2, seed=1)
    assert valid_below_train(curves(train, valid)).level is Level.NOTE
    assert valid_below_train(curves(valid, train)).level is Level.OK
    assert alarms(curves(train, valid)) == {}


# --- the log itself -------------------------------------------------------------------------------


def test_two_splits_of_the_same_numbers_are_found() -> None:
    train = converged()
    finding = duplicate(curves(train, train))
    assert finding.level is Level.PROBLEM
    assert {one.where for one in finding.evidence} >= {"train_loss", "valid_loss"}
    assert duplicate(curves(train, np.nextafter(train, 2))).level is Level.OK


@pytest.mark.parametrize("last", [10, 3])
def test_means_of_the_steps_under_the_name_of_a_validation_are_found(last: int) -> None:
    # Nine batches of ten samples and one of `last` in each of 12 epochs.
    steps = np.arange(1, 121)
    y = noisy(exponential(120, times=4), 0.05)
    means = np.average(y.reshape(12, 10), axis=1, weights=[10] * 9 + [last])
    assert duplicate(
        by_step(train_loss=(steps, y), valid_loss=(steps[9::10], means))
    ).level is Level.PROBLEM  # fmt: skip
    other = noisy(means, 1e-3)
    assert duplicate(
        by_step(train_loss=(steps, y), valid_loss=(steps[9::10], other))
    ).level is Level.OK  # fmt: skip


def test_accuracies_that_are_all_one_are_no_copies() -> None:
    ones = np.r_[0.5, np.ones(20)]
    found = curves(converged(), converged(seed=1), train_acc=ones, valid_acc=ones)
    assert duplicate(found).level is Level.OK


def test_a_loss_that_is_the_same_number_all_the_time_is_found() -> None:
    assert duplicate(curves(np.full(8, 0.693))).level is Level.NOTE
    assert duplicate(curves(np.zeros(8))).level is Level.OK  # a part of a loss that is off


def test_values_that_were_taken_in_every_fifth_epoch_only_are_finite() -> None:
    valid = np.full(60, np.nan)
    valid[4::5] = converged(12)
    assert nonfinite(curves(converged(), valid)).level is Level.OK
    valid[9] = np.nan
    assert nonfinite(curves(converged(), valid)).level is Level.PROBLEM


def test_a_metric_that_is_undefined_is_a_note_and_a_loss_that_is_a_problem() -> None:
    undefined = np.r_[np.nan, np.linspace(0.1, 0.9, 59)]
    assert nonfinite(curves(converged(), valid_f1=undefined)).level is Level.NOTE
    assert nonfinite(curves(np.r_[converged(59), np.nan])).level is Level.PROBLEM


@pytest.mark.parametrize(
    ("metrics", "are"),
    [
        (["g_loss", "d_loss"], True), (["loss_gen", "loss_disc"], True),
        (["generator_loss", "critic_loss"], True), (["policy_loss", "value_loss"], True),
        (["loss", "ep_rew_mean"], True), (["loss", "acc"], False), (["g_loss"], False),
        (["rewards_chosen", "loss"], False), (["d1_loss", "grad_norm"], False),
    ],
)  # fmt: skip
def test_networks_that_compete_are_known_by_the_names_in_their_log(
    metrics: list[str], *, are: bool
) -> None:
    assert competes(metrics) is are


def test_the_losses_of_networks_that_compete_are_not_judged() -> None:
    rising = np.geomspace(0.1, 10, 60)
    found = curves(train_g_loss=rising, train_d_loss=rising[::-1] + 1)
    assert {rule(found).level for rule in VIEW.rules} == {Level.OK, Level.UNKNOWN}
    alone = curves(train_loss=rising)
    assert "diverging" in alarms(alone)


# --- what is healthy ------------------------------------------------------------------------------


def warm_up(points: int) -> FloatArray:
    """At first hardly a fall, then as it should be."""
    return np.append(np.linspace(1, 0.97, points // 10), exponential(points - points // 10, times=8,
                                                                 to=0.1, start=0.97))  # fmt: skip


HEALTHY = {
    "one epoch": np.array([0.3]),
    "three epochs": np.array([0.9, 0.35, 0.3]),
    "five epochs": np.array([0.9, 0.35, 0.28, 0.25, 0.245]),
    "twenty epochs": converged(20),
    "sixty epochs": converged(60),
    "many epochs": converged(1000),
    "to 1e-8": np.geomspace(1, 1e-8, 100),
    "to zero": np.r_[1.0, 0.1, 0.01, np.zeros(30)],
    "warm-up": warm_up(60),
    "steps down": np.r_[exponential(20, times=5, to=0.3), np.full(20, 0.12), np.full(20, 0.1)],
    "label smoothing": converged(60, to=0.5),
    "a spike at the end": np.r_[converged(59), 4.0],
    "a spike amid": np.r_[converged(30), 4.0, converged(30)[20:]],
    "log-likelihood": 10 * converged(60) - 8,
}


@pytest.mark.parametrize("train", HEALTHY.values(), ids=HEALTHY)
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e5])
def test_a_healthy_training_raises_no_alarm(train: FloatArray, scale: float) -> None:
    valid = 1.05 * train + 0.02 * np.abs(train).max()
    assert alarms(curves(scale * train, scale * valid)) == {}
    assert alarms(curves(scale * train)) == {}


# --- what must not change a verdict ---------------------------------------------------------------

DISEASES: dict[str, tuple[FloatArray, FloatArray]] = {
    "healthy": (converged(), converged(to=0.2, seed=1)),
    "diverging": (
        np.r_[converged(40), np.linspace(0.1, 2, 80)], np.r_[converged(40), np.linspace(0.2, 3, 80)]
    ),
    "slow": (np.linspace(1, 0.7, 40), np.linspace(1.1, 0.8, 40)),
    "still improving": (exponential(40, times=2.5), 1.1 * exponential(40, times=2.5)),
    "unstable": (np.r_[2.0, np.tile([1.0, 0.5, 0.9, 0.4], 15)],
                 np.r_[2.0, np.tile([1.0, 0.4, 1.2, 0.5], 15)]),
    "overfitting": overfitted(),
    "not learning": (noisy(np.full(60, 0.7), 0.002), noisy(np.full(60, 0.7), 0.002, seed=1)),
}  # fmt: skip


def levels_of(found: Curves) -> list[Level]:
    return [rule(found).level for rule in VIEW.rules]


def test_every_disease_is_found() -> None:
    found = {name: set(alarms(curves(*pair))) for name, pair in DISEASES.items()}
    assert found.pop("healthy") == set()
    assert found["diverging"] >= {"diverging"}
    assert {name for name, one in found.items() if name.replace(" ", "_") in one} == set(found)


@pytest.mark.parametrize("pair", DISEASES.values(), ids=DISEASES)
@settings(max_examples=15, deadline=None)
@given(exponent=st.integers(-20, 20))
def test_the_unit_of_the_loss_changes_no_verdict(
    pair: tuple[FloatArray, FloatArray], exponent: int
) -> None:
    train, valid = pair
    scaled = curves(2.0**exponent * train, 2.0**exponent * valid)
    assert levels_of(scaled) == levels_of(curves(train, valid))


@pytest.mark.parametrize("pair", DISEASES.values(), ids=DISEASES)
def test_the_number_of_the_first_epoch_changes_no_verdict(
    pair: tuple[FloatArray, FloatArray],
) -> None:
    names = ("train_loss", "valid_loss")
    found = [
        measure(History({n: Series(np.arange(one.size) + first, one)
                         for n, one in zip(names, pair, strict=True)}))
        for first in (0, 1)
    ]  # fmt: skip
    assert levels_of(found[0]) == levels_of(found[1])


@pytest.mark.parametrize("pair", DISEASES.values(), ids=DISEASES)
@pytest.mark.parametrize("seed", range(3))
def test_a_training_loss_by_step_gets_the_verdicts_of_that_by_epoch(
    pair: tuple[FloatArray, FloatArray], seed: int
) -> None:
    train, valid = pair
    batches = 20
    spread = np.random.default_rng(seed).normal(size=(train.size, batches))
    steps = train[:, None] * (1 + 0.1 * (spread - spread.mean(axis=1, keepdims=True)))
    x = np.arange(1, steps.size + 1)
    found = by_step(train_loss=(x, steps.ravel()), valid_loss=(x[batches - 1 :: batches], valid))
    assert set(alarms(found)) == set(alarms(curves(train, valid)))


def test_percent_or_fraction_changes_no_verdict() -> None:
    swinging = np.tile([0.9, 0.6, 0.9, 0.7], 10)
    x = np.arange(40)
    percent = measure(History({"train_acc": Series(x, 100 * swinging, percent=True)}))
    assert levels_of(percent) == levels_of(measure(History({"train_acc": Series(x, swinging)})))


ANY = st.lists(
    st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 1e308, -1e308, 5e-324]),
    max_size=40,
)


@settings(deadline=None, max_examples=200)
@given(train=ANY, valid=ANY, right=ANY, chance=st.floats(), known=st.floats(),
       unit=st.sampled_from(["epoch", "step", "row"]), saved=st.none() | st.integers(-5, 50),
       samples=st.integers(0, 10))  # fmt: skip
def test_every_rule_answers_in_words_to_any_measurement(
    train: list[float], valid: list[float], right: list[float], chance: float, known: float,
    unit: str, saved: int | None, samples: int,
) -> None:  # fmt: skip
    named = {"train_loss": train, "valid_loss": valid, "valid_acc": right, "valid_f1": train}
    history = History({
        name: Series(np.arange(len(values)), np.array(values, dtype=float), unit)  # type: ignore[arg-type]
        for name, values in named.items() if values
    })  # fmt: skip
    found = measure(
        history, samples={"train": samples}, saved={unit: saved}, train_loss=known,
        chance_loss=chance,
    )  # fmt: skip
    for rule in VIEW.rules:
        finding = rule(found)
        assert finding.rule == f"curves.{rule.__name__}"
        assert all(map(bool, (finding.summary, finding.title, finding.reference)))
        if finding.level >= Level.NOTE:
            assert all(map(bool, (finding.meaning, finding.doubt, finding.advice)))


def test_every_rule_is_shown_in_a_picture() -> None:
    shown = {name for picture in VIEW.pictures for name in picture.shows}
    assert shown == {rule.__name__ for rule in VIEW.rules}


# --- how a series is read -------------------------------------------------------------------------


def test_losses_of_steps_are_averaged_between_the_validations() -> None:
    steps = Series(np.arange(1, 121), np.arange(120.0), "step")
    epochs = Series(np.arange(10, 121, 10), np.ones(12), "step")
    course = course_of(steps, beats=epochs)
    assert course is not None
    np.testing.assert_array_equal(course.series.x, epochs.x)
    np.testing.assert_array_equal(course.series.y, np.arange(120.0).reshape(12, 10).mean(axis=1))
    assert course.first == 0.0


def test_two_finite_values_are_no_course() -> None:
    assert course_of(Series(np.arange(4), np.array([1.0, np.nan, np.inf, 2.0]))) is None


# --- real runs ------------------------------------------------------------------------------------


def real(name: str) -> Curves:
    """The log of a real training."""
    path = RUNS / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return measure(load_history(path))


def test_whisper_was_best_by_loss_at_1000_and_by_word_errors_at_3000() -> None:
    found = real("hf_whisper_ja_trainer_state.json")
    places = numbers(best_passed(found))
    assert best_passed(found).level is Level.NOTE
    assert (places["best_at"].value, places["best_at"].where) == (1000, "valid_loss")
    assert (places["other_best_at"].value, places["other_best_at"].where) == (3000, "valid_wer")
    assert alarms(found) == {"overfitting": Level.WARNING}


def test_the_first_of_six_evaluations_of_a_real_run_overfits() -> None:
    found = real("hf_multi_eval_trainer_state.json")
    assert overfitting(found).level is Level.PROBLEM  # 1.114 at the second, 2.749 at the last
    assert "unstable" not in alarms(found)


@pytest.mark.parametrize(
    "name",
    ["unet_log.csv", "lightning_cnn_v0_metrics.csv", "yolov5_circle_results.csv", "detr_log.txt",
     "pinn_print_log.txt", "step_comma_loss_train.txt", "snn_train_loss.txt",
     "hf_takemeter_trainer_state.json", "lightning_cnn_tb_v0_a.tfevents",
     "keras_history_one_epoch.json", "single_value_loss.txt"],
)  # fmt: skip
def test_real_runs_without_a_fault_raise_no_alarm(name: str) -> None:
    assert alarms(real(name)) == {}


@pytest.mark.parametrize("name", ["deepfd_31556268_log.csv", "deepfd_59282996_log.csv"])
def test_real_programs_of_known_fault_do_not_learn(name: str) -> None:
    assert set(alarms(real(name))) == {"not_learning"}


def test_a_real_mild_overfit_is_a_note_at_most() -> None:
    path = RUNS / "snn_test_loss.txt"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    train, test = (np.loadtxt(RUNS / f"snn_{split}_loss.txt") for split in ("train", "test"))
    assert alarms(curves(train, test)).get("overfitting", Level.OK) < Level.PROBLEM


def test_lists_of_levels_are_written_as_json_knows_them() -> None:
    levels = [str(level) for level in levels_of(curves(converged(), converged(seed=1)))]
    assert json.loads(json.dumps(levels)) == levels
