"""Weights: the numbers are torch's, and what a layer began with stands beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import kashika as ks
from kashika.distribution import Distribution
from kashika.parameters import Initial, Parameter
from kashika.views.weights import VIEW, Weights, histogram_of
from kashika.views.weights.pictures import draw_histogram
from kashika.views.weights.rules import nonfinite
from kashika.views.weights.tables import parameters


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with ks.speaking("en"):
        yield


def network() -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(200, 50, bias=False)
        )


def parameter(
    values: object, *, initial: Initial | None = None, name: str = "fc.weight"
) -> Parameter:
    return Parameter(name, "Linear", Distribution.of(np.asarray(values)), initial, trainable=True)


# --- numbers --------------------------------------------------------------------------------------


def test_the_table_has_torchs_numbers_for_every_parameter() -> None:
    model = network()
    rows = parameters(ks.weights(model))
    named = dict(model.named_parameters())
    assert [row["parameter"] for row in rows] == list(named)
    for row, values in zip(rows, named.values(), strict=True):
        wide = values.detach().double()
        assert row["shape"] == "\u00a0×\u00a0".join(map(str, values.shape))
        assert row["mean"] == pytest.approx(wide.mean().item(), abs=1e-15)
        assert row["sd"] == pytest.approx(wide.std(correction=0).item(), abs=1e-15)
        assert row["rms"] == pytest.approx(wide.square().mean().sqrt().item())
        assert (row["min"], row["max"]) == (wide.min().item(), wide.max().item())
        assert row["zero_share"] == (wide == 0).double().mean().item()
        assert row["nonfinite_share"] == 0


def test_half_precision_does_not_overflow_in_its_statistics() -> None:
    # 70,000 times 300²: the sum of squares is 6.3e9, and the largest float16 is 65,504.
    model = nn.ParameterList([torch.full((70_000,), 300.0).half()])
    (one,) = ks.weights(model).parameters
    assert one.values.norm == pytest.approx(300 * 70_000**0.5)
    assert (one.values.mean, one.values.sd, one.values.rms) == (300, 0, 300)


def test_a_frame_has_a_row_for_each_parameter() -> None:
    frame = ks.weights(network()).to_frame()
    assert frame["parameter"].tolist() == ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight"]
    assert frame["kind"].tolist() == ["Conv2d"] * 2 + ["BatchNorm2d"] * 2 + ["Linear"]


def test_a_checkpoint_alone_has_the_same_numbers(tmp_path: Path) -> None:
    model = network()
    path = tmp_path / "model.pth"
    torch.save(model.state_dict(), path)
    by_file, by_model = ks.weights(path).to_frame(), ks.weights(model).to_frame()
    numbers = [name for name in by_file if name not in ("kind", "initial_sd")]
    assert by_file[numbers].equals(by_model[numbers])


def test_a_parameter_is_found_by_its_name_and_a_weight_by_its_layers() -> None:
    weights = ks.weights(network())
    assert weights["3"] is weights["3.weight"]
    assert weights["0.bias"].name == "0.bias"
    with pytest.raises(ks.LoadError) as caught:
        weights["2"]
    assert str(caught.value) == (
        "parameter: expected one of 0.weight, 0.bias, 1.weight, 1.bias, 3.weight, found '2'; "
        "choose one of them"
    )


def test_a_network_without_parameters_is_missing_them() -> None:
    with pytest.raises(ks.Missing) as caught:
        ks.weights(nn.ReLU())
    assert str(caught.value) == "needs parameters; the network has none"


# --- values that are not finite, or all the same --------------------------------------------------


def test_values_that_are_not_finite_are_a_problem_and_do_not_spoil_the_histogram() -> None:
    weights = Weights((parameter([0.5, 1.0]), parameter([1, 2, np.nan, np.inf, -np.inf], name="b")))
    finding = nonfinite(weights)
    assert finding.level is ks.Level.PROBLEM
    assert finding.summary == (
        "Weights or running statistics that are NaN or infinite: 3, the first of them in b."
    )
    counts, edges = weights.histogram("b", bins=2)
    np.testing.assert_array_equal(counts, [1, 1])
    np.testing.assert_array_equal(edges, [1, 1.5, 2])
    assert parameters(weights)[1]["nonfinite_share"] == 0.6


def test_running_statistics_that_are_not_finite_are_a_problem_with_and_without_the_network(
    tmp_path: Path,
) -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    module.register_buffer("mask", torch.full((3, 3), -torch.inf).triu(1))  # as attention has it
    assert nonfinite(ks.weights(module)).level is ks.Level.OK
    norm = module[1]
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_var is not None
    norm.running_var[1] = torch.nan
    torch.save(module.state_dict(), tmp_path / "model.pth")
    for found in (ks.weights(module), ks.weights(tmp_path / "model.pth")):
        finding = nonfinite(found)
        assert finding.level is ks.Level.PROBLEM
        assert finding.summary.endswith(": 1, the first of them in 1.running_var.")


def test_finite_weights_are_all_right_and_no_weights_are_unknown() -> None:
    assert nonfinite(ks.weights(network())).level is ks.Level.OK
    assert nonfinite(Weights(())).level is ks.Level.UNKNOWN


@pytest.mark.parametrize(
    "values",
    [[2.0] * 5, [0.0] * 5, [7.0], 3.0, np.array([3e38, -3e38], np.float32), [1e-320, 0.0],
     [np.nan] * 3, [-np.inf, 1.0], np.array([1, 1 + 2**-23], np.float32)],
    ids=["constant", "zero", "single", "scalar", "huge", "tiny", "nan", "one finite", "neighbours"],
)  # fmt: skip
@pytest.mark.parametrize("initial", [None, Initial("uniform", 0, 0.5), Initial("constant", 1, 0)])
def test_odd_values_are_counted_and_drawn(values: object, initial: Initial | None) -> None:
    weights = Weights((parameter(values, initial=initial),))
    finite = np.isfinite(np.asarray(values)).sum()
    for picture in VIEW.pictures:
        subjects = picture.each(weights)
        assert len(subjects) == (finite > 0)
        for subject in subjects:
            assert subject.counts.sum() == finite
            axes = Figure().subplots()
            picture.draw(subject, axes)
            axes.figure.canvas.draw()
    assert len(parameters(weights)) == 1


def test_the_widest_range_of_double_precision_is_counted() -> None:
    counts, edges = Weights((parameter([1.7e308, -1.7e308, 1.0]),)).histogram("fc.weight", bins=3)
    np.testing.assert_array_equal(counts, [1, 1, 1])
    assert np.isfinite(edges).all()


# --- what it began with ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("initial", "spread"),
    [(Initial("uniform", 0.0, 0.1), 1.0), (Initial("uniform", 0.0, 0.1), 3.0),
     (Initial("uniform", 0.5, 2.0), 0.3), (Initial("normal", 0.0, 1.0), 1.0),
     (Initial("normal", 0.0, 1.0), 0.2)],
)  # fmt: skip
def test_the_initial_curve_covers_as_many_values_as_the_histogram(
    initial: Initial, spread: float
) -> None:
    values = initial.centre + spread * np.random.default_rng(0).normal(size=2_000) * initial.sd
    found = histogram_of(parameter(values, initial=initial))
    width = found.edges[1] - found.edges[0]
    area = np.sum((found.initial[1:] + found.initial[:-1]) / 2 * np.diff(found.x))
    assert area / width == pytest.approx(2_000, rel=0.01)
    assert found.counts.sum() == 2_000


def test_an_untrained_layer_lies_under_its_initial_curve() -> None:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        weights = ks.weights(nn.Linear(200, 200))
    found = histogram_of(weights["weight"])
    middles = (found.edges[1:] + found.edges[:-1]) / 2
    expected = np.interp(middles, found.x, found.initial)
    # 2,000 in each of 20 bins: five standard deviations are 11 %.
    np.testing.assert_allclose(found.counts, expected, rtol=0.11)


def test_the_curve_of_a_uniform_distribution_falls_steeply_at_both_ends() -> None:
    found = histogram_of(parameter(np.linspace(-1, 1, 100), initial=Initial("uniform", 0, 0.5)))
    height = 100 * (found.edges[1] - found.edges[0]) / (2 * 0.5)
    for x in (-0.5, 0.5):
        near = found.initial[np.abs(found.x - x) < 1e-12]
        assert near.min() == 0
        assert near.max() == pytest.approx(height)


def test_without_a_known_beginning_there_is_no_curve() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.matrix = nn.Parameter(torch.rand(3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.matrix

    weights = ks.weights(Own())
    assert histogram_of(weights["matrix"]).x.size == 0
    assert parameters(weights)[0]["initial_sd"] is None


# --- pictures -------------------------------------------------------------------------------------


def test_the_picture_shows_the_counts_between_their_edges_and_the_curve() -> None:
    found = histogram_of(ks.weights(network())["3.weight"])
    axes = Figure().subplots()
    draw_histogram(found, axes)
    (stairs,) = axes.patches
    counts, edges, _ = stairs.get_data()  # type: ignore[attr-defined]
    np.testing.assert_array_equal(counts, found.counts)
    np.testing.assert_array_equal(edges, found.edges)
    (curve,) = axes.get_lines()
    np.testing.assert_array_equal(np.asarray(curve.get_data()), [found.x, found.initial])
    assert axes.get_title() == "3.weight"


def test_a_constant_beginning_is_a_line_at_its_value() -> None:
    axes = Figure().subplots()
    draw_histogram(histogram_of(ks.weights(network())["1.weight"]), axes)
    (line,) = axes.get_lines()
    assert np.asarray(line.get_xdata()).tolist() == [1, 1]


def test_the_largest_parameter_is_shown_unless_a_layer_is_named() -> None:
    weights, axes = ks.weights(network()), Figure().subplots()
    assert weights.plot(axes) is axes
    assert axes.get_title() == "3.weight"
    assert weights.plot(Figure().subplots(), layer="0").get_title() == "0.weight"
