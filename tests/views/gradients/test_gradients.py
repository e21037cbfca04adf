"""Gradients: where the signal vanishes, and where it is only small because nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

import kashika as ks
from kashika.distribution import Distribution, FloatArray
from kashika.naming import Split
from kashika.views.gradients import VIEW, Gradient, Gradients
from kashika.views.gradients.pictures import draw_by_layer, draw_histogram, draw_norms
from kashika.views.gradients.rules import vanishing
from kashika.views.gradients.tables import parameters, without


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with ks.speaking("en"):
        yield


def chain(
    depth: int, gain: float, *, scale: float = 1.0, weights: float = 1.0, learned: float = 1.0
) -> Gradients:
    """Gradients of equal layers, each of which multiplies by `gain` on the way back.

    The loss is `learned` times that of a constant answer.
    """
    shape = (3, 3)
    return Gradients(
        "test",
        tuple(
            Gradient(
                f"{i}.weight",
                Distribution.of(np.full(shape, scale * gain ** (depth - 1 - i))),
                Distribution.of(np.full(shape, weights)),
            )
            for i in range(depth)
        ),
        loss=scale * learned,
        chance_loss=scale,
    )


X = np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


def deep(activation: Callable[[], nn.Module], *, depth: int = 20, factor: float = 1.0) -> nn.Module:
    """Twenty layers of 32 units by He, and a head."""
    parts: list[nn.Module] = []
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        for _ in range(depth):
            line = nn.Linear(32, 32)
            nn.init.kaiming_normal_(line.weight)
            line.weight.data *= factor
            nn.init.zeros_(line.bias)
            parts += [line, activation()]
        return nn.Sequential(*parts, nn.Linear(32, 2))


# --- vanishing ------------------------------------------------------------------------------------


def test_ten_layers_of_gain_one_third_vanish_and_ten_of_gain_one_do_not() -> None:
    assert vanishing(chain(10, 1 / 3)).level is ks.Level.PROBLEM  # 3 ** -9 = 5e-5
    assert vanishing(chain(10, 1.0)).level is ks.Level.OK
    assert vanishing(chain(10, 3.0)).level is ks.Level.OK


def test_the_ratio_is_that_of_the_first_layer_over_the_last() -> None:
    finding = vanishing(chain(10, 1 / 3))
    ratio, last, learned = finding.evidence
    assert ratio.value == pytest.approx(3.0**-9)
    assert ratio.limit == 1e-3
    assert (ratio.where, last.where) == ("0.weight", "9.weight")
    assert (learned.value, learned.limit) == (1.0, 0.1)
    assert finding.summary == (
        "In relation to the weights, the gradient of 0.weight is only 5e-05 times that of "
        "9.weight, and the loss is still 100% of that of a constant answer."
    )


def test_the_verdict_depends_on_neither_the_unit_of_the_loss_nor_that_of_the_weights() -> None:
    for scale in (1e-6, 1.0, 1e6):
        for weights in (1e-3, 1.0, 1e3):
            finding = vanishing(chain(10, 1 / 3, scale=scale, weights=weights))
            assert finding.level is ks.Level.PROBLEM
            assert finding.evidence[0].value == pytest.approx(3.0**-9)


def test_where_nothing_is_left_to_learn_nothing_vanishes() -> None:
    assert vanishing(chain(10, 1 / 3, learned=0.05)).level is ks.Level.OK
    assert vanishing(chain(10, 1 / 3, learned=0.2)).level is ks.Level.PROBLEM


def test_where_the_loss_cannot_be_compared_with_chance_vanishing_is_unknown() -> None:
    assert vanishing(chain(10, 1 / 3, learned=np.nan)).level is ks.Level.UNKNOWN
    assert vanishing(chain(10, 1.0, learned=np.nan)).level is ks.Level.OK


def test_a_dead_network_is_unknown_not_healthy() -> None:
    assert vanishing(chain(3, 0.0, scale=0.0)).level is ks.Level.UNKNOWN


def test_one_layer_has_nothing_to_be_compared_with() -> None:
    assert vanishing(chain(1, 1.0)).level is ks.Level.UNKNOWN
    assert vanishing(Gradients("test", ())).level is ks.Level.UNKNOWN


def test_a_gradient_that_is_not_finite_leaves_vanishing_unknown() -> None:
    broken = Gradient(
        "9.weight", Distribution.of(np.full((3, 3), np.nan)), Distribution.of(np.ones((3, 3)))
    )
    found = Gradients("test", (*chain(3, 1.0).gradients, broken), loss=1.0, chance_loss=1.0)
    assert vanishing(found).level is ks.Level.UNKNOWN


def test_twenty_layers_of_sigmoid_vanish_and_twenty_of_relu_by_he_do_not() -> None:
    sigmoid, relu = (ks.gradients(deep(one), X, Y) for one in (nn.Sigmoid, nn.ReLU))
    assert vanishing(sigmoid).level is ks.Level.PROBLEM
    assert vanishing(sigmoid).evidence[0].value < 1e-9
    assert vanishing(relu).level is ks.Level.OK
    assert vanishing(relu).evidence[0].value > 0.01


def test_a_network_that_explodes_does_not_vanish() -> None:
    assert vanishing(ks.gradients(deep(nn.ReLU, factor=3.0), X, Y)).level is ks.Level.OK


def test_a_network_that_has_converged_has_small_gradients_and_no_disease() -> None:
    class Sure(nn.Module):
        """Right by a wide margin, through two layers of which the first hardly matters."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(32, 1, bias=False), nn.Linear(1, 2, bias=False)
            self.first.weight.data = torch.zeros(1, 32)
            self.first.weight.data[0, 0] = 1e6
            self.last.weight.data = torch.tensor([[-1e-3], [1e-3]])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.last(self.first(x))
            return logits

    found = ks.gradients(Sure(), X, Y)
    assert found.loss < 0.1 * found.chance_loss
    assert vanishing(found).level is ks.Level.OK


