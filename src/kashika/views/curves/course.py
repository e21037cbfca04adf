"""How a loss went in the course of training, at a pace at which it can be judged."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kashika.distribution import FloatArray, IntArray
from kashika.history import Series
from kashika.views.curves.smoothing import level_error, levels, spread

STRETCHES = 100
"""Losses of single steps are averaged over no more stretches of the training than these."""

STEPS = 8
"""Over so many steps at least: each is of another batch."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """How one series went.

    Attributes
    ----------
    series : its finite values; where there were many, their means over stretches of the training
    level : (points,) running median of the values
    error : standard error of a level
    noise : standard deviation of a value about its level
    scatter : standard error of a value, as far as batches differ; 0 where each is of all samples
    first : mean of the first hundredth of what was logged
    first_error : standard error of that, as far as the values vary from one to the next
    """

    series: Series
    level: FloatArray
    error: float
    noise: float
    scatter: float
    first: float
    first_error: float

    @property
    def least_at(self) -> int:
        """Place of the least level."""
        return int(np.argmin(self.level))

    @property
    def least(self) -> float:
        """The least level."""
        return float(self.level[self.least_at])

    @property
    def end(self) -> float:
        """The last level."""
        return float(self.level[-1])

    def after(self, share: float) -> float:
        """Return the level when a share of the training was done."""
        return float(self.level[round(share * (self.level.size - 1))])


def course_of(series: Series, *, beats: Series | None = None) -> Course | None:
    """Return how a series went; None where fewer than three of its values are finite.

    Parameters
    ----------
    beats : the validation on the same axis: between two of its places all samples were seen
    """
    finite = series.finite
    if finite.y.size < 3:
        return None
    early = finite.y[: max(1, finite.y.size // STRETCHES)]
    with np.errstate(over="ignore", invalid="ignore"):
        first, first_error = float(early.mean()), spread(finite.y) / np.sqrt(early.size)
    places = _stretches(finite, None if beats is None else beats.finite)
    scatter = 0.0
    if places is not None:
        finite, scatter = _averaged(finite, places)
        # The last batch of an epoch may be small, which counts where there are few.
        whole = _by_beats(series, beats) and places.size >= STEPS * (places[-1] + 1)
        scatter = 0.0 if whole else scatter
    elif finite.unit == "step" and beats is None:
        scatter = spread(finite.y)
    y = finite.y
    return Course(finite, levels(y), level_error(y), spread(y), scatter, first, float(first_error))


def _stretches(series: Series, beats: Series | None) -> IntArray | None:
    """Return for each value the stretch of the training that it is in; None for one each."""
    size = series.x.size
    if beats is not None and _by_beats(series, beats):
        return np.minimum(np.searchsorted(beats.x, series.x), beats.x.size - 1)
    if beats is not None and (beats.x.size >= 5 or size < 2 * beats.x.size):
        return None
    single = (series.unit == "step" and size >= 5 * STEPS) or (
        series.unit == "row" and size >= STRETCHES * STEPS
    )
    return np.arange(size) * min(STRETCHES, size // STEPS) // size if single else None


def _by_beats(series: Series, beats: Series | None) -> bool:
    """Tell whether the stretches are those between validations; then each is of all samples."""
    return beats is not None and beats.x.size >= 5 and series.x.size >= 2 * beats.x.size


def _averaged(series: Series, places: IntArray) -> tuple[Series, float]:
    """Return the means over stretches, each at its end, and the standard error of one."""
    counts = np.bincount(places)
    held = np.flatnonzero(counts)  # a stretch may lack values, where a run was resumed
    with np.errstate(over="ignore", invalid="ignore"):
        means = np.bincount(places, series.y)[held] / counts[held]
        scatter = spread(series.y) / np.sqrt(np.median(counts[held]))
    ends = np.cumsum(counts)[held] - 1
    return replace(series, x=series.x[ends], y=means).finite, float(scatter)
