"""The loss of the same samples in evaluation mode and in training mode."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm

from kashika.distribution import Array
from kashika.observation import Modes
from kashika.reservoir import Reservoir
from kashika.run import Inputs
from kashika.torch_network.batch import by_sample, mapped, part

_SAMPLES = 128  # both losses are of the same samples, so that few tell them apart
_NUMBERS = 1 << 23  # so many numbers in the inputs of all of them
_REPETITIONS = 4
_LEAST = 16  # samples whose mean and deviation a batch norm can work with


BatchLoss = Callable[[Inputs, Array], tuple[float, int]]
"""(inputs, targets) -> their mean loss, and the number of answers that it is taken over."""


class Trial:
    """A seeded choice of the samples of a split, for a try in both modes once it has been seen.

    Not the first ones: of data that are sorted by class these are of one class, and a batch norm
    would find other statistics in them than it did in training.

    Parameters
    ----------
    seed : of the choice and of what draws numbers while training
    """

    def __init__(self, module: nn.Module, *, seed: int) -> None:
        self._module, self._seed = module, seed
        acting = [part for part in module.modules() if _acts(part)]
        self._kinds = tuple(dict.fromkeys(type(part).__name__ for part in acting))
        self._normalises = any(isinstance(part, _BatchNorm) for part in acting)
        self._random = np.random.default_rng(seed)
        self._kept: Reservoir | None = None
        self._like: Inputs = ()  # one sample
        self._seen = 0

    def add(self, x: Inputs, y: Array) -> None:
        """Offer the samples of a batch."""
        if not self._kinds:
            return
        arrays = by_sample(x)
        if self._kept is None:
            numbers = sum(one.size for one in arrays) // max(1, len(y))
            self._kept = Reservoir(min(_SAMPLES, _NUMBERS // max(1, numbers) + 1))
            self._like = part(x, 0, 1)
        keys = self._random.random(len(y))
        rows = self._kept.wanted(keys)
        columns = {str(i): one[rows] for i, one in enumerate([y, *arrays])}
        self._kept.add(keys[rows], self._seen + rows, columns)
        self._seen += len(y)

    def modes(self, loss: BatchLoss, *, size: int) -> Modes | None:
        """Run the chosen samples in both modes; None where that cannot be.

        Parameters
        ----------
        size : samples that fit in memory at once
        """
        if self._kept is None or "0" not in (columns := self._kept.columns):
            return None
        try:
            batches = self._batches(columns, size=size)
            if self._normalises and min(len(y) for _, y in batches) < _LEAST:
                return None
            with torch.no_grad():
                evaluating = _mean(loss, batches)
                with _training(self._module):
                    torch.manual_seed(self._seed)
                    training = [_mean(loss, batches) for _ in range(_REPETITIONS)]
        except Exception:  # noqa: BLE001  the user's network may raise anything in training mode
            return None
        return Modes(self._kinds, evaluating, np.array(training), sum(len(y) for _, y in batches))

    def _batches(self, columns: Mapping[str, Array], *, size: int) -> list[tuple[Inputs, Array]]:
        """Lay out the kept samples as batches that differ in size by one at most.

        Raises
        ------
        KeyError
            If samples of different shapes lost one of their inputs.
        """
        samples = len(columns["0"])

        def batch(rows: Array) -> tuple[Inputs, Array]:
            place = iter(range(1, 1 + len(by_sample(self._like))))

            def filled(one: Any) -> Any:
                own = np.ndim(one) and len(one) == 1
                return columns[str(next(place))][rows] if own else one

            return mapped(self._like, filled), columns["0"][rows]

        return [batch(rows) for rows in np.array_split(np.arange(samples), -(-samples // size))]


def _mean(loss: BatchLoss, batches: Sequence[tuple[Inputs, Array]]) -> float:
    means, counts = zip(*(loss(x, y) for x, y in batches), strict=True)
    return float(np.average(means, weights=counts))


def _acts(part: nn.Module) -> bool:
    """Tell whether a module acts otherwise in training mode, of those that torch brings."""
    if isinstance(part, _BatchNorm | _InstanceNorm):
        # One whose own parameters are frozen was most likely kept in evaluation mode in training.
        frozen = part.affine and not part.weight.requires_grad
        return part.running_mean is not None and not frozen
    if isinstance(part, _DropoutNd):
        return part.p > 0
    if isinstance(part, nn.RNNBase):
        return bool(part.dropout > 0 and part.num_layers > 1)
    if isinstance(part, nn.MultiheadAttention):
        return bool(part.dropout > 0)
    return isinstance(part, nn.RReLU)


@contextmanager
def _training(module: nn.Module) -> Generator[None]:
    """Put the modules that torch brings in training mode, and none of the user's own.

    Theirs may count steps in it, or move a codebook that is a parameter; those of torch change
    buffers only, which `untouched` gives back.
    """
    norms = (_BatchNorm, _InstanceNorm)
    own = [
        part
        for part in module.modules()
        # A layer of a transformer as well, which takes a shorter way in evaluation mode.
        if _acts(part)
        or (type(part).__module__.startswith("torch.") and not isinstance(part, norms))
    ]
    for one in own:
        one.training = True
    try:
        yield
    finally:
        for one in own:
            one.training = False
