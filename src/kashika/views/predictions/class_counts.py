"""The classes one by one: how often each is there, found, and thought likely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kashika.distribution import FloatArray, IntArray
from kashika.naming import Split
from kashika.observation import Observation

MOST = 1_000
"""More classes than these, such as words, are not looked at one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassCounts:
    """What became of each class.

    Attributes
    ----------
    train : (classes,) int, how many training samples there are of it; None without that split
    there : (classes,) how many of the samples that were kept are of it, in all splits
    found : (classes,) how many of these the network gives that class
    given : (classes,) the summed probability that it gives the class, to all samples
    error : (classes,) standard error of `given`, if the probabilities are right
    held_there, held_found, held_given, held_error : the same on the held-out splits alone
    missing : (missing,) int classes of the held-out splits that are missing from the training
        split, though it is so large that chance does not explain it
    """

    train: IntArray | None
    there: FloatArray
    found: FloatArray
    given: FloatArray
    error: FloatArray
    held_there: FloatArray
    held_found: FloatArray
    held_given: FloatArray
    held_error: FloatArray
    missing: IntArray

    @property
    def recall_at_most(self) -> FloatArray:
        """(classes,) upper end of the interval of the recall; 1 where there are no samples."""
        return upper(self.found, self.there)

    @property
    def held_recall_at_most(self) -> FloatArray:
        """(classes,) the same on the held-out splits."""
        return upper(self.held_found, self.held_there)


def class_counts(observations: Mapping[Split, Observation]) -> ClassCounts | None:
    """Count the classes of a classifier; None where there are none, or too many."""
    classes = next(iter(observations.values())).task.classes
    if not 2 <= classes <= MOST:
        return None
    counted = {split: _counted(seen) for split, seen in observations.items()}
    held = [one for split, one in counted.items() if split != "train"]
    there, found, given, variance = np.sum([*counted.values()], axis=0)
    nothing = np.zeros((4, classes))
    held_there, held_found, held_given, held_variance = np.sum([nothing, *held], axis=0)
    train = None
    if "train" in observations:
        train = np.bincount(observations["train"].targets, minlength=classes)
    return ClassCounts(
        train, there, found, given, np.sqrt(variance),
        held_there, held_found, held_given, np.sqrt(held_variance),
        _missing(train, held_there),
    )  # fmt: skip


def _counted(seen: Observation) -> FloatArray:
    """Return (4, classes): there, found, summed probability, and the variance of that sum."""
    classes, rows = seen.task.classes, seen.rows
    targets, predicted = seen.targets[rows], seen.predicted[rows]
    chances = np.nan_to_num(np.clip(seen.probabilities, 0, 1))
    return np.stack([
        np.bincount(targets, minlength=classes),
        np.bincount(targets[predicted == targets], minlength=classes),
        chances.sum(axis=0),
        (chances * (1 - chances)).sum(axis=0),
    ])  # fmt: skip


def _missing(train: IntArray | None, held: FloatArray) -> IntArray:
    """Return the classes that chance does not leave out of the training split."""
    if train is None or not train.sum() or not held.sum():
        return np.empty(0, dtype=np.int64)
    share = lower(held, np.full_like(held, held.sum()))
    unlikely = np.exp(train.sum() * np.log1p(-np.minimum(share, 1 - 1e-12))) < 1e-3
    return np.flatnonzero((train == 0) & (held > 0) & unlikely)


def upper(part: FloatArray, whole: FloatArray, *, z: float = 1.96) -> FloatArray:
    """Return the upper ends of the intervals of shares; 1 where there is nothing to share.

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    n = np.maximum(whole, 1e-12)
    share = np.clip(part / n, 0.0, 1.0)
    middle, width = (
        share + z**2 / (2 * n),
        z * np.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2),
    )
    return np.asarray(np.where(whole > 0, np.minimum((middle + width) / (1 + z**2 / n), 1.0), 1.0))


def lower(part: FloatArray, whole: FloatArray, *, z: float = 1.96) -> FloatArray:
    """Return the lower ends of the intervals of shares; 0 where there is nothing to share."""
    return 1 - upper(whole - part, whole, z=z)
