"""One rule for each operation on samples that takes a weight.

A rule says how to form the samples' gradients for the weight, a few at a time, or gives the two
factors that they are products of, whose norms need no gradient at all
(Goodfellow 2015, arXiv 1510.01799; for sequences Li et al. 2022, arXiv 2110.05679; for convolutions
Rochette et al. 2019, arXiv 1912.06015).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

from kashika.torch_sample_gradients.convolution import convolution
from kashika.torch_sample_gradients.layout import Layout, shape_of
from kashika.torch_sample_gradients.meeting import Formed, Gradients, Meeting, Product, numel
from kashika.torch_sample_gradients.norms import ghost_pays, squared_product, wide


def rule(at: Meeting) -> Product | Formed | None:
    """Return how to come by the gradients of the samples, or None if this has no rule."""
    of_node = _RULES.get(at.node.name())
    if of_node is None or at.layouts.keys() != {0} or _type(at.node).is_complex:
        return None
    return of_node(at)


def _type(node: Node) -> torch.dtype:
    described: Any = node._input_metadata[0]
    found: torch.dtype = described.dtype
    return found


def _described(node: Node) -> int:
    return len(node._input_metadata)


def by_call(at: Meeting) -> Formed:
    """Form the gradient of every sample by a call of the operation's own backward pass."""

    def form(gradients: Gradients, rows: slice) -> Tensor:
        made = []
        for sample in range(rows.start, rows.stop):
            mine = {n: at.layouts[n].only(g, sample, at.samples) for n, g in gradients.items()}
            made.append(wide(_called(at, mine)).sum_to_size(at.shape))
        return torch.stack(made)

    return Formed(form, numel(at.shape))


def _called(at: Meeting, gradients: Gradients) -> Tensor:
    """Return the gradient for the weight; NaN where it cannot be found among several."""
    outputs = max(_described(at.node), 1 + max(gradients))
    sent = [gradients.get(n) for n in range(outputs)]
    node: Any = at.node
    with torch.no_grad():
        # The user's own operations have a method for it, the others are called.
        found = node.apply(*sent) if hasattr(node, "apply") else node(*sent)
    several = list(found) if isinstance(found, tuple) else [found]
    like = next(iter(gradients.values()))
    if len(several) == len(node.next_functions):
        one = several[at.k]
        return like.new_zeros(at.shape) if one is None else one.detach().to_dense()
    # An operation of the user's own that also takes what is no tensor: the shape must tell.
    fitting = [one.detach() for one in several if one is not None and one.shape == at.shape]
    return fitting[0] if len(fitting) == 1 else like.new_full(at.shape, torch.nan)


# --- matrix products -----------------------------------------------------------------------------


def _addmm(at: Meeting) -> Product | Formed | None:
    if at.setting("alpha") != 1 or at.setting("beta") != 1:
        return None
    return _passed_on(at) if at.k == 0 else _matrix(at, ("mat1", "mat2"), is_left=at.k == 1)


def _mm(at: Meeting) -> Product | None:
    return _matrix(at, ("self", "mat2"), is_left=at.k == 0)


def _matrix(at: Meeting, names: tuple[str, str], *, is_left: bool) -> Product | None:
    if at.layout.dim != (1 if is_left else 0):
        return None
    other = wide(at.split(at.saved(names[1 if is_left else 0])))
    if is_left:  # weight @ x: the samples are columns
        return Product(
            lambda g: (wide(at.split(g[0])).mT, other.mT), _two(at.shape), other.shape[2]
        )
    return Product(lambda g: (other, wide(at.split(g[0]))), _two(at.shape), other.shape[1])


def _bmm(at: Meeting) -> Formed | None:
    """Several matrix products side by side, each with its own weights."""
    is_left = at.k == 0
    if at.layout.dim != (2 if is_left else 1):
        return None
    other = at.split(at.saved("mat2" if is_left else "self"))

    def form(gradients: Gradients, rows: slice) -> Tensor:
        g, x = wide(at.split(gradients[0])[rows]), wide(other[rows])
        return g @ x.mT if is_left else x.mT @ g

    def squares(gradients: Gradients) -> Tensor:
        g, x = wide(at.split(gradients[0]))[:, 0], wide(other)[:, 0]
        return squared_product(g.mT, x.mT) if is_left else squared_product(x, g)

    positions = other.shape[-1 if is_left else -2]
    single = at.shape[0] == 1 and ghost_pays(positions, _two(at.shape[1:]))
    return Formed(form, numel(at.shape), squares if single else None)


