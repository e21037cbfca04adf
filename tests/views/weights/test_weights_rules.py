"""Rules of weights: each disease put into real layers, and healthy ones that look like it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor, nn

import kashika as ks
from kashika.distribution import Array, Distribution
from kashika.parameters import Initial, Parameter, copied_share, initials
from kashika.view import Finding, Level, id_of
from kashika.views.weights import VIEW, Weights, measure
from kashika.views.weights.rules import identical_units, large, untrained, zero
from kashika.views.weights.starts import starts_of


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with ks.speaking("en"):
        yield


def seeded(make: Callable[[], nn.Module], *, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return make()


def perceptron(*widths: int, seed: int = 0) -> nn.Sequential:
    made = seeded(lambda: nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(widths))), seed=seed)
    assert isinstance(made, nn.Sequential)
    return made


def moved(module: nn.Module, by: float, *, seed: int = 1) -> nn.Module:
    """Move every value of a module by up to so much, as a training would."""
    with torch.random.fork_rng([]), torch.no_grad():
        torch.manual_seed(seed)
        for one in module.parameters():
            one.add_(torch.empty_like(one).uniform_(-by, by))
    return module


def of(values: Array, *, initial: Initial | None = None, name: str = "fc.weight") -> Parameter:
    copied = copied_share(values)
    return Parameter(name, "Linear", Distribution.of(values), initial, None, copied)


def placed(finding: Finding) -> list[str]:
    return [one.where for one in finding.evidence if one.where]


# --- copies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("entries", [1, 2, 3, 50])
def test_random_rows_are_no_copies_however_short_they_are(entries: int) -> None:
    rng = np.random.default_rng(0)
    assert copied_share(rng.uniform(-1, 1, (256, entries))) == 0.0


@pytest.mark.parametrize("entries", [1, 2, 3, 50])
@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
def test_equal_rows_are_copies_at_any_scale_and_in_any_order(entries: int, scale: float) -> None:
    row = np.random.default_rng(0).normal(size=entries)
    assert copied_share(scale * np.tile(row, (40, 1))) == 1.0
    pairs = np.random.default_rng(1).normal(size=(20, entries))
    twice = np.random.default_rng(2).permutation(np.repeat(pairs, 2, axis=0))
    assert copied_share(scale * twice) == 20 / 39


def test_copies_that_rounding_pulled_apart_are_copies_and_scaled_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    row = rng.normal(size=50)
    assert copied_share(row + 1e-4 * rng.normal(size=(40, 50))) == 1.0
    assert copied_share(np.outer(1.1 ** np.arange(40), row)) == 0.0


def test_kernels_are_rows_and_large_matrices_are_looked_at_in_part() -> None:
    rng = np.random.default_rng(0)
    assert copied_share(np.tile(rng.normal(size=(1, 3, 5, 5)), (16, 1, 1, 1))) == 1.0
    assert copied_share(rng.normal(size=(16, 3, 5, 5))) == 0.0
    assert copied_share(np.tile(rng.normal(size=5000).astype(np.float32), (1000, 1))) == 1.0


@pytest.mark.parametrize(
    "values", [np.ones(4), np.ones((1, 4)), np.ones((0, 4)), np.array([[1.0, np.nan], [1, 2]])]
)
def test_of_no_two_finite_rows_nobody_can_tell(values: Array) -> None:
    assert np.isnan(copied_share(values))


def test_zero_rows_are_pruned_units_and_no_copies() -> None:
    values = np.random.default_rng(0).normal(size=(40, 8))
    values[10:] = 0
    assert copied_share(values) == 0.0
    assert copied_share(np.zeros((40, 8))) == 0.0


def test_a_file_says_the_same_of_copies_as_the_network(tmp_path: Path) -> None:
    model = perceptron(8, 12, 12)
    model[1].weight.data.fill_(0.1)  # type: ignore[operator]
    for name, dtype in (("whole", torch.float32), ("half", torch.bfloat16)):
        torch.save(model.to(dtype).state_dict(), tmp_path / f"{name}.pth")
        shares = [one.copied for one in ks.weights(tmp_path / f"{name}.pth").parameters]
        np.testing.assert_array_equal(shares, [0.0, np.nan, 1.0, np.nan])


# --- identical units ------------------------------------------------------------------------------


def trained(model: nn.Module, *, seed: int = 0) -> nn.Module:
    """Take 50 steps of Adam on four clouds."""
    rng = np.random.default_rng(seed)
    y = torch.tensor(rng.integers(0, 4, 200))
    x = torch.tensor(rng.normal(size=(200, 8)), dtype=torch.float32) + 2.0 * nn.functional.one_hot(
        y, 8
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(50):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return model


def net(start: Callable[[Tensor], Tensor] | None = None) -> nn.Module:
    def make() -> nn.Module:
        made = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16), nn.Tanh(),
                             nn.Linear(16, 4))  # fmt: skip
        for one in made.parameters():
            if start is not None:
                start(one.data)
        return made

    return seeded(make)


@pytest.mark.parametrize("value", [0.02, 0.1, 0.5])
def test_constant_initialisation_leaves_copies_after_training(value: float) -> None:
    model = trained(net(lambda one: nn.init.constant_(one, value)))
    finding = identical_units(ks.weights(model))
    assert finding.level is Level.PROBLEM
    assert {"0.weight", "2.weight"} & set(placed(finding))


def test_random_initialisation_leaves_none() -> None:
    finding = identical_units(ks.weights(trained(net())))
    assert finding.level is Level.OK
    assert finding.evidence[0].value == 0


def test_weights_that_are_all_zero_are_copies_and_zero() -> None:
    weights = ks.weights(trained(net(nn.init.zeros_)))
    assert identical_units(weights).level is Level.PROBLEM
    finding = zero(weights)
    assert finding.level is Level.PROBLEM
    assert placed(finding) == ["0.weight", "2.weight", "4.weight"]


def test_a_table_of_words_may_hold_the_same_word_twice() -> None:
    rows = np.ones((40, 8))
    table = replace(of(rows), kind="Embedding")
    assert identical_units(Weights((table,))).level is Level.UNKNOWN
    assert identical_units(Weights((of(rows),))).level is Level.PROBLEM


# --- zero -----------------------------------------------------------------------------------------


def test_a_bias_may_be_zero_and_a_weight_may_not() -> None:
    weight, nothing = np.random.default_rng(0).normal(size=(4, 4)), np.zeros(4)
    assert zero(Weights((of(weight), of(nothing, name="fc.bias")))).level is Level.OK
    assert zero(Weights((of(weight), of(nothing, name="norm.weight")))).level is Level.PROBLEM
    weight[1:] = 0
    assert zero(Weights((of(weight),))).level is Level.OK


# --- large ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gain", "level"),
    [(1.0, Level.OK), (3.0, Level.OK), (6.0, Level.WARNING), (10.0, Level.WARNING),
     (30.0, Level.PROBLEM)],
)  # fmt: skip
def test_weights_that_were_drawn_so_large_are_found_by_their_even_spread(
    gain: float, level: Level
) -> None:
    model = perceptron(64, 64, 32, 10)
    with torch.no_grad():
        for one in model.parameters():
            one.mul_(gain)
    finding = large(ks.weights(moved(model, 0.05)))
    assert finding.level is level
    assert finding.evidence[0].value == pytest.approx(gain, rel=0.3)


def test_weights_that_grew_in_training_may_be_nine_times_as_large() -> None:
    rng = np.random.default_rng(0)
    start = Initial("uniform", 0.0, 1 / 8)

    def grown(times: float) -> Weights:
        names = ("a.weight", "b.weight")
        values = [rng.standard_t(5, (64, 64)) for _ in names]
        values = [times * start.sd * one / np.sqrt(np.mean(one**2)) for one in values]
        return Weights(
            tuple(of(v, initial=start, name=n) for v, n in zip(values, names, strict=True))
        )

    levels = [large(grown(times)).level for times in (3.0, 9.2, 15.0, 25.0)]
    assert levels == [Level.OK, Level.OK, Level.WARNING, Level.PROBLEM]


def test_one_layer_may_be_as_large_as_the_targets_ask_for() -> None:
    model = perceptron(10, 40, 40, 1)
    with torch.no_grad():
        model[2].weight.data.mul_(300)  # type: ignore[operator]
    finding = large(ks.weights(model))
    assert finding.level is Level.OK
    assert finding.evidence[1].where == "2.weight"
    assert large(ks.weights(nn.Linear(5, 1))).level is Level.UNKNOWN


@pytest.mark.parametrize("draw", [nn.init.kaiming_normal_, nn.init.kaiming_uniform_,
                                  nn.init.xavier_normal_, nn.init.xavier_uniform_,
                                  nn.init.orthogonal_])  # fmt: skip
def test_no_usual_initialisation_is_large(draw: Callable[[Tensor], Tensor]) -> None:
    model = perceptron(64, 64, 64, 64)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        for one in model.parameters():
            if one.ndim > 1:
                draw(one)
    assert large(ks.weights(model)).level is Level.OK


# --- untrained ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("still", [0, 1, 2])
def test_a_layer_that_did_not_move_is_named_beside_others_that_did(seed: int, still: int) -> None:
    model = perceptron(20, 32, 32, 10, seed=seed)
    for place, layer in enumerate(model):
        if place != still:
            moved(layer, 0.2)
    finding = untrained(ks.weights(model))
    assert finding.level >= Level.WARNING
    assert placed(finding) == [f"{still}.weight"]


@pytest.mark.parametrize("by", [1e-6, 1e-4, 1e-2, 0.1, 1.0])
def test_layers_that_all_moved_by_whatever_little_are_trained(by: float) -> None:
    assert untrained(ks.weights(moved(perceptron(20, 32, 32, 10), by))).level is Level.OK


def test_a_gradient_that_vanished_moved_the_layer_all_the_same() -> None:
    model = perceptron(20, 32, 32, 10)
    for layer, by in zip(model, (1e-7, 1e-3, 0.3), strict=True):
        moved(layer, by)
    assert untrained(ks.weights(model)).level is Level.OK


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "Conv1d", "MultiheadAttention"])
def test_layers_of_other_types_are_recognised_as_well(kind: str) -> None:
    made = {
        "LSTM": lambda: nn.LSTM(6, 12), "GRU": lambda: nn.GRU(6, 12),
        "Conv1d": lambda: nn.Conv1d(6, 12, 5),
        "MultiheadAttention": lambda: nn.MultiheadAttention(12, 2),
    }[kind]  # fmt: skip
    model = nn.ModuleDict({"still": seeded(made), "other": moved(perceptron(12, 32), 0.3)})
    finding = untrained(ks.weights(model))
    assert finding.level >= Level.WARNING
    assert placed(finding)[0].startswith("still.")
    moved(model["still"], 0.3)
    assert untrained(ks.weights(model)).level is Level.OK


def test_norms_at_ones_and_zeros_tell_only_beside_norms_that_moved() -> None:
    model = nn.ModuleDict(
        {"fc": moved(perceptron(20, 32, 10), 0.3), "one": nn.LayerNorm(32),
         "two": nn.LayerNorm(32)}
    )  # fmt: skip
    assert untrained(ks.weights(model)).level is Level.OK
    moved(model["two"], 0.1)
    assert placed(untrained(ks.weights(model))) == ["one.weight"]


def test_what_the_user_says_was_frozen_is_no_fault() -> None:
    model = nn.ModuleDict({"trunk": perceptron(20, 64), "head": moved(perceptron(64, 10), 0.3)})
    parameters = ks.weights(model).parameters
    assert untrained(measure(parameters)).level is Level.PROBLEM  # two thirds of all values
    assert untrained(measure(parameters, frozen=["trunk.*"])).level is Level.OK
    for one in model["trunk"].parameters():
        one.requires_grad = False  # of itself that excuses nothing
    assert untrained(ks.weights(model)).level is Level.PROBLEM


def test_if_nothing_moved_at_all_the_weights_are_those_from_before() -> None:
    assert untrained(ks.weights(perceptron(20, 64, 10))).level is Level.PROBLEM
    assert untrained(ks.weights(perceptron(2, 8, 2))).level is not Level.PROBLEM  # too few to tell


def test_half_precision_and_large_layers_are_judged_without_their_last_digits(
    tmp_path: Path,
) -> None:
    model = perceptron(300, 300, 300)
    moved(model[1], 0.01)
    torch.save({k: v.bfloat16() for k, v in model.state_dict().items()}, tmp_path / "model.pth")
    for weights in (ks.weights(model), ks.weights(tmp_path / "model.pth")):
        assert placed(untrained(weights)) == ["0.weight"]


def test_a_small_layer_without_its_digits_needs_others_that_moved_far() -> None:
    start = Initial("uniform", 0.0, 1.0)
    values = np.linspace(-0.99, 0.99, 80)
    still = of(values.reshape(8, 10), initial=start, name="a.weight")  # float64: no digits

    def beside(by: float) -> Level:
        other = of(np.append(values, 1 + by).reshape(9, 9), initial=start, name="b.weight")
        return untrained(measure([still, other])).level

    assert beside(0.05) is Level.OK
    assert beside(0.5) >= Level.WARNING


@pytest.mark.parametrize("fan", [1, 2, 3, 64, 100, 784])
def test_a_real_drawing_is_recognised_in_most_of_a_hundred_seeds(fan: int) -> None:
    shape = (max(64, 2_000 // fan), fan)
    start = initials("Linear", {"weight": shape})["weight"]
    found = 0
    for seed in range(100):
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            values = torch.empty(shape).uniform_(-start.width, start.width).numpy()
        (one,) = starts_of([of(values, initial=start)])
        found += one.untouched is True
    assert found >= 98  # of the tests one fails in a thousand


# --- any weights ----------------------------------------------------------------------------------

FLOATS = st.floats(width=32) | st.sampled_from([0.0, np.nan, np.inf, -np.inf, 3e38, 1e-45])
STARTS = st.none() | st.builds(
    Initial, st.sampled_from(["uniform", "normal", "constant"]), st.floats(-1, 1),
    st.sampled_from([0.0, 1e-30, 0.1, 1.0]),
)  # fmt: skip


@st.composite
def any_weights(draw: st.DrawFn) -> Weights:
    made = []
    for place in range(draw(st.integers(0, 4))):
        shape = draw(arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
        values = draw(arrays.arrays(np.float32, shape, elements=FLOATS))
        start = draw(STARTS)
        if start is not None and start.family != "constant" and not start.width:
            start = None
        name = f"{draw(st.sampled_from('ab'))}.{draw(st.sampled_from(['weight', 'bias']))}"
        one = of(values, initial=start, name=f"{place}{name}")
        made.append(replace(one, kind=draw(st.sampled_from([None, "Linear", "Embedding"]))))
    return measure(made, frozen=draw(st.sampled_from([(), ("*",), ("0*",)])))


@settings(max_examples=150, deadline=None)
@given(any_weights())
def test_every_rule_answers_whatever_the_weights_are(weights: Weights) -> None:
    for rule in VIEW.rules:
        finding = rule(weights)
        assert finding.rule == id_of(VIEW, rule)
        assert finding.summary


@pytest.mark.parametrize("kind", ["weight", "nothing"])
def test_every_level_has_its_words_in_both_languages(kind: str) -> None:
    model = perceptron(20, 64, 10) if kind == "weight" else perceptron(2, 2)
    for lang in ("en", "ja"):
        with ks.speaking(lang):
            for rule in VIEW.rules:
                assert rule(ks.weights(model)).summary


def test_the_bound_of_a_layer_is_one_over_the_root_of_its_inputs() -> None:
    (one, *_) = starts_of(ks.weights(perceptron(16, 64, 4)).parameters)
    assert one.untouched is True
    assert one.moved <= 0
    assert one.moved == pytest.approx(0, abs=0.02 / sqrt(16))
