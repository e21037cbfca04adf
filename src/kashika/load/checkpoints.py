"""Weights out of a file, without running code that may be in it."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from kashika.distribution import Distribution
from kashika.errors import LoadError, MismatchError, one_line
from kashika.parameters import Parameter, initials, kinds_from_shapes
from kashika.run import Checkpoint
from kashika.texts import text


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the state_dict in a file onto the CPU.

    Raises
    ------
    LoadError
        If the file holds none, is damaged, or asks for code to be run.
    """
    if not path.is_file():
        raise LoadError("errors.no_such_file", option="--checkpoint", path=path)
    if not path.stat().st_size:
        raise LoadError("errors.empty_file", path=path)
    try:
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for damaged files
        code = re.search(r"GLOBAL (\S+)", str(error))
        if isinstance(error, pickle.UnpicklingError) and code:
            raise LoadError("errors.unsafe_checkpoint", path=path, error=code[1]) from error
        # The first sentence: the others advise to load whatever it is.
        found = one_line(error).split(". ")[0]
        raise LoadError("errors.not_a_checkpoint", path=path, error=found) from error
    if not isinstance(content, Mapping):
        raise LoadError("errors.no_state", path=path, found=type(content).__name__)
    state = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not state:
        raise LoadError("errors.no_state", path=path, found=", ".join(map(str, content)) or "{}")
    return state


def checkpoint_of(path: Path, state: Mapping[str, Tensor]) -> Checkpoint:
    """Look at the weights in a state_dict; layer types are guessed from names and shapes."""
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, tensor in state.items():
        layer, _, short = name.rpartition(".")
        shapes.setdefault(layer, {})[short] = tuple(tensor.shape)
    kinds = kinds_from_shapes(shapes)
    parameters = []
    for name, tensor in state.items():
        layer, _, short = name.rpartition(".")
        if not _real(tensor) or short in _BUFFERS:
            continue
        kind = kinds[layer]
        known = initials(kind, shapes[layer]) if kind else {}
        dense = tensor.detach().dequantize() if tensor.is_quantized else tensor.detach().to_dense()
        wide = dense if dense.dtype == torch.float64 else dense.float()
        values = Distribution.of(wide.numpy())
        parameters.append(Parameter(name, kind, values, known.get(short), None))
    return Checkpoint(path, tuple(parameters))


def left_out(state: Mapping[str, Tensor]) -> list[str]:
    """Name the tensors that are no parameters of real numbers, counters apart."""
    return [name for name, tensor in state.items() if not _real(tensor) and tensor.numel() > 1]


def _real(tensor: Tensor) -> bool:
    """Tell whether a tensor holds real numbers, and holds them here."""
    return (tensor.is_floating_point() or tensor.is_quantized) and not tensor.is_meta


def put_into(module: nn.Module, state: Mapping[str, Tensor], *, path: Path, model: str) -> None:
    """Give the weights of a file to a network.

    Raises
    ------
    MismatchError
        If keys or shapes differ; all of them are listed.
    """
    own = module.state_dict()
    said = [
        text(
            "words.shape_differs",
            name=name, found=tuple(state[name].shape), expected=tuple(own[name].shape),
        )
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]  # fmt: skip
    said += [text("words.not_in_file", name=name) for name in own if name not in state]
    said += [text("words.not_in_network", name=name) for name in state if name not in own]
    if said:
        raise MismatchError(
            "errors.checkpoint", path=path, model=model, differences=" / ".join(said)
        )
    module.load_state_dict(dict(state))


_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
