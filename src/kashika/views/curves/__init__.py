"""Did training converge, and does it generalise?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kashika import figure, table
from kashika.distribution import FloatArray
from kashika.errors import KashikaError, need
from kashika.history import History, Series
from kashika.naming import Split
from kashika.observation import Observation
from kashika.proportion import interval
from kashika.run import Run
from kashika.view import Picture, Table, View
from kashika.views.curves.course import Course, course_of
from kashika.views.curves.panel import Panel, competes, main_loss, panel_of
from kashika.views.curves.pictures import (
    draw_accuracy,
    draw_gap,
    draw_loss,
    draw_loss_log,
    draw_metric,
)
from kashika.views.curves.rules import (
    best_passed,
    diverging,
    duplicate,
    nonfinite,
    not_learning,
    overconfident,
    overfitting,
    slow,
    still_improving,
    unstable,
    valid_below_train,
)
from kashika.views.curves.tables import points, summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Curves:
    """What was logged, and the place of the best and the last value.

    Attributes
    ----------
    history : all series
    loss, accuracy : the panels that are judged; without series where none was logged
    others : one panel for each other metric
    band : {split: (2, points)} 95 % interval of the accuracy, where the number of samples is known
    gap : valid loss minus train loss where both were logged, or None
    saved : x at which the weights that are looked at were saved; None where it is not known
    train_loss, chance_loss : mean loss on the training samples, recomputed, of the network and of
        a constant answer; NaN if not known
    train, valid : how these losses went; None where there are fewer than three finite values, or
        where the loss is one that need not fall
    right : {split: how its accuracy went}
    samples : {split: number of samples} where it is known, or where accuracies tell it
    """

    history: History
    loss: Panel
    accuracy: Panel
    others: tuple[Panel, ...] = ()
    band: Mapping[Split, FloatArray] = field(default_factory=dict)
    gap: Series | None = None
    saved: int | None = None
    train_loss: float = np.nan
    chance_loss: float = np.nan
    train: Course | None = None
    valid: Course | None = None
    right: Mapping[Split, Course] = field(default_factory=dict)
    samples: Mapping[Split, int] = field(default_factory=dict)

    @property
    def chance(self) -> float:
        """The loss of a constant answer in the unit of the log; NaN where that is not known.

        A logged loss may be a sum, or have another term than the one that was recomputed.
        """
        logged = np.nan if self.train is None else self.train.end
        same = abs(self.train_loss - logged) <= 0.3 * self.chance_loss
        return self.chance_loss if same else np.nan

    @property
    def scale(self) -> float:
        """What a loss must be measured against to be of consequence; NaN if not known.

        It is the loss of a constant answer, else the first one that was logged: but where the
        start was far out, no more than four times the next. A loss that goes below zero has no
        natural zero; there it is what training covered.
        """
        both = [one for one in (self.train, self.valid) if one is not None]
        if not both:
            return np.nan
        if min(float(one.series.y.min()) for one in both) < 0:
            return max(both[0].first, float(both[0].level[0])) - both[0].least
        if self.chance > 0:
            return self.chance
        with np.errstate(over="ignore"):
            return max(min(one.first, 4 * float(one.series.y[1])) for one in both)

    @property
    def best(self) -> float | None:
        """The x of the least valid loss, else of the least train loss; None without a loss."""
        return self.loss.best

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the loss into `ax`, or into a new figure."""
        return figure.plot(draw_loss, self, ax)

    def to_frame(self) -> DataFrame:
        """Return one row for each logged value."""
        return table.frame(points(self))

    def __repr__(self) -> str:
        return table.plain(VIEW, self)

    def _repr_html_(self) -> str:
        return figure.html(VIEW, self)


def measure(
    history: History,
    *,
    samples: Mapping[Split, int] | None = None,
    saved: Mapping[str, int | None] | None = None,
    train_loss: float = np.nan,
    chance_loss: float = np.nan,
) -> Curves:
    """Sort the series of a history by what they mean.

    Parameters
    ----------
    samples : {split: number of samples} that the accuracies were computed on, where known
    saved : {"epoch" or "step": that of the weights that are looked at}, where known
    train_loss, chance_loss : mean loss on the training samples, recomputed, of the network and of
        a constant answer
    """
    panels = {metric: panel_of(history, metric) for metric in history.metrics}
    loss, accuracy = main_loss(panels), panels.get("acc", Panel("acc", {}, {}))
    counts = samples or {}
    band = {s: _band(one, counts[s]) for s, one in accuracy.series.items() if s in counts}
    others = tuple(one for one in panels.values() if one not in (loss, accuracy) and one.drawable)
    judged = {} if competes(history.metrics) else loss.series
    beats = judged.get("valid")
    valid = None if beats is None else course_of(beats, beats=beats)
    train = course_of(judged["train"], beats=beats) if "train" in judged else None
    # Accuracies are shares of whole splits, or of as many samples as their steps tell.
    went = {split: course_of(one, beats=one) for split, one in accuracy.series.items()}
    gap = _gap(loss.series)
    unit = next((one.unit for one in loss.series.values()), "epoch")
    place = None if saved is None else saved.get(unit)
    return Curves(
        history, loss, accuracy, others, band, gap, place, train_loss, chance_loss, train, valid,
        {split: one for split, one in went.items() if one is not None},
        {**_counted(accuracy), **counts},
    )  # fmt: skip


