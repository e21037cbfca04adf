"""Where is the network right, wrong, and over-sure?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kashika import figure, table
from kashika.distribution import FloatArray, IntArray
from kashika.errors import need
from kashika.history import History
from kashika.naming import SPLITS, Split
from kashika.neighbours import NEIGHBOURS
from kashika.observation import Modes, Observation
from kashika.run import Run
from kashika.task import Task
from kashika.view import Picture, Table, View
from kashika.views.predictions.calibration import Calibration, calibration
from kashika.views.predictions.class_counts import ClassCounts, class_counts
from kashika.views.predictions.copies import Copies, copies
from kashika.views.predictions.last_activation import (
    LastActivation,
    Twice,
    last_activation,
    twice,
)
from kashika.views.predictions.logged import (
    Logged,
    improving,
    logged,
    logged_loss,
    loss_while_training,
)
from kashika.views.predictions.pictures import (
    draw_confusion,
    draw_reliability,
    draw_simple,
    draw_values,
)
from kashika.views.predictions.plain_inputs import plain_inputs
from kashika.views.predictions.rules import (
    class_ignored,
    constant,
    imbalance,
    overconfident,
    underfitting,
)
from kashika.views.predictions.setup_rules import (
    double_sigmoid,
    double_softmax,
    label_noise,
    leakage,
    log_mismatch,
    mode_gap,
    output_activation,
)
from kashika.views.predictions.simple_models import (
    WIDTHS,
    Simple,
    around,
    compared,
    ridge,
    with_products,
)
from kashika.views.predictions.suspects import Suspects, suspects
from kashika.views.predictions.tables import (
    by_label,
    copied_samples,
    scores,
    suspicious_labels,
    worst_samples,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


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


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Predictions:
    """What the network answers.

    Attributes
    ----------
    scores : {split: score}
    split : the split that is looked at closely
    classified : its answers, for a classifier; else None
    true, predicted : (n,) its targets and answers: classes; values of a regression, all columns
        one after the other, of a sample of rows where there are many; how many labels apply
    labels : (labels, 4) int, rightly given, wrongly given, missed and rightly not given; (0, 4)
        where there are none
    worst : its samples with the greatest loss
    task : what the outputs mean
    chance_loss : mean loss of the best constant answer on the same split; NaN if not known
    counts : the classes one by one, over all splits
    calibration : how sure and how right it is on the split that is looked at
    simple : the network beside simple models, on training samples
    suspects : labels of training samples that the samples around them contradict
    copies : samples that stand in two splits
    logged : what was logged of these weights, beside what they give now
    improving : whether the loss was still falling when the log ended
    modes : the loss in evaluation and in training mode
    modes_chance : loss of the best constant answer on the training split
    loss_while_training : logged at the end for the training samples, where it can be compared with
        `modes`; NaN otherwise
    last : the activation that the outputs come from
    twice : losses of outputs that are probabilities already, else None
    """

    scores: Mapping[Split, Score]
    split: Split
    classified: Classified | None
    true: FloatArray
    predicted: FloatArray
    labels: IntArray
    worst: Worst
    task: Task
    chance_loss: float
    counts: ClassCounts | None = None
    calibration: Calibration | None = None
    simple: Simple | None = None
    suspects: Suspects | None = None
    copies: tuple[Copies, ...] = ()
    logged: tuple[Logged, ...] = ()
    improving: bool = False
    modes: Modes | None = None
    modes_chance: float = np.nan
    loss_while_training: float = np.nan
    last: LastActivation | None = None
    twice: Twice | None = None

    @property
    def misread(self) -> bool:
        """Whether the answers are not what they seem: a sigmoid was read as a logit."""
        return self.twice is not None and self.twice.function == "sigmoid" and self.twice.sure

    @property
    def yes_or_no(self) -> bool:
        """Whether an output is the answer to a question of yes or no."""
        return self.task.outputs in (
            "logit", "probability", "label_logits", "label_probabilities",
        )  # fmt: skip

    @property
    def classes_apart(self) -> bool:
        """Whether each class has an output of its own."""
        return self.task.outputs in ("logits", "log_probabilities", "probabilities")

    @property
    def as_logits(self) -> bool:
        """Whether the outputs are read as logits."""
        return self.task.outputs in ("logits", "logit", "label_logits")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the confusion matrix, or a regression's values, into `ax` or a new figure."""
        if self.classified is None:
            return figure.plot(draw_values, self, ax)
        return figure.plot(draw_confusion, self.classified, ax)

    def to_frame(self) -> DataFrame:
        """Return one row for each split."""
        return table.frame(scores(self))

    def __repr__(self) -> str:
        return table.plain(VIEW, self)

    def _repr_html_(self) -> str:
        return figure.html(VIEW, self)


