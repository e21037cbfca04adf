"""Where samples meet a weight, and the two ways to the gradients of single samples for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

from kashika.torch_sample_gradients.layout import Layout

Gradients = Mapping[int, Tensor]
"""{which output of a node: the gradient of the summed loss for it}."""
Form = Callable[[Gradients, slice], Tensor]
"""Form the gradients (rows, *shape of the weight) of some of the samples."""


@dataclass(frozen=True, slots=True, eq=False)
class Meeting:
    """Where samples meet a weight: the weight is an input of an operation on all samples.

    Attributes
    ----------
    node : the operation
    k : which of its inputs the weight is
    shape : of the weight
    layouts : {which output of the node: where the samples are in it}
    samples : in the batch
    """

    node: Node
    k: int
    shape: tuple[int, ...]
    layouts: Mapping[int, Layout]
    samples: int

    @property
    def layout(self) -> Layout:
        """Where the samples are in the first output, which most operations have only."""
        return self.layouts[0]

    def saved(self, name: str) -> Tensor:
        """Return what the forward pass kept for the backward pass."""
        tensor: Tensor = getattr(self.node, f"_saved_{name}")
        return tensor.detach()

    def setting(self, name: str) -> Any:
        """Return what the operation was told besides its tensors."""
        return getattr(self.node, f"_saved_{name}")

    def split(self, tensor: Tensor) -> Tensor:
        """Return (samples, …) of what lies as the first output."""
        return self.layout.split(tensor, self.samples)


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """The gradient of a sample is a sum of outer products over its positions: leftᵀ right.

    Attributes
    ----------
    factors : gradients -> left (samples, positions, rows of the weight) and right (samples,
        positions, columns); either may be (samples, positions) int, the places of ones
    size : of the weight
    positions : of each sample
    whole : whether both are dense
    """

    factors: Callable[[Gradients], tuple[Tensor, Tensor]]
    size: tuple[int, int]
    positions: int
    whole: bool = True

    @property
    def numbers(self) -> int:
        """How many numbers the gradient of one sample takes."""
        return self.size[0] * self.size[1]

    def turned(self) -> Product:
        """Return the same for the transposed weight."""
        factors = self.factors
        return Product(lambda g: factors(g)[::-1], self.size[::-1], self.positions, self.whole)


@dataclass(frozen=True, slots=True, eq=False)
class Formed:
    """The gradients of the samples can only be formed, or are as small as their factors.

    Attributes
    ----------
    form : see `Form`
    squares : gradients -> (samples,) squared norms, where there is a cheaper way than forming
    numbers : that forming the gradient of one sample takes
    """

    form: Form
    numbers: int
    squares: Callable[[Gradients], Tensor] | None = None


def numel(sizes: Sequence[int]) -> int:
    """Return how many numbers a tensor of this shape has."""
    return torch.Size(sizes).numel()