def _of_run(run: Run) -> Curves:
    history = need(run.history, "history")
    seen, weights = _seen(run), run.checkpoint
    return measure(
        history,
        saved=None if weights is None else {"epoch": weights.epoch, "step": weights.step},
        samples={split: one.samples for split, one in seen.items()},
        train_loss=seen["train"].mean_loss if "train" in seen else np.nan,
        chance_loss=seen["train"].chance_loss if "train" in seen else np.nan,
    )


def _seen(run: Run) -> Mapping[Split, Observation]:
    """Return what is known of the samples; nothing, where the network fails on them."""
    try:
        return dict(run.observations)
    except KashikaError:
        raise
    except Exception:  # noqa: BLE001  the logs can be shown without the network; its views say why
        return {}


def _band(accuracy: Series, samples: int) -> FloatArray:
    """Return the (2, points) interval; NaN where the value is no share, such as one in percent."""
    shares = np.where((accuracy.y >= 0) & (accuracy.y <= 1), accuracy.y, np.nan)
    return np.array([
        (np.nan, np.nan) if np.isnan(share) else interval(round(share * samples), samples)
        for share in shares
    ]).T  # fmt: skip


def _counted(accuracy: Panel) -> dict[Split, int]:
    """Return of how many samples accuracies are shares, by the least step between them."""
    found: dict[Split, int] = {}
    for split, one in accuracy.series.items():
        steps = np.diff(np.unique(np.clip(one.finite.y, 0, 1)))
        # Where accuracies were printed with three digits, their steps tell of these.
        steps = steps[steps > 2e-3]
        if steps.size >= 3:
            found[split] = round(1 / float(steps.min()))
    return found


def _gap(loss: Mapping[Split, Series]) -> Series | None:
    """Return valid minus train loss where a valid loss was logged during the train losses."""
    if "train" not in loss or "valid" not in loss:
        return None
    train, valid = loss["train"].finite, loss["valid"].finite
    if not train.x.size or not valid.x.size:
        return None
    within = (valid.x >= train.x[0]) & (valid.x <= train.x[-1])
    with np.errstate(over="ignore", invalid="ignore"):
        gap = valid.y - np.interp(valid.x, train.x, train.y)
    return Series(valid.x[within], gap[within], valid.unit) if within.any() else None


def _with_positive_loss(curves: Curves) -> Sequence[Curves]:
    """Give the curves where a logarithmic axis has something to show."""
    losses = curves.loss.series.values()
    return (curves,) if any((one.finite.y > 0).any() for one in losses) else ()


_IN_THE_LOSS = (
    "nonfinite", "diverging", "not_learning", "slow", "still_improving", "unstable", "overfitting",
    "best_passed", "overconfident", "valid_below_train", "duplicate",
)  # fmt: skip
_ON_A_LOG_AXIS = ("diverging", "slow", "still_improving", "unstable", "overfitting")

VIEW = View(
    "curves",
    measure=_of_run,
    rules=(
        nonfinite, diverging, not_learning, slow, still_improving, unstable, overfitting,
        best_passed, overconfident, valid_below_train, duplicate,
    ),
    pictures=(
        Picture(
            "loss", draw_loss, each=lambda c: (c,) if c.loss.drawable else (), shows=_IN_THE_LOSS
        ),
        Picture("loss_log", draw_loss_log, each=_with_positive_loss, shows=_ON_A_LOG_AXIS),
        Picture(
            "accuracy", draw_accuracy, each=lambda c: (c,) if c.accuracy.drawable else (),
            shows=("best_passed", "overconfident", "unstable"),
        ),
        Picture(
            "gap", draw_gap, each=lambda c: () if c.gap is None else (c.gap,),
            shows=("overfitting", "valid_below_train"),
        ),
        Picture("metrics", draw_metric, each=lambda c: c.others, shows=("best_passed",)),
    ),
    tables=(Table("summary", lambda c: summary(c.history)),),
    gradients=False,
)  # fmt: skip