def _trilinear(at: Meeting) -> Formed | None:
    """F.bilinear: (…, rows) and (…, columns) into (…, outputs)."""
    if at.k != 1 or at.layout.dim != 0:
        return None
    i1, i3 = (at.saved(name) for name in ("i1", "i3"))
    if i1.ndim != 2 or i3.ndim != 2:
        return None

    def form(gradients: Gradients, rows: slice) -> Tensor:
        g, x, y = (wide(at.split(one)[rows]) for one in (gradients[0], i1, i3))
        return torch.einsum("bpo,bpi,bpj->boij", g, x, y)

    return Formed(form, numel(at.shape))


def _convolution(at: Meeting) -> Formed | None:
    if at.layout.dim != 0:
        return None
    return _summed(at) if at.k == 2 else convolution(at)


# --- tables --------------------------------------------------------------------------------------


def _embedding(at: Meeting) -> Product | None:
    ids, padding = at.saved("indices"), at.setting("padding_idx")
    if at.layout.dim >= ids.ndim or at.setting("scale_grad_by_freq"):
        return None  # the frequency is that in the whole batch
    places = at.split(ids).flatten(1)

    def factors(gradients: Gradients) -> tuple[Tensor, Tensor]:
        g = wide(at.split(gradients[0])).flatten(1, -2)
        return places, g.masked_fill((places == padding)[..., None], 0)

    return Product(factors, _two(at.shape), places.shape[1], whole=False)


def _embedding_bag(at: Meeting) -> Product | None:
    """Sums and means over bags, each of which belongs to one sample."""
    mode, ids, padding = at.setting("mode"), at.saved("indices"), at.setting("padding_idx")
    if mode not in (0, 1) or at.layout != Layout(0) or at.setting("scale_grad_by_freq"):
        return None
    starts = at.saved("offsets")
    weights = at.setting("per_sample_weights")
    bags = torch.searchsorted(starts, torch.arange(len(ids), device=ids.device), right=True) - 1
    place = torch.arange(len(ids), device=ids.device) - starts[bags]
    counted = ids != padding
    share = counted.float() if weights is None else counted * weights.detach()
    if mode == 1:
        share = share / torch.bincount(bags[counted], minlength=at.samples).clamp(min=1)[bags]
    longest = int(place.max()) + 1 if len(ids) else 1
    places = ids.new_zeros(at.samples, longest)
    places[bags, place] = ids
    shares = share.new_zeros(at.samples, longest)
    shares[bags, place] = share

    def factors(gradients: Gradients) -> tuple[Tensor, Tensor]:
        return places, wide(gradients[0])[:, None] * shares[..., None]

    return Product(factors, _two(at.shape), longest, whole=False)


# --- normalisations ------------------------------------------------------------------------------


def _layer_norm(at: Meeting) -> Formed | None:
    own = len(at.setting("normalized_shape"))
    leading = len(shape_of((at.node, 0))) - own
    if at.layout.dim >= leading:
        return None

    def form(gradients: Gradients, rows: slice) -> Tensor:
        g = wide(at.split(gradients[0])[rows])
        if at.k == 1:
            x, mean, rstd = (
                wide(at.split(at.saved(name))[rows]) for name in ("input", "result1", "result2")
            )
            g = g * ((x - mean) * rstd)
        return g.flatten(1, leading).sum(dim=1).reshape(-1, *at.shape)

    return Formed(form, numel(at.shape))


def _batch_norm(at: Meeting) -> Formed | None:
    if at.layout.dim != 0 or at.setting("training"):
        return None
    if at.k == 2:
        return _summed(at)
    mean, variance = wide(at.saved("running_mean")), wide(at.saved("running_var"))
    return _scale_of_channels(at, lambda _: (mean, variance + at.setting("eps")))


def _group_norm(at: Meeting) -> Formed | None:
    if at.layout.dim != 0:
        return None
    if at.k == 2:
        return _summed(at)
    mean, rstd = wide(at.saved("result1")), wide(at.saved("result2"))
    each = at.shape[0] // mean.shape[1]  # channels in a group

    def moments(rows: slice) -> tuple[Tensor, Tensor]:
        m, r = (at.split(one)[rows].repeat_interleave(each, dim=2) for one in (mean, rstd))
        return m, r**-2

    return _scale_of_channels(at, moments)