def measure(
    observations: Mapping[Split, Observation],
    *,
    split: Split,
    history: History | None = None,
    saved: Mapping[str, int | None] | None = None,
    worst: int = 10,
) -> Predictions:
    """Compare the answers of a network with the targets, with the log, and with simple models.

    Parameters
    ----------
    split : the split that is looked at closely
    history : logs whose last values stand beside the recomputed ones
    saved : {"epoch" or "step": that of the weights that are looked at}, where known
    worst : how many of the samples with the greatest loss are listed
    """
    every = {one: observations[one] for one in SPLITS if one in observations}
    seen = every[split]
    columns = not seen.task.classifies and not seen.task.labels and seen.outputs.shape[1] > 1
    true, predicted = (
        (seen.wanted, seen.outputs) if columns else (seen.targets, seen.predicted)
    )  # fmt: skip
    train = every.get("train")
    found = logged(history, every, saved=saved)
    simple, suspicious = _beside_simple(train, every.get("valid") or every.get("test"))
    return Predictions(
        scores={one: _score(here, history, one) for one, here in every.items()},
        split=split,
        classified=_classified(seen) if seen.task.classifies else None,
        true=np.ravel(true).astype(np.float64),
        predicted=np.ravel(predicted).astype(np.float64),
        labels=seen.labels,
        worst=_worst(seen, worst),
        task=seen.task,
        chance_loss=seen.chance_loss,
        counts=class_counts(every),
        calibration=calibration(seen, split=split),
        simple=simple,
        suspects=suspicious,
        copies=copies(every),
        logged=found,
        improving=improving(history),
        modes=None if train is None else train.modes,
        modes_chance=np.nan if train is None else train.chance_loss,
        loss_while_training=loss_while_training(history, train, found),
        last=last_activation(seen),
        twice=_twice(every, history, saved),
    )


def _of_run(run: Run) -> Predictions:
    need(run.network, "network")
    split, _ = need(run.observation("test", "valid", "train"), "data")
    weights = run.checkpoint
    saved = None if weights is None else {"epoch": weights.epoch, "step": weights.step}
    return measure(run.observations, split=split, history=run.history, saved=saved)


def _beside_simple(
    train: Observation | None, held: Observation | None
) -> tuple[Simple | None, Suspects | None]:
    """Ask simple models about the training samples."""
    plain = None if train is None else plain_inputs(train)
    if plain is None:
        return None, None
    linear = ridge(plain.inputs, plain.targets)
    close = around(plain.inputs, plain.targets)
    curved = ridge(with_products(plain.inputs), plain.targets)
    errors = [float(np.sum((one.left_out - plain.targets) ** 2)) for one in (linear, curved)]
    line = linear.left_out if errors[0] <= errors[1] else curved.left_out
    tenth = close[WIDTHS.index(NEIGHBOURS)]
    return (
        compared(plain, linear=line, neighbours=tenth),
        suspects(plain, linear=linear, around=close, held=held),
    )


def _twice(
    observations: Mapping[Split, Observation],
    history: History | None,
    saved: Mapping[str, int | None] | None,
) -> Twice | None:
    """Look for outputs that are probabilities already, on the split that the log tells most of."""
    order: tuple[Split, ...] = ("valid", "test", "train")
    known = [one for one in order if history is not None and f"{one}_loss" in history.series]
    split = next(one for one in (*known, *order) if one in observations)
    found = twice(observations[split])
    if found is None:
        return None
    near, least = logged_loss(history, split, near=found.twice, saved=saved)
    return replace(found, logged=near, least_logged=least)


def _answers(predictions: Predictions) -> tuple[Classified, ...]:
    return () if predictions.classified is None else (predictions.classified,)


def _values(predictions: Predictions) -> tuple[Predictions, ...]:
    return () if predictions.classified or predictions.labels.size else (predictions,)


def _simple(predictions: Predictions) -> tuple[Simple, ...]:
    return () if predictions.simple is None else (predictions.simple,)


def _score(seen: Observation, history: History | None, split: Split) -> Score:
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


def _classified(seen: Observation, *, bins: int = 10) -> Classified:
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


def _worst(seen: Observation, most: int) -> Worst:
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


VIEW = View(
    "predictions",
    measure=_of_run,
    rules=(
        constant, underfitting, class_ignored, imbalance, overconfident, label_noise, leakage,
        log_mismatch, mode_gap, double_softmax, double_sigmoid, output_activation,
    ),
    pictures=(
        Picture(
            "confusion", draw_confusion, each=_answers,
            shows=("constant", "class_ignored", "imbalance"),
        ),
        Picture("reliability", draw_reliability, each=_answers, shows=("overconfident",)),
        Picture("values", draw_values, each=_values, shows=("constant", "output_activation")),
        Picture("simple", draw_simple, each=_simple, shows=("underfitting",)),
    ),
    tables=(
        Table("scores", scores),
        Table("labels", by_label),
        Table("worst", worst_samples),
        Table("suspicious", suspicious_labels),
        Table("copies", copied_samples),
    ),
    gradients=False,
)  # fmt: skip
