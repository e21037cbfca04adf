"""Whole programs out of a checkpoint, as networks that can be run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.export import ExportedProgram

from kashika.load.checkpoints.entry import Entry


class Program(nn.Module):
    """A program as a network: its parameters by their names, and its outputs.

    What goes on inside is not seen: the layers are here for their names alone; none is called.

    Parameters
    ----------
    run : what gives outputs for inputs
    parameters, buffers : {name: tensor} that `run` computes with
    batch : number of samples that `run` takes at once; any number if None
    """

    def __init__(
        self,
        run: nn.Module,
        *,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        batch: int | None = None,
    ) -> None:
        super().__init__()
        self._run = (run,)  # in a tuple, so that its inside stays out of sight
        self._batch = batch
        for name, parameter in parameters.items():
            layer, short = _layer(self, name)
            # Not register_parameter: a program of TorchScript computes with plain tensors, and
            # the gradient of a Parameter made from one would be that of another tensor.
            layer._parameters[short] = parameter  # type: ignore[assignment]
        for name, buffer in buffers.items():
            layer, short = _layer(self, name)
            layer.register_buffer(short, buffer)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs, in as many calls as the program's own size of batches asks for."""
        (run,) = self._run
        size = self._batch
        if size is None or len(inputs) == size:
            return run(inputs)  # type: ignore[no-any-return]
        parts = []
        for start in range(0, len(inputs), size):
            part = inputs[start : start + size]
            filled = torch.cat([part, part[-1:].expand(size - len(part), *part.shape[1:])])
            parts.append(run(filled)[: len(part)])
        return torch.cat(parts)


def scripted(path: Path) -> nn.Module:
    """Read a TorchScript program; only torch's own interpreter runs it, and no Python."""
    with warnings.catch_warnings(action="ignore"):
        program = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
        program.eval()
    parameters, buffers = dict(program.named_parameters()), dict(program.named_buffers())
    return Program(program, parameters=parameters, buffers=buffers)


def exported(
    graph: Mapping[str, object], state: Mapping[str, Entry], constants: Mapping[str, Entry]
) -> nn.Module:
    """Make a network of a graph that was checked, and of tensors that were read without pickle."""
    from torch._export.serde import schema, serialize

    with warnings.catch_warnings(action="ignore"):
        described = serialize._dict_to_dataclass(  # type: ignore[no-untyped-call]
            schema.ExportedProgram, graph
        )
        inputs = described.graph_module.signature.input_specs
        learned = {one.parameter.parameter_name for one in inputs if one.type == "parameter"}
        program = serialize.ExportedProgramDeserializer().deserialize(
            described,
            {name: _own(one, learned=name in learned) for name, one in state.items()},
            {name: one.read().clone() for name, one in constants.items()},
            None,
        )
        module = program.module()
    parameters, buffers = dict(module.named_parameters()), dict(module.named_buffers())
    return Program(module, parameters=parameters, buffers=buffers, batch=_batch(program))


def _batch(program: ExportedProgram) -> int | None:
    """Return how many samples a program takes at once; None if any number will do."""
    given = program.graph_signature.user_inputs
    values = [node.meta.get("val") for node in program.graph.nodes if node.name in given]
    shape = values[0].shape if values and isinstance(values[0], Tensor) else ()
    return shape[0] if shape and isinstance(shape[0], int) else None


def _own(one: Entry, *, learned: bool) -> Tensor:
    tensor = one.read().clone()
    return nn.Parameter(tensor) if learned and tensor.is_floating_point() else tensor


def _layer(module: nn.Module, name: str) -> tuple[nn.Module, str]:
    """Return the module that a parameter belongs to, made where it is not there, and its name."""
    *outer, short = name.split(".")
    for part in outer:
        if part not in module._modules:
            module.add_module(part, nn.Module())
        module = module._modules[part]  # type: ignore[assignment]
    return module, short
