"""What can be wrong with a log itself."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from kashika.view import Evidence, Finding, Level

if TYPE_CHECKING:
    from kashika.history import Series
    from kashika.views.curves import Curves


def nonfinite(curves: Curves) -> Finding:
    """A logged value is NaN or infinite.

    Metrics may be undefined where a loss is fine: an F-measure without a case, the norm of a
    gradient whose step was left out. So only losses and errors raise the alarm; and a NaN between
    values that come at a regular stride stands for a value that was not taken.
    """
    rule = "curves.nonfinite"
    if not curves.history.series:
        return Finding(rule, Level.UNKNOWN)
    bad = [
        (_is_loss(name), int(series.x[~np.isfinite(series.y)][0]), name,
         int((~np.isfinite(series.y)).sum()))
        for name, series in curves.history.series.items()
        if not np.isfinite(series.y).all() and not _is_filled(series)
    ]  # fmt: skip
    if not bad:
        return Finding(rule, Level.OK)
    losses = [one for one in bad if one[0]]
    _, first, name, _ = min(losses or bad, key=lambda one: one[1:])
    evidence = (
        Evidence("count", sum(count for *_, count in bad), limit=0),
        Evidence("first_at", first, where=name, unit=curves.history.series[name].unit),
    )
    return Finding(rule, Level.PROBLEM if losses else Level.NOTE, evidence)


def duplicate(curves: Curves) -> Finding:
    """Two splits have the same numbers, or a loss is the same number all the time.

    The second is a note, since it also comes of a network that does not learn, which is said.
    Values that come from few samples coincide by chance, so they must differ among themselves.
    """
    rule = "curves.duplicate"
    series = {name: one for name, one in curves.history.series.items() if one.y.size >= 3}
    if not series:
        return Finding(rule, Level.UNKNOWN)
    for (a, one), (b, other) in combinations(series.items(), 2):
        if a.partition("_")[2] == b.partition("_")[2] and (count := _same(one, other)):
            evidence = (
                Evidence("values", count, where=a),
                Evidence("copied_to", count, where=b),
                Evidence("first_at", int(one.x[0]), unit=one.unit),
            )
            return Finding(rule, Level.PROBLEM, evidence)
    for split, one in curves.loss.series.items():
        y = one.finite.y
        if y.size >= 5 and y[0] and (y == y[0]).all():
            name = f"{split}_{curves.loss.metric}"
            evidence = (
                Evidence("values", y.size, where=name),
                Evidence("copied_to", y.size, where=name),
                Evidence("first_at", int(one.x[0]), unit=one.unit),
            )
            return Finding(rule, Level.NOTE, evidence)
    return Finding(rule, Level.OK, (Evidence("values", len(series)),))


def _is_loss(name: str) -> bool:
    return any(word in name for word in ("loss", "err", "mae", "mse"))


def _is_filled(series: Series) -> bool:
    """Tell whether NaN stands where no value was taken: every value has a fixed number between."""
    places = np.flatnonzero(np.isfinite(series.y))
    strides = np.diff(places)
    if np.isinf(series.y).any() or places.size < 2:
        return False
    stride = int(strides[0])
    return stride > 1 and bool((strides == stride).all()) and series.y.size - places[-1] <= stride


def _same(one: Series, other: Series) -> int:
    """Return at how many places two series have the same values; 0 where they differ."""
    if one.y.size >= 2 * other.y.size >= 6 and one.unit == other.unit:
        return _means(one, other)
    x, a, b = np.intersect1d(one.x, other.x, return_indices=True)
    y, copy = one.y[a], other.y[b]
    enough = x.size >= 3 and x.size == min(one.y.size, other.y.size)
    varied = np.unique(y[np.isfinite(y)]).size >= min(4, x.size)
    return int(x.size) if enough and varied and np.array_equal(y, copy, equal_nan=True) else 0


def _means(steps: Series, epochs: Series) -> int:
    """Return how many values are the means of the steps before them; 0 where one is not.

    The last batch of an epoch may be smaller, so its weight is solved for: it must be the same in
    every epoch.
    """
    ends = np.searchsorted(steps.x, epochs.x, side="right")
    weights = []
    for begin, end, mean in zip((0, *ends[:-1]), ends, epochs.y, strict=True):
        y = steps.y[begin:end]
        with np.errstate(all="ignore"):
            rest = (mean * (y.size - 1) - y[:-1].sum()) / (y[-1] - mean) if y.size > 1 else np.nan
        weights.append(rest)
    first = float(np.median(weights))
    same = 0 < first <= 1.001 and bool(np.allclose(weights, first, rtol=1e-2))
    return epochs.y.size if same else 0
