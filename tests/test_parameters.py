"""What is said about how PyTorch starts its layers is what the installed PyTorch does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from kashika.distribution import Distribution, FloatArray
from kashika.parameters import (
    Initial,
    Parameter,
    Shape,
    initials,
    kind_from_shapes,
    kinds_from_shapes,
)

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "Linear": lambda: nn.Linear(50, 70),
    "Linear of one input": lambda: nn.Linear(1, 70),
    "Conv1d": lambda: nn.Conv1d(6, 40, 5),
    "Conv2d": lambda: nn.Conv2d(3, 40, 3),
    "Conv2d in groups": lambda: nn.Conv2d(8, 40, 3, groups=4),
    "Conv3d": lambda: nn.Conv3d(2, 40, (1, 3, 5)),
    "ConvTranspose1d": lambda: nn.ConvTranspose1d(6, 40, 5),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(3, 40, 3),
    "ConvTranspose2d in groups": lambda: nn.ConvTranspose2d(8, 40, 3, groups=4),
    "ConvTranspose3d": lambda: nn.ConvTranspose3d(2, 40, 3),
    "Bilinear": lambda: nn.Bilinear(11, 13, 40),
    "Embedding": lambda: nn.Embedding(60, 20),
    "EmbeddingBag": lambda: nn.EmbeddingBag(60, 20),
    "BatchNorm1d": lambda: nn.BatchNorm1d(7),
    "BatchNorm2d": lambda: nn.BatchNorm2d(7),
    "BatchNorm3d": lambda: nn.BatchNorm3d(7),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(7, affine=True),
    "LayerNorm": lambda: nn.LayerNorm(7),
    "LayerNorm of a matrix": lambda: nn.LayerNorm((7, 3)),
    "GroupNorm": lambda: nn.GroupNorm(2, 8),
    "RMSNorm": lambda: nn.RMSNorm(7),
    "RNN": lambda: nn.RNN(9, 30, num_layers=2),
    "GRU": lambda: nn.GRU(9, 30, bidirectional=True),
    "LSTM": lambda: nn.LSTM(9, 30, num_layers=2),
    "LSTM with a projection": lambda: nn.LSTM(9, 30, proj_size=10),
    "RNNCell": lambda: nn.RNNCell(9, 30),
    "GRUCell": lambda: nn.GRUCell(9, 30),
    "LSTMCell": lambda: nn.LSTMCell(9, 30),
    "MultiheadAttention": lambda: nn.MultiheadAttention(24, 4),
    "MultiheadAttention of other widths": lambda: nn.MultiheadAttention(24, 4, kdim=10, vdim=12),
    "PReLU": nn.PReLU,
    "PReLU for each channel": lambda: nn.PReLU(5),
    "a transformer's layer": lambda: nn.TransformerEncoderLayer(16, 2, dim_feedforward=40),
}

UNIFORM = Initial("uniform", 0.25, 0.5)
NORMAL = Initial("normal", -1.0, 2.0)


def shapes_of(module: nn.Module) -> dict[str, Shape]:
    """Return the shapes of the parameters that belong to a module itself."""
    return {name: tuple(one.shape) for name, one in module.named_parameters(recurse=False)}


def drawn(build: Callable[[], nn.Module], *, least: int) -> dict[str, FloatArray]:
    """Build a module anew until each of its parameters has drawn so many values."""
    found: dict[str, list[FloatArray]] = {}
    while not found or min(sum(map(len, parts)) for parts in found.values()) < least:
        for name, one in build().named_parameters():
            found.setdefault(name, []).append(one.detach().numpy().ravel())
    return {name: np.concatenate(parts).astype(np.float64) for name, parts in found.items()}


def said(module: nn.Module) -> dict[str, Initial]:
    """Return what `initials` says about every part of a module."""
    return {
        f"{layer}.{name}".lstrip("."): start
        for layer, part in module.named_modules()
        for name, start in initials(type(part).__name__, shapes_of(part)).items()
    }


def state_shapes(module: nn.Module) -> dict[str, dict[str, Shape]]:
    """Return {layer: {name: shape}} of a state_dict, as a file holds it."""
    shapes: dict[str, dict[str, Shape]] = {}
    for name, tensor in module.state_dict().items():
        layer, _, short = name.rpartition(".")
        shapes.setdefault(layer, {})[short] = tuple(tensor.shape)
    return shapes


# --- the installed PyTorch -----------------------------------------------------------------------


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_starts_as_the_installed_pytorch_starts_it(layer: str) -> None:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        starts = said(LAYERS[layer]())
        values = drawn(LAYERS[layer], least=enough(starts))
    assert starts.keys() == values.keys()
    for name, start in starts.items():
        assert_drawn_from(start, values[name])


def enough(starts: Mapping[str, Initial]) -> int:
    """Return how many values show a family: the ends of a normal one show nothing."""
    return max(
        {"constant": 2, "uniform": 3000, "normal": 20_000}[s.family] for s in starts.values()
    )


def assert_drawn_from(start: Initial, values: FloatArray) -> None:
    """Compare values with the distribution that they are said to come from."""
    if start.family == "constant":
        assert set(values) == {start.centre}
        return
    if start.family == "uniform":
        distance = np.abs(values - start.centre)
        assert distance.max() <= start.width * (1 + 1e-6)
        assert distance.max() > 0.98 * start.width
        law = stats.uniform(start.centre - start.width, 2 * start.width)
    else:
        law = stats.norm(start.centre, start.width)
    error = start.sd / sqrt(len(values))
    assert values.mean() == pytest.approx(start.centre, abs=5 * error)
    assert values.std() == pytest.approx(start.sd, abs=5 * error / sqrt(2))
    assert stats.kstest(values, law.cdf).pvalue > 1e-4


def test_another_bound_or_another_family_would_be_noticed() -> None:
    values = np.random.default_rng(0).uniform(-1, 1, 3000)
    assert_drawn_from(Initial("uniform", 0.0, 1.0), values)
    for wrong in (
        Initial("uniform", 0.0, 1.03),
        Initial("uniform", 0.0, 0.97),
        Initial("uniform", 0.1, 1.0),
        Initial("normal", 0.0, 1 / sqrt(3)),
        Initial("constant", 0.0, 0.0),
    ):
        with pytest.raises(AssertionError):
            assert_drawn_from(wrong, values)


def test_the_seeds_hidden_layer_starts_with_a_deviation_of_0_102() -> None:
    start = initials("Linear", {"weight": (32, 32), "bias": (32,)})
    assert start["weight"].sd == pytest.approx(1 / sqrt(3 * 32))
    assert f"{start['weight'].sd:.3f}" == "0.102"


# --- what is not known ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ConvNeXtBlock", "MyNorm", "LinearAttention", "Module", ""])
def test_nothing_is_said_about_types_that_pytorch_does_not_have(kind: str) -> None:
    assert initials(kind, {"weight": (3, 3), "bias": (3,), "gamma": (3,)}) == {}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_users_class_of_a_known_name_with_other_parameters_is_not_known(layer: str) -> None:
    kind = type(LAYERS[layer]()).__name__
    assert initials(kind, {}) == {}
    assert initials(kind, {"scale": (4,)}) == {}


def test_a_parameter_that_pytorchs_layer_does_not_have_is_not_known() -> None:
    found = initials("Linear", {"weight": (8, 4), "bias": (8,), "scale": (8,)})
    assert set(found) == {"weight", "bias"}


def test_a_layer_whose_weight_is_reparametrised_is_not_known() -> None:
    assert initials("Linear", {"weight_g": (8, 1), "weight_v": (8, 4), "bias": (8,)}) == {}


# --- from names and shapes alone -----------------------------------------------------------------


@pytest.mark.parametrize("layer", sorted(LAYERS.keys() - {"Bilinear"}))
def test_a_type_guessed_from_a_file_starts_as_the_true_type_does(layer: str) -> None:
    module = LAYERS[layer]()
    shapes, truth = state_shapes(module), said(module)
    for name, kind in kinds_from_shapes(shapes).items():
        if kind is not None:
            found = initials(kind, shapes[name])
            true = {k: v for k, v in truth.items() if k.rpartition(".")[0] == name}
            assert {f"{name}.{short}".lstrip("."): one for short, one in found.items()} == true


@pytest.mark.parametrize(
    ("kind", "layer"),
    [
        ("Linear", "Linear"),
        ("Conv1d", "Conv1d"),
        ("Conv2d", "Conv2d"),
        ("Conv2d", "Conv2d in groups"),
        ("Conv3d", "Conv3d"),
        ("ConvTranspose2d", "ConvTranspose2d"),
        ("ConvTranspose2d", "ConvTranspose2d in groups"),
        ("BatchNorm", "BatchNorm1d"),
        ("BatchNorm", "BatchNorm2d"),
        ("Norm", "LayerNorm"),
        ("Norm", "GroupNorm"),
        ("RNN", "RNN"),
        ("GRU", "GRU"),
        ("LSTM", "LSTM"),
        ("MultiheadAttention", "MultiheadAttention"),
        (None, "Embedding"),
        (None, "PReLU"),
        (None, "RMSNorm"),
        (None, "LayerNorm of a matrix"),
        (None, "LSTM with a projection"),
        (None, "LSTMCell"),
        ("Conv1d", "Bilinear"),  # wrong, and cannot be told: the shapes are the same
    ],
)
def test_names_and_shapes_tell_the_type_where_they_settle_it(kind: str | None, layer: str) -> None:
    assert kind_from_shapes(state_shapes(LAYERS[layer]())[""]) == kind


def test_a_matrix_without_a_bias_may_be_a_linear_or_an_embedding() -> None:
    for module in (nn.Linear(4, 3, bias=False), nn.Embedding(3, 4)):
        assert kind_from_shapes(state_shapes(module)[""]) is None


def test_the_output_of_an_attention_is_a_linear_whose_bias_starts_at_zero() -> None:
    network = nn.Sequential(nn.MultiheadAttention(8, 2), nn.Linear(8, 2))
    kinds = kinds_from_shapes(state_shapes(network))
    assert kinds == {
        "0": "MultiheadAttention", "0.out_proj": "NonDynamicallyQuantizableLinear", "1": "Linear",
    }  # fmt: skip


# --- densities -----------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [UNIFORM, NORMAL, Initial("uniform", 0, 1e-3)])
def test_a_density_integrates_to_1_and_has_the_centre_and_the_deviation_that_it_says(
    start: Initial,
) -> None:
    # Midpoints: the sum is exact for a uniform density whose edges lie between two of them.
    edges = np.linspace(start.centre - 10 * start.width, start.centre + 10 * start.width, 20_001)
    x, step = (edges[:-1] + edges[1:]) / 2, edges[1] - edges[0]
    density = start.density(x)
    assert np.sum(density) * step == pytest.approx(1, rel=1e-9)
    assert np.sum(density * x) * step == pytest.approx(start.centre, rel=1e-9, abs=1e-12)
    variance = np.sum(density * (x - start.centre) ** 2) * step
    assert sqrt(variance) == pytest.approx(start.sd, rel=1e-5)


def test_a_uniform_density_is_zero_outside_and_level_inside() -> None:
    x = np.array([-0.26, -0.25, 0.0, 0.75, 0.76])
    assert UNIFORM.density(x).tolist() == [0, 1, 1, 1, 0]


def test_a_constant_has_no_deviation_and_no_density() -> None:
    one = Initial("constant", 1.0, 0.0)
    assert one.sd == 0.0
    assert one.density(np.array([0.0, 1.0])).tolist() == [0, 0]


def test_the_layer_of_a_parameter_is_its_name_without_the_last_part() -> None:
    values = Distribution.of([1.0])
    for name, layer in {"a.0.weight": "a.0", "bias": ""}.items():
        assert Parameter(name, None, values, None, None).layer == layer