def test_a_network_whose_units_are_all_off_is_unknown() -> None:
    model = deep(nn.ReLU, depth=2)
    for line in model.modules():
        if isinstance(line, nn.Linear):
            nn.init.constant_(line.bias, -1e3)
            nn.init.zeros_(line.weight)
    assert vanishing(ks.gradients(model, X, Y)).level is ks.Level.UNKNOWN


# --- numbers --------------------------------------------------------------------------------------


def test_the_relative_gradient_is_the_rms_over_the_rms_of_the_weights() -> None:
    model = deep(nn.Tanh, depth=2)
    found = ks.gradients(model, X, Y)
    torch.autograd.backward(nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(Y)))

    def rms(values: torch.Tensor) -> float:
        return float(values.detach().double().square().mean().sqrt())

    expected = {
        name: rms(one.grad) / rms(one)
        for name, one in model.named_parameters()
        if one.grad is not None and one.ndim > 1
    }
    assert found.relative == pytest.approx(expected, rel=1e-5)
    assert list(found.relative) == ["0.weight", "2.weight", "4.weight"]


def test_weights_that_are_all_zero_have_no_relative_gradient() -> None:
    one = Gradient("w", Distribution.of(np.ones((2, 2))), Distribution.of(np.zeros((2, 2))))
    assert np.isnan(one.relative)
    assert Gradients("test", (one,)).relative == {}


def test_the_norm_is_taken_over_all_parameters_of_every_split() -> None:
    model = deep(nn.Tanh, depth=2)
    report = ks.analyze(model, train=(X, Y), valid=(X[:20], Y[:20]), views=[VIEW])
    found = report.sections[0].measurement
    assert isinstance(found, Gradients)
    sizes: dict[Split, int] = {"train": 64, "valid": 20}
    for split, rows in sizes.items():
        model.zero_grad()
        logits = model(torch.tensor(X[:rows]))
        torch.autograd.backward(nn.functional.cross_entropy(logits, torch.tensor(Y[:rows])))
        flat = torch.cat([one.grad.ravel() for one in model.parameters() if one.grad is not None])
        assert found.norms[split] == pytest.approx(float(flat.norm()), rel=1e-5)


