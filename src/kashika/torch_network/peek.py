"""A first look at a few samples: how large everything is, and where the samples lie."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from kashika.run import Inputs
from kashika.torch_network.batch import answer, by_sample, count, placed
from kashika.torch_network.capture import Places, captured

BATCH = 1024
"""At most so many samples go through a network at once, unless another number is given."""

INPUTS = 1 << 24
"""So many numbers in the inputs of a batch, to choose its size by."""

_ACTIVATIONS = 1 << 26  # and so many in the outputs of all layers


@dataclass(frozen=True, slots=True, eq=False)
class Peek:
    """What a few samples say of a network.

    Attributes
    ----------
    samples : how many there were
    outputs : shape of what the network returned for them
    layers : {layer: units}
    refused : layers whose outputs have no row for each sample
    numbers : in the outputs of all layers, for one sample
    last : type of the module or function that the outputs come from
    """

    samples: int
    outputs: tuple[int, ...]
    layers: Mapping[str, int]
    refused: Collection[str]
    numbers: int
    last: str

    @classmethod
    def of(cls, module: nn.Module, x: Inputs, *, wanted: Collection[str]) -> Peek:
        """Run a few samples forward; raises whatever the network does.

        Parameters
        ----------
        wanted : names or patterns of modules that are looked at in any case
        """
        size, one = count(x), Places(np.arange(1), np.zeros(1, dtype=int))
        with (
            torch.no_grad(),
            captured(module, samples=size, wanted=wanted, some=one, more=one) as captures,
        ):
            outputs = answer(module, placed(x, module))
        layers = {name: one.features.shape[1] for name, one in captures.outputs.items()}
        numbers = sum(one.values.size for one in captures.outputs.values()) + outputs.numel()
        return cls(
            size, tuple(outputs.shape), layers, tuple(captures.refused), numbers // size,
            captures.last,
        )  # fmt: skip

    def fitting(self, x: Inputs) -> int:
        """Return how many samples such as these may go through the network at once."""
        numbers = max(1, sum(one.size for one in by_sample(x)) // max(1, count(x)))
        size = min(BATCH, INPUTS // numbers, _ACTIVATIONS // max(1, self.numbers))
        return 1 << (max(1, size).bit_length() - 1)
