"""Rules of features: each disease from closed forms and small trainings, and what only looks so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import kashika as ks
from kashika.distribution import Array, Distribution, FloatArray, IntArray
from kashika.observation import Layer, Observation
from kashika.task import Task
from kashika.view import Finding, Level, id_of
from kashika.views.features import VIEW, Features, Separation, measure
from kashika.views.features.baseline import quadratic_left
from kashika.views.features.outcome import directions, unlearned
from kashika.views.features.projecting import Projected
from kashika.views.features.rules import (
    collapsed,
    dead_units,
    saturated_units,
    unscaled_input,
    unscaled_target,
)
from kashika.views.features.scales import Scale, inputs_of, targets_of

ROWS = 200

FEW = 2
"""So few rows are not projected, and nobody waits for a t-SNE."""


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with ks.speaking("en"):
        yield


def noise(rows: int, units: int, *, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(rows, units))


def layer(name: str, values: Array, *, kind: str = "Linear") -> Layer:
    active = (values > 0).sum(axis=0) if kind == "ReLU" else np.empty(0, dtype=int)
    return Layer(name, kind, Distribution.of(values), active, values, np.arange(len(values)))


def classes(wrong: float, *inside: Layer, count: int = 3, inputs: Array | None = None) -> Features:
    """Classes of equal size, of which so many are answered wrong."""
    targets = np.arange(ROWS) % count
    answers = np.where(np.arange(ROWS) < wrong * ROWS, (targets + 1) % count, targets)
    seen = Observation.of(
        Task("logits", count, "cross_entropy"),
        outputs=np.eye(count)[answers] + 1e-3 * noise(ROWS, count),
        targets=targets,
        loss=np.zeros(ROWS),
        inputs=noise(ROWS, 5) if inputs is None else inputs,
        layers=(*inside, layer("out", np.eye(count)[answers])),
    )
    return measure({"train": seen}, split="train", most=FEW)


def regression(
    targets: FloatArray, outputs: FloatArray, *, inputs: FloatArray | None = None
) -> Observation:
    return Observation.of(
        Task("values", 0, "mse_loss"),
        outputs=outputs.reshape(len(outputs), -1),
        targets=targets.reshape(len(targets), -1),
        loss=np.zeros(len(targets)),
        inputs=noise(len(targets), 3) if inputs is None else inputs,
    )


def value(finding: Finding, quantity: str) -> float:
    return next(one.value for one in finding.evidence if one.quantity == quantity)


# --- what is left to learn ------------------------------------------------------------------------


def test_errors_are_counted_in_those_of_the_commonest_class() -> None:
    assert classes(0.0).unlearned == 0
    assert classes(0.5, count=2).unlearned == pytest.approx(1.0)
    assert classes(0.5, count=3).unlearned == pytest.approx(100 / 133)


def test_squared_errors_are_counted_in_the_variance_of_the_targets() -> None:
    y = noise(ROWS, 2)
    assert unlearned(regression(y, y)) == 0
    constant = np.zeros((ROWS, 2)) + y.mean(axis=0)
    assert unlearned(regression(y, constant)) == pytest.approx(1.0)
    assert unlearned(regression(1e6 * y, 1e6 * constant)) == pytest.approx(1.0)
    assert np.isnan(unlearned(regression(np.ones((9, 1)), np.ones((9, 1)))))


def test_labels_are_counted_each_by_itself() -> None:
    given, right = np.tile([2.0, -2.0], (8, 1)), np.tile([1, 0], (8, 1))
    right[:2] = [0, 0]  # the first label is given to two that lack it, of which there are two
    seen = Observation.of(
        Task("label_logits", 0, "binary_cross_entropy_with_logits", labels=2),
        outputs=given, targets=right, loss=np.zeros(8), inputs=given,
    )  # fmt: skip
    assert unlearned(seen) == pytest.approx(1.0)
    assert directions(seen) == 2


def test_one_direction_less_than_classes_tells_them_apart() -> None:
    assert classes(0.0, count=4).directions == 3
    assert directions(regression(noise(9, 2), noise(9, 2))) == 2
    y = np.column_stack([np.ones(9), np.arange(9.0)]) + np.zeros((9, 2))
    assert directions(regression(y, y)) == 1


# --- scale of the inputs --------------------------------------------------------------------------


def linear(inputs: Array, gain: float, *, kind: str = "Linear") -> Layer:
    return layer("first", gain * inputs.reshape(len(inputs), -1), kind=kind)


def judged(inputs: Array, gain: float = 0.5, *, kind: str = "Linear", wrong: float = 0) -> Finding:
    return unscaled_input(classes(wrong, linear(inputs, gain, kind=kind), inputs=inputs))


@pytest.mark.parametrize(
    ("inputs", "level"),
    [
        (noise(ROWS, 5), Level.OK),
        (np.abs(noise(ROWS, 5)) % 1, Level.OK),
        (16 * (np.abs(noise(ROWS, 64)) % 1), Level.OK),  # digits as scikit-learn has them
        (noise(ROWS, 5) * [1, 1, 1, 1, 50], Level.WARNING),
        (noise(ROWS, 5) + np.array([0, 0, 0, 0, 2000]), Level.WARNING),  # a year
        (noise(ROWS, 5) * 1e-4, Level.WARNING),
        (noise(ROWS, 5) * [10, 0.05, 0.05, 0.05, 0.05], Level.WARNING),
        (255 * (np.abs(noise(ROWS, 64)) % 1).reshape(ROWS, 1, 8, 8), Level.WARNING),
    ],
    ids=["normal", "unit", "digits", "one large", "offset", "tiny", "uneven", "bytes"],
)
def test_inputs_far_from_unit_scale_are_a_warning(inputs: FloatArray, level: Level) -> None:
    assert judged(inputs).level is level


def test_a_network_that_learned_little_from_them_makes_it_a_problem() -> None:
    assert judged(100 * noise(ROWS, 5), wrong=0.5).level is Level.PROBLEM
    assert judged(noise(ROWS, 5), wrong=0.5).level is Level.OK


def test_columns_that_are_constant_or_mostly_zero_do_not_count_as_small_ones() -> None:
    sparse = noise(ROWS, 8)
    sparse[:, 1:] *= (np.arange(ROWS) % 50 == 0)[:, None] * 0.01
    sparse[:, 2] = 3.0
    assert judged(sparse).level is Level.OK


@pytest.mark.parametrize("kind", ["BatchNorm1d", "LayerNorm"])
def test_a_network_that_normalises_first_may_be_given_anything(kind: str) -> None:
    assert judged(1000 * noise(ROWS, 5), 1.0, kind=kind).level is Level.OK


def test_a_network_that_scales_in_its_own_code_is_told_by_its_first_layer() -> None:
    x = noise(ROWS, 64).reshape(ROWS, 1, 8, 8) * 80 + 120
    assert judged(x, 0.5 / 255).level is Level.OK
    assert judged(x, 0.5).level is Level.WARNING
    # What is bounded hides the scale and does not tell.
    assert judged(np.tile(100 * noise(ROWS, 5), 1), 1e-3, kind="GRU").level is Level.WARNING


def test_tokens_are_no_numbers() -> None:
    tokens = np.arange(ROWS * 4).reshape(ROWS, 4) % 90
    features = classes(0, linear(tokens, 0.1, kind="Embedding"), inputs=tokens)
    assert unscaled_input(features).level is Level.UNKNOWN
    assert features.inputs is None


def test_the_scale_of_doubled_data_and_of_other_units_is_the_same() -> None:
    x = noise(ROWS, 5) * [1, 1, 1, 1, 50]
    seen = regression(x[:, :1], x[:, :1], inputs=x)
    twice = regression(
        np.tile(x[:, :1], (2, 1)), np.tile(x[:, :1], (2, 1)), inputs=np.tile(x, (2, 1))
    )
    one, two = (inputs_of(o, split="train") for o in (seen, twice))
    assert one is not None
    assert two is not None
    assert (one.column, one.columns) == (4, 5)
    assert one.greatest == pytest.approx(np.sqrt(np.mean(x[:, 4] ** 2)))
    assert one.spread == pytest.approx(50, rel=0.2)
    assert two.greatest == pytest.approx(one.greatest)
    assert two.spread == pytest.approx(one.spread)


# --- scale of the targets -------------------------------------------------------------------------


def fitted(
    scale: float, left: float, *, offset: float = 0.0, rows: int = 400, bent: bool = False
) -> Features:
    """A regression on three inputs, of whose variance a share is left."""
    x = noise(rows, 3)
    y = x @ [1.0, -1.0, 0.5] + (x[:, 0] * x[:, 1] if bent else 0) + 0.3 * noise(rows, 1)[:, 0]
    outputs = y + np.sqrt(left) * y.std() * noise(rows, 1, seed=1)[:, 0]
    at = scale * (y[:, None] / y.std() + offset), scale * (outputs[:, None] / y.std() + offset)
    return measure({"train": regression(*at, inputs=x)}, split="train", most=FEW)


def test_targets_near_unit_scale_are_all_right_however_badly_they_are_met() -> None:
    for left in (0.0, 0.5, 2.0):
        assert unscaled_target(fitted(1.0, left)).level is Level.OK


def test_large_targets_are_a_note_when_met_and_a_warning_when_a_quadratic_meets_them_better() -> (
    None
):
    # The noise is 0.04 of the variance, and a quadratic fit leaves that.
    levels = [unscaled_target(fitted(50, left, offset=3, bent=True)).level
              for left in (0.001, 0.02, 0.2, 0.9)]  # fmt: skip
    assert levels == [Level.NOTE, Level.NOTE, Level.WARNING, Level.PROBLEM]
    assert unscaled_target(fitted(1e-4, 0.9)).level is Level.PROBLEM


def test_a_quadratic_leaves_the_noise_and_is_not_flattered_by_its_terms() -> None:
    x = noise(200, 8)
    only_noise = regression(noise(200, 1, seed=1), noise(200, 1), inputs=x)
    assert quadratic_left(only_noise) == pytest.approx(1.0, abs=0.25)  # 45 terms for 200 samples
    bent = x[:, :1] * x[:, 1:2] + x[:, 2:3] ** 2
    assert quadratic_left(regression(bent, bent, inputs=x)) == pytest.approx(0.0, abs=1e-12)
    for other in (1e6 * x + 1e9, np.repeat(x, 1, axis=0)[::-1]):
        same = bent if other[0, 0] > 1e8 else bent[::-1]
        assert quadratic_left(regression(same, same, inputs=other)) == pytest.approx(0, abs=1e-6)


def test_without_a_table_or_enough_samples_there_is_no_fit() -> None:
    y = noise(50, 1)
    assert np.isnan(quadratic_left(regression(y, y, inputs=noise(50, 24).reshape(50, 24, 1))))
    assert np.isnan(quadratic_left(regression(y, y, inputs=noise(50, 40))))
    assert np.isnan(quadratic_left(regression(np.ones((50, 1)), y)))


def test_classes_have_no_scale() -> None:
    features = classes(0.0)
    assert features.targets is None
    assert unscaled_target(features).level is Level.UNKNOWN


# --- units ----------------------------------------------------------------------------------------


def tanh(gain: float, *, seed: int = 0) -> FloatArray:
    return np.asarray(np.tanh(gain * noise(ROWS, 32, seed=seed)))


@pytest.mark.parametrize(
    ("gain", "level"),
    [(1.0, Level.OK), (3.0, Level.OK), (8.0, Level.WARNING), (40.0, Level.PROBLEM)],
)
@pytest.mark.parametrize("kind", ["Tanh", "Sigmoid"])
def test_normal_sums_saturate_from_about_six_deviations_on(
    kind: str, gain: float, level: Level
) -> None:
    values = tanh(gain) if kind == "Tanh" else 0.5 + 0.5 * tanh(gain)
    finding = saturated_units(classes(0.0, layer("act", values, kind=kind)))
    assert finding.level is level
    assert finding.evidence[0].where == "act"


def test_the_last_layer_may_be_as_sure_as_it_likes() -> None:
    targets = np.arange(ROWS) % 2
    outputs = 0.5 + 0.5 * np.tanh(20 * (targets[:, None] - 0.5))
    seen = Observation.of(
        Task("probability", 2, "binary_cross_entropy"), outputs=outputs, targets=targets,
        loss=np.zeros(ROWS), inputs=outputs,
        layers=(layer("last", outputs, kind="Sigmoid"), layer("flat", outputs, kind="Flatten")),
    )  # fmt: skip
    found = measure({"train": seen}, split="train", most=FEW)
    assert saturated_units(found).level is Level.UNKNOWN
    assert collapsed(found).level is Level.UNKNOWN


def test_units_of_a_layer_that_is_given_the_same_for_all_samples_are_not_dead() -> None:
    bias = np.random.default_rng(0).normal(size=32)
    line = bias + 1e-6 * noise(ROWS, 32)
    found = classes(0.6, layer("fc", line), layer("act", np.maximum(line, 0), kind="ReLU"))
    assert dead_units(found).level is Level.UNKNOWN  # half of them are off
    assert collapsed(found).level is Level.PROBLEM
    silent = classes(0.6, layer("fc", line - 20), layer("act", np.zeros((ROWS, 32)), kind="ReLU"))
    assert dead_units(silent).level is Level.PROBLEM


@pytest.mark.parametrize(("units", "level"), [(1, Level.NOTE), (16, Level.WARNING)])
def test_half_of_the_units_dead_count_where_the_network_fails_on_more_than_one_direction(
    units: int, level: Level
) -> None:
    line = noise(ROWS, units) @ noise(units, 32, seed=1)
    act = np.maximum(line, 0) * (np.arange(32) < 14)
    for wrong, expected in ((0.0, Level.NOTE), (0.5, level)):
        found = classes(wrong, layer("fc", line), layer("act", act, kind="ReLU"))
        assert dead_units(found).level is expected


@pytest.mark.parametrize(("units", "level"), [(1, Level.NOTE), (16, Level.WARNING)])
def test_three_fifths_of_the_units_dead_count_on_more_than_one_direction(
    units: int, level: Level
) -> None:
    line = noise(ROWS, units) @ noise(units, 32, seed=1)
    act = np.maximum(line, 0) * (np.arange(32) < 12)
    found = classes(0.0, layer("fc", line), layer("act", act, kind="ReLU"))
    assert dead_units(found).level is level


def test_units_behind_weights_that_are_all_zero_are_not_dead_of_themselves() -> None:
    nothing = np.zeros((ROWS, 32))
    found = classes(0.6, layer("fc", nothing), layer("act", nothing, kind="ReLU"))
    assert dead_units(found).level is Level.UNKNOWN


# --- collapse -------------------------------------------------------------------------------------


def test_a_layer_that_says_the_same_of_all_samples_is_a_problem_only_beside_errors() -> None:
    same = 1.0 + 1e-4 * noise(ROWS, 16)
    for wrong, level in ((0.0, Level.OK), (0.6, Level.PROBLEM)):
        finding = collapsed(classes(wrong, layer("fine", noise(ROWS, 16)), layer("same", same)))
        assert finding.level is level
        assert finding.evidence[0].where == "same"
        assert value(finding, "variation") == pytest.approx(1e-8, rel=0.1)


def test_one_direction_is_too_few_for_three_classes_and_enough_for_two() -> None:
    line = noise(ROWS, 1) * noise(1, 16, seed=1)
    for count, wrong, level in (
        (3, 0.5, Level.WARNING), (3, 0.02, Level.OK), (2, 0.4, Level.OK),
    ):  # fmt: skip
        found = classes(wrong, layer("wide", noise(ROWS, 16)), layer("line", line), count=count)
        finding = collapsed(found)
        assert finding.level is level
        if level is Level.WARNING:
            assert finding.evidence[0].where == "line"


def test_a_sequence_of_single_numbers_is_narrow_to_begin_with() -> None:
    one = layer("embed", noise(ROWS, 1), kind="Identity")
    sequence = noise(ROWS, 24).reshape(ROWS, 24, 1)
    rest = layer("rnn", noise(ROWS, 20), kind="RNN")
    assert collapsed(classes(0.6, one, rest, inputs=sequence)).level is Level.OK
    table = classes(0.6, layer("narrow", noise(ROWS, 1)), rest, inputs=noise(ROWS, 24))
    assert collapsed(table).level is Level.WARNING


# --- small trainings ------------------------------------------------------------------------------


def trained(make: Callable[[], nn.Module], *, scale: float = 1.0, epochs: int = 60) -> Features:
    """Train on four clouds, three of which lie around the first one."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 400)
    centres = np.array([[0, 0], [3, 0], [-1.5, 2.6], [-1.5, -2.6]])
    x = ((centres[y] + 0.6 * rng.normal(size=(400, 2))) * scale).astype(np.float32)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = make()
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(epochs):
            optimiser.zero_grad()
            outputs = model(torch.from_numpy(x))
            loss = nn.functional.cross_entropy(outputs, torch.from_numpy(y))
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return ks.features(model, x, y, split="train", rows=FEW)


