"""Norms of the gradients of single samples, from the two factors that they are products of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Factors = tuple[Tensor, Tensor]
"""left (samples, positions, rows) and right (samples, positions, columns): leftᵀ right is meant.

Either may be (samples, positions) int: the places of ones in rows of zeros.
"""

_CHUNK = 2**21  # numbers that stay in the cache


def chunks(samples: int, numbers: int) -> list[slice]:
    """Cut samples that take so many `numbers` each into pieces that stay in the cache."""
    size = max(1, min(samples, _CHUNK // max(1, numbers)))
    return [slice(start, min(start + size, samples)) for start in range(0, samples, size)]


def ghost_pays(positions: int, size: tuple[int, int]) -> bool:
    """Say whether the norm of a product takes less time without forming the product.

    Formed products give the summed gradient too, which is then not computed again. What is left is
    to write, square and add up their numbers: about as long as 20 multiplications for each.
    """
    rows, columns = size
    return positions**2 * (rows + columns) < 20 * rows * columns


def squared_product(left: Tensor, right: Tensor) -> Tensor:
    """Return (samples,) squared norms of leftᵀ right, both dense, without forming it."""
    if left.shape[1] == 1:
        return dot(left[:, 0], left[:, 0]) * dot(right[:, 0], right[:, 0])
    found = [
        dot((left[rows] @ left[rows].mT).flatten(1), (right[rows] @ right[rows].mT).flatten(1))
        for rows in chunks(len(left), 2 * left.shape[1] ** 2)
    ]
    return torch.cat(found)


def squared_sum(several: Sequence[Factors], rows: int) -> Tensor:
    """Return (samples,) squared norms of the sum of several products, without forming them.

    Parameters
    ----------
    rows : of the products
    """
    (left, right), *more = several
    if not more and right.is_floating_point():
        dense = left.is_floating_point()
        return squared_product(left, right) if dense else squared_table(left, right, rows)
    total = torch.zeros(len(left), dtype=precise(right), device=right.device)
    for i, (left, right) in enumerate(several):
        for j, (other_left, other_right) in enumerate(several[: i + 1]):
            found = [
                dot(
                    _inner(left[part], other_left[part]).flatten(1),
                    _inner(right[part], other_right[part]).flatten(1),
                )
                for part in chunks(len(left), 2 * left.shape[1] * other_left.shape[1])
            ]
            total += torch.cat(found) * (1 if i == j else 2)
    return total


def squared_table(places: Tensor, values: Tensor, rows: int) -> Tensor:
    """Return (samples,) squared norms of a table to whose `rows` the values are added.

    Parameters
    ----------
    places : (samples, positions) int, rows
    values : (samples, positions, columns)
    """
    samples = torch.arange(len(places), device=places.device)[:, None]
    keys, which = torch.unique(samples * rows + places, return_inverse=True)
    sums = values.new_zeros(len(keys), values.shape[2])
    sums.index_add_(0, which.flatten(), values.flatten(0, 1))
    squares = torch.zeros(len(places), dtype=precise(values), device=values.device)
    return squares.index_add_(0, keys // rows, dot(sums, sums))


def product(left: Tensor, right: Tensor, size: tuple[int, int]) -> Tensor:
    """Form leftᵀ right, (samples, rows, columns)."""
    if left.is_floating_point() and right.is_floating_point():
        return left.mT @ right
    if left.is_floating_point():
        return product(right, left, size[::-1]).mT
    if not right.is_floating_point():
        right = torch.nn.functional.one_hot(right, size[1]).float()
    made = right.new_zeros(len(left) * size[0], size[1])
    starts = torch.arange(len(left), device=left.device)[:, None] * size[0]
    made.index_add_(0, (left + starts).flatten(), right.flatten(0, 1))
    return made.reshape(len(left), *size)


def joined(several: Sequence[Factors]) -> list[Factors]:
    """Take products of the same kind together, as further positions of one."""
    kinds: dict[tuple[int, int], list[Factors]] = {}
    for left, right in several:
        kinds.setdefault((left.ndim, right.ndim), []).append((left, right))
    return [
        same[0]
        if len(same) == 1
        else (torch.cat([x for x, _ in same], 1), torch.cat([y for _, y in same], 1))
        for same in kinds.values()
    ]


def _inner(one: Tensor, other: Tensor) -> Tensor:
    """Return (samples, positions of one, positions of the other) inner products."""
    if one.is_floating_point() and other.is_floating_point():
        return one @ other.mT
    if one.is_floating_point():
        return _inner(other, one).mT
    if other.is_floating_point():
        return other.mT.gather(1, one[..., None].expand(-1, -1, other.shape[1]))
    return (one[:, :, None] == other[:, None, :]).float()


def dot(one: Tensor, other: Tensor) -> Tensor:
    """Return the inner products of rows; added up by halves, so that long rows stay precise."""
    found: Tensor = torch.linalg.vecdot(one, other)
    return found.to(precise(one))


def squared(gradients: Tensor) -> Tensor:
    """Return (rows,) squared norms of (rows, …)."""
    flat = gradients.reshape(len(gradients), -1)
    return dot(flat, flat)


def precise(like: Tensor) -> torch.dtype:
    """Return the type to add up in."""
    return torch.float32 if like.device.type == "mps" else torch.float64


def wide(tensor: Tensor) -> Tensor:
    """Return half-precision numbers as float32, and all others as they are."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
