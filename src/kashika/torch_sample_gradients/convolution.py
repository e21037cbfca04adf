"""The gradients of single samples for the kernels of convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from kashika.torch_sample_gradients.layout import shape_of
from kashika.torch_sample_gradients.meeting import Formed, Gradients, Meeting, numel
from kashika.torch_sample_gradients.norms import chunks, dot, wide


def convolution(at: Meeting) -> Formed | None:
    """Give the gradients for the kernel, of any number of dimensions, groups and steps."""
    if at.layout.dim != 0:
        return None
    sizes: dict[str, Sequence[int]] = {
        name: list(at.setting(name)) for name in ("stride", "padding", "dilation")
    }
    kernel = at.shape[2:]
    transposed, groups = bool(at.setting("transposed")), int(at.setting("groups"))
    inputs = at.saved("input")
    if inputs.ndim != len(kernel) + 2:
        return None

    def pair(gradients: Gradients, rows: slice) -> tuple[Tensor, Tensor, int]:
        x, g = (wide(at.split(one)[rows]) for one in (inputs, gradients[0]))
        # A transposed convolution is the way back of one whose input is its output.
        dense, moved = (x, g) if transposed else (g, x)
        return dense.flatten(0, 1), moved.flatten(0, 1), dense.shape[1]

    def pad(moved: Tensor) -> Tensor:
        return F.pad(moved, [p for one in reversed(sizes["padding"]) for p in (one, one)])

    def windows(moved: Tensor, places: Sequence[int]) -> Tensor:
        """Return (n, channels, *kernel, *places) of what every tap of the kernel sees."""
        padded = pad(moved)
        steps = padded.stride()[2:]
        return padded.as_strided(
            (*padded.shape[:2], *kernel, *places),
            (
                *padded.stride()[:2],
                *(s * d for s, d in zip(steps, sizes["dilation"], strict=True)),
                *(s * d for s, d in zip(steps, sizes["stride"], strict=True)),
            ),
        )

    def form(gradients: Gradients, rows: slice) -> Tensor:
        dense, moved, frames = pair(gradients, rows)
        several = dense.shape[0] // frames
        seen = windows(moved, dense.shape[2:]).reshape(
            dense.shape[0], groups, -1, dense[0, 0].numel()
        )
        sent = dense.reshape(dense.shape[0], groups, -1, dense[0, 0].numel())
        made = sent @ seen.mT
        return made.reshape(several, frames, *made.shape[1:]).sum(dim=1).reshape(several, *at.shape)

    def squares(gradients: Gradients) -> Tensor:
        found = []
        for rows in chunks(at.samples, 4 * padded_places**2):
            dense, moved, _ = pair(gradients, rows)
            padded = pad(moved)
            spots, places = padded.shape[2:], dense.shape[2:]
            flat = padded.flatten(2)
            products = (flat.mT @ flat).reshape(-1, *spots, *spots)
            seen = _sum_of_taps(products, places, kernel, sizes["stride"], sizes["dilation"])
            sent = dense.flatten(2)
            found.append(dot(seen.flatten(1), (sent.mT @ sent).flatten(1)))
        return torch.cat(found)

    out = shape_of((at.node, 0))
    places = numel(inputs.shape[2:] if transposed else out[2:])
    moved_shape = out if transposed else inputs.shape
    padded_places = numel(
        [s + 2 * p for s, p in zip(moved_shape[2:], sizes["padding"], strict=True)]
    )
    channels = at.shape[1]  # of what the kernel moves over
    ghost = padded_places**2 * (channels + numel(kernel)) + places**2 * at.shape[0]
    pays = groups == 1 and inputs.shape[0] == at.samples
    pays &= 2 * ghost < places * numel(at.shape)
    numbers = places * channels * groups * numel(kernel) + numel(at.shape)
    return Formed(form, numbers, squares if pays else None)


def _sum_of_taps(
    products: Tensor,
    places: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> Tensor:
    """Return (n, places, places) inner products of what the kernel sees at two places.

    Parameters
    ----------
    products : (n, *spots, *spots) inner products of the inputs at two spots
    """
    total: Tensor | None = None
    for tap in torch.cartesian_prod(*[torch.arange(k) for k in kernel]).reshape(-1, len(kernel)):
        here = [
            slice(t * d, t * d + s * (p - 1) + 1, s)
            for t, d, s, p in zip(tap.tolist(), dilation, stride, places, strict=True)
        ]
        part = products[(slice(None), *here, *here)]
        total = part.clone() if total is None else total.add_(part)
    assert total is not None
    return total.reshape(len(total), numel(places), numel(places))
