"""A grid over two axes, asked closely only where the answer changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kashika.distribution import Array, FloatArray, IntArray

Ask = Callable[[FloatArray], tuple[IntArray, FloatArray]]
"""(m, 2) places -> (m,) classes and (m, values) values."""

STEP = 4
"""Every so many places of the grid are asked first."""

TOLERANCE = 0.01
"""About how far interpolation may be off, as a share of the range of the first value."""

_ROUNDING = 1e-5  # of the largest value: less than that is noise of a network in float32


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """What is known at every place of a grid, asked or interpolated.

    Attributes
    ----------
    classes : (height, width) int
    values : (values, height, width)
    asked : (height, width) bool, where it was asked
    """

    classes: IntArray
    values: FloatArray
    asked: Array


def fill(
    ask: Ask,
    x: FloatArray,
    y: FloatArray,
    *,
    step: int = STEP,
    tolerance: float = TOLERANCE,
    places: FloatArray | None = None,
    classes: IntArray | None = None,
) -> Grid:
    """Ask at every `step`-th place, then halve the step wherever the answer changes.

    In between it is asked where the class differs around a place, or where the first value bends by
    more than the tolerance; elsewhere the class is that of the places around, and the values are
    interpolated linearly. The line between two classes is followed to its end: wherever two
    neighbours of the grid differ in class, both were asked. What is thinner than a step can be
    missed, if it touches neither a line that was found nor one of `places`.

    Parameters
    ----------
    ask : for classes and values at (m, 2) places; of a class of its own where there is no answer
    x, y : (width,), (height,) the grid, increasing
    step : of the first pass, a power of two
    tolerance : share of the range of the first value
    places, classes : (n, 2), (n,) where the class is known, so that no island around them is missed
    """
    rows, columns = _every(step, len(y)), _every(step, len(x))
    found = _first(ask, x[columns], y[rows])
    finite = found.values[0][np.isfinite(found.values[0])]
    span = float(np.ptp(finite)) if finite.size else 0.0
    limit = max(tolerance * span, _ROUNDING * float(np.abs(finite).max(initial=0.0)))
    while step > 1:
        step //= 2
        finer = _every(step, len(y)), _every(step, len(x))
        down, across = _between(y, rows, finer[0]), _between(x, columns, finer[1])
        bent = _bends(found.values[0], x[columns], y[rows]) > limit
        found, wanted = _finer(found, bent, down, across)
        rows, columns = finer
        _follow(found, np.argwhere(wanted), ask, x[columns], y[rows])
    if places is not None and classes is not None:
        _follow(found, _elsewhere(found, places, classes, x, y), ask, x, y)
    return found


# A place of a finer axis lies between two of the coarser one, or on one, which then is both.
_Between = tuple[IntArray, IntArray, FloatArray]
"""(n,) place before, place after, and how far from the one to the other, 0 to 1."""


def _every(step: int, count: int) -> IntArray:
    """Return every `step`-th of `count` places, and the last one."""
    return np.unique(np.append(np.arange(0, count, step), count - 1))


def _between(axis: FloatArray, coarse: IntArray, fine: IntArray) -> _Between:
    after = np.searchsorted(coarse, fine)
    before = np.where(coarse[after] == fine, after, after - 1)
    start, gap = axis[coarse[before]], axis[coarse[after]] - axis[coarse[before]]
    return before, after, np.where(gap > 0, (axis[fine] - start) / np.where(gap > 0, gap, 1), 0.0)


def _first(ask: Ask, x: FloatArray, y: FloatArray) -> Grid:
    xx, yy = np.meshgrid(x, y)
    classes, values = ask(np.column_stack([xx.ravel(), yy.ravel()]))
    asked = np.ones(xx.shape, dtype=bool)
    return Grid(classes.reshape(xx.shape), values.T.reshape(-1, *xx.shape).copy(), asked)


def _finer(found: Grid, bent: Array, down: _Between, across: _Between) -> tuple[Grid, Array]:
    """Interpolate to a finer grid, and tell where that is not good enough."""
    (above, below, _), (left, right, _) = down, across
    upper = found.classes[above]
    change = (upper != found.classes[below]) | bent[above] | bent[below]
    classes = upper[:, left]
    wanted = change[:, left] | change[:, right] | (classes != upper[:, right])
    # Between infinity and its opposite lies NaN, which is right.
    with np.errstate(invalid="ignore"):
        values = np.stack([_mix(_mix(one.T, down).T, across) for one in found.values])
    asked = np.zeros(classes.shape, dtype=bool)
    on = np.ix_(*(np.flatnonzero(a == b) for a, b, _ in (down, across)))
    asked[on] = found.asked
    return Grid(classes, values, asked), wanted & ~asked


def _mix(values: FloatArray, across: _Between) -> FloatArray:
    """Interpolate along the columns."""
    before, after, share = across
    first = values[:, before]
    # Not where both are the same column: nothing of an infinite value is NaN.
    new = np.flatnonzero(before != after)
    first[:, new] = first[:, new] * (1 - share[new]) + values[:, after[new]] * share[new]
    return first


def _bends(values: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return (height, width) how far interpolation half-way to the next place may be off.

    A quarter of what a place differs from the middle between its neighbours: the error of linear
    interpolation grows with the square of the step.
    """
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    bends = np.zeros_like(finite)
    for one, axis, bend in ((finite, x, bends), (finite.T, y, bends.T)):
        if len(axis) > 2:
            share = (axis[1:-1] - axis[:-2]) / (axis[2:] - axis[:-2])
            middle = one[:, :-2] + share * (one[:, 2:] - one[:, :-2])
            bend[:, 1:-1] += np.abs(one[:, 1:-1] - middle) / 4
    return bends


