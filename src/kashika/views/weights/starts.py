"""Starts: which layers still are as PyTorch drew them before training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import sqrt

import numpy as np

from kashika.parameters import Parameter

FEW = 64
"""Of fewer values nobody can tell whether they still are as they were drawn."""

EXACT, ROUNDED = 2.0**-20, 2.0**-8
"""So far off the bound rounding puts a value, in relation to it: to float32, and to 16 bits."""

CUT = 0x1FFF
"""The last digits of float32, which are zero in values that were rounded to 16 bits."""

CROSSING = 24.0
"""Of n values that move by up to d, about n d / 4 b cross a bound b: none with exp(-n d / 4 b)."""

EDGE = 12.0
"""The greatest of n uniform values lies farther than 12 / n below the bound with e ** -12."""

SPREAD = 1.95
"""Kolmogorov-Smirnov's distance, times the root of n, is larger with a probability of 0.001."""


STEP = 2.0**24
"""PyTorch draws float32 in steps of the width over that, and small values show them."""

SMALL = 8
"""Small are those below an eighth of the width, and there must be eight of them."""

OFF = 0.1
"""So far off the steps, in units of one, they lie on average at most: by chance a quarter."""


@dataclass(frozen=True, slots=True)
class Start:
    """A layer beside what it was drawn from.

    Attributes
    ----------
    layer : name
    parameter : name of its first parameter whose start is known
    norm : whether it starts at ones and zeros, so that only others of its kind tell
    values : number of values whose start is known
    untouched : whether they still look as they were drawn; None where that cannot be told
    moved : how far the farthest of them lies beyond what it could be drawn as
    shows : how far values must have moved, by and large, for one to lie beyond with 1 - e ** -6; 0
        where the last digits tell it
    meant : whether the user says that none of it was to be trained
    """

    layer: str
    parameter: str
    norm: bool
    values: int
    untouched: bool | None
    moved: float
    shows: float
    meant: bool


def starts_of(parameters: Sequence[Parameter], *, frozen: Sequence[str] = ()) -> tuple[Start, ...]:
    """Compare every layer with what PyTorch draws for its type.

    Parameters
    ----------
    frozen : patterns of the parameters that were not to be trained
    """
    layers: dict[str, list[Parameter]] = {}
    for one in parameters:
        # A normal distribution has no bound, and few words move by as much as they differ.
        if one.initial is not None and one.initial.family != "normal" and one.values.size:
            layers.setdefault(one.layer, []).append(one)
    return tuple(_start(layer, own, frozen) for layer, own in layers.items())


def _start(layer: str, own: Sequence[Parameter], frozen: Sequence[str]) -> Start:
    drawn = _drawn(own)
    count = sum(one.values.size for one in drawn)
    width = max((one.initial.width for one in drawn if one.initial is not None), default=0.0)
    return Start(
        layer,
        own[0].name,
        norm=not drawn,
        values=sum(one.values.size for one in own),
        untouched=_untouched(own),
        moved=max((_reach(one) - (1 if one in drawn else 0)) * _unit(one) for one in own),
        shows=0.0 if any(map(_as_drawn, drawn)) else CROSSING * width / max(count, 1),
        meant=all(any(fnmatchcase(one.name, pattern) for pattern in frozen) for one in own),
    )


def _drawn(own: Iterable[Parameter]) -> list[Parameter]:
    return [one for one in own if one.initial is not None and one.initial.width > 0]


def _untouched(own: Sequence[Parameter]) -> bool | None:
    if any(one.values.finite < one.values.size for one in own):
        return None
    if any(_reach(one) > 0 for one in own if one.initial is not None and not one.initial.width):
        return False
    drawn = _drawn(own)
    if not drawn:
        return True
    reach, count = max(map(_reach, drawn)), sum(one.values.size for one in drawn)
    off = ROUNDED if all(map(_rounded, drawn)) else EXACT
    if reach > 1 + off:
        return False
    if count < FEW:
        return None
    if (1 - off - reach) * count > EDGE:
        return False
    if any(_as_drawn(one) is False for one in drawn):
        return False
    return all(_spread(one) <= SPREAD for one in drawn)


def _as_drawn(one: Parameter) -> bool | None:
    """Tell by the last digits whether values are the very ones that PyTorch drew.

    Steps that are far too short to be seen, such as those of a gradient that vanishes, change
    them. None where they tell nothing: where only counts are kept, or values were rounded to 16
    bits, or drawn as float64.
    """
    start, values = one.initial, one.values.values
    if start is None or values is None or values.dtype != np.float32:
        return None
    small = values[np.abs(values - np.float32(start.centre)) < start.width / SMALL]
    if len(small) < SMALL or _rounded(one):
        return None
    steps = ((small.astype(np.float64) - start.centre) / start.width + 1) * STEP
    return float(np.mean(np.abs(steps - np.round(steps)))) < OFF


def _rounded(one: Parameter) -> bool:
    """Tell by the least and the greatest value whether values were rounded to 16 bits."""
    with np.errstate(over="ignore"):
        ends = np.array([one.values.least, one.values.greatest], dtype=np.float32)
    return not (ends.view(np.uint32) & CUT).any()


def _reach(one: Parameter) -> float:
    """Return how far from the centre of their start values lie, in units of its width if any."""
    start = one.initial
    assert start is not None
    return max(start.centre - one.values.least, one.values.greatest - start.centre) / _unit(one)


def _unit(one: Parameter) -> float:
    """Return what `_reach` is measured in."""
    return one.initial.width or 1.0 if one.initial is not None else 1.0


def _spread(one: Parameter) -> float:
    assert one.initial is not None
    return one.values.distance(one.initial.below) * sqrt(one.values.finite)
