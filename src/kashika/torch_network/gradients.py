"""The gradients of a pass: summed over the answers, and the norms of those of the samples."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import torch
from torch import Tensor

from kashika.distribution import Distribution, FloatArray, IntArray
from kashika.observation import SampleGradients
from kashika.torch_network.capture import viewed


class Gradients:
    """What the batches of a pass gave so far.

    Parameters
    ----------
    parameters : names of the trainable ones
    """

    def __init__(self, parameters: Collection[str]) -> None:
        self._total: dict[str, Tensor | None] = dict.fromkeys(parameters)
        self._norms: list[FloatArray] = []
        self._by_layer: dict[str, Distribution] = {}
        self._squares: list[float] = []  # of the gradient of each batch's mean loss
        self._weights: list[int] = []

    def lose(self, names: Collection[str]) -> None:
        """Expect none of some parameters any more."""
        for name in names:
            self._total.pop(name, None)

    def add(
        self,
        summed: Mapping[str, Tensor | None],
        squares: Mapping[str, Tensor],
        *,
        samples: int,
        counts: IntArray,
    ) -> None:
        """Take over the gradients of a batch.

        Parameters
        ----------
        summed : {parameter: gradient of the summed loss}
        squares : {parameter: (samples,) squared norms of the gradients of the samples' losses}
        counts : (samples,) how many answers each of them has
        """
        square = 0.0
        for name, gradient in summed.items():
            if gradient is None or name not in self._total:
                continue
            before = self._total[name]
            if before is None:
                wide = torch.float64 if gradient.device.type != "mps" else torch.float32
                self._total[name] = gradient.to(wide, copy=True)
            else:
                before.add_(gradient)
            square += float(torch.linalg.vector_norm(gradient.float())) ** 2
        self._squares.append(square)
        self._weights.append(samples)
        # A sample with several answers has the mean of their losses.
        share = 1.0 / np.maximum(counts, 1)
        layers: dict[str, FloatArray] = {}
        for name, square_of in squares.items():
            if name not in self._total:
                continue
            layer = name.rpartition(".")[0]
            layers[layer] = layers.get(layer, 0.0) + square_of.double().cpu().numpy()
        for layer, one in layers.items():
            here = Distribution.of(np.sqrt(one) * share)
            before_here = self._by_layer.get(layer)
            self._by_layer[layer] = here if before_here is None else before_here + here
        if not layers:
            return
        self._norms.append(np.sqrt(np.sum([*layers.values()], axis=0)) * share)

    def by_parameter(
        self, order: Collection[str], *, answers: int
    ) -> dict[str, Distribution | None]:
        """Divide the summed gradients by the answers, input side first."""
        place = {name: index for index, name in enumerate(order)}
        names = sorted(self._total, key=lambda name: place.get(name.rpartition(".")[0], len(place)))
        totals = {name: self._total[name] for name in names}
        return {
            name: None if total is None else Distribution.of(viewed(total / answers))
            for name, total in totals.items()
        }

    def by_sample(
        self,
        order: Collection[str],
        *,
        samples: int,
        one_by_one: Collection[str],
        left_out: Collection[str],
    ) -> SampleGradients | None:
        """Put the norms together, input side first.

        None where nothing was to be trained, or those of some of the `samples` are not known.
        """
        if not self._norms or sum(map(len, self._norms)) < samples:
            return None
        place = {name: index for index, name in enumerate(order)}
        names = sorted(self._by_layer, key=lambda name: place.get(name, len(place)))
        return SampleGradients(
            np.concatenate(self._norms),
            {name: self._by_layer[name] for name in names},
            agreement=self._agreement(),
            one_by_one=tuple(one_by_one),
            left_out=tuple(left_out),
        )

    def _agreement(self) -> float:
        """Return the mean inner product of two batches' gradients over their mean square."""
        # As many batches as there would be if all were of one size: 1 for equal gradients.
        batches = sum(self._weights) ** 2 / sum(n**2 for n in self._weights)
        every = (one for one in self._total.values() if one is not None)
        total = sum(float(torch.linalg.vector_norm(one)) ** 2 for one in every)
        squares = sum(self._squares)
        if batches <= 1 or not squares > 0:
            return np.nan
        return float((total - squares) / (squares * (batches - 1)))
