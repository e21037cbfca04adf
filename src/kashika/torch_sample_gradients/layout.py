"""Where the samples of a batch lie in the gradients that pass the edges of autograd's graph.

An entry of a gradient on its way back belongs to one sample, or to all of them as that of a weight.
Shapes cannot tell: 32 texts of 32 words look the same with the words first. So the graph is asked:
a random gradient for half of the samples goes in at the outputs, and then one for the other half.
The entries that it reaches belong to these samples.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

Edge = tuple[Node, int]
"""An output of a node of autograd's graph: what flows back along it is that output's gradient."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the samples are: dimension `dim` counts (outer, samples, inner) positions."""

    dim: int
    outer: int = 1
    inner: int = 1

    def split(self, tensor: Tensor, samples: int) -> Tensor:
        """Return (samples, …), with what is left of `dim`, outer × inner, in its place behind."""
        parts = torch.unflatten(tensor, self.dim, self._sizes(samples)).movedim(self.dim + 1, 0)
        return parts.flatten(self.dim + 1, self.dim + 2)

    def only(self, tensor: Tensor, sample: int, samples: int) -> Tensor:
        """Return the tensor with zeros for all samples but one."""
        result = torch.zeros_like(tensor, memory_format=torch.contiguous_format)
        mine, whole = (
            torch.unflatten(one, self.dim, self._sizes(samples)).select(self.dim + 1, sample)
            for one in (result, tensor)
        )
        mine.copy_(whole)
        return result

    def owners(self, size: int, samples: int) -> Tensor:
        """Return (size,) the sample to which each index along `dim` belongs."""
        return torch.arange(size).div(self.inner, rounding_mode="floor") % samples

    def _sizes(self, samples: int) -> tuple[int, int, int]:
        # One of the two may have another length in another batch: a longer text.
        return (1, samples, -1) if self.outer == 1 else (-1, samples, self.inner)


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """The part of autograd's graph that leads from outputs to trainable parameters.

    Attributes
    ----------
    leaves : {node that takes the gradient of a parameter: name of the parameter}
    outputs : {node: its outputs that anyone uses}, input side last
    consumers : {output: who uses it, and as which of their inputs}
    weights : nodes that only move the numbers of a parameter, so that no sample comes in
    """

    leaves: Mapping[Node, str]
    outputs: Mapping[Node, list[int]]
    consumers: Mapping[Edge, list[tuple[Node, int]]]
    weights: Collection[Node]

    @property
    def edges(self) -> Iterator[Edge]:
        """All outputs, in the same order for graphs of the same form."""
        return ((node, n) for node, used in self.outputs.items() for n in used)

    def form(self, samples: int) -> tuple[object, ...]:
        """Return what graphs have in common whose samples lie in the same places."""
        number = {node: i for i, node in enumerate(self.outputs)}
        found: list[object] = [samples > 1]
        for node, used in self.outputs.items():
            inputs = tuple(
                None if below is None else (number.get(below), nr, self.leaves.get(below))
                for below, nr in node.next_functions
            )
            # Where there is one word in each text, words first and texts first look the same.
            sizes = tuple(
                tuple((size == 1, size == samples) for size in shape_of((node, n))) for n in used
            )
            found.append((node.name(), inputs, sizes))
        return tuple(found)


def roots_of(total: Tensor, outputs: Sequence[Tensor]) -> dict[Edge, Tensor]:
    """Return the outputs of a network that a loss is computed from, {edge: output}.

    What a network returns besides, such as the head of a critic, gets no gradient; and what an
    output that is used was made from gets its gradients through that.
    """
    known = {(e.node, e.output_nr): one for one in outputs for e in [get_gradient_edge(one)]}
    start = get_gradient_edge(total)
    found: dict[Edge, Tensor] = {}
    pending: list[Edge] = [(start.node, start.output_nr)]
    seen = set(pending)
    while pending:
        edge = pending.pop()
        if edge in known:
            found[edge] = known[edge]
            continue
        above = [(node, n) for node, n in edge[0].next_functions if node is not None]
        pending += [one for one in above if one not in seen]
        seen.update(above)
    return found


def recomputes(total: Tensor) -> bool:
    """Tell whether a part of the graph behind a loss is computed anew on the way back.

    Parameters in such a part stand in no graph, and seem to get no gradient. (That of torch itself
    can be told to keep what it computes; there are others that were made after it.)
    """
    pending, seen = [total.grad_fn], {total.grad_fn}
    while pending:
        node = pending.pop()
        if node is None:
            continue
        if node.name().endswith("CheckpointFunctionBackward"):
            return True
        above = {below for below, _ in node.next_functions} - seen
        pending += above
        seen |= above
    return False


def graph_of(roots: Collection[Edge], trainable: Mapping[str, Tensor]) -> Graph:
    """Look through the graph behind some outputs."""
    names = {id(parameter): name for name, parameter in trainable.items()}
    leaves: dict[Node, str] = {}
    useful: dict[Node, bool] = {}
    order: list[Node] = []
    stack = [(node, False) for node, _ in roots]
    while stack:
        node, done = stack.pop()
        inputs = [one for one, _ in node.next_functions if one is not None]
        if done:
            useful[node] = node in leaves or any(useful[one] for one in inputs)
            if useful[node] and node not in leaves:
                order.append(node)
        elif node not in useful:
            useful[node] = False
            name = names.get(id(getattr(node, "variable", None)))
            if name is not None:
                leaves[node] = name
            stack.append((node, True))
            stack += [(one, False) for one in inputs if one not in useful]
    outputs: dict[Node, list[int]] = {node: [] for node in reversed(order)}
    consumers: dict[Edge, list[tuple[Node, int]]] = {}
    for node, n in roots:
        if useful[node] and node in outputs and n not in outputs[node]:
            outputs[node].append(n)
    for node in outputs:
        for k, (below, n) in enumerate(node.next_functions):
            if below is None or not useful[below]:
                continue
            consumers.setdefault((below, n), []).append((node, k))
            if below in outputs and n not in outputs[below]:
                outputs[below].append(n)
    weights = set(leaves)
    for node in order:  # input side first
        if node.name().startswith(_MOVING) and only_input(node)[0] in weights:
            weights.add(node)
    return Graph(leaves, outputs, consumers, weights)


