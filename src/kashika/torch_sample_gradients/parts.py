"""The gradients of single samples for the parameters of a network, out of autograd's graph."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node

from kashika.torch_sample_gradients.layout import Edge, Graph, Layout, only_input, shape_of
from kashika.torch_sample_gradients.meeting import Formed, Meeting, Product
from kashika.torch_sample_gradients.norms import (
    Factors,
    chunks,
    ghost_pays,
    joined,
    product,
    squared,
    squared_sum,
)
from kashika.torch_sample_gradients.rules import by_call, rule

Found = Mapping[Edge, Tensor]
"""{output of an operation: the gradient of the summed loss for it}."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one operation gives to the gradients of the parameters that its weight is made of.

    Attributes
    ----------
    names : of the parameters; several where a weight is computed, as with weight normalisation
    edges : whose gradients it needs
    way : to the gradients of the weight
    back : gradients (rows, …) of the weight -> those of the parameters; None if they are the same
    alike : whether they have the same numbers, and so the same norm
    slow : whether it takes a call for each sample
    """

    names: tuple[str, ...]
    edges: tuple[Edge, ...]
    way: Product | Formed
    back: Callable[[Tensor], Mapping[str, Tensor]] | None
    alike: bool
    slow: bool

    def gradients(self, found: Found) -> dict[int, Tensor]:
        """Pick those that the way needs, by the number of the output."""
        return {n: found[node, n] for node, n in self.edges if (node, n) in found}

    def formed(self, found: Found, rows: slice) -> Mapping[str, Tensor]:
        """Form the gradients of some samples, {name: (rows, *shape)}."""
        if isinstance(self.way, Formed):
            made = self.way.form(self.gradients(found), rows)
        else:
            left, right = self.way.factors(self.gradients(found))
            made = product(left[rows], right[rows], self.way.size)
        return self.restored(made)

    def restored(self, made: Tensor) -> Mapping[str, Tensor]:
        """Take gradients of the weight back to the parameters."""
        return {self.names[0]: made} if self.back is None else self.back(made)


def meetings_of(
    graph: Graph, places: Mapping[Edge, Layout | None], samples: int
) -> Iterator[tuple[Meeting, Edge]]:
    """Give every operation on samples that takes a weight, and what the weight is an output of.

    Parameters
    ----------
    places : where the samples are in every edge that a gradient reaches, None in that of a weight

    Yields
    ------
    Without layouts for an operation that no gradient reaches.
    """
    pending: list[Edge] = [(leaf, 0) for leaf in graph.leaves]
    seen = set(pending)
    while pending:
        edge = pending.pop()
        for node, k in graph.consumers.get(edge, ()):
            outputs = {n: places[node, n] for n in graph.outputs[node] if (node, n) in places}
            apart = {n: layout for n, layout in outputs.items() if layout is not None}
            if apart or not outputs:
                yield Meeting(node, k, shape_of(edge), apart, samples), edge
                continue
            above = [(node, n) for n in outputs if (node, n) not in seen]
            seen.update(above)
            pending += above


def part_of(at: Meeting, edge: Edge, graph: Graph, places: Mapping[Edge, Layout | None]) -> Part:
    """Say what an operation that takes a weight gives to the gradients of parameters.

    Parameters
    ----------
    edge : that the weight is
    places : as `meetings_of` takes them
    """
    way = rule(at)
    slow = way is None
    way = by_call(at) if way is None else way
    edges = tuple((at.node, n) for n in at.layouts)
    steps: list[Callable[[Tensor], Tensor]] = []
    alike = True
    while edge[0] not in graph.leaves and len(edge[0].next_functions) == 1:
        step = _undone(edge)
        if step is None:
            break
        alike &= edge[0].name() not in _ADDING
        if edge[0].name() == "TBackward0" and isinstance(way, Product) and not steps:
            way = way.turned()
        else:
            steps.append(step)
        edge = only_input(edge[0])
    leaves, apart = _below(edge, graph, places)
    computed = edge[0] not in graph.leaves

    def back(gradients: Tensor) -> Mapping[str, Tensor]:
        for step in steps:
            gradients = step(gradients)
        return (
            _pulled(gradients, edge, leaves, apart)
            if computed
            else dict.fromkeys(leaves, gradients)
        )

    return Part(
        tuple(leaves), edges, way, back if steps or computed else None,
        alike=alike and not computed, slow=slow or computed,
    )  # fmt: skip


def _undone(edge: Edge) -> Callable[[Tensor], Tensor] | None:
    """Return how to take gradients (rows, …) back through an operation that only moves numbers."""
    node, n = edge
    name, shape = node.name(), shape_of(only_input(node))

    def at(key: str) -> int:
        return _wrapped(getattr(node, f"_saved_{key}"), shape)

    if name == "TBackward0":
        return lambda g: g.mT
    if name.startswith("TransposeBackward"):
        first, second = 1 + at("dim0"), 1 + at("dim1")
        return lambda g: g.transpose(first, second)
    if name == "PermuteBackward0":
        dims = [_wrapped(dim, shape) for dim in node._saved_dims]  # type: ignore[attr-defined]
        order = sorted(range(len(dims)), key=dims.__getitem__)
        return lambda g: g.permute(0, *(1 + dim for dim in order))
    if name.startswith(_SAME_ORDER):
        return lambda g: g.reshape(-1, *shape)
    if name == "SliceBackward0" and node._saved_step == 1:  # type: ignore[attr-defined]
        return _into(shape, at("dim"), node._saved_start)  # type: ignore[attr-defined]
    if name == "SplitBackward0":
        return _into(shape, at("dim"), n * node._saved_split_size)  # type: ignore[attr-defined]
    if name == "EmbeddingBackward0" and not node._saved_scale_grad_by_freq:  # type: ignore[attr-defined]
        ids, padding = node._saved_indices.flatten(), node._saved_padding_idx  # type: ignore[attr-defined]

        def scattered(g: Tensor) -> Tensor:
            g = g.flatten(1, -2)[:, ids != padding]
            return g.new_zeros(len(g), *shape).index_add_(1, ids[ids != padding], g)

        return scattered
    return None


def _into(shape: Sequence[int], dim: int, start: int) -> Callable[[Tensor], Tensor]:
    """Return how to put gradients (rows, …) where a part of a parameter was taken."""

    def put(g: Tensor) -> Tensor:
        first = start + shape[dim] if start < 0 else start
        whole = g.new_zeros(len(g), *shape)
        whole.narrow(dim + 1, first, g.shape[dim + 1]).copy_(g)
        return whole

    return put


_ADDING = ("EmbeddingBackward0",)  # several numbers may go to one place
_SAME_ORDER = (
    "ViewBackward", "UnsafeViewBackward", "ReshapeAliasBackward", "UnsqueezeBackward",
    "SqueezeBackward", "ToCopyBackward", "CloneBackward", "AliasBackward",
)  # fmt: skip


def _wrapped(dim: int, shape: Sequence[int]) -> int:
    """Return a dimension counted from the front; negative ones are kept as 2⁶⁴ less."""
    return (dim - 2**64 if dim >= 2**63 else dim) % len(shape)


def _below(
    edge: Edge, graph: Graph, places: Mapping[Edge, Layout | None]
) -> tuple[dict[str, Node], list[Edge]]:
    """Find what a weight is computed from: parameters, and edges in which samples lie apart.

    There are such edges where only some of the samples take a way, as to one of several experts:
    the rows on it are no samples of their own. What lies beyond has been met by all samples there,
    and gets its gradients from that meeting.
    """
    found: dict[str, Node] = {}
    apart: list[Edge] = []
    pending, seen = [edge[0]], {edge[0]}
    while pending:
        node = pending.pop()
        if node in graph.leaves:
            found[graph.leaves[node]] = node
        for below, n in node.next_functions:
            if below is None:
                continue
            if places.get((below, n)) is not None:
                apart.append((below, n))
            elif below not in seen:
                seen.add(below)
                pending.append(below)
    return found, apart


def _pulled(
    gradients: Tensor, edge: Edge, leaves: Mapping[str, Node], apart: Collection[Edge]
) -> dict[str, Tensor]:
    """Take the gradients of a weight back to what it was computed from, one by one.

    Parameters
    ----------
    apart : edges that nothing passes, as `_below` gives them
    """
    inputs = [GradientEdge(leaf, 0) for leaf in leaves.values()]
    made: dict[str, list[Tensor]] = {name: [] for name in leaves}
    with _closed(apart):
        for one in gradients:
            found: Sequence[Tensor | None] = torch.autograd.grad(
                [GradientEdge(*edge)], inputs, [one], retain_graph=True, allow_unused=True
            )
            for (name, leaf), g in zip(leaves.items(), found, strict=True):
                zeros = one.new_zeros(shape_of((leaf, 0)))
                made[name].append(zeros if g is None else g.to_dense())
    return {name: torch.stack(several) for name, several in made.items()}


@contextmanager
def _closed(edges: Collection[Edge]) -> Generator[None]:
    """Let no gradient pass some edges inside the block."""

    def stopper(n: int) -> Callable[[Sequence[Tensor | None]], tuple[Tensor | None, ...]]:
        return lambda grads: tuple(
            torch.zeros_like(g) if i == n and g is not None else g for i, g in enumerate(grads)
        )

    with ExitStack() as stack:
        for node, n in dict.fromkeys(edges):
            stack.callback(node.register_prehook(stopper(n)).remove)
        yield


# --- all parts of a parameter --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Parameters whose gradients have to be formed together, and all that gives to them."""

    names: tuple[str, ...]
    parts: tuple[Part, ...]

    @property
    def slow(self) -> bool:
        """Whether it takes a call for each sample."""
        return any(part.slow for part in self.parts)

    @property
    def summed(self) -> bool:
        """Whether the gradient of the summed loss comes out on the way."""
        return not (self.slow or self._unformed)

    @property
    def _unformed(self) -> bool:
        """Whether the norms are cheaper than the gradients."""
        first = self.parts[0].way
        if isinstance(first, Formed):
            return len(self.parts) == 1 and self.parts[0].alike and first.squares is not None
        if not self._of_products:
            return False
        ways = [part.way for part in self.parts if isinstance(part.way, Product)]
        return ghost_pays(sum(way.positions for way in ways), first.size) or not any(
            way.whole for way in ways
        )

    @property
    def _of_products(self) -> bool:
        """Whether all parts are products that can be taken together."""
        return all(isinstance(part.way, Product) and part.alike for part in self.parts) and (
            len(self.parts) == 1 or all(part.back is None for part in self.parts)
        )

    def squares(self, found: Found, samples: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return {name: (samples,) squared norms} and, if `summed`, the sums of the gradients."""
        factors = self._factors(found)
        if self._unformed:
            first = self.parts[0]
            if isinstance(first.way, Product):
                return {self.names[0]: squared_sum(factors, first.way.size[0])}, {}
            assert first.way.squares is not None
            return {self.names[0]: first.way.squares(first.gradients(found))}, {}
        norms: dict[str, list[Tensor]] = {name: [] for name in self.names}
        sums: dict[str, Tensor] = {}
        for rows in chunks(samples, self._numbers(found, samples)):
            for name, g in self._formed(found, factors, rows).items():
                norms[name].append(squared(g))
                sums[name] = g.sum(dim=0) if name not in sums else sums[name].add_(g.sum(dim=0))
        return {name: torch.cat(several) for name, several in norms.items()}, sums

    def _factors(self, found: Found) -> list[Factors]:
        if not self._of_products:
            return []
        ways = ((part.way, part.gradients(found)) for part in self.parts)
        return joined([way.factors(g) for way, g in ways if isinstance(way, Product)])

    def _formed(self, found: Found, factors: Sequence[Factors], rows: slice) -> dict[str, Tensor]:
        """Form the gradients of some samples, {name: (rows, *shape)}."""
        first = self.parts[0]
        if factors:
            assert isinstance(first.way, Product)
            made = [product(x[rows], y[rows], first.way.size) for x, y in factors]
            return dict(first.restored(made[0] if len(made) == 1 else sum(made, torch.zeros(()))))
        total: dict[str, Tensor] = {}
        for part in self.parts:
            for name, g in part.formed(found, rows).items():
                total[name] = total[name] + g if name in total else g
        return total

    def _numbers(self, found: Found, samples: int) -> int:
        """Return how many numbers a sample takes at once."""
        needed = {edge: found[edge] for part in self.parts for edge in part.edges if edge in found}
        return sum(one.numel() for one in needed.values()) // samples + sum(
            {part.way: part.way.numbers for part in self.parts}.values()
        )


def groups_of(parts: Collection[Part]) -> list[Group]:
    """Take together what gives to the same parameters."""
    groups: list[tuple[dict[str, None], list[Part]]] = []
    for part in parts:
        names, own = dict.fromkeys(part.names), [part]
        apart = []
        for group in groups:
            if group[0].keys() & names.keys():
                names, own = group[0] | names, group[1] + own
            else:
                apart.append(group)
        groups = [*apart, (names, own)]
    return [Group(tuple(names), tuple(own)) for names, own in groups]