def stack(
    depth: int, activation: Callable[[], nn.Module], *, gain: float = 1.0
) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        widths = [2, *[16] * depth, 4]
        parts: list[nn.Module] = []
        for a, b in pairwise(widths):
            line = nn.Linear(a, b)
            line.weight.data *= gain
            parts += [line, activation()]
        return nn.Sequential(*parts[:-1])

    return make


def alarms(found: Features) -> set[str]:
    findings = [rule(found) for rule in VIEW.rules]
    return {one.rule.partition(".")[2] for one in findings if one.level >= Level.WARNING}


@pytest.mark.parametrize(
    ("make", "scale", "expected"),
    [
        (stack(2, nn.ReLU), 1.0, set()),
        (stack(2, nn.Tanh), 1.0, set()),
        (stack(6, nn.Sigmoid), 1.0, {"collapsed"}),
        (stack(3, nn.Tanh, gain=15.0), 1.0, {"saturated_units"}),
        (stack(2, nn.Tanh), 100.0, {"saturated_units", "unscaled_input"}),
    ],
    ids=["relu", "tanh", "deep sigmoid", "large weights", "large inputs"],
)
def test_small_trainings_have_the_disease_that_was_put_into_them(
    make: Callable[[], nn.Module], scale: float, expected: set[str]
) -> None:
    assert alarms(trained(make, scale=scale)) == expected