_MOVING = (
    "TBackward", "TransposeBackward", "PermuteBackward", "ViewBackward", "UnsafeViewBackward",
    "ReshapeAliasBackward", "UnsqueezeBackward", "SqueezeBackward", "ToCopyBackward",
    "CloneBackward", "AliasBackward", "SliceBackward", "SplitBackward",
)  # fmt: skip


def shape_of(edge: Edge) -> tuple[int, ...]:
    """Return the shape of an output of a node, and so of the gradient for it."""
    node, n = edge
    return tuple(node._input_metadata[n].shape)


def only_input(node: Node) -> Edge:
    """Return the output that an operation on a single tensor takes."""
    ((below, n),) = node.next_functions
    assert below is not None
    return below, n


def layouts_of(
    graph: Graph, outputs: Sequence[Tensor], *, samples: int, seed: int = 0
) -> dict[Edge, Layout | None]:
    """Find where the samples are, from the parameters up to the operations that tell them apart.

    Takes two passes backward, and two more for weights that are computed; the graph stays.

    Parameters
    ----------
    outputs : of the network

    Returns
    -------
    None for a gradient whose entries belong to several samples, as that of a weight; nothing for
    what no gradient reaches, and for what lies beyond.
    """
    places: dict[Edge, Layout | None] = {}
    pending: list[Edge] = [(leaf, 0) for leaf in graph.leaves]
    while pending:
        asked: dict[Edge, None] = {}
        while pending:
            for node, _ in graph.consumers.get(pending.pop(), ()):
                above = [(node, n) for n in graph.outputs[node]]
                if node not in graph.weights:
                    asked |= dict.fromkeys(edge for edge in above if edge not in places)
                elif above[0] not in places:
                    places |= dict.fromkeys(above)
                    pending += above
        found = _asked(list(asked), outputs, samples, seed) if asked else {}
        pending = [edge for edge, layout in found.items() if layout is None]
        places |= found
    return places


def _asked(
    edges: Sequence[Edge], outputs: Sequence[Tensor], samples: int, seed: int
) -> dict[Edge, Layout | None]:
    random = torch.Generator().manual_seed(seed)
    half = torch.zeros(samples, dtype=torch.bool)
    half[torch.randperm(samples, generator=random)[: samples // 2]] = True
    known = [(one, where) for one in outputs if (where := _of_output(one.shape, samples))]
    possible: dict[Edge, list[Layout]] = {}
    for active in (half, ~half) if known else ():
        # Products, whose gradients are the noise: torch checks what is given as the gradient of an
        # output by means of a library for algebra, which takes 0.4 seconds to import.
        with torch.enable_grad():
            noisy = [(one * _noise(one, where, active, random)).sum() for one, where in known]
        found: Sequence[Tensor | None] = torch.autograd.grad(
            noisy, [GradientEdge(*edge) for edge in edges], retain_graph=True, allow_unused=True
        )
        for edge, gradient in zip(edges, found, strict=True):
            if gradient is None or not gradient.numel():
                continue
            size = gradient.abs()
            before = possible.get(edge)
            if before is None:
                before = list(_all(gradient.shape, samples))
            reached = {dim: _largest(size, dim) > 0 for dim in {0, *(one.dim for one in before)}}
            if edge in possible or reached[0].any():
                possible[edge] = [
                    one
                    for one in before
                    if not (
                        reached[one.dim] & ~active[one.owners(size.shape[one.dim], samples)]
                    ).any()
                ]
    return {edge: next(iter(fitting), None) for edge, fitting in possible.items()}


def _of_output(shape: Sequence[int], samples: int) -> Layout | None:
    """Say which dimension of an output counts the samples: the first that may."""
    for dim, size in enumerate(shape):
        if size == samples:
            return Layout(dim)
    if shape and shape[0] and shape[0] % samples == 0:
        return Layout(0, inner=shape[0] // samples)
    return None


def _noise(like: Tensor, where: Layout, active: Tensor, random: torch.Generator) -> Tensor:
    owners = where.owners(like.shape[where.dim], len(active))
    mask = active[owners].reshape(-1, *[1] * (like.ndim - where.dim - 1))
    noise = torch.randn(like.shape, generator=random) * mask
    return noise.to(device=like.device, dtype=like.dtype)


def _all(shape: Sequence[int], samples: int) -> Iterator[Layout]:
    """Give every place where samples may be, the usual ones first."""
    for dim, size in enumerate(shape):
        if size and size % samples == 0:
            positions = size // samples
            for outer in range(1, positions + 1):
                if positions % outer == 0:
                    yield Layout(dim, outer, positions // outer)


def _largest(size: Tensor, dim: int) -> Tensor:
    """Return (size of dim,) the largest number at each index; much faster than `any`."""
    if dim + 1 < size.ndim:
        size = size.flatten(dim + 1).amax(dim=-1)
    return (size.flatten(0, dim - 1).amax(dim=0) if dim else size).cpu()
