"""Names and shapes of tensors: those of a network beside those of a checkpoint."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

Shapes = Mapping[str, tuple[int, ...]]

UNCOUNTED = "num_batches_tracked"
"""Counters, which old checkpoints lack."""

_WRAPPERS = re.compile(r"(?<![^.])(module|_orig_mod)\.")


def left_over(built: Shapes | None, wanted: Shapes) -> int | None:
    """Return how many tensors of the file another choice may explain; None if it does not fit."""
    if not built:
        return None
    built = {name: shape for name, shape in built.items() if not name.endswith(UNCOUNTED)}
    for file in readings(built, wanted):
        if all(file.get(name) == shape for name, shape in built.items()):
            kinds = {re.sub(r"\d+", "#", name) for name in built}
            rest = file.keys() - built.keys()
            return sum(re.sub(r"\d+", "#", name) in kinds for name in rest)
    return None


def readings(built: Shapes, wanted: Shapes) -> Iterator[Shapes]:
    """Give the names of the file as they are, without wrappers, and without a common prefix."""
    yield wanted
    bare = {_WRAPPERS.sub("", name): shape for name, shape in wanted.items()}
    yield bare
    first = next(iter(built), "")
    ends = [name[: -len(first)] for name in bare if first and name.endswith(f".{first}")]
    for prefix in dict.fromkeys(ends):
        yield {
            name.removeprefix(prefix): shape
            for name, shape in bare.items()
            if name.startswith(prefix)
        }


def places_of(shapes: Shapes) -> dict[tuple[str, int], int]:
    """Return every side of every tensor by its place, and the number of its dimensions."""
    sides = {(name, axis): side for name, one in shapes.items() for axis, side in enumerate(one)}
    return sides | {(name, -1): len(one) for name, one in shapes.items()}
