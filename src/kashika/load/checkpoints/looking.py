"""Weights in a file -> what they look like, without the network's code."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kashika.distribution import Distribution, IntArray
from kashika.distribution.codes import CODES, Bits
from kashika.load.checkpoints.beside import saved_at
from kashika.load.checkpoints.reading import Weights
from kashika.parameters import (
    STATISTICS,
    Parameter,
    copied_share,
    initials,
    kinds_from_shapes,
    some_rows,
)
from kashika.run import Checkpoint

_BUFFERS = (*STATISTICS, "num_batches_tracked")
_PIECE = 1 << 24  # values that are widened at a time


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
    parameters, statistics, seen = [], {}, set()
    for name, tensor in weights.state.items():
        layer, _, short = name.rpartition(".")
        if not tensor.is_floating_point() or tensor.is_meta:
            continue
        if short in STATISTICS:
            statistics[name] = _looked_at(tensor.detach().to_dense())
        if short in _BUFFERS:
            continue
        place = None if tensor.layout != torch.strided or not tensor.numel() else tensor.data_ptr()
        if place is not None and (place, tensor.shape, tensor.stride()) in seen:
            continue
        if place is not None:
            seen.add((place, tensor.shape, tensor.stride()))
        kind = kinds[layer]
        known = initials(kind, shapes[layer]) if kind else {}
        with _undivided():
            dense = tensor.detach().to_dense()
            values, copied = _looked_at(dense), _copied(dense)
        parameters.append(Parameter(name, kind, values, known.get(short), None, copied))
    epoch, step = saved_at(weights.other)
    return Checkpoint(weights.path, tuple(parameters), epoch, step, statistics)


def _looked_at(dense: Tensor) -> Distribution:
    """Look at a tensor in the type that it has: one that fills the memory is not copied."""
    if dense.dtype == torch.bfloat16:
        return Distribution.of_bfloat16(_bits(dense), count=_count)
    if dense.element_size() > 1:
        return Distribution.of(dense.numpy(), count=_count)
    # Each value of eight bits is one of bfloat16.
    flat = dense.flatten()
    pieces = (flat[start : start + _PIECE] for start in range(0, max(1, len(flat)), _PIECE))
    looked = (Distribution.of_bfloat16(_bits(one.bfloat16()), count=_count) for one in pieces)
    return replace(reduce(add, looked), shape=tuple(dense.shape))


def _copied(dense: Tensor) -> float:
    if dense.ndim < 2 or not dense.numel():
        return np.nan
    return copied_share(dense[some_rows(tuple(dense.shape))].float().numpy())


def _bits(tensor: Tensor) -> Bits:
    return tensor.view(torch.int16).numpy().view(np.uint16)


def _count(codes: npt.NDArray[np.int32]) -> IntArray:
    """Count as NumPy does, a third faster, and without Python's lock."""
    counts: IntArray = torch.bincount(torch.from_numpy(codes), minlength=CODES).numpy()
    return counts


@contextmanager
def _undivided() -> Generator[None]:
    """Let torch work in the thread that calls it: there are two of ours, and they work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