def _scale_of_channels(at: Meeting, moments: Callable[[slice], tuple[Tensor, Tensor]]) -> Formed:
    """Form the gradient of what normalised channels are multiplied with.

    Parameters
    ----------
    moments : mean and variance, of each channel or of (rows, frames, channels)
    """
    inputs = at.saved("input")

    def form(gradients: Gradients, rows: slice) -> Tensor:
        g, x = (wide(at.split(one)[rows]) for one in (gradients[0], inputs))
        mean, variance = (one.expand(x.shape[:3]).reshape(-1) for one in moments(rows))
        # As if each channel of each sample were a channel of its own: all in one go, and added up
        # in double precision, where a product of tensors takes ten times as long.
        flat = (1, mean.numel(), -1)
        _, found, _ = torch.ops.aten.native_batch_norm_backward(
            g.reshape(flat), x.reshape(flat), None, mean, variance, None, None,
            train=False, eps=0.0, output_mask=[False, True, False],
        )  # fmt: skip
        summed: Tensor = found.reshape(x.shape[:3]).sum(dim=1)
        return summed

    return Formed(form, numel(at.shape))


# --- one number at a time ------------------------------------------------------------------------


def _passed_on(at: Meeting) -> Formed | None:
    """What the weight is added to or repeated along: the gradient itself, summed."""
    return _pointwise(at, lambda g, _: g)


def _add(at: Meeting) -> Formed | None:
    return _passed_on(at) if at.k == 0 or at.setting("alpha") == 1 else None


def _sub(at: Meeting) -> Formed | None:
    if at.k == 0:
        return _passed_on(at)
    return _pointwise(at, lambda g, _: -g) if at.setting("alpha") == 1 else None


def _mul(at: Meeting) -> Formed | None:
    other = at.saved("other" if at.k == 0 else "self")
    return _pointwise(at, lambda g, x: g * x, other)


def _div(at: Meeting) -> Formed | None:
    if at.k == 0:
        return _pointwise(at, lambda g, x: g / x, at.saved("other"))
    slope = wide(at.saved("self")) / wide(at.saved("other")).square()
    return _pointwise(at, lambda g, x: -g * x, slope)


def _prelu(at: Meeting) -> Formed | None:
    return _pointwise(at, lambda g, x: g * x.clamp(max=0), at.saved("self")) if at.k else None


def _pointwise(
    at: Meeting, product: Callable[[Tensor, Tensor], Tensor], other: Tensor | None = None
) -> Formed | None:
    whole = shape_of((at.node, 0))
    aligned = (1,) * (len(whole) - len(at.shape)) + at.shape
    if aligned[at.layout.dim] != 1:
        return None  # every sample has an entry of its own: more than a weight
    summed = [dim + 1 for dim, size in enumerate(aligned) if size == 1]

    def form(gradients: Gradients, rows: slice) -> Tensor:
        g = wide(at.split(gradients[0])[rows])
        x = g if other is None else wide(at.split(other.expand(whole))[rows])
        return product(g, x).sum(dim=summed).reshape(-1, *at.shape)

    return Formed(form, numel(at.shape))


def _repeat(at: Meeting) -> Formed | None:
    whole = shape_of((at.node, 0))
    aligned = (1,) * (len(whole) - len(at.shape)) + at.shape
    if at.layout.inner % aligned[at.layout.dim]:
        return None

    def form(gradients: Gradients, rows: slice) -> Tensor:
        g = wide(at.split(gradients[0])[rows])
        for dim, size in enumerate(aligned):
            g = torch.unflatten(g, dim + 1, (-1, size)).sum(dim=dim + 1)
        return g.reshape(-1, *at.shape)

    return Formed(form, numel(at.shape))


def _summed(at: Meeting) -> Formed:
    """Form the gradient of a bias of channels: summed over everything else."""

    def form(gradients: Gradients, rows: slice) -> Tensor:
        g = wide(at.split(gradients[0])[rows])
        return g.sum(dim=[dim for dim in range(1, g.ndim) if dim != 2])

    return Formed(form, numel(at.shape))


_RULES: Mapping[str, Callable[[Meeting], Product | Formed | None]] = {
    "AddmmBackward0": _addmm,
    "MmBackward0": _mm,
    "BmmBackward0": _bmm,
    "TrilinearBackward0": _trilinear,
    "ConvolutionBackward0": _convolution,
    "EmbeddingBackward0": _embedding,
    "EmbeddingBagBackward0": _embedding_bag,
    "NativeLayerNormBackward0": _layer_norm,
    "NativeBatchNormBackward0": _batch_norm,
    "CudnnBatchNormBackward0": _batch_norm,
    "NativeGroupNormBackward0": _group_norm,
    "AddBackward0": _add,
    "SubBackward0": _sub,
    "MulBackward0": _mul,
    "DivBackward0": _div,
    "PreluKernelBackward0": _prelu,
    "ExpandBackward0": _passed_on,
    "RepeatBackward0": _repeat,
}


def _two(shape: Sequence[int]) -> tuple[int, int]:
    rows, columns = shape
    return rows, columns