def _follow(found: Grid, wanted: IntArray, ask: Ask, x: FloatArray, y: FloatArray) -> None:
    """Ask at the wanted (n, 2) rows and columns, then beside them while the class differs."""
    height, width = found.classes.shape
    while len(wanted):
        i, j = wanted.T
        found.classes[i, j], values = ask(np.column_stack([x[j], y[i]]))
        found.values[:, i, j] = values.T
        found.asked[i, j] = True
        beside = [(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
        k, m = np.concatenate(beside, axis=1)
        own = np.tile(found.classes[i, j], 4)
        k, m, own = (a[(k >= 0) & (k < height) & (m >= 0) & (m < width)] for a in (k, m, own))
        other = ~found.asked[k, m] & (found.classes[k, m] != own)
        wanted = np.unique(np.column_stack([k, m])[other], axis=0)


def _elsewhere(
    found: Grid, places: FloatArray, classes: IntArray, x: FloatArray, y: FloatArray
) -> IntArray:
    """Return (n, 2) rows and columns next to known places where the grid says another class."""
    rows, columns, inside = nearest(places, x, y)
    other = inside & (found.classes[rows, columns] != classes) & ~found.asked[rows, columns]
    return np.unique(np.column_stack([rows, columns])[other], axis=0)


def nearest(places: FloatArray, x: FloatArray, y: FloatArray) -> tuple[IntArray, IntArray, Array]:
    """Return (n,) row and column of the grid next to each of (n, 2) places, and whether inside.

    Inside means at most half a cell beyond the edge; outside, row and column mean nothing.
    """
    index, within = [], [np.isfinite(places).all(axis=1)]
    for value, axis in ((places[:, 1], y), (places[:, 0], x)):
        borders = (axis[1:] + axis[:-1]) / 2
        index.append(np.searchsorted(borders, np.nan_to_num(value)))
        first, last = (axis[1] - axis[0]) / 2, (axis[-1] - axis[-2]) / 2
        within += [value >= axis[0] - first, value <= axis[-1] + last]
    return index[0], index[1], np.all(within, axis=0)
