"""The forms in which people hand samples on, told apart by looks, without reading them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kashika.load.samples.roles import role_of
from kashika.run import TARGETS


def is_dataset(value: object) -> bool:
    """Tell a `Dataset` or `DataLoader` from an array, a data frame, a mapping or a text."""
    if isinstance(value, Mapping | str | bytes | tuple | list) or hasattr(value, "__array__"):
        return False
    return hasattr(value, "__getitem__") or hasattr(value, "dataset")


def gives_batches(value: object) -> bool:
    """Tell what is neither data itself nor a `Dataset`, and can be gone through."""
    held = isinstance(value, Mapping | str | bytes | tuple | list | set | frozenset)
    return (
        isinstance(value, Iterable) and not held and not is_dataset(value) and not shape_of(value)
    )


def are_samples(value: object) -> bool:
    """Tell a list of samples or batches, each with its targets, from one of inputs and targets."""
    return isinstance(value, list) and bool(value) and all(map(_has_targets, value))


def are_batches(value: object) -> bool:
    """Tell a list of batches, where all arrays of each are of one length, from one of samples."""
    return are_samples(value) and isinstance(value, list) and all(map(_is_batch, value))


def target_among_arguments(parts: Mapping[str, object]) -> str | None:
    """Return the name of the targets in a mapping from a network's arguments; None in others."""
    named = any((role := role_of(key)) is not None and role[0] == "inputs" for key in parts)
    target = next((name for name in TARGETS if name in parts), None)
    others = [one for key, one in parts.items() if key != target]
    return None if named or not any(map(shape_of, others)) else target


def shape_of(value: Any) -> tuple[int, ...]:
    """Return the shape of an array, a tensor, a data frame or a list; () if it has none.

    A data set has none: NumPy would read all of it to find one.
    """
    inside = value if isinstance(value, list | tuple) else [value]
    if not hasattr(value, "shape") and any(map(is_dataset, inside)):
        return ()
    try:
        return tuple(map(int, value.shape if hasattr(value, "shape") else np.shape(value)))
    except (TypeError, ValueError):  # lists of different lengths
        return ()


def _has_targets(one: object) -> bool:
    if isinstance(one, Mapping):
        return any(name in one for name in TARGETS)
    return isinstance(one, tuple | list) and len(one) > 1 and getattr(one[0], "shape", ()) != ()


def _is_batch(one: Mapping[str, object] | Sequence[object]) -> bool:
    arrays = [*one.values()] if isinstance(one, Mapping) else [*one]
    shapes = [shape for part in arrays if (shape := shape_of(part))]
    return (
        len({shape[0] for shape in shapes}) == 1
        and max(map(len, shapes)) > 1
        and (isinstance(one, Mapping) or len(shapes) == len(arrays))
    )
