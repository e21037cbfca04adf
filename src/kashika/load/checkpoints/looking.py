"""Weights in a file -> what they look like, without the network's code."""

from __future__ import annotations

import torch
from torch import Tensor

from kashika.distribution import Distribution
from kashika.load.checkpoints.beside import saved_at
from kashika.load.checkpoints.reading import Weights
from kashika.parameters import Parameter, initials, kinds_from_shapes
from kashika.run import Checkpoint

_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def checkpoint_of(weights: Weights) -> Checkpoint:
    """Look at the weights in a file; layer types are guessed from names and shapes.

    Names stay as the file has them, prefixes of wrappers included: without the network nobody
    knows which is which. Tied weights are looked at once.
    """
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, tensor in weights.state.items():
        layer, _, short = name.rpartition(".")
        shapes.setdefault(layer, {})[short] = tuple(tensor.shape)
    kinds = kinds_from_shapes(shapes)
    parameters, seen = [], set()
    for name, tensor in weights.state.items():
        layer, _, short = name.rpartition(".")
        if not tensor.is_floating_point() or tensor.is_meta or short in _BUFFERS:
            continue
        place = None if tensor.layout != torch.strided or not tensor.numel() else tensor.data_ptr()
        if place is not None and (place, tensor.shape, tensor.stride()) in seen:
            continue
        if place is not None:
            seen.add((place, tensor.shape, tensor.stride()))
        kind = kinds[layer]
        known = initials(kind, shapes[layer]) if kind else {}
        values = Distribution.of(_wide(tensor).numpy())
        parameters.append(Parameter(name, kind, values, known.get(short), None))
    epoch, step = saved_at(weights.other)
    return Checkpoint(weights.path, tuple(parameters), epoch, step)


def _wide(tensor: Tensor) -> Tensor:
    dense = tensor.detach().to_dense()
    return dense if dense.dtype == torch.float64 else dense.float()
