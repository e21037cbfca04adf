"""What can be wrong with the steps of a training: it swings, or runs away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.view import Evidence, Finding, Level
from kashika.views.curves.chance import is_by_lot

if TYPE_CHECKING:
    from kashika.distribution import FloatArray
    from kashika.history import Series
    from kashika.naming import Split
    from kashika.views.curves import Curves


def diverging(curves: Curves, *, lost: float = 0.25, gross: float = 0.5) -> Finding:
    """The training loss rose away from its best and stayed there.

    All levels of the last fifth must lie that high: a single spike at the end, and the first part
    of a cycle of the learning rate, do not count. What was lost is measured against what had been
    gained, so that a run that goes from 1e-8 to 2e-8 has not diverged.

    Parameters
    ----------
    lost : share of what training had gained that it lost again, from which it counts
    gross : the same, from which it is a problem

    References
    ----------
    Ben Braiek and Khomh, "Testing feedforward neural networks training programs", 2022: the loss
    exceeds twice its least.
    """
    rule = "curves.diverging"
    course = curves.train
    if course is None or course.level.size < 5:
        return Finding(rule, Level.UNKNOWN)
    last = course.level[-max(2, course.level.size // 5) :]
    settled = float(last.min())
    scale = curves.scale
    # At least a quarter of the scale: a loss that rose from its first value on has gained nothing.
    gained = max(scale - max(course.least, 0.0), 0.25 * scale)
    with np.errstate(over="ignore", invalid="ignore"):
        share = (settled - course.least) / gained if gained > 0 else 0.0
    series = course.series
    evidence = (
        Evidence("lost_again", share, limit=lost),
        Evidence("least", course.least),
        Evidence(
            "least_at", int(series.x[course.least_at]), unit=series.unit,
            where=f"train_{curves.loss.metric}",
        ),
        Evidence("last", course.end),
        Evidence("last_at", int(series.x[-1]), unit=series.unit),
    )  # fmt: skip
    counts = share >= lost and settled - course.least > 4 * course.error
    level = Level.OK if not counts else Level.WARNING
    return Finding(rule, Level.PROBLEM if counts and share >= gross else level, evidence)


def unstable(
    curves: Curves, *, rise: float = 0.05, often: float = 0.12, gross: float = 0.25
) -> Finding:
    """The training loss swings by more than noise: the steps are too long.

    The mean over an epoch is one over the same samples each time, so what it rises is the work of
    the steps. Swings within an epoch show as a first validation that is far worse than the first
    pass over the data, in which no sample had been seen before; and steps that were too long at
    once as a first loss far above chance, and no progress after.

    Parameters
    ----------
    rise : from one point to the next, as a share of the loss before training
    often : share of the points that rise by so much, from which it counts
    gross : the same, from which it is a problem

    References
    ----------
    Zhang et al., "AUTOTRAINER", ICSE 2021: swings of the accuracy by 0.03 in a fifth of the epochs.
    """
    rule = "curves.unstable"
    swinging = _swinging(curves, rise=rise)
    if swinging is None:
        return Finding(rule, Level.UNKNOWN)
    where, series, rises, limit = swinging
    share, most = float((rises > limit).mean()), int(rises.argmax())
    greatest, place = float(rises[most]), most + 1
    hidden = [one for one in (_thrown(curves), _within_first(curves), _within_later(curves)) if one]
    alone = curves.train is not None and curves.valid is None
    counts = share >= (gross if alone else often) and int((rises > limit).sum()) >= 4
    counts = counts and _confirmed(curves, limit=rise * curves.scale, often=max(often, share / 2))
    if hidden and not counts:
        greatest, place = max(hidden)
    evidence = (
        Evidence("swings", share, limit=often),
        Evidence("greatest_rise", greatest, limit=limit, where=where),
        Evidence("swung_at", int(series.x[place]), where=where, unit=series.unit),
    )
    if counts:
        return Finding(rule, Level.PROBLEM if share >= gross else Level.WARNING, evidence)
    return Finding(rule, Level.WARNING if hidden else Level.OK, evidence)


def _swinging(curves: Curves, *, rise: float) -> tuple[str, Series, FloatArray, float] | None:
    """Return a series, how far it gets worse from each point to the next, and what is too far."""
    train, scale = curves.train, curves.scale
    if train is not None and train.level.size >= 5 and scale > 0:
        # Dropout and the like draw lots for each sample, and a mean of few of them is uncertain.
        n = curves.samples.get("train", 0)
        noise = 3 * abs(train.least) / np.sqrt(n) if n else 0.0
        limit = max(rise * scale, float(noise), 4 * train.scatter)
        with np.errstate(over="ignore", invalid="ignore"):
            rises = np.diff(train.series.y)
            if curves.valid is None:
                # Nothing tells a mean over an epoch from the loss of its last batch, which varies
                # by a part of itself: so it must have doubled, to more than it was at first.
                far = np.maximum(2 * train.level[:-1], scale)
                rises = np.where(train.series.y[1:] > far, rises, 0.0)
        return f"train_{curves.loss.metric}", train.series, rises, limit
    split: Split | None = next(iter(curves.right), None)
    if train is not None or split is None or curves.right[split].level.size < 5:
        return None
    right = curves.right[split]
    n = curves.samples.get(split, 100)
    share = float(np.clip(right.level.max(), 0.0, 1.0))
    noise = 3 * np.sqrt(share * (1 - share) / n)
    limit = max(rise, float(noise), 4 * right.scatter)
    with np.errstate(over="ignore", invalid="ignore"):
        falls = -np.diff(right.series.y)
    return f"{split}_acc", right.series, falls, limit


def _confirmed(curves: Curves, *, limit: float, often: float) -> bool:
    """Tell whether the validation loss, if there is one, swings as well.

    It is of all validation samples, whereas a training loss may be that of one batch.
    """
    valid = curves.valid
    if curves.train is None or valid is None:
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        return bool((np.diff(valid.series.y) > limit).mean() >= often)


def _thrown(curves: Curves) -> tuple[float, int] | None:
    """Return how far above chance the loss was at first, if it fell just to that, and where.

    The first steps then threw the network to where its answers are the same for every input.
    """
    course, right = curves.train, curves.right.get("train")
    if course is None or not course.first > 0:
        return None
    later = course.after(0.3)
    at_chance = abs(later / curves.chance - 1) <= 0.03 if curves.chance > 0 else False
    if not at_chance and right is not None:
        at_chance = is_by_lot(later, right.after(0.3))
    return (course.first - later, 0) if at_chance and course.first > 1.25 * later else None


def _within_first(curves: Curves) -> tuple[float, int] | None:
    """Return how far the loss rose within the first pass over the training data, and where.

    In that pass no sample had been seen before, so its mean is as fair as that of the validation
    data after it. All pairs of the first tenth must agree, and three at least: the running means of
    batch norm need as long to settle. And the gap must close by half, which it does not where the
    validation data are of another kind.
    """
    train, valid = curves.train, curves.valid
    if train is None or valid is None or train.level.size != valid.level.size:
        return None
    x = train.series.x
    if train.series.unit != "epoch" or x[0] > 1 or x[1] - x[0] != 1:
        return None  # the first value may be of many passes
    while_young = max(3, train.level.size // 10)
    inner, outer = train.series.y[:while_young], valid.series.y[:while_young]
    with np.errstate(over="ignore", invalid="ignore"):
        gap = float(outer[0] - inner[0])
        agree = bool((outer > 1.5 * inner).all()) and inner[0] > 0
    sure = gap > max(0.2 * curves.scale, 6 * train.noise, 6 * valid.noise)
    sure = sure and valid.end - train.end < gap / 2
    return (gap, 0) if agree and sure else None


def _within_later(curves: Curves) -> tuple[float, int] | None:
    """Return how far the loss rises within an epoch later on, and where that is most.

    For an eighth of the training the validation loss is higher than before training, while the
    training loss is lower, and it comes back: what an epoch ends with was not there all through it.
    """
    train, valid, scale = curves.train, curves.valid, curves.scale
    if train is None or valid is None or train.level.size != valid.level.size:
        return None
    apart = (valid.level > 1.2 * scale) & (train.level < 0.9 * scale)
    most = int(valid.level.argmax())
    if apart.sum() < max(4, apart.size // 8) or not valid.end < 0.5 * float(valid.level[most]):
        return None
    return float(valid.level[most] - train.level[most]), most
