"""Outcome: how much a network has left to learn, and over how many directions it needs features."""

from __future__ import annotations

import numpy as np

from kashika.distribution import IntArray
from kashika.observation import Observation


def unlearned(seen: Observation) -> float:
    """Return what is wrong, over what the best answer that does not look at the input gets wrong.

    Errors over those of the commonest class, for each label by itself; squared errors over the
    variance. 0 where all is right, about 1 where nothing was learned; NaN where nothing varies.
    """
    if seen.task.labels:
        counts = np.asarray(seen.labels, dtype=np.float64)
        wrong = counts[:, 1] + counts[:, 2]
        rarer = np.minimum(counts[:, 0] + counts[:, 2], counts[:, 1] + counts[:, 3])
        return _over(float(wrong.sum()), float(rarer.sum()))
    if seen.task.classifies:
        targets = np.asarray(seen.targets)
        others = len(targets) - int(_counts(targets).max(initial=0))
        return _over(float((np.asarray(seen.predicted) != targets).sum()), float(others))
    wanted = np.asarray(seen.wanted, dtype=np.float64)
    variance = float(np.mean(np.var(wanted, axis=0))) if wanted.size else 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        return _over(seen.rmse**2, variance)


def directions(seen: Observation) -> int:
    """Return over how many directions features spread that tell the classes, or targets, apart."""
    if seen.task.classifies:
        return max(int((_counts(np.asarray(seen.targets)) > 0).sum()) - 1, 0)
    if seen.task.labels:
        return seen.task.labels
    wanted = np.asarray(seen.wanted)
    return int((np.ptp(wanted, axis=0) > 0).sum()) if wanted.size else 0


def _counts(targets: IntArray) -> IntArray:
    return np.unique(targets, return_counts=True)[1]


def _over(wrong: float, chance: float) -> float:
    return wrong / chance if chance > 0 and np.isfinite(wrong) else np.nan
