"""Rules of gradients: what no sample moves, what is too steep, and what has only converged."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor, nn

import kashika as ks
from kashika.distribution import Array, Distribution
from kashika.view import Finding, Level, id_of
from kashika.views.gradients import VIEW, Gradient, Gradients
from kashika.views.gradients.learning_signal import LayerSignal
from kashika.views.gradients.rules import exploding, missing, nonfinite, vanishing, zero


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with ks.speaking("en"):
        yield


def gradient(name: str, values: Array, weights: Array | None = None) -> Gradient:
    shape = np.shape(values)
    return Gradient(
        name,
        Distribution.of(values),
        Distribution.of(np.ones(shape) if weights is None else weights),
    )


def layers(*scales: float, learned: float = 1.0, loss: float = 1.0) -> Gradients:
    """Matrices of ones whose gradients have these sizes everywhere, and a last bias."""
    return Gradients(
        "train",
        (
            *(gradient(f"{i}.weight", np.full((3, 3), scale)) for i, scale in enumerate(scales)),
            gradient(f"{len(scales) - 1}.bias", np.full(3, 0.1)),
        ),
        loss=learned * loss,
        chance_loss=loss,
    )


def placed(finding: Finding) -> list[str]:
    return [one.where for one in finding.evidence if one.where]


RNG = np.random.default_rng(0)
X = RNG.normal(size=(128, 16)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


def network(*layers: Callable[[], nn.Module]) -> nn.Sequential:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return nn.Sequential(*(one() for one in layers))


def line(a: int, b: int) -> Callable[[], nn.Module]:
    return lambda: nn.Linear(a, b)


def stack(depth: int, activation: Callable[[], nn.Module], *, factor: float = 1.0) -> nn.Module:
    """Layers of 16 units, and a head of two."""
    parts = [one for _ in range(depth) for one in (line(16, 16), activation)]
    made = network(*parts, line(16, 2))
    with torch.no_grad():
        for one in made.parameters():
            one.mul_(factor)
    return made


def trained(model: nn.Module, *, steps: int = 200) -> nn.Module:
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(torch.from_numpy(X)), torch.from_numpy(Y))
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return model


def alarms(model: nn.Module) -> set[str]:
    found = ks.gradients(model, X, Y)
    findings = [rule(found) for rule in VIEW.rules]
    return {one.rule.partition(".")[2] for one in findings if one.level >= Level.WARNING}


# --- networks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.GELU])
@pytest.mark.parametrize("depth", [1, 4])
def test_a_network_as_pytorch_starts_it_and_one_that_has_learned_raise_nothing(
    activation: Callable[[], nn.Module], depth: int
) -> None:
    model = stack(depth, activation)
    assert alarms(model) == set()
    assert alarms(trained(model)) == set()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (stack(12, nn.Sigmoid), {"vanishing"}),
        (stack(8, nn.ReLU, factor=8.0), {"exploding"}),
        (stack(4, nn.Tanh, factor=0.01), {"vanishing"}),
        (network(line(16, 16), nn.ReLU, line(16, 2)), set()),
    ],
    ids=["sigmoids", "large", "tiny", "healthy"],
)
def test_signals_that_are_lost_or_grow_on_the_way_are_found(
    model: nn.Module, expected: set[str]
) -> None:
    assert alarms(model) == expected


def test_a_dead_layer_leaves_exact_zeros_before_it_and_behind_it() -> None:
    model = network(line(16, 16), nn.ReLU, line(16, 16), nn.ReLU, line(16, 2))
    model[2].bias.data.fill_(-1e3)  # type: ignore[operator]
    assert alarms(model) == {"zero"}
    assert placed(zero(ks.gradients(model, X, Y))) == ["0.weight", "2.weight", "4.weight"]


class Spare(nn.Module):
    """Four layers, of which one is never called and one lies before a detach."""

    def __init__(self, *, detaches: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(16, 16), nn.Linear(16, 16)
        self.spare, self.last = nn.Linear(4, 4), nn.Linear(16, 2)
        self.detaches = detaches

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x))
        outputs: Tensor = self.last(torch.relu(self.second(x.detach() if self.detaches else x)))
        return outputs


def test_what_is_never_called_or_detached_gets_no_gradient() -> None:
    finding = missing(ks.gradients(Spare(detaches=False), X, Y))
    assert finding.level is Level.WARNING
    assert placed(finding) == ["spare.weight", "spare.bias"]
    finding = missing(ks.gradients(Spare(detaches=True), X, Y))
    assert set(placed(finding)) == {"first.weight", "first.bias", "spare.weight", "spare.bias"}


def test_half_of_the_weights_without_a_gradient_are_a_problem() -> None:
    base = layers(1.0, 1.0)
    for share, level in ((0.0, Level.OK), (0.2, Level.WARNING), (0.6, Level.PROBLEM)):
        unused = ("a.weight",) if share else ()
        found = Gradients("train", base.gradients, unused=unused, unused_share=share)
        assert missing(found).level is level
    assert missing(Gradients("train", ())).level is Level.UNKNOWN


# --- closed forms ---------------------------------------------------------------------------------


def test_one_entry_that_is_not_finite_is_a_problem() -> None:
    for bad in (np.nan, np.inf, -np.inf):
        found = Gradients("train", (gradient("a", np.ones(4)), gradient("b", np.array([1.0, bad]))))
        finding = nonfinite(found)
        assert finding.level is Level.PROBLEM
        assert placed(finding) == ["b"]
    assert nonfinite(layers(1.0)).level is Level.OK
    assert nonfinite(Gradients("train", ())).level is Level.UNKNOWN


@pytest.mark.parametrize("loss", [1e-6, 1.0, 1e6])
def test_zero_is_a_problem_while_there_is_something_to_learn(loss: float) -> None:
    assert zero(layers(0.0, 1.0, learned=1.0, loss=loss)).level is Level.PROBLEM
    assert zero(layers(0.0, 1.0, learned=0.01, loss=loss)).level is Level.NOTE
    assert zero(layers(0.0, 1.0, learned=np.nan, loss=loss)).level is Level.WARNING
    assert zero(layers(1e-30, 1.0, learned=1.0, loss=loss)).level is Level.OK


def test_a_layer_of_which_one_matrix_gets_something_is_not_zero() -> None:
    # An LSTM that is given one step only never uses its recurrent weights.
    found = Gradients(
        "train",
        (gradient("rnn.weight_ih", np.ones((4, 4))), gradient("rnn.weight_hh", np.zeros((4, 4)))),
        loss=1.0, chance_loss=1.0,
    )  # fmt: skip
    assert zero(found).level is Level.OK


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_steepness_is_that_of_the_relative_change_and_knows_no_unit(scale: float) -> None:
    # Nine weights of 1 and a gradient of g in each: 3 * 3 g in losses at chance.
    for g, level in ((1.0, Level.OK), (30.0, Level.WARNING), (300.0, Level.PROBLEM)):
        found = layers(scale * g, loss=scale)
        finding = exploding(found)
        assert finding.level is level
        assert finding.evidence[0].value == pytest.approx(9 * g)
        # Weights twice as large have half the gradient.
        other = Gradients(
            "train",
            (gradient("0.weight", np.full((3, 3), scale * g / 2), np.full((3, 3), 2.0)),),
            loss=scale, chance_loss=scale,
        )  # fmt: skip
        assert exploding(other).evidence[0].value == pytest.approx(9 * g)


def test_steepness_that_cannot_be_compared_is_unknown() -> None:
    assert exploding(layers(1e9, loss=np.nan)).level is Level.UNKNOWN
    assert exploding(Gradients("train", (), chance_loss=1.0)).level is Level.UNKNOWN


def test_single_samples_tell_what_the_mean_over_them_hides() -> None:
    # At a plateau the gradients of the samples add up to nothing in every layer alike.
    mean = layers(1e-9, 1e-9)
    assert vanishing(mean).level is Level.OK
    for first, level in ((1.0, Level.OK), (1e-4, Level.PROBLEM)):
        signals = tuple(LayerSignal(n, s, 0.0, s) for n, s in (("0", first), ("1", 1.0), ("", 1.0)))
        found = Gradients("train", mean.gradients, loss=1.0, chance_loss=1.0, signals=signals)
        finding = vanishing(found)
        assert finding.level is level
        assert finding.evidence[0].value == pytest.approx(first)


def test_where_nothing_arrives_at_all_nothing_vanishes() -> None:
    assert vanishing(layers(0.0, 1.0, 1.0)).level is Level.OK
    assert vanishing(layers(0.0, 0.0)).level is Level.UNKNOWN


# --- any gradients --------------------------------------------------------------------------------

NUMBERS = st.floats() | st.sampled_from([0.0, 1.0, 1e300, -1.0])


@st.composite
def any_gradients(draw: st.DrawFn) -> Gradients:
    made = []
    for place in range(draw(st.integers(0, 4))):
        shape = draw(arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
        floats = st.floats(width=32) | st.just(0.0)
        name = draw(st.sampled_from(["a.weight", "b.weight", "bias", "a.bias"]))
        made.append(
            Gradient(
                f"{place}{name}",
                Distribution.of(draw(arrays.arrays(np.float32, shape, elements=floats))),
                Distribution.of(draw(arrays.arrays(np.float32, shape, elements=floats))),
                draw(st.sampled_from([None, "Linear", "Embedding"])),
            )
        )
    signals = st.builds(
        LayerSignal, st.sampled_from(["", "0a", "1b", "2a"]), NUMBERS, NUMBERS, NUMBERS
    )
    return Gradients(
        "train", tuple(made),
        unused=tuple(draw(st.lists(st.sampled_from(["x", "y.z"]), max_size=2))),
        unused_share=draw(NUMBERS), loss=draw(NUMBERS), chance_loss=draw(NUMBERS),
        signals=tuple(draw(st.lists(signals, max_size=3))),
    )  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(any_gradients())
def test_every_rule_answers_whatever_the_gradients_are(gradients: Gradients) -> None:
    for rule in VIEW.rules:
        finding = rule(gradients)
        assert finding.rule == id_of(VIEW, rule)
        assert finding.summary


def test_doubled_data_and_another_order_of_classes_change_no_verdict() -> None:
    model = trained(stack(2, nn.ReLU), steps=20)

    def levels(x: Array, y: Array) -> list[Level]:
        found = ks.gradients(model, x, y)
        return [rule(found).level for rule in VIEW.rules]

    expected = levels(X, Y)
    assert levels(np.tile(X, (2, 1)), np.tile(Y, 2)) == expected
    head = model[-1]  # type: ignore[index]
    for one in head.parameters():
        one.data = one.data.flip(0)
    assert levels(X, 1 - Y) == expected