def test_exact_zeros_are_told_apart_from_small_values() -> None:
    values = np.array([0.0, 0.0, 0.0, 1e-30, -1e-30, 1.0, -1.0, 0.5])
    one = Gradient("w", Distribution.of(values), Distribution.of(values))
    counts, edges = one.small
    assert counts.sum() == 5
    assert counts.min() >= 0
    assert (edges[0], edges[-1]) == (-1.0, 1.0)
    (row,) = parameters(Gradients("test", (one,)))
    assert row["zero_share"] == 3 / 8
    assert row["max_abs"] == 1.0


@pytest.mark.parametrize("values", [[0.0] * 4, [0.0, 1.0], [-1.0, 0.0], [2.0, 3.0], [np.nan], []])
def test_odd_gradients_are_drawn_without_their_zeros(values: list[float]) -> None:
    one = Gradient("w", Distribution.of(np.array(values)), Distribution.of(np.array(values)))
    counts, _ = one.small
    assert counts.sum() == np.isfinite(values).sum() - (np.array(values) == 0).sum()
    assert counts.min() >= 0
    axes = Figure().subplots()
    draw_histogram(one, axes)
    axes.figure.canvas.draw()


def test_parameters_without_a_gradient_say_why() -> None:
    rows = without(Gradients("test", (), unused=("a.weight",), frozen=("b.weight",)))
    assert rows == [
        {"parameter": "a.weight", "why": "the loss does not depend on it"},
        {"parameter": "b.weight", "why": "frozen"},
    ]


# --- pictures -------------------------------------------------------------------------------------


def heights(found: Gradients) -> FloatArray:
    return np.array(list(found.relative.values()))


def test_the_line_goes_from_the_input_side_to_the_output_side() -> None:
    found, axes = chain(4, 0.1), Figure().subplots()
    draw_by_layer(found, axes)
    (line,) = axes.get_lines()
    np.testing.assert_allclose(np.asarray(line.get_ydata()), [1e-3, 1e-2, 1e-1, 1])
    assert [one.get_text() for one in axes.get_xticklabels()] == list(found.relative)
    assert axes.get_yscale() == "log"
    low, high = axes.get_ylim()
    assert low < heights(found).min() < heights(found).max() < high


@pytest.mark.parametrize("gain", [0.0, 1.0, 1e-30])
def test_the_axis_holds_what_is_drawn_whatever_that_is(gain: float) -> None:
    found, axes = chain(4, gain), Figure().subplots()
    draw_by_layer(found, axes)
    axes.figure.canvas.draw()
    low, high = axes.get_ylim()
    drawn = heights(found)[heights(found) > 0]
    assert 0 < low < drawn.min()
    assert drawn.max() < high
    assert high / low > 9


def test_the_bars_are_the_norms() -> None:
    axes = Figure().subplots()
    draw_norms(Gradients("test", (), norms={"train": 1.0, "valid": 3.0}), axes)
    assert [bar.get_height() for bar in axes.patches] == [1.0, 3.0]  # type: ignore[attr-defined]
    assert [one.get_text() for one in axes.get_xticklabels()] == ["train", "valid"]


def test_the_share_of_exact_zeros_stands_above_the_histogram() -> None:
    values = Distribution.of(np.array([0.0, 1.0, 2.0, 3.0]))
    axes = Figure().subplots()
    draw_histogram(Gradient("fc.weight", values, values), axes)
    assert axes.get_title() == "fc.weight\nexactly zero: 25.0%"
    counts, _, _ = axes.patches[0].get_data()  # type: ignore[attr-defined]
    assert counts.sum() == 3
