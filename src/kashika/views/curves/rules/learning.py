"""What can be wrong with how the loss falls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.view import Evidence, Finding, Level
from kashika.views.curves.chance import ends_by_lot
from kashika.views.curves.course import Course, course_of
from kashika.views.curves.panel import Panel, best_place

if TYPE_CHECKING:
    from kashika.distribution import FloatArray
    from kashika.views.curves import Curves

FEW = 20
"""Of fewer points nobody can tell whether the steps were too short or too few."""


def not_learning(curves: Curves, *, gain: float = 0.02) -> Finding:
    """The network does no better than an answer that ignores the input, or its loss never fell.

    A logged loss may be a sum, or another loss than the one that chance is known for; so it is the
    loss recomputed on the training samples that is compared with chance. From a log alone chance
    is known where the loss is the logarithm of a whole number and the accuracy one over it.

    Parameters
    ----------
    gain : share of the loss of a constant answer, or of the first logged loss, that must be gained

    References
    ----------
    Karpathy, "A recipe for training neural networks", 2019, and Stanford CS231n: compare with the
    loss at chance.
    """
    rule = "curves.not_learning"
    course = curves.train
    if course is None:
        return Finding(rule, Level.UNKNOWN)
    first, last = course.first, course.end
    evidence: tuple[Evidence, ...] = (Evidence("first_loss", first), Evidence("last_loss", last))
    stuck = not (_has_fallen(course, gain=gain) or _has_fallen(curves.valid, gain=gain))
    over_chance = curves.train_loss / curves.chance_loss if curves.chance_loss > 0 else np.nan
    if np.isfinite(over_chance):
        evidence += (Evidence("over_chance", over_chance, limit=1 - gain),)
        if over_chance >= 1 - gain:
            return Finding(rule, Level.PROBLEM, evidence)
        stuck = stuck and over_chance > 0.5  # else it knew the answers from the first epoch on
    elif stuck and _ends_well(curves):
        return Finding(rule, Level.UNKNOWN)
    elif ends_by_lot(curves):
        return Finding(rule, Level.WARNING, evidence)
    if stuck and _mean_fall(course) + 3 * _fall_error(course) > 5 * gain * abs(first):
        return Finding(rule, Level.UNKNOWN)  # it may have fallen well, and noise hides it
    return Finding(rule, Level.WARNING if stuck else Level.OK, evidence)


def slow(
    curves: Curves, *, straight: float = 0.5, left: float = 0.95, bent: float = 0.2
) -> Finding:
    """The training loss falls steadily, in a nearly straight line, and has far to go.

    A loss that nears its end like an exponential function does in the second half of the training
    only a small part of what it did in the first: half as much, if a quarter of the whole way is
    still left. Where the learning rate was lowered meanwhile the line bends: along half a cosine
    the second half brings 0.22 of the first, so for a steady fall that got nowhere that is enough.
    A training whose validation loss has turned up has no need of longer steps.

    Parameters
    ----------
    straight : fall in the second half over that in the first, from which it counts
    left : share of the loss before training that is left at the end, from which `bent` holds
    bent : fall in the second half over that in the first, from which it counts then

    References
    ----------
    Stanford CS231n, "Babysitting the learning process": a straight line is too low a rate.
    """
    rule = "curves.slow"
    course = curves.train
    if course is None or course.level.size < FEW or not curves.scale > 0:
        return Finding(rule, Level.UNKNOWN)
    level, scale = course.level, curves.scale
    fall = float(level[0]) - course.end
    second = course.after(0.5) - course.end
    ratio = _ratio(second, fall - second)
    still = course.end / scale
    evidence = (
        Evidence("second_half", ratio, limit=straight),
        Evidence("still_left", still, limit=left),
        Evidence("first_loss", float(level[0])),
        Evidence("last_loss", course.end),
        Evidence("last_at", int(course.series.x[-1]), unit=course.series.unit),
    )
    far = (ratio >= straight and second >= 0.05 * scale) or (ratio >= bent and still >= left)
    counts = far and _is_steady(course) and not _has_turned(curves.valid)
    return Finding(rule, Level.WARNING if counts else Level.OK, evidence)


def still_improving(
    curves: Curves,
    *,
    drop: float = 0.015,
    begun: float = 0.1,
    left: float = 0.15,
    pace: float = 0.02,
    gross: float = 0.05,
) -> Finding:
    """The losses still fall at the end, by what matters: the training stopped too early.

    What matters is much of the loss before training; or, while a good part of that is left, much
    of what is left: a loss that falls like a power of the time, and by a fiftieth of itself in the
    last fifth, falls by a twentieth if the training is twice as long.

    Only new ground counts: what lies below all levels before, so that the end of a cycle of the
    learning rate is no progress. Where `slow` says why, this is a note. A training loss without a
    validation loss falls while a network overfits, too; it must fall by the gross amount.

    Parameters
    ----------
    drop : fall in the last fifth as a share of the loss before training, from which it counts
    begun : fall in the last fifth as a share of the whole fall, from which it counts as well where
        the training has done less than half of the way
    left : share of the loss before training that is left at the end, from which `pace` holds
    pace : fall in the last fifth as a share of the last training loss, from which it counts then
    gross : the first, from which it is a problem

    References
    ----------
    Godbole et al., "Deep learning tuning playbook", 2023: when the best point is the last one,
    train longer.
    """
    rule = "curves.still_improving"
    train, valid, scale = curves.train, curves.valid, curves.scale
    if train is None or train.level.size < 5 or not scale > 0:
        return Finding(rule, Level.UNKNOWN)
    fall = _late_fall(train, sure=5.0)
    if valid is not None and valid.level.size >= 5:
        fall = min(fall, _late_fall(valid, sure=2.0))
    share = fall / scale
    far = train.end > scale / 2 and _ratio(fall, train.first - train.end) >= begun
    limit = min(drop, pace * train.end / scale) if train.end >= left * scale else drop
    if valid is None:
        limit, far = gross, False
    evidence = (
        Evidence("late_fall", share, limit=limit),
        Evidence("last_loss", train.end),
        Evidence("last_at", int(train.series.x[-1]), unit=train.series.unit),
    )
    counts = share >= limit or (far and _is_steady(train))
    if not counts or _settled(curves, share, gross):
        return Finding(rule, Level.OK, evidence)
    if slow(curves).level >= Level.WARNING:
        return Finding(rule, Level.NOTE, evidence)
    return Finding(rule, Level.PROBLEM if share >= gross else Level.WARNING, evidence)


def _has_fallen(course: Course | None, *, gain: float) -> bool:
    """Tell whether a loss fell by a share of its first value and by more than noise."""
    if course is None:
        return False
    least = gain * abs(course.first)
    # Either the first value or the mean of the first fifth must lie clearly above the end; or the
    # first one far above the least, which then is no failure to learn but one to stay there.
    with np.errstate(over="ignore", invalid="ignore"):
        at_once = course.first - course.end > max(least, 4 * course.first_error)
        for_a_while = course.first - course.least > max(5 * least, 6 * course.first_error)
        return bool(
            at_once or for_a_while or _mean_fall(course) > max(least, 3 * _fall_error(course))
        )


def _mean_fall(course: Course) -> float:
    """Return how far the mean of the last fifth lies below that of the first."""
    fifth = max(1, course.series.y.size // 5)
    with np.errstate(over="ignore", invalid="ignore"):
        return float(course.series.y[:fifth].mean() - course.series.y[-fifth:].mean())


def _fall_error(course: Course) -> float:
    """Return the standard error of that fall."""
    return course.noise * float(np.sqrt(2 / max(1, course.series.y.size // 5)))


def _ends_well(curves: Curves) -> bool:
    accuracy = curves.accuracy.series.get("train")
    return accuracy is not None and bool((accuracy.finite.y[-1:] >= 0.9).any())


def _settled(curves: Curves, share: float, gross: float) -> bool:
    """Tell whether what the loss may still gain is of no consequence, by the other metrics.

    From logs alone an accuracy of 95 % says so; and where any validation metric was better before,
    a small fall of the loss brings nothing.
    """
    best = [one.end for one in curves.right.values()]
    if not curves.chance > 0 and best and max(best) >= 0.95:
        return True
    return share < gross and any(_is_passed(one) for one in (curves.accuracy, *curves.others))


def _is_passed(panel: Panel) -> bool:
    """Tell whether a validation metric, no loss, ends below its level before the last third.

    By more than noise: the best of many levels lies two or three standard errors too high.
    """
    upward = best_place(panel.metric, np.array([0.0, 1.0]))
    if "valid" not in panel.series or upward is None or panel.metric.endswith("loss"):
        return False
    course = course_of(panel.series["valid"], beats=panel.series["valid"])
    if course is None or course.level.size < 5:
        return False
    level = course.level if upward else -course.level
    before = float(level[: -(level.size // 3)].max())
    return before - float(level[-1]) > 6 * course.error


def _late_fall(course: Course, *, sure: float) -> float:
    """Return how far the loss falls in the last fifth, as far as it is sure and new ground.

    The slopes are those of lines through the last third and the last tenth, or a few points, since
    a median lags behind what falls; that of the third must be `sure` times its standard error.
    """
    size = course.level.size
    slope, error = _line(course.series.y[-max(4, size // 3) :])
    latest, _ = _line(course.series.y[-max(2, min(4, (size + 1) // 3), size // 10) :])
    if not -slope > sure * error:
        return 0.0
    before = float(course.level[: -max(4, size // 3)].min(initial=np.inf))
    with np.errstate(over="ignore", invalid="ignore"):
        return min(-slope * size / 5, -latest * size / 5, before - course.end)


def _line(y: FloatArray) -> tuple[float, float]:
    """Return the slope of the line of least squares through values, and its standard error."""
    x = np.arange(y.size) - (y.size - 1) / 2
    with np.errstate(over="ignore", invalid="ignore"):
        square = float((x**2).sum())
        slope = float((x * (y - y.mean())).sum()) / square
        left = y - y.mean() - slope * x
        return slope, float(np.sqrt((left**2).sum() / max(1, y.size - 2) / square))


def _has_turned(course: Course | None) -> bool:
    """Tell whether a loss ends above its least by more than noise."""
    return course is not None and course.end > course.least + 6 * course.error


def _is_steady(course: Course) -> bool:
    """Tell whether a loss falls nearly all the time, by more than noise."""
    with np.errstate(over="ignore", invalid="ignore"):
        fall = float(course.level[0]) - course.end
        way = float(np.abs(np.diff(course.level)).sum())
        return fall > 10 * course.error and fall >= 0.9 * way


def _ratio(over: float, under: float) -> float:
    """Divide; NaN where that has no meaning."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.divide(over, under)) if under > 0 else np.nan
