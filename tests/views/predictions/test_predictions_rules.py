"""Rules of the predictions: each disease found at its medium strength, and healthy ones not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kashika import History, Level, Observation
from kashika.distribution import Array, Distribution, FloatArray, IntArray
from kashika.naming import SPLITS, Split
from kashika.observation import Layer, Modes
from kashika.task import Task
from kashika.view import Finding
from kashika.views.predictions import VIEW, Predictions, measure
from kashika.views.predictions.rules import (
    class_ignored,
    constant,
    imbalance,
    overconfident,
    underfitting,
)
from kashika.views.predictions.setup_rules import (
    double_sigmoid,
    double_softmax,
    label_noise,
    leakage,
    log_mismatch,
    mode_gap,
    output_activation,
)

LOGIT = Task("logit", 2, "binary_cross_entropy_with_logits")
VALUES = Task("values", 0, "mse_loss")


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def seen(
    outputs: Array,
    targets: Array,
    *,
    inputs: Array | None = None,
    task: Task | None = None,
    last: str = "",
) -> Observation:
    """What a network with these outputs was seen to do; logits unless the task says otherwise."""
    outputs = np.asarray(outputs, dtype=float).reshape(len(targets), -1)
    task = task or Task("logits", outputs.shape[1], "cross_entropy")
    x = random(9).normal(size=(len(targets), 3)) if inputs is None else inputs
    every = np.arange(len(targets))
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        if task.classifies:
            loss = -np.log(task.probabilities(outputs)[every, targets])
        else:
            loss = np.mean((outputs - targets.reshape(outputs.shape)) ** 2, axis=1)
        layers: tuple[Layer, ...] = ()
        if last:
            layer = Layer("last", last, Distribution.of(outputs), every[:0], outputs, every)
            layers = (layer,)
        return Observation.of(
            task, inputs=x, outputs=outputs, targets=targets, loss=loss, layers=layers
        )


def measured(history: Mapping[str, Any] | None = None, **splits: Observation) -> Predictions:
    observations: dict[Split, Observation] = {}
    for one in SPLITS:
        if one in splits:
            observations[one] = splits[one]
    order: tuple[Split, ...] = ("test", "valid", "train")
    split = next(one for one in order if one in observations)
    log = None if history is None else History.of(history)
    return measure(observations, split=split, history=log)


def value(finding: Finding, quantity: str) -> float:
    return next(one.value for one in finding.evidence if one.quantity == quantity)


def sure(classes: Array, count: int, *, logit: float = 6.0) -> FloatArray:
    """Logits of a network that gives these classes, and is sure."""
    return np.asarray(logit * np.eye(count)[np.asarray(classes)])


def rings(n: int = 400, seed: int = 0) -> tuple[FloatArray, IntArray]:
    """Two rings around each other, which no line separates."""
    rng = random(seed)
    labels = np.arange(n) % 2
    angle, radius = rng.uniform(0, 2 * np.pi, n), 1 + labels + 0.1 * rng.normal(size=n)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]), labels


def clouds(
    n: int = 600, classes: int = 3, *, apart: float = 8.0, seed: int = 0
) -> tuple[FloatArray, IntArray]:
    """Normal clouds at the corners of a polygon, at so many standard deviations."""
    rng = random(seed)
    labels = np.arange(n) % classes
    angle = 2 * np.pi * labels / classes
    radius = apart / (2 * np.sin(np.pi / classes))
    middle = radius * np.column_stack([np.cos(angle), np.sin(angle)])
    return middle + rng.normal(size=(n, 2)), labels


# --- underfitting ---------------------------------------------------------------------------------


def test_a_line_through_rings_underfits_and_rings_do_not() -> None:
    x, y = rings()
    line = measured(train=seen(sure((x[:, 0] > 0).astype(int), 2), y, inputs=x))
    ring = measured(train=seen(sure(y, 2), y, inputs=x))
    found = underfitting(line)
    assert found.level is Level.PROBLEM
    assert value(found, "simple_score") > 0.95
    assert underfitting(ring).level is Level.OK


@pytest.mark.parametrize(
    ("right", "level"), [(0.98, Level.OK), (0.8, Level.WARNING), (0.6, Level.PROBLEM)]
)
def test_what_of_the_simple_models_gain_is_missing_decides(right: float, level: Level) -> None:
    x, y = clouds(600, 2)  # a simple model is right in all of them; chance in half
    answers = np.where(np.arange(600) < 600 * right, y, 1 - y)
    assert underfitting(measured(train=seen(sure(answers, 2), y, inputs=x))).level is level


@pytest.mark.parametrize(
    ("apart", "right", "level"), [(8.0, 0.95, Level.WARNING), (2.5, 0.85, Level.OK)]
)
def test_twice_the_mistakes_are_underfitting_where_nearly_all_can_be_right(
    apart: float, right: float, level: Level
) -> None:
    x, y = clouds(1000, 2, apart=apart)  # an eighth of those that overlap cannot be told
    answers = np.where(np.arange(1000) < 1000 * right, y, 1 - y)
    found = underfitting(measured(train=seen(sure(answers, 2), y, inputs=x)))
    assert found.level is level
    assert value(found, "gained") > 0.85  # which alone is no fault
    twice = 2 * value(found, "simple_left_wrong")
    assert (value(found, "left_wrong") >= twice) is (level is Level.WARNING)


def test_a_network_that_gives_no_answer_is_broken_and_not_too_small() -> None:
    x, y = clouds(600, 2)
    outputs = sure(y, 2)
    outputs[:400] = np.nan
    assert underfitting(measured(train=seen(outputs, y, inputs=x))).level is Level.UNKNOWN
    outputs[150:] = sure(y, 2)[150:]  # a quarter is silent: wrong, as any other answer may be
    assert underfitting(measured(train=seen(outputs, y, inputs=x))).level is Level.WARNING


def test_a_hard_problem_that_is_learned_as_well_as_can_be_is_no_fault() -> None:
    rng = random(1)
    x = rng.normal(size=(1000, 4))
    logit = x @ np.array([1.0, -1.0, 0.5, 0.0])
    y = (rng.random(1000) < 1 / (1 + np.exp(-logit))).astype(int)
    found = underfitting(measured(train=seen(logit, y, inputs=x, task=LOGIT)))
    assert found.level is Level.OK
    assert 0.6 < value(found, "simple_score") < 0.85


def test_where_nothing_can_be_learned_nobody_underfits() -> None:
    x, y = random(2).normal(size=(500, 5)), random(3).integers(0, 2, 500)
    found = underfitting(measured(train=seen(sure(np.zeros(500, int), 2), y, inputs=x)))
    assert found.level is Level.UNKNOWN


def test_a_network_that_weights_a_rare_class_is_not_worse_for_it() -> None:
    # Every sample of the rare class is found, at the price of as many false alarms: less often
    # right than a model that says no a little too often, and better by its recalls.
    rng = random(4)
    y = (rng.random(1000) < 0.1).astype(int)
    x = rng.normal(size=(1000, 2)) + 2.0 * y[:, None]
    generous = (x.sum(axis=1) > 1.2).astype(int)
    found = underfitting(measured(train=seen(sure(generous, 2), y, inputs=x)))
    assert found.level is Level.OK


def test_a_regression_that_ignores_half_of_what_a_line_sees_underfits() -> None:
    rng = random(5)
    x = rng.normal(size=(400, 3))
    y = x @ np.array([1.0, 1.0, 0.0])
    for scale in (1e-6, 1.0, 1e6):
        half = measured(train=seen(scale * x[:, 0], scale * y, inputs=x, task=VALUES))
        whole = measured(train=seen(scale * 0.99 * y, scale * y, inputs=x, task=VALUES))
        finding = underfitting(half)
        assert finding.level in (Level.WARNING, Level.PROBLEM)
        assert value(finding, "gained") < 0.6
        assert underfitting(whole).level is Level.OK


def test_answers_in_another_unit_are_not_underfitting() -> None:
    x = random(6).normal(size=(300, 2))
    y = 100 + 50 * x[:, 0]
    found = underfitting(measured(train=seen(x[:, 0], y, inputs=x, task=VALUES)))
    assert found.level is Level.UNKNOWN


def test_a_training_that_was_stopped_while_it_improved_is_not_judged() -> None:
    x, y = rings()
    bad = seen(sure(np.zeros(len(y), int), 2), y, inputs=x)
    falling = {"train_loss": np.exp(-np.arange(50) / 20)}
    level = {"train_loss": 0.5 + 0.01 * random(7).normal(size=50)}
    assert underfitting(measured(falling, train=bad)).level is Level.UNKNOWN
    assert underfitting(measured(level, train=bad)).level is Level.PROBLEM


def test_neither_the_order_of_the_classes_nor_a_second_copy_of_the_data_changes_the_verdict() -> (
    None
):
    x, y = rings()
    answers = (x[:, 0] > 0).astype(int)
    straight = underfitting(measured(train=seen(sure(answers, 2), y, inputs=x)))
    swapped = underfitting(measured(train=seen(sure(1 - answers, 2), 1 - y, inputs=x)))
    twice = underfitting(
        measured(train=seen(sure(np.tile(answers, 2), 2), np.tile(y, 2), inputs=np.tile(x, (2, 1))))
    )
    scores = [value(one, "simple_score") for one in (straight, swapped, twice)]
    assert straight.level is swapped.level is twice.level is Level.PROBLEM
    np.testing.assert_allclose(scores, scores[0])


# --- one answer -----------------------------------------------------------------------------------


def test_one_answer_is_a_note_where_a_simple_model_gives_one_as_well() -> None:
    x = random(8).normal(size=(600, 3))
    y = (np.arange(600) < 12).astype(int)
    found = constant(measured(train=seen(sure(np.zeros(600, int), 2), y, inputs=x)))
    assert found.level is Level.NOTE
    there = x + 5 * y[:, None]
    found = constant(measured(train=seen(sure(np.zeros(600, int), 2), y, inputs=there)))
    assert found.level is Level.PROBLEM


# --- classes --------------------------------------------------------------------------------------


def test_a_class_that_is_missing_from_the_training_data_is_a_problem() -> None:
    x, y = clouds(900, 3)
    train, test = slice(0, 600), slice(600, 900)
    known = np.flatnonzero(y[train] < 2)
    given = np.where(y[test] == 2, 0, y[test])
    found = class_ignored(
        measured(
            train=seen(sure(y[train][known], 3), y[train][known], inputs=x[train][known]),
            test=seen(sure(given, 3), y[test], inputs=x[test]),
        )
    )
    assert found.level is Level.PROBLEM
    assert (value(found, "in_train"), value(found, "recall")) == (0, 0)
    assert found.evidence[1].where == "2"


def test_a_rare_class_that_chance_left_out_of_the_training_data_is_no_fault() -> None:
    y = np.arange(300) % 2
    held = np.append(np.arange(100) % 2, 2)
    found = measured(train=seen(sure(y, 3), y), test=seen(sure(held, 3), held))
    assert class_ignored(found).level is Level.OK


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_a_class_without_answers_and_probability_is_ignored_whatever_its_number(
    order: list[int],
) -> None:
    y = np.arange(300) % 3
    given = np.where(y == 2, 0, y)
    number = np.array(order)
    found = class_ignored(measured(train=seen(sure(number[given], 3), number[y])))
    assert found.level is Level.PROBLEM
    assert found.evidence[1].where == str(order[2])


def test_a_class_that_is_never_the_answer_but_likely_enough_is_a_note() -> None:
    # Of two classes nothing tells apart, the one that makes up a third is rightly never given.
    y = (np.arange(300) % 3 == 0).astype(int)
    outputs = np.log(np.tile([2 / 3, 1 / 3], (300, 1)))
    assert class_ignored(measured(train=seen(outputs, y))).level is Level.NOTE


def test_a_rare_class_costs_recall_where_it_is_tested_more_often_than_trained() -> None:
    train = np.repeat([0, 1], [400, 20])
    held = np.repeat([0, 1], [100, 100])
    missed = np.where(np.arange(200) < 150, 0, 1)  # half of class 1
    found = imbalance(measured(train=seen(sure(train, 2), train), test=seen(sure(missed, 2), held)))
    assert found.level is Level.WARNING
    assert (value(found, "times"), value(found, "recall")) == (20, 0.5)
    well = imbalance(measured(train=seen(sure(train, 2), train), test=seen(sure(held, 2), held)))
    assert well.level is Level.NOTE
    # A third is missing of a hundred samples: that is no chance, nor the worst that it may be.
    mostly = np.where(np.arange(200) < 132, 0, 1)
    some = imbalance(measured(train=seen(sure(train, 2), train), test=seen(sure(mostly, 2), held)))
    assert some.level is Level.WARNING
    few = [*range(100), *range(129, 137)]  # of eight it may be chance
    less = seen(sure(mostly[few], 2), held[few])
    assert imbalance(measured(train=seen(sure(train, 2), train), test=less)).level is Level.NOTE
    even = imbalance(measured(train=seen(sure(held, 2), held), test=seen(sure(missed, 2), held)))
    assert even.level is Level.OK


# --- confidence -----------------------------------------------------------------------------------


def chances(n: int, *, stretch: float, seed: int = 0) -> tuple[FloatArray, IntArray]:
    """Logits of a network that is as sure as right, times `stretch`."""
    rng = random(seed)
    logit = 1.5 * rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int)
    return stretch * logit, y


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("n", [30, 300, 3000])
def test_a_network_that_is_as_sure_as_right_is_not_overconfident(n: int, seed: int) -> None:
    logit, y = chances(n, stretch=1.0, seed=seed)
    assert overconfident(measured(test=seen(logit, y, task=LOGIT))).level is Level.OK


def test_logits_three_times_too_large_are_overconfident_on_held_out_data_alone() -> None:
    logit, y = chances(1000, stretch=3.0)
    one = seen(logit, y, task=LOGIT)
    assert overconfident(measured(test=one)).level >= Level.WARNING
    assert overconfident(measured(train=one)).level is Level.UNKNOWN
    timid, y = chances(1000, stretch=0.3)
    assert overconfident(measured(test=seen(timid, y, task=LOGIT))).level is Level.OK


# --- wrong labels ---------------------------------------------------------------------------------


def flipped(y: IntArray, share: float, *, classes: int, seed: int = 0) -> IntArray:
    rng = random(seed)
    wrong = rng.random(len(y)) < share
    return np.where(wrong, (y + rng.integers(1, classes, len(y))) % classes, y)


@pytest.mark.parametrize("known", ["by heart", "no"])
def test_flipped_labels_are_found_whether_the_network_knows_them_or_not(known: str) -> None:
    x, y = clouds(600, 3)
    held_x, held_y = clouds(300, 3, seed=1)
    told = flipped(y, 0.15, classes=3)
    found = label_noise(
        measured(
            train=seen(sure(told if known == "by heart" else y, 3), told, inputs=x),
            valid=seen(sure(held_y, 3), held_y, inputs=held_x),
        )
    )
    assert found.level in (Level.WARNING, Level.PROBLEM)
    assert value(found, "wrong_labels") == pytest.approx(0.15, abs=0.05)
    named = [int(one.value) for one in found.evidence if one.unit == "sample"]
    assert named
    assert (told[named] != y[named]).all()


@pytest.mark.parametrize("apart", [1.0, 2.0, 3.0, 8.0])
@pytest.mark.parametrize("seed", range(5))
def test_classes_that_overlap_have_no_wrong_labels(apart: float, seed: int) -> None:
    x, y = clouds(600, 2, apart=apart, seed=seed)
    held_x, held_y = clouds(300, 2, apart=apart, seed=seed + 50)
    best, held_best = (x[:, 0] < 0).astype(int), (held_x[:, 0] < 0).astype(int)
    held = seen(sure(held_best, 2), held_y, inputs=held_x)
    for answers in (y, best):  # learned by heart, and as well as can be
        found = label_noise(measured(train=seen(sure(answers, 2), y, inputs=x), valid=held))
        assert found.level not in (Level.WARNING, Level.PROBLEM)


def test_neighbours_that_know_less_than_the_network_accuse_nobody() -> None:
    # The sum of six signs decides nothing that a neighbour could tell.
    x = random(3).choice([-1.0, 1.0], size=(600, 12)) + 0.01 * random(4).normal(size=(600, 12))
    y = (np.prod(np.sign(x[:, :6]), axis=1) > 0).astype(int)
    train, valid = slice(0, 400), slice(400, 600)
    found = label_noise(
        measured(
            train=seen(sure(y[train], 2), y[train], inputs=x[train]),
            valid=seen(sure(y[valid], 2), y[valid], inputs=x[valid]),
        )
    )
    assert found.level is Level.UNKNOWN


@pytest.mark.parametrize(
    ("held_out", "level"), [("right", Level.PROBLEM), ("by lot", Level.UNKNOWN)]
)
def test_labels_by_lot_are_wrong_where_those_held_out_agree(held_out: str, level: Level) -> None:
    # Of labels that say nothing anywhere nobody can tell whether they are wrong.
    x, y = clouds(600, 3)
    held_x, held_y = clouds(300, 3, seed=1)
    by_lot = random(2).permutation(y)
    held = held_y if held_out == "right" else random(3).permutation(held_y)
    answers, held_answers = random(4).integers(0, 3, 600), random(5).integers(0, 3, 300)
    found = label_noise(
        measured(
            train=seen(sure(answers, 3), by_lot, inputs=x),
            valid=seen(sure(held_answers, 3), held, inputs=held_x),
        )
    )
    assert found.level is level


# --- copies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("copied", "level"),
    [(0, Level.OK), (1, Level.NOTE), (20, Level.WARNING), (100, Level.PROBLEM)],
)
@pytest.mark.parametrize("times", [1, 2])
def test_test_samples_from_the_training_split_are_leaked(
    copied: int, level: Level, times: int
) -> None:
    x, y = clouds(600, 2)
    test = np.concatenate([x[:copied], x[400 + copied : 600]])
    labels = np.concatenate([y[:copied], y[400 + copied : 600]])
    found = leakage(
        measured(
            train=seen(np.zeros((400 * times, 2)), np.tile(y[:400], times),
                       inputs=np.tile(x[:400], (times, 1))),
            test=seen(np.zeros((200 * times, 2)), np.tile(labels, times),
                      inputs=np.tile(test, (times, 1))),
        )
    )  # fmt: skip
    assert found.level is level
    assert value(found, "copied_share") == copied / 200


def test_questions_with_few_answers_repeat_and_do_not_leak() -> None:
    x, y = random(0).integers(0, 3, size=(900, 4)), random(1).integers(0, 2, 900)
    parts = [seen(np.zeros((n, 2)), y[:n], inputs=x[a : a + n]) for a, n in ((0, 600), (600, 300))]
    found = leakage(measured(train=parts[0], test=parts[1]))
    assert value(found, "copied_share") > 0.9
    assert found.level < Level.WARNING


# --- the log --------------------------------------------------------------------------------------

RIGHT = np.arange(1000) % 10 < 9


def with_log(accuracy: Array, *, factor: float = 1.0) -> Predictions:
    """A network that is right in nine of ten, and what was logged of it."""
    y = np.arange(1000) % 2
    one = seen(sure(np.where(RIGHT, y, 1 - y), 2), y)
    return measured({"valid_acc": factor * np.asarray(accuracy)}, valid=one)


def test_a_log_that_ends_where_the_network_is_agrees_and_a_better_one_does_not() -> None:
    rising = np.linspace(0.5, 1.0, 50) ** 0.5
    assert log_mismatch(with_log(0.9 * rising)).level is Level.OK
    assert log_mismatch(with_log(0.99 * rising)).level is Level.WARNING
    y = np.arange(1000) % 2
    worse = seen(sure(np.zeros(1000, int), 2), y)
    found = log_mismatch(measured({"valid_acc": 0.99 * rising}, valid=worse))
    assert found.level is Level.PROBLEM


@pytest.mark.parametrize(("was", "level"), [(0.97, Level.WARNING), (0.93, Level.OK)])
def test_twice_the_mistakes_of_the_log_are_a_mismatch(was: float, level: Level) -> None:
    y = np.arange(1000) % 2
    now = seen(sure(np.where(np.arange(1000) < 910, y, 1 - y), 2), y)  # 0.91
    log = np.minimum(np.linspace(0.5, 1.5, 40), was)
    found = log_mismatch(measured({"valid_acc": log}, valid=now))
    assert found.level is level


def test_percent_and_fraction_are_the_same_log() -> None:
    y = np.arange(1000) % 2
    one = seen(sure(np.where(RIGHT, y, 1 - y), 2), y)
    log = History.of({"valid_acc": np.linspace(50, 99, 30)})
    percent = {name: replace(s, percent=True) for name, s in log.series.items()}
    found = measure({"valid": one}, split="valid", history=History(percent))
    assert value(log_mismatch(found), "logged_value") == pytest.approx(0.99, abs=0.08)
    assert log_mismatch(found).level is Level.WARNING


@pytest.mark.parametrize("first", [0, 1])
def test_the_value_at_the_epoch_of_the_weights_counts_whether_epochs_count_from_0_or_1(
    first: int,
) -> None:
    y = np.arange(1000) % 2
    one = seen(sure(np.where(RIGHT, y, 1 - y), 2), y)
    curve = np.concatenate([np.linspace(0.5, 0.9, 20), np.linspace(0.9, 0.99, 60)])
    log = History.of({"valid_acc": curve})
    counted = {name: replace(s, x=s.x - 1 + first) for name, s in log.series.items()}
    for epoch, level in ((19 + first, Level.OK), (79, Level.WARNING)):
        found = measure(
            {"valid": one}, split="valid", history=History(counted), saved={"epoch": epoch}
        )
        assert log_mismatch(found).level is level


def test_a_training_loss_that_is_a_running_mean_is_no_mismatch() -> None:
    y = np.arange(1000) % 2
    one = seen(sure(np.where(RIGHT, y, 1 - y), 2), y)
    log = {"train_acc": np.linspace(0.5, 0.97, 30), "valid_acc": np.linspace(0.5, 0.9, 30)}
    assert log_mismatch(measured(log, train=one, valid=one)).level is Level.OK


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0, 1 / 32])
def test_a_loss_with_another_factor_is_the_same_loss(factor: float) -> None:
    rng = random(0)
    y = rng.normal(size=500)
    one = seen(y + 0.1 * rng.normal(size=500), y, task=VALUES)
    log = {"valid_loss": factor * one.mean_loss * np.linspace(5, 1, 30)}
    assert log_mismatch(measured(log, valid=one)).level is Level.OK


def test_a_loss_far_above_that_of_the_log_is_a_mismatch() -> None:
    rng = random(0)
    y = rng.normal(size=500)
    one = seen(0.4 * y + 0.1 * rng.normal(size=500), y, task=VALUES)
    log = {"valid_loss": 0.01 + np.exp(-np.arange(30.0))}
    assert log_mismatch(measured(log, valid=one)).level >= Level.WARNING
    nearer = seen(0.6 * y + 0.1 * rng.normal(size=500), y, task=VALUES)  # 0.17 of 1
    assert log_mismatch(measured(log, valid=nearer)).level is Level.WARNING


def test_right_answers_with_logits_blown_up_are_a_mismatch_by_their_loss() -> None:
    y = np.arange(1000) % 2
    answers = np.where(RIGHT, y, 1 - y)
    log = {"valid_acc": np.linspace(0.5, 0.9, 30), "valid_loss": np.linspace(0.7, 0.3, 30)}
    for logit, level in ((2.5, Level.OK), (40.0, Level.PROBLEM)):
        one = seen(sure(answers, 2, logit=logit), y)
        assert log_mismatch(measured(log, valid=one)).level is level


# --- modes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evaluating", "training", "level"),
    [
        (0.02, [0.021, 0.02, 0.022], Level.OK),
        (0.02, [0.15, 0.16, 0.14], Level.OK),  # dropout, as it is used
        (0.3, [0.08, 0.09, 0.085], Level.WARNING),
        (0.6, [0.08, 0.09, 0.085], Level.PROBLEM),
        (0.1, [0.55, 0.56, 0.57], Level.WARNING),
        (0.69, [0.7, 0.71, 0.69], Level.UNKNOWN),
        (np.nan, [0.1, 0.1], Level.UNKNOWN),
    ],
)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_what_is_lost_in_the_worse_mode_decides_whatever_the_scale_of_the_loss(
    evaluating: float, training: list[float], level: Level, scale: float
) -> None:
    modes = Modes(("BatchNorm1d",), scale * evaluating, scale * np.array(training), 200)
    y = np.arange(100) % 2
    found = measured(train=seen(sure(y, 2), y))
    found = replace(found, modes=modes, modes_chance=scale * 0.69)
    assert mode_gap(found).level is level


# --- probabilities twice --------------------------------------------------------------------------


def shares(n: int = 300, classes: int = 3) -> tuple[FloatArray, IntArray]:
    y = np.arange(n) % classes
    logits = 4 * np.eye(classes)[y] + random(0).normal(size=(n, classes))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), y


def test_probabilities_in_a_loss_that_applies_softmax_are_a_problem_and_logits_are_none() -> None:
    p, y = shares()
    named = seen(p, y, task=Task("logits", 3, "cross_entropy"))
    found = double_softmax(measured(test=named))
    assert found.level is Level.PROBLEM
    assert value(found, "floor") == pytest.approx(np.log(1 + 2 / np.e))
    assert value(found, "loss_twice") == pytest.approx(named.mean_loss)
    assert double_softmax(measured(test=seen(np.log(p), y))).level is Level.OK


def test_the_log_tells_whether_softmax_was_applied_twice() -> None:
    p, y = shares()
    one = seen(p, y, task=Task("probabilities", 3, "nll_loss"))
    twice = value(double_softmax(measured(valid=one)), "loss_twice")
    once = value(double_softmax(measured(valid=one)), "loss_once")
    assert once == pytest.approx(one.mean_loss)
    falling = np.exp(-np.arange(30) / 4)
    for end, level in ((twice, Level.PROBLEM), (once, Level.OK)):
        log = {"valid_loss": end + (1.2 - end) * falling}
        assert double_softmax(measured(log, valid=one)).level is level
    assert double_softmax(measured(valid=one)).level is Level.OK


def test_a_sigmoid_before_a_loss_that_applies_it_is_a_problem() -> None:
    y = np.arange(200) % 2
    logit = 4.0 * (2 * y - 1)
    p = 1 / (1 + np.exp(-logit))
    found = double_sigmoid(measured(test=seen(p, y, task=LOGIT, last="Sigmoid")))
    assert found.level is Level.PROBLEM
    assert value(found, "floor") == pytest.approx((np.log(1 + np.exp(-1)) + np.log(2)) / 2)
    fine = Task("probability", 2, "binary_cross_entropy")
    assert double_sigmoid(measured(test=seen(p, y, task=fine, last="Sigmoid"))).level is Level.OK
    plain = measured(test=seen(0.5 + 0.01 * logit, y, task=LOGIT, last="Linear"))
    assert double_sigmoid(plain).level is Level.OK  # logits that happen to lie there


# --- the last activation --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "squash"),
    [("ReLU", lambda z: np.maximum(z, 0)), ("Sigmoid", lambda z: 1 / (1 + np.exp(-z)))],
)
def test_targets_below_zero_are_out_of_reach_of_some_activations(
    last: str, squash: Callable[[Array], Array]
) -> None:
    y = random(0).normal(size=300)
    found = output_activation(measured(test=seen(squash(y), y, task=VALUES, last=last)))
    assert found.level is Level.PROBLEM
    assert value(found, "outside") >= 0.45
    inside = squash(y)
    ok = output_activation(measured(test=seen(inside, inside, task=VALUES, last=last)))
    assert ok.level is Level.OK


def test_a_tanh_is_a_fault_for_targets_of_unit_scale_and_none_for_targets_within_one() -> None:
    y = random(0).normal(size=500)
    for scale, least in ((0.3, Level.OK), (1.0, Level.WARNING), (5.0, Level.PROBLEM)):
        one = seen(np.tanh(scale * y), scale * y, task=VALUES, last="Tanh")
        assert output_activation(measured(test=one)).level >= least
        assert (output_activation(measured(test=one)).level is Level.OK) is (least is Level.OK)


def test_logits_from_a_relu_or_a_tanh_are_a_fault_and_those_from_a_linear_layer_are_none() -> None:
    y = np.arange(300) % 3
    logits = sure(y, 3) - 1 + random(0).normal(size=(300, 3))
    levels = {
        last: output_activation(measured(test=seen(given, y, last=last))).level
        for last, given in (
            ("ReLU", np.maximum(logits, 0)),
            ("Tanh", np.tanh(logits)),
            ("Linear", logits),
            ("LogSoftmax", logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))),
        )
    }
    assert levels["ReLU"] >= Level.WARNING
    assert levels["Tanh"] >= Level.WARNING
    assert levels["Linear"] is levels["LogSoftmax"] is Level.OK
    shut = np.maximum(logits, 0) * [1, 1, 0]
    assert output_activation(measured(test=seen(shut, y, last="ReLU"))).level is Level.PROBLEM


def test_what_is_computed_after_the_last_layer_is_not_known() -> None:
    y = random(0).normal(size=50)
    one = seen(np.tanh(y), y, task=VALUES, last="Tanh")
    stretched = replace(one, outputs=3 * one.outputs)
    assert output_activation(measured(test=stretched)).level is Level.UNKNOWN


# --- every rule answers ---------------------------------------------------------------------------

ANY = st.floats(allow_nan=True, allow_infinity=True, width=64)


@st.composite
def networks(draw: st.DrawFn) -> Predictions:
    """What any network may do on any small data, with any log."""
    n, columns = draw(st.integers(1, 60)), draw(st.integers(1, 3))
    rng = random(draw(st.integers(0, 1000)))
    task = draw(st.sampled_from([None, LOGIT, VALUES, Task("probabilities", columns, "nll_loss")]))
    if task is None and columns == 1:
        task = VALUES
    if task is LOGIT:
        columns = 1
    outputs = rng.normal(size=(n, columns)) * draw(st.sampled_from([0.0, 1.0, 1e30, 1e300]))
    holes = draw(st.sampled_from([0.0, 0.3, 1.0]))
    outputs[rng.random(n) < holes] = draw(ANY)
    targets: Array
    if task is VALUES:
        targets = rng.normal(size=(n, columns)) * draw(st.sampled_from([0.0, 1.0, 1e12]))
    else:
        targets = rng.integers(0, 2 if task is LOGIT else columns, n)
    inputs = draw(
        st.sampled_from([
            rng.normal(size=(n, 2)), rng.integers(0, 3, (n, 4)), np.zeros((n, 2)),
            np.full((n, 1, 2, 2), np.nan), np.empty((n, 0)),
        ])
    )  # fmt: skip
    one = seen(outputs, targets, inputs=inputs, task=task, last=draw(st.sampled_from(["", "ReLU"])))
    values = draw(st.lists(ANY, min_size=1, max_size=8))
    log = {"train_loss": values, "test_loss": values, "test_acc": values}
    with np.errstate(all="ignore"):
        return measured(log if draw(st.booleans()) else None, train=one, test=one)


@settings(max_examples=60, deadline=None)
@given(networks())
def test_every_rule_answers_on_any_network(found: Predictions) -> None:
    for rule in VIEW.rules:
        finding = rule(found)
        assert finding.rule == f"predictions.{rule.__name__}"
        assert finding.summary


def arbitrary(draw: Callable[[Any], Any], example: Any) -> Any:
    """The same with any numbers in it."""
    new: dict[str, Any] = {}
    for field in fields(example):
        value = getattr(example, field.name)
        if isinstance(value, bool | str):
            continue
        if isinstance(value, float):
            new[field.name] = draw(ANY)
        elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
            new[field.name] = np.array([draw(ANY) for _ in range(value.size)]).reshape(value.shape)
    return replace(example, **new)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_rule_answers_on_any_measurement(data: st.DataObject) -> None:
    x, y = clouds(90, 3)
    one = seen(sure(y, 3), y, inputs=x, last="Tanh")
    modes = Modes(("Dropout",), 0.1, np.array([0.1, 0.2]), 20)
    found = measured({"test_loss": [1.0, 0.5], "test_acc": [0.5, 0.9]}, train=one, test=one)
    found = replace(found, modes=modes, modes_chance=data.draw(ANY))
    for name in ("simple", "suspects", "calibration", "last", "counts", "modes"):
        part = getattr(found, name)
        found = replace(found, **{name: arbitrary(data.draw, part)})
    logs = tuple(arbitrary(data.draw, one) for one in found.logged)
    found = replace(found, logged=logs)
    with np.errstate(all="ignore"):
        for rule in VIEW.rules:
            assert isinstance(rule(found), Finding)
