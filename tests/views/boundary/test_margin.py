"""Margins are distances to the boundary: what closed forms say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from kashika.distribution import Array, Distribution, FloatArray
from kashika.observation import Observation
from kashika.parameters import Parameter
from kashika.run import Samples
from kashika.task import Meaning, Task
from kashika.views.boundary.margin import (
    MEASURED,
    Margins,
    distances,
    lead,
    margins_of,
    scores,
    slopes_of,
)

LOGITS = Task("logits", 3, "cross_entropy")
LOGIT = Task("logit", 2, "binary_cross_entropy_with_logits")
CLOUD = np.random.default_rng(0).normal(size=(200, 5))


@dataclass
class Linear:
    """One linear layer; it says how many inputs it was asked at once."""

    weight: FloatArray
    bias: FloatArray
    asked: list[int] = field(default_factory=list)

    def parameters(self) -> Iterator[Parameter]:
        yield from ()

    def statistics(self) -> Iterator[tuple[str, Distribution]]:
        return iter(())

    def predict(self, inputs: Array) -> FloatArray:
        self.asked.append(len(inputs))
        return np.asarray(inputs.reshape(len(inputs), -1) @ self.weight.T + self.bias)

    def slopes(self, inputs: Array, task: Task) -> FloatArray:
        outputs = scores(task, self.predict(inputs))
        weight = np.vstack([np.zeros_like(self.weight), self.weight])
        weight = weight if len(self.weight) == 1 else self.weight
        first, second = np.argsort(-outputs, axis=1)[:, :2].T
        return np.asarray(weight[first] - weight[second]).reshape(inputs.shape)

    def observe(self, samples: Samples, *, split: str, task: Task | None = None) -> Observation:
        raise NotImplementedError


def line(seed: int = 0, *, outputs: int = 1, inputs: int = 5) -> Linear:
    draw = np.random.default_rng(seed)
    return Linear(draw.normal(size=(outputs, inputs)), draw.normal(size=outputs))


def found(network: Linear, task: Task, inputs: Array = CLOUD, *, reach: float = 1e6) -> FloatArray:
    return distances(network.predict, network.slopes, inputs, task, reach=reach)


# --- exact where the network is linear ------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_of_a_linear_network_it_is_the_distance_to_the_plane(scale: float) -> None:
    network = line()
    inputs = scale * CLOUD
    exact = np.abs(network.predict(inputs))[:, 0] / np.linalg.norm(network.weight)
    np.testing.assert_allclose(
        found(network, LOGIT, inputs, reach=1e3 * max(scale, 1)), exact, rtol=1e-9
    )


def test_of_three_linear_outputs_it_is_the_distance_to_the_next_class() -> None:
    network = line(outputs=3)
    outputs = network.predict(CLOUD)
    best = outputs.argmax(axis=1)
    apart = network.weight[best][:, None] - network.weight
    with np.errstate(invalid="ignore", divide="ignore"):
        planes = (outputs.max(axis=1)[:, None] - outputs) / np.linalg.norm(apart, axis=2)
    nearest = np.nanmin(planes, axis=1)
    measured = found(network, LOGITS)
    # The steepest direction is that of the next score, so another class can be nearer, seldom.
    second = np.take_along_axis(planes, np.argsort(-outputs, axis=1)[:, 1:2], axis=1)[:, 0]
    np.testing.assert_array_less(nearest - 1e-9, measured)
    np.testing.assert_array_less(measured, second + 1e-9)
    np.testing.assert_allclose(np.median(measured / nearest), 1)


@pytest.mark.parametrize("outputs", ["logit", "probability"])
def test_a_circle_is_as_far_as_its_edge_whatever_the_output_means(outputs: Meaning) -> None:
    task = Task(outputs, 2, "")

    def predict(x: Array) -> FloatArray:
        z = np.asarray(1 - np.sum(x**2, axis=1, keepdims=True))
        return z if outputs == "logit" else 1 / (1 + np.exp(-z))

    def slopes(x: Array, _: Task) -> FloatArray:
        return np.asarray(np.sign(1 - np.sum(x**2, axis=1, keepdims=True)) * -2 * x)

    inputs = np.random.default_rng(1).normal(size=(100, 2))
    measured = distances(predict, slopes, inputs, task, reach=100)
    np.testing.assert_allclose(measured, np.abs(np.hypot(*inputs.T) - 1), atol=1e-9)


# --- what is not found ----------------------------------------------------------------------------


def test_nothing_is_found_beyond_the_reach() -> None:
    network = line()
    far = found(network, LOGIT)
    reach = float(np.median(far))
    within = found(network, LOGIT, reach=reach)
    np.testing.assert_array_equal(np.isinf(within), far > reach)
    np.testing.assert_allclose(within[far <= reach], far[far <= reach])


def test_a_flat_network_and_one_without_numbers_have_no_boundary() -> None:
    flat, broken = line(), line()
    flat.weight[:] = 0
    broken.weight[:] = np.nan
    for network in (flat, broken):
        assert np.isinf(found(network, LOGIT)).all()


def test_a_network_that_cannot_be_differentiated_has_no_slopes() -> None:
    class Broken(Linear):
        def slopes(self, inputs: Array, task: Task) -> FloatArray:
            raise RuntimeError(f"quantised: no {task} of {inputs}")

    assert not slopes_of(Broken(np.ones((1, 5)), np.zeros(1)), CLOUD, LOGIT).any()


def test_an_input_on_the_boundary_has_no_distance_to_it() -> None:
    network = Linear(np.ones((1, 2)), np.zeros(1))
    np.testing.assert_array_equal(found(network, LOGIT, np.array([[1.0, -1.0]])), [0.0])


def test_an_image_is_measured_as_all_its_pixels_are() -> None:
    network = line(inputs=12)
    inputs = np.random.default_rng(2).normal(size=(20, 3, 2, 2))
    flat = found(network, LOGIT, inputs.reshape(20, 12))
    np.testing.assert_allclose(found(network, LOGIT, inputs), flat)


# --- scores and leads -----------------------------------------------------------------------------


def test_the_lead_is_zero_between_two_classes_and_below_it_beyond() -> None:
    outputs = np.array([[3.0, 1.0, 2.0], [1.0, 1.0, 0.0], [0.0, 5.0, np.inf]])
    np.testing.assert_array_equal(lead(outputs, np.array([0, 1, 1])), [1.0, 0.0, -np.inf])
    assert np.isnan(lead(outputs, np.array([-1, -1, -1]))).all()


@pytest.mark.parametrize(
    ("outputs", "value", "leading"),
    [("logit", 2.0, 2.0), ("logit", -2.0, -2.0), ("probability", 0.9, 0.8)],
)
def test_one_output_has_two_scores(outputs: Meaning, value: float, leading: float) -> None:
    both = scores(Task(outputs, 2, ""), np.array([[value]]))
    assert lead(both, np.array([1]))[0] == pytest.approx(leading)
    assert lead(both, np.array([0]))[0] == pytest.approx(-leading)


# --- of a split -----------------------------------------------------------------------------------


def margins(network: Linear, inputs: Array, targets: Array) -> Margins:
    seen = Observation.of(
        LOGIT, inputs=inputs, outputs=network.predict(inputs), targets=targets,
        loss=np.zeros(len(inputs)),
    )  # fmt: skip
    return margins_of(network, "test", seen)


def test_the_margins_are_grouped_by_class_and_correctness() -> None:
    network = Linear(np.array([[2.0, 0.0]]), np.zeros(1))
    inputs = np.array([[1.0, 0.0], [3.0, 5.0], [-2.0, 1.0], [-0.5, 0.0], [4.0, 1.0]])
    found = margins(network, inputs, np.array([1, 1, 0, 1, 0]))
    assert [(one.of, one.right) for one in found.groups] == [
        (0, True), (0, False), (1, True), (1, False),
    ]  # fmt: skip
    assert [one.distances.size for one in found.groups] == [1, 1, 2, 1]
    assert [one.distances.mean for one in found.groups] == pytest.approx([2, 4, 2, 0.5])
    assert found.groups[2].spread[2] == pytest.approx(2)
    # Class 1 is nearer to the boundary on the whole, by those that are right.
    assert [one.of for _, one in found.bars] == [0, 0, 1, 1]
    assert len({place for place, _ in found.bars}) == 4


def test_the_bars_of_a_class_lie_beside_its_name_only_where_there_are_two() -> None:
    network = Linear(np.array([[2.0, 0.0]]), np.zeros(1))
    inputs = np.array([[1.0, 0.0], [3.0, 5.0], [-4.0, 1.0]])
    found = margins(network, inputs, np.array([1, 0, 0]))
    assert [(place, one.of, one.right) for place, one in found.bars] == [
        (0.85, 0, True), (1.15, 0, False), (0.0, 1, True),
    ]  # fmt: skip


def test_what_was_not_found_is_counted_and_not_drawn() -> None:
    network = Linear(np.array([[0.0, 0.0]]), np.ones(1))
    found = margins(network, CLOUD[:, :2], np.ones(200, dtype=int))
    (group,) = found.groups
    assert (group.distances.size, group.distances.finite) == (200, 0)
    assert found.bars == []


def test_of_many_samples_some_are_measured_the_same_ones_every_time() -> None:
    inputs = np.random.default_rng(3).normal(size=(3 * MEASURED, 5))
    network = line()
    targets = (network.predict(inputs)[:, 0] > 0).astype(int)
    first, second = (margins(network, inputs, targets) for _ in range(2))
    assert sum(one.distances.size for one in first.groups) == MEASURED
    assert [g.distances.mean for g in first.groups] == [g.distances.mean for g in second.groups]


def test_inputs_that_are_not_finite_are_not_measured() -> None:
    broken = CLOUD.copy()
    broken[3, 1] = np.nan
    network = line()
    targets = (network.predict(CLOUD)[:, 0] > 0).astype(int)
    assert sum(g.distances.size for g in margins(network, broken, targets).groups) == 199
