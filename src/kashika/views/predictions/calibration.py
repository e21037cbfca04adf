"""Calibration: whether a classifier is as sure as it is right, beyond what chance explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kashika.naming import Split
from kashika.observation import Observation


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """How sure a classifier is, beside how right.

    Attributes
    ----------
    split : whose answers these are
    samples : how many samples
    confidence : mean probability of the answers
    accuracy : share of right ones
    error : standard error of the difference of the two
    by_chance : calibration error that a network as sure as right would hardly exceed: expected
        value and three standard deviations
    """

    split: Split
    samples: int
    confidence: float
    accuracy: float
    error: float
    by_chance: float

    @property
    def gap(self) -> float:
        """How much surer than right it is."""
        return self.confidence - self.accuracy


def calibration(seen: Observation, *, split: Split, bins: int = 10) -> Calibration | None:
    """Compare how sure and how right a classifier is; None where there are no classes.

    The positions of one sample are counted together: they are right or wrong together.

    References
    ----------
    Bröcker and Smith, "Increasing the reliability of reliability diagrams", Weather and
    Forecasting 22, 2007: what a diagram looks like where all is well.
    """
    answered = seen.predicted >= 0
    sure = np.clip(np.nan_to_num(seen.confidence[answered], posinf=1.0), 0, 1).astype(np.float64)
    if not seen.task.classifies or not sure.size:
        return None
    right = seen.predicted[answered] == np.asarray(seen.targets)[answered]
    owner = seen.owner[answered] if seen.owner.size else np.arange(sure.size)
    _, place, answers = np.unique(owner, return_inverse=True, return_counts=True)
    off = np.bincount(place, sure - right) / sure.size
    spread = np.bincount(place, sure * (1 - sure) * answers[place]) / sure.size**2
    # What was seen, and what the probabilities promise: with few samples all may be right.
    n = off.size
    seen_error = float(np.sqrt(np.sum((off - off.mean()) ** 2) * n / max(n - 1, 1)))
    error = max(seen_error, float(np.sqrt(spread.sum())))
    tenth = np.clip((sure * bins).astype(int), 0, bins - 1)
    gaps = np.sqrt(np.bincount(tenth, spread[place] / answers[place], minlength=bins))
    expected, deviation = (
        np.sqrt(2 / np.pi) * gaps.sum(),
        np.sqrt((1 - 2 / np.pi) * (gaps**2).sum()),
    )
    return Calibration(
        split, n, float(sure.mean()), float(right.mean()), error, float(expected + 3 * deviation)
    )
