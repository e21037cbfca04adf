"""The norm of every sample's own gradient, from one pass backward over all of them.

Nothing is asked of the network's modules: autograd's graph says which operations take a parameter,
and keeps what they need. So it does not matter whether a parameter belongs to a layer of torch, is
used by a function in the user's forward, by several layers, or through a parametrization.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge
from torch.nn.modules.module import register_module_forward_hook

from kashika.torch_sample_gradients.layout import (
    Edge,
    Layout,
    graph_of,
    layouts_of,
    roots_of,
)
from kashika.torch_sample_gradients.norms import precise, squared
from kashika.torch_sample_gradients.parts import Part, groups_of, meetings_of, part_of

Layouts = dict[object, dict[int, Layout | None]]
"""{form of a graph: where the samples are in each of its edges}."""


@contextmanager
def recorded(
    module: nn.Module,
    trainable: Mapping[str, Tensor],
    *,
    samples: int,
    layouts: Layouts | None = None,
) -> Generator[Records]:
    """Note what `module` puts out inside the block, for the gradients of single samples.

    Parameters
    ----------
    trainable : {name: parameter}
    samples : in the batch
    layouts : taken from and added to; handed on from batch to batch, it saves finding out anew
        where the samples are, which takes two passes backward
    """
    records = Records(trainable, samples, {} if layouts is None else layouts)

    def leave(part: nn.Module, _args: object, outputs: object) -> None:
        if part is module:
            records.outputs = [one for one in _tensors(outputs) if one.requires_grad]

    # A scripted module refuses a hook of its own; a hook on all of them disturbs compiled parts.
    scripted = isinstance(module, torch.jit.ScriptModule)
    hook = register_module_forward_hook if scripted else module.register_forward_hook
    with ExitStack() as stack:
        stack.callback(hook(leave).remove)
        stack.enter_context(_in_steps(module))
        yield records


@dataclass
class Records:
    """One batch on its way through the network.

    Attributes
    ----------
    one_by_one : layers whose gradients had to be formed by a call for each sample
    left_out : layers whose gradients could not be told apart by sample
    outputs : of the network
    """

    _trainable: Mapping[str, Tensor]
    _samples: int
    _layouts: Layouts
    one_by_one: Sequence[str] = ()
    left_out: Sequence[str] = ()
    outputs: Sequence[Tensor] = field(default_factory=list)

    def backward(self, total: Tensor) -> tuple[dict[str, Tensor | None], dict[str, Tensor]]:
        """Go back from the summed loss of the samples.

        Returns
        -------
        The gradient of `total` for each parameter, None where it does not depend on it; and the
        (samples,) squared norms of the gradients of the samples' own losses, without those of the
        parameters that are left out.
        """
        zeros = torch.zeros(self._samples, dtype=precise(total), device=total.device)
        if not total.requires_grad:
            return dict.fromkeys(self._trainable), dict.fromkeys(self._trainable, zeros)
        if self._samples == 1:
            summed, _ = _differentiated(total, self._trainable, [])
            return summed, {
                name: zeros if g is None else squared(g[None]) for name, g in summed.items()
            }
        groups = groups_of(self._parts(total))
        formed = {name for group in groups if group.summed for name in group.names}
        asked = {name: p for name, p in self._trainable.items() if name not in formed}
        edges = dict.fromkeys(e for group in groups for part in group.parts for e in part.edges)
        summed, found = _differentiated(total, asked, list(edges))
        squares: dict[str, Tensor] = {}
        for group in groups:
            norms, sums = group.squares(found, self._samples)
            squares |= norms
            if group.summed:
                summed |= {n: g.to(self._trainable[n].dtype) for n, g in sums.items()}
        lost = [n for n, g in summed.items() if g is not None and _lost(g, squares.get(n))]
        self.left_out = _layers(lost)
        self.one_by_one = _layers([n for group in groups if group.slow for n in group.names])
        return {name: summed.get(name) for name in self._trainable}, {
            name: squares.get(name, zeros) for name in self._trainable if name not in lost
        }

    def _parts(self, total: Tensor) -> list[Part]:
        outputs = roots_of(total, self.outputs)
        graph = graph_of(list(outputs), self._trainable)
        form, edges = graph.form(self._samples), list(graph.edges)
        known = self._layouts.get(form)
        if known is None:
            found = layouts_of(graph, [*outputs.values()], samples=self._samples)
        else:
            found = {edges[i]: layout for i, layout in known.items()}
        meetings = list(meetings_of(graph, found, self._samples))
        parts = [part_of(at, edge, graph, found) for at, edge in meetings if at.layouts]
        # Else the next batch may reach what this did not, or send other samples another way.
        if len(parts) == len(meetings) and not any(part.slow for part in parts):
            self._layouts[form] = {i: found[edge] for i, edge in enumerate(edges) if edge in found}
        return parts


def summed_gradients(total: Tensor, trainable: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
    """Return the gradient of a loss for each parameter, None where it does not depend on it."""
    found, _ = _differentiated(total, trainable, [])
    return found


def _differentiated(
    total: Tensor, parameters: Mapping[str, Tensor], edges: Sequence[Edge]
) -> tuple[dict[str, Tensor | None], dict[Edge, Tensor]]:
    """Return the gradients of `total` for parameters and for edges of the graph, which stays."""
    wanted: list[Any] = [*parameters.values(), *(GradientEdge(*edge) for edge in edges)]
    found: Sequence[Tensor | None] = torch.autograd.grad(
        total, wanted, retain_graph=True, allow_unused=True
    )
    dense = [g if g is None or g.layout is torch.strided else g.to_dense() for g in found]
    behind = zip(edges, dense[len(parameters) :], strict=True)
    return dict(zip(parameters, dense, strict=False)), {e: g for e, g in behind if g is not None}


def _lost(summed: Tensor, squares: Tensor | None) -> bool:
    """Say whether the norms are unknown, though there is a gradient."""
    if squares is None:
        return bool(summed.any())
    return bool(squares.isnan().all()) and bool(summed.isfinite().all())


def _tensors(value: object) -> Iterator[Tensor]:
    """Give the tensors in what a network returns."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _tensors(one)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _tensors(one)
    elif is_dataclass(value):
        for one in fields(value):
            yield from _tensors(getattr(value, one.name))


def _layers(parameters: Collection[str]) -> tuple[str, ...]:
    """Return the names of the layers that parameters belong to."""
    return tuple(dict.fromkeys(name.rpartition(".")[0] or name for name in parameters))


@contextmanager
def _in_steps(module: nn.Module) -> Generator[None]:
    """Let recurrent layers run step by step: a whole one in one operation cannot be taken apart."""
    was = torch._C._get_mkldnn_enabled(), torch._C._get_cudnn_enabled()

    def switch(to: tuple[bool, bool]) -> None:
        torch._C._set_mkldnn_enabled(to[0])
        torch._C._set_cudnn_enabled(to[1])

    with ExitStack() as stack:
        stack.callback(switch, was)
        for part in module.modules():
            if isinstance(part, nn.RNNBase) and not isinstance(part, torch.jit.ScriptModule):
                before = part.register_forward_pre_hook(lambda *_: switch((False, False)))
                after = part.register_forward_hook(lambda *_: switch(was))
                stack.callback(before.remove)
                stack.callback(after.remove)
        yield
