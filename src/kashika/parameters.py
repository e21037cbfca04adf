"""Parameter: what one array of weights looks like, beside how PyTorch drew it before training."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod, sqrt
from typing import Literal

import numpy as np

from kashika.distribution import Distribution, FloatArray

Shape = tuple[int, ...]


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
    """

    name: str
    kind: str | None
    values: Distribution
    initial: Initial | None
    trainable: bool | None

    @property
    def layer(self) -> str:
        """Name of the module that it belongs to; "" for the network itself."""
        return self.name.rpartition(".")[0]


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
    if kind == "NonDynamicallyQuantizableLinear":  # the output projection of an attention
        return initials("Linear", {"weight": weight}) | _constant(shapes, {"bias": 0.0})
    if kind == "Linear" or kind.startswith(("Conv", "LazyConv")):
        return _uniform(shapes, 1 / sqrt(max(prod(weight[1:]), 1)))
    if kind == "Bilinear":
        return _uniform(shapes, 1 / sqrt(weight[1]))
    if kind in ("Embedding", "EmbeddingBag"):
        return {"weight": Initial("normal", 0.0, 1.0)}
    if kind in _RECURRENT:
        hidden = next(shapes[name][0] for name in ("weight_ih_l0", "weight_ih") if name in shapes)
        return _uniform(shapes, 1 / sqrt(hidden // _RECURRENT[kind]))
    if kind == "MultiheadAttention":
        square = shapes.get("in_proj_weight") or shapes.get("q_proj_weight", (1, 1))
        bound = {"in_proj_weight": sqrt(6 / sum(square))} if "in_proj_weight" in shapes else {}
        drawn = {name: Initial("uniform", 0.0, width) for name, width in bound.items()}
        return drawn | _constant(shapes, {"in_proj_bias": 0.0})
    if kind == "PReLU":
        return _constant(shapes, {"weight": 0.25})
    if kind.endswith(("Norm", "Norm1d", "Norm2d", "Norm3d")):
        return _constant(shapes, {"weight": 1.0, "bias": 0.0})
    return {}


def kind_from_shapes(shapes: Mapping[str, Shape]) -> str | None:
    """Guess the type of a layer from the names and shapes of its parameters and buffers.

    A matrix without a bias may be a Linear or an Embedding, which start differently: None.
    """
    weight = shapes.get("weight")
    if "weight_ih_l0" in shapes and "weight_hh_l0" in shapes:
        gates, hidden = shapes["weight_hh_l0"]
        return {4: "LSTM", 3: "GRU", 1: "RNN"}.get(gates // max(hidden, 1))
    if "in_proj_weight" in shapes:
        return "MultiheadAttention"
    if weight is None:
        return None
    if "running_mean" in shapes:
        return "BatchNorm1d"
    if len(weight) == 1 and shapes.get("bias") == weight:
        return "LayerNorm"
    if len(weight) == 2 and shapes.get("bias") == weight[:1]:
        return "Linear"
    return f"Conv{len(weight) - 2}d" if len(weight) in (3, 4, 5) else None


_RECURRENT = {"RNN": 1, "GRU": 3, "LSTM": 4, "RNNCell": 1, "GRUCell": 3, "LSTMCell": 4}
"""Type of a recurrent layer: how many gates stand above each other in its weights."""


def _uniform(names: Collection[str], bound: float) -> dict[str, Initial]:
    return {name: Initial("uniform", 0.0, bound) for name in names}


def _constant(names: Collection[str], values: Mapping[str, float]) -> dict[str, Initial]:
    return {name: Initial("constant", values[name], 0.0) for name in names if name in values}
