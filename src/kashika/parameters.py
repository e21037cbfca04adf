"""Parameter: what one array of weights looks like, beside how PyTorch drew it before training."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod, sqrt
from typing import Literal

import numpy as np

from kashika.distribution import Array, Distribution, FloatArray

Shape = tuple[int, ...]

STATISTICS = ("running_mean", "running_var")
"""What batch norms keep of the data beside their parameters, and answer by."""

UNITS, ENTRIES = 128, 256
"""So many rows of a matrix, and entries of each, tell whether units are copies of each other."""


@dataclass(frozen=True, slots=True)
class Initial:
    """The distribution that a parameter is drawn from before training.

    Attributes
    ----------
    family : "uniform", "normal" or "constant"
    centre : its mean
    width : half the width of a uniform one, the standard deviation of a normal one, else 0
    """

    family: Literal["uniform", "normal", "constant"]
    centre: float
    width: float

    @property
    def sd(self) -> float:
        """Standard deviation."""
        return self.width / sqrt(3) if self.family == "uniform" else self.width

    def below(self, x: FloatArray) -> FloatArray:
        """Return the probability of a value of at most `x`, for a uniform one."""
        share: FloatArray = np.clip((x - self.centre) / (2 * self.width) + 0.5, 0.0, 1.0)
        return share

    def density(self, x: FloatArray) -> FloatArray:
        """Return the probability density at `x`; zero everywhere for a constant."""
        z = np.abs(np.asarray(x, dtype=np.float64) - self.centre)
        if self.family == "uniform":
            return np.where(z <= self.width, 0.5 / self.width, 0.0)
        if self.family == "normal":
            peak: FloatArray = np.exp(-0.5 * (z / self.width) ** 2) / (self.width * sqrt(2 * np.pi))
            return peak
        return np.zeros_like(z)


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """One named array of weights.

    Attributes
    ----------
    name : as in the state_dict, "layer_hidden.weight"
    kind : the type of its layer, "Linear"; None where it is not known
    values : its entries
    initial : what it was drawn from before training; None where that is not known
    trainable : whether it asks for a gradient; None where only a file is at hand
    copied : share of its rows that repeat another one, as `copied_share` has it
    """

    name: str
    kind: str | None
    values: Distribution
    initial: Initial | None
    trainable: bool | None
    copied: float = np.nan

    @property
    def layer(self) -> str:
        """Name of the module that it belongs to; "" for the network itself."""
        return self.name.rpartition(".")[0]


def some_rows(shape: Shape) -> tuple[slice, slice]:
    """Return which rows of a matrix, and which entries of them, `copied_share` looks at."""
    rows, entries = shape[0], prod(shape[1:])
    return slice(None, None, -(-rows // UNITS) or 1), slice(None, None, -(-entries // ENTRIES) or 1)


@np.errstate(all="ignore")
def copied_share(values: Array) -> float:
    """Tell how many rows of a matrix, of those that are not zero, repeat another one.

    Units that start alike get the same gradient and stay alike, but for what rounding adds. How
    close two rows must be depends on their width, so that chance makes a pair of a million: to one
    per cent of their norm, for a single entry to a millionth.

    Parameters
    ----------
    values : (rows, …) weights; of many rows some are looked at, evenly spread

    Returns
    -------
    0 to 1, where all are the same; NaN of fewer than two rows, or values that are not finite
    """
    if values.ndim < 2 or not values.size:
        return np.nan
    some = values[some_rows(values.shape)]
    rows = some.reshape(len(some), -1).astype(np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if len(rows) < 2 or not np.isfinite(norms).all():
        return np.nan
    rows, norms = rows[norms > 0], norms[norms > 0]
    if len(rows) < 2:
        return 0.0
    # Rows that are alike have about the same product with any direction, and so stand side by side
    # in the order of these products.
    order = np.argsort(rows @ np.random.default_rng(0).normal(size=rows.shape[1]), kind="stable")
    apart = np.diff(rows[order], axis=0)
    near = 10.0 ** (-6 / min(rows.shape[1], 3)) * np.maximum(norms[order][1:], norms[order][:-1])
    return float(np.mean(np.sqrt(np.einsum("ij,ij->i", apart, apart)) <= near))


def initials(kind: str, shapes: Mapping[str, Shape]) -> dict[str, Initial]:
    """Tell how PyTorch initialises a layer of type `kind`.

    The rules are those of `reset_parameters` of each type in PyTorch 2; a test compares every one
    of them with the installed version.

    Parameters
    ----------
    kind : name of the class, "Linear"
    shapes : {parameter: shape} of that layer, the names without the layer's: "weight", "bias"

    Returns
    -------
    {parameter: distribution}, without those that are not known

    References
    ----------
    He et al., "Delving deep into rectifiers", ICCV 2015, with a = sqrt(5), which makes the bound
    1 / sqrt(fan_in); Glorot and Bengio, AISTATS 2010, for the attention's input projection.
    """
    weight = shapes.get("weight", ())
    if kind == _PROJECTION:
        return initials("Linear", {"weight": weight}) | _constant(shapes, {"bias": 0.0})
    if kind in _BY_FAN_IN and weight:
        return _uniform(shapes.keys() & {"weight", "bias"}, 1 / sqrt(max(prod(weight[1:]), 1)))
    if kind == "Bilinear" and len(weight) == 3:
        return _uniform(shapes, 1 / sqrt(weight[1]))
    if kind in ("Embedding", "EmbeddingBag") and weight:
        return {"weight": Initial("normal", 0.0, 1.0)}
    if kind in _RECURRENT:
        stacked = shapes.get("weight_ih_l0") or shapes.get("weight_ih") or (0,)
        hidden = stacked[0] // _RECURRENT[kind]
        return _uniform(shapes, 1 / sqrt(hidden)) if hidden else {}
    if kind == "MultiheadAttention":
        drawn = {
            name: Initial("uniform", 0.0, sqrt(6 / sum(shapes[name])))
            for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
            if name in shapes
        }
        return drawn | _constant(shapes, {"in_proj_bias": 0.0})
    if kind == "PReLU":
        return _constant(shapes, {"weight": 0.25})
    if kind in _NORMS:
        return _constant(shapes, {"weight": 1.0, "bias": 0.0})
    return {}


def kinds_from_shapes(shapes: Mapping[str, Mapping[str, Shape]]) -> dict[str, str | None]:
    """Guess the type of every layer, {layer: {parameter: shape}}, of a network."""
    kinds = {layer: kind_from_shapes(own) for layer, own in shapes.items()}
    for layer, kind in kinds.items():
        if kind == "MultiheadAttention" and (inner := f"{layer}.out_proj".lstrip(".")) in kinds:
            kinds[inner] = _PROJECTION
    return kinds


def kind_from_shapes(shapes: Mapping[str, Shape]) -> str | None:
    """Guess the type of a layer from the names and shapes of its parameters and buffers.

    None where that does not settle how the layer starts: a matrix without a bias may belong to a
    Linear or to an Embedding. A Bilinear looks like a Conv1d, which is far more common.
    """
    weight = shapes.get("weight")
    if "weight_ih_l0" in shapes and "weight_hh_l0" in shapes:
        gates, hidden = shapes["weight_hh_l0"]
        return {4: "LSTM", 3: "GRU", 1: "RNN"}.get(gates // max(hidden, 1))
    if "in_proj_weight" in shapes or "q_proj_weight" in shapes:
        return "MultiheadAttention"
    if weight is None:
        return None
    if "running_mean" in shapes:
        return "BatchNorm"
    bias = shapes.get("bias")
    if len(weight) == 1 and bias == weight:
        return "Norm"
    if len(weight) == 2 and bias == weight[:1]:
        return "Linear"
    if len(weight) not in (3, 4, 5):
        return None
    return f"Conv{'' if bias in (None, weight[:1]) else 'Transpose'}{len(weight) - 2}d"


_PROJECTION = "NonDynamicallyQuantizableLinear"
"""The output projection of an attention: a Linear whose bias starts at zero."""

# By their names, not by how these begin or end: a ConvBlock of the user's is no convolution.
_BY_FAN_IN = {"Linear", *(f"Conv{way}{n}d" for way in ("", "Transpose") for n in (1, 2, 3))}
_NORMS = {
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm", "LayerNorm", "GroupNorm",
    "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "RMSNorm", "BatchNorm", "Norm",
}  # fmt: skip

_RECURRENT = {"RNN": 1, "GRU": 3, "LSTM": 4, "RNNCell": 1, "GRUCell": 3, "LSTMCell": 4}
"""Type of a recurrent layer: how many gates stand above each other in its weights."""


def _uniform(names: Collection[str], bound: float) -> dict[str, Initial]:
    return {name: Initial("uniform", 0.0, bound) for name in names}


def _constant(names: Collection[str], values: Mapping[str, float]) -> dict[str, Initial]:
    return {name: Initial("constant", values[name], 0.0) for name in names if name in values}
