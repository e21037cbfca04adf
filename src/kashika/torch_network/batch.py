"""A batch of inputs in any form: put beside a network's weights, cut, and handed to it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kashika.distribution import Array
from kashika.run import Inputs
from kashika.torch_network.capture import first_tensor


def placed(inputs: Inputs, module: nn.Module) -> Inputs:
    """Copy inputs to the network's device, and floats to its type; numbers of words stay whole."""
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))
    if isinstance(inputs, Mapping | tuple | list):
        return mapped(inputs, lambda one: _copied(one, like, whole=True))
    embeds = any(isinstance(m, nn.Embedding | nn.EmbeddingBag) for m in module.modules())
    whole = embeds and np.asarray(inputs).dtype.kind in "iu"
    return _copied(inputs, like, whole=whole)


def mapped(inputs: Inputs, function: Callable[[Any], Any]) -> Inputs:
    """Apply a function to every array in a batch."""
    if isinstance(inputs, Mapping):
        return {name: mapped(one, function) for name, one in inputs.items()}
    if isinstance(inputs, tuple | list):
        return tuple(mapped(one, function) for one in inputs)
    return function(inputs)


def count(inputs: Inputs) -> int:
    """Return the number of samples in a batch."""
    while isinstance(inputs, Mapping | tuple | list):
        inputs = next(iter(inputs.values() if isinstance(inputs, Mapping) else inputs))
    return len(inputs)


def part(inputs: Inputs, start: int, stop: int) -> Inputs:
    """Cut some samples out of a batch."""
    size = count(inputs)
    # What has another length, such as a mask that holds for all samples, belongs to each of them.
    return mapped(inputs, lambda one: one[start:stop] if np.ndim(one) and len(one) == size else one)


def chosen(inputs: Inputs, rows: Array) -> Inputs:
    """Take the samples out of a batch that (samples,) bool `rows` names."""
    size = count(inputs)
    return mapped(inputs, lambda one: one[rows] if np.ndim(one) and len(one) == size else one)


def by_sample(inputs: Inputs) -> list[Array]:
    """Return the arrays of a batch that have a row for each sample."""
    found: list[Array] = []
    mapped(inputs, found.append)
    return [one for one in found if np.ndim(one) and len(one) == count(inputs)]


def shapes(inputs: Inputs) -> str:
    """Say the shapes of a batch."""
    if isinstance(inputs, Mapping):
        return ", ".join(f"{name} {shapes(one)}" for name, one in inputs.items())
    if isinstance(inputs, tuple | list):
        return ", ".join(map(shapes, inputs))
    return str(tuple(inputs.shape))


def answer(module: nn.Module, inputs: Inputs) -> Tensor:
    """Run a network, and pick the outputs among what it returns: `logits`, else the first floats.

    Raises
    ------
    TypeError
        If it returns no tensor.
    """
    output = _called(module, inputs)
    logits = (
        output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    )
    tensor = logits if isinstance(logits, Tensor) else first_tensor(output)
    if tensor is None or not tensor.ndim:
        raise TypeError(f"expected the forward to return a tensor, found {type(output).__name__}")
    return tensor


def _called(module: nn.Module, inputs: Inputs) -> object:
    if isinstance(inputs, tuple):
        return module(*inputs)
    if not isinstance(inputs, Mapping):
        return module(inputs)
    taken = _arguments(module)
    if taken is None:
        return module(**inputs)
    # What a tokenizer gives and this network does not take is left out.
    known = {name: one for name, one in inputs.items() if name in taken}
    return module(**known) if known else module(inputs)


def _arguments(module: nn.Module) -> set[str] | None:
    """Return the names of a forward's arguments; None where it takes any."""
    found = inspect.signature(module.forward).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in found.values()):
        return None
    return {name for name, one in found.items() if one.kind is not inspect.Parameter.VAR_POSITIONAL}


def _copied(value: Any, like: Tensor, *, whole: bool) -> Any:
    """Copy one array; what is none, such as a flag, stays as it is."""
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy() if value.dtype != torch.bfloat16 else value.float()
    if not isinstance(value, np.ndarray | Tensor):
        return value
    array = np.ascontiguousarray(value)  # no view with steps back, which torch refuses
    if whole and array.dtype.kind in "iu":
        return torch.tensor(array.astype(np.int64), device=like.device)
    keep = whole and array.dtype.kind == "b"
    return torch.tensor(array, device=like.device, dtype=torch.bool if keep else like.dtype)
