"""Weights out of a file, without running code that may be in it."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from kashika.distribution import Distribution
from kashika.errors import LoadError, MismatchError, one_line
from kashika.parameters import Parameter, initials, kinds_from_shapes
from kashika.run import Checkpoint

ENDINGS = (".pth", ".pt", ".ckpt", ".bin")


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
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        start = path.read_bytes()[:2]
        known = zipfile.is_zipfile(path) or start[:1] == b"\x80"
        key = "errors.unsafe_checkpoint" if known else "errors.not_a_checkpoint"
        raise LoadError(key, path=path, error=one_line(error).split(". ")[0]) from error
    except Exception as error:  # torch raises many types for damaged files
        raise LoadError("errors.not_a_checkpoint", path=path, error=one_line(error)) from error
    if not isinstance(content, Mapping):
        raise LoadError("errors.no_state", path=path, found=type(content).__name__)
    state = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not state:
        raise LoadError("errors.no_state", path=path, found=", ".join(map(str, content)))
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
        if not tensor.is_floating_point() or short in _BUFFERS:
            continue
        kind = kinds[layer]
        known = initials(kind, shapes[layer]) if kind else {}
        values = Distribution.of(
            tensor.float().numpy() if tensor.dtype != torch.float64 else tensor.numpy()
        )
        parameters.append(Parameter(name, kind, values, known.get(short), None))
    return Checkpoint(path, tuple(parameters))


def put_into(module: nn.Module, state: Mapping[str, Tensor], *, path: Path, model: str) -> None:
    """Give the weights of a file to a network.

    Raises
    ------
    MismatchError
        If keys or shapes differ; all of them are listed.
    """
    own = module.state_dict()
    said = [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    said += [f"{name} is not in the file" for name in own if name not in state]
    said += [f"{name} is not in the network" for name in state if name not in own]
    if said:
        raise MismatchError(
            "errors.checkpoint", path=path, model=model, differences="; ".join(said)
        )
    module.load_state_dict(dict(state))


_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
