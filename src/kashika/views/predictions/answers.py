"""How good the answers on one split are: scores, confusions, and the worst of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kashika.distribution import FloatArray, IntArray
from kashika.history import History
from kashika.naming import Split
from kashika.observation import Observation

_CLASSES = 1_000
"""Of more classes the matrix of confusions holds the most frequent ones."""


_DRAWN = 100
"""Of more classes the picture of it shows the most frequent ones, two pixels for each."""


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """How good the predictions for one split are.

    Attributes
    ----------
    samples : number of samples
    answers : number of answers: one for each sample, position, or label that may apply
    loss : mean loss, recomputed from checkpoint and data
    correct : number of right answers; None for a regression
    rmse : root mean squared error of a regression, in the unit of the targets; else None
    logged_loss, logged_accuracy : last value of the log, None where there is none
    unanswered : samples for which the outputs of a classifier are NaN; they count as wrong
    """

    samples: int
    answers: int
    loss: float
    correct: int | None
    rmse: float | None
    logged_loss: float | None = None
    logged_accuracy: float | None = None
    unanswered: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Classified:
    """The answers of a classifier on one split.

    Attributes
    ----------
    classes : (classes,) int, all of them, or the most frequent ones of very many
    confusion : (classes, classes) int, true class by predicted class
    confidence : (bins,) mean probability of the predicted class in each tenth from 0 to 1; NaN
        where the tenth is empty
    accuracy : (bins,) share of right answers there
    count : (bins,) samples there
    ece : expected calibration error, 0 to 1
    unanswered : samples whose outputs are NaN; they count as wrong, and nowhere above
    """

    classes: IntArray
    confusion: IntArray
    confidence: FloatArray
    accuracy: FloatArray
    count: IntArray
    ece: float
    unanswered: int = 0

    @property
    def drawn(self) -> IntArray:
        """(drawn, drawn) of the most frequent classes: more than pixels cannot be seen."""
        counts = self.confusion.sum(axis=0) + self.confusion.sum(axis=1)
        most = np.sort(np.argsort(-counts, kind="stable")[:_DRAWN])
        return self.confusion[np.ix_(most, most)]

    @property
    def darkest(self) -> float:
        """The count that would be painted darkest: far enough up for black numbers to be read."""
        return 1.6 * max(1.0, float(self.drawn.max()))


@dataclass(frozen=True, slots=True, eq=False)
class Worst:
    """The samples with the greatest loss, the worst first.

    Attributes
    ----------
    index : (worst,) int, sample in the split
    place : (worst,) int, position in the sample; empty where a sample has one answer
    true, predicted : (worst,) class, or value of a regression
    probability : (worst,) that the network gave to the true class; NaN for a regression
    loss : (worst,)
    """

    index: IntArray
    place: IntArray
    true: FloatArray
    predicted: FloatArray
    probability: FloatArray
    loss: FloatArray


def score_of(seen: Observation, history: History | None, split: Split) -> Score:
    """Count the right answers on a split, beside the last values of its log."""
    answers, correct = len(seen.targets), None
    if seen.task.classifies:
        correct = int((seen.predicted == seen.targets).sum())
    elif seen.task.labels:
        answers, correct = int(seen.labels.sum()), int(seen.labels[:, [0, 3]].sum())
    return Score(
        samples=seen.samples,
        answers=answers,
        loss=seen.mean_loss,
        correct=correct,
        rmse=None if correct is not None else seen.rmse,
        logged_loss=_last(history, f"{split}_loss"),
        logged_accuracy=_last(history, f"{split}_acc"),
        unanswered=int((seen.predicted < 0).sum()) if seen.task.classifies else 0,
    )


def _last(history: History | None, name: str) -> float | None:
    series = None if history is None else history.series.get(name)
    return None if series is None or not series.y.size else float(series.y[-1])


def classified_of(seen: Observation, *, bins: int = 10) -> Classified:
    """Count the answers, and compare confidence with accuracy in equal steps of confidence.

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017: expected calibration error.
    """
    answered = seen.predicted >= 0
    true, predicted = np.asarray(seen.targets)[answered], seen.predicted[answered]
    shown, confusion = _confusion(true, predicted, seen.task.classes)
    confidence = np.nan_to_num(seen.confidence[answered], posinf=1.0)
    right = predicted == true
    place = np.clip((confidence * bins).astype(int), 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(place, confidence, minlength=bins) / count
        accuracy = np.bincount(place, right, minlength=bins) / count
    gaps = np.abs(mean_confidence - accuracy)[count > 0]
    ece = float(np.sum(gaps * count[count > 0]) / count.sum()) if count.any() else np.nan
    unanswered = int((~answered).sum())
    return Classified(shown, confusion, mean_confidence, accuracy, count, ece, unanswered)


def _confusion(true: IntArray, predicted: IntArray, classes: int) -> tuple[IntArray, IntArray]:
    """Count pairs of classes; of very many, such as words, those of the most frequent ones."""
    shown = np.arange(classes)
    if classes > _CLASSES:
        found, counts = np.unique(np.concatenate([true, predicted]), return_counts=True)
        shown = np.sort(found[np.argsort(-counts, kind="stable")[:_CLASSES]])
        both = np.isin(true, shown) & np.isin(predicted, shown)
        true, predicted = (np.searchsorted(shown, one[both]) for one in (true, predicted))
    pairs = true * len(shown) + predicted
    counts = np.bincount(pairs, minlength=len(shown) ** 2)
    return shown, counts.reshape(len(shown), len(shown))


def worst_of(seen: Observation, most: int) -> Worst:
    """Find the samples with the greatest loss."""
    badness = seen.loss
    if seen.task.classifies and np.isnan(badness).all():  # the user's loss gives a mean only
        badness = 1 - seen.probability
    # What is not a number is the worst of all.
    index = np.argsort(-np.where(np.isnan(badness), np.inf, badness), kind="stable")[:most]
    return Worst(
        seen.owner[index] if seen.owner.size else index,
        seen.place[index] if seen.place.size else index[:0],
        np.asarray(seen.targets)[index].astype(np.float64),
        seen.predicted[index].astype(np.float64),
        seen.probability[index],
        seen.loss[index],
    )