# --- any features ---------------------------------------------------------------------------------

NUMBERS = st.floats() | st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300])
COUNTS = st.integers(0, 100)
SCALES = st.none() | st.builds(
    Scale, st.just("train"), COUNTS, NUMBERS, COUNTS, NUMBERS, st.booleans(), NUMBERS,
    st.booleans(),
)  # fmt: skip
SEPARATIONS = st.builds(
    Separation, st.sampled_from(["", "act"]), st.sampled_from(["ReLU", "Tanh"]), COUNTS, st.none(),
    NUMBERS, NUMBERS, NUMBERS, COUNTS, st.none() | COUNTS, COUNTS, st.booleans(),
    st.none() | NUMBERS, NUMBERS,
)  # fmt: skip
ANY = st.builds(
    Features, st.just("test"), st.lists(SEPARATIONS, max_size=4).map(tuple), st.just(()),
    st.just(Projected({}, {}, 0)), SCALES, SCALES, NUMBERS, COUNTS, NUMBERS,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(ANY)
def test_every_rule_answers_whatever_the_features_are(features: Features) -> None:
    for rule in VIEW.rules:
        finding = rule(features)
        assert finding.rule == id_of(VIEW, rule)
        assert finding.summary


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 3), st.integers(0, 40), st.sampled_from(["f", "i", "nan", "huge"]))
def test_odd_inputs_are_measured_or_left_out(ndim: int, rows: int, kind: str) -> None:
    shape = (rows, *[3] * ndim)
    x = np.random.default_rng(0).normal(size=shape) * 10
    x = {"f": x, "i": x.astype(int), "nan": np.where(x > 0, np.nan, x), "huge": x * 1e306}[kind]
    seen = replace(regression(noise(5, 1), noise(5, 1)), inputs=x, input_rows=np.arange(rows))
    assert inputs_of(seen, split="train") is None or ndim > 0
    assert not quadratic_left(seen) < 0
    assert targets_of(replace(seen, wanted=x), split="train") is None or rows > 1


def test_the_order_of_classes_and_doubled_data_change_no_verdict() -> None:
    inside = (layer("wide", noise(ROWS, 16)), layer("act", tanh(9.0), kind="Tanh"))
    one = classes(0.4, *inside)

    def again(labels: IntArray, repeat: int) -> list[Level]:
        targets = np.tile(labels, repeat)
        layers = tuple(layer(o.name, np.tile(o.features, (repeat, 1)), kind=o.kind) for o in inside)
        answers = np.where(np.arange(ROWS) < 0.4 * ROWS, (labels + 1) % 3, labels)
        outputs = np.tile(np.eye(3)[answers], (repeat, 1))
        seen = Observation.of(
            Task("logits", 3, "cross_entropy"), outputs=outputs, targets=targets,
            loss=np.zeros(len(targets)), inputs=np.tile(noise(ROWS, 5), (repeat, 1)),
            layers=(*layers, layer("out", outputs)),
        )  # fmt: skip
        return [
            rule(measure({"train": seen}, split="train", most=FEW)).level for rule in VIEW.rules
        ]

    expected = [rule(one).level for rule in VIEW.rules]
    labels = np.arange(ROWS) % 3
    assert again(labels, 1) == again((labels + 1) % 3, 1) == again(labels, 2) == expected
