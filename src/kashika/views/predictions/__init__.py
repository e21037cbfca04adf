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
from kashika.views.predictions.answers import (
    Classified,
    Score,
    Worst,
    classified_of,
    score_of,
    worst_of,
)
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
        scores={one: score_of(here, history, one) for one, here in every.items()},
        split=split,
        classified=classified_of(seen) if seen.task.classifies else None,
        true=np.ravel(true).astype(np.float64),
        predicted=np.ravel(predicted).astype(np.float64),
        labels=seen.labels,
        worst=worst_of(seen, worst),
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
        suspects(plain, linear=linear, close=close, held=held),
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
