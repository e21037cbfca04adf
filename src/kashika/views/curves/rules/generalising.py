"""What can be wrong with how a training carries over to other data: a rule for each disease."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.view import Evidence, Finding, Level
from kashika.views.curves.panel import best_place, plain_place

if TYPE_CHECKING:
    from kashika.views.curves import Curves
    from kashika.views.curves.course import Course


def overfitting(
    curves: Curves,
    *,
    rise: float = 0.1,
    consequence: float = 0.05,
    noise: float = 6.0,
    lasting: float = 4.0,
) -> Finding:
    """The validation loss turned up while the training loss went on falling.

    The rise is judged between smoothed levels (running medians over a twentieth of the points, 3
    to 15 of them), must exceed the noise of the series, and must matter against the range that
    training covered: a run that goes from 1e-8 to 2e-8 has not overfitted. Where few samples make
    single levels noisy, the mean of the last third tells.

    Parameters
    ----------
    rise : relative rise of the valid loss over its least level, from which it counts
    consequence : the same rise as a share of the range of both losses, from which it counts
    noise : the same rise in standard errors of a level, from which it counts; so many, because
        the least of many levels lies two or three below their mean by chance alone
    lasting : rise of the last third over the third about the least level, in standard errors of
        the difference of two such means, from which it counts as well

    References
    ----------
    Prechelt, "Early stopping - but when?", 1998: generalisation loss GL with a strip.
    """
    rule = "curves.overfitting"
    train, valid = curves.train, curves.valid
    if train is None or valid is None or min(train.level.size, valid.level.size) < 4:
        return Finding(rule, Level.UNKNOWN)
    where, series = f"valid_{curves.loss.metric}", valid.series
    relative = _rise(valid)
    then = _train_level(train, at=float(series.x[valid.least_at]))
    lasts = _lasts(valid, noise=lasting)
    counts = (
        relative > rise
        and _matters(curves, valid, consequence=consequence, noise=0.0 if lasts else noise)
        and train.end < then
    )
    evidence = (
        Evidence("rise", relative, limit=rise),
        Evidence("least", valid.least),
        Evidence("least_at", int(series.x[valid.least_at]), unit=series.unit, where=where),
        Evidence("last", valid.end),
        Evidence("last_at", int(series.x[-1]), unit=series.unit, where=where),
        Evidence("train_then", then),
        Evidence("train_last", train.end),
    )
    level = Level.OK if not counts else Level.PROBLEM if relative > 3 * rise else Level.WARNING
    return Finding(rule, level, evidence)


def best_passed(curves: Curves, *, worse: float = 0.03) -> Finding:
    """The best weights on the validation data came well before the last ones, which were kept.

    Where another metric was logged for them, its best place is named as well: it may be another.

    Parameters
    ----------
    worse : how much higher the valid loss ends than it was at its least, from which it is noted

    References
    ----------
    Godbole et al., "Deep learning tuning playbook", 2023: keep the best checkpoint.
    """
    rule = "curves.best_passed"
    valid = curves.valid
    if valid is None or not valid.level.size >= 3:
        return Finding(rule, Level.UNKNOWN)
    series = valid.series
    best = float(series.x[int(series.y.argmin())])
    other, other_at = _other_best(curves)
    evidence = (
        Evidence("rise", _rise(valid), limit=worse),
        Evidence(
            "best_at", int(best), unit=series.unit, where=f"valid_{curves.loss.metric}"
        ),
        Evidence("other_best_at", int(other_at), unit=series.unit, where=other),
        Evidence("last_at", int(series.x[-1]), unit=series.unit),
    )  # fmt: skip
    way = float(series.x[-1] - series.x[0])
    kept = curves.saved is not None and abs(curves.saved - best) <= 0.1 * way
    early = best < series.x[-1] - 0.1 * way
    passed = early and not kept and _rise(valid) > worse
    passed = passed and _matters(curves, valid, consequence=0.01, noise=2.0)
    return Finding(rule, Level.NOTE if passed else Level.OK, evidence)


def overconfident(curves: Curves, *, rise: float = 0.1) -> Finding:
    """The validation loss rises while the validation accuracy holds.

    The answers stay as right as they were, and the few wrong ones are given with more confidence.

    Parameters
    ----------
    rise : relative rise of the valid loss over its least level, from which it is noted

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017, section 3.
    """
    rule = "curves.overconfident"
    valid, right = curves.valid, curves.right.get("valid")
    if valid is None or right is None or min(valid.level.size, right.level.size) < 4:
        return Finding(rule, Level.UNKNOWN)
    at = int(np.searchsorted(right.series.x, valid.series.x[valid.least_at]))
    then = float(right.level[min(at, right.level.size - 1)])
    n = curves.samples.get("valid", 0)
    slack = max(0.01, float(np.sqrt(max(then * (1 - then), 0.0) / n)) if n else 0.0)
    evidence = (
        Evidence("rise", _rise(valid), limit=rise),
        Evidence("accuracy_then", then),
        Evidence("accuracy_last", right.end, limit=then - slack),
        Evidence(
            "least_at", int(valid.series.x[valid.least_at]), unit=valid.series.unit,
            where=f"valid_{curves.loss.metric}",
        ),
    )  # fmt: skip
    rises = _rise(valid) > rise and _matters(curves, valid, consequence=0.05, noise=6.0)
    level = Level.NOTE if rises and right.end >= then - slack else Level.OK
    return Finding(rule, level, evidence)


def valid_below_train(curves: Curves, *, below: float = 0.05) -> Finding:
    """The validation loss lies below the training loss: usually for how it is computed.

    Parameters
    ----------
    below : how far, as a share of the training loss, in the second half of the training

    References
    ----------
    Rosebrock, "Why is my validation loss lower than my training loss?", PyImageSearch 2019.
    """
    rule = "curves.valid_below_train"
    train, valid = curves.train, curves.valid
    if train is None or valid is None or min(train.level.size, valid.level.size) < 4:
        return Finding(rule, Level.UNKNOWN)
    half = valid.level.size // 2
    with np.errstate(over="ignore", invalid="ignore"):
        trained = np.interp(valid.series.x[half:], train.series.x, train.level)
        lower = trained - valid.level[half:]
        typical, height = float(np.median(lower)), float(np.median(trained))
    share = typical / height if height > 0 else 0.0
    often = float((lower > 0).mean())
    evidence = (
        Evidence("below", share, limit=below),
        Evidence("train_last", train.end),
        Evidence("last", valid.end),
    )
    matters = typical > 0.01 * curves.scale > 0
    level = Level.NOTE if share > below and often >= 0.9 and matters else Level.OK
    return Finding(rule, level, evidence)


def _rise(valid: Course) -> float:
    """Return how far a loss ends above its least, as a share of that; 0 where it is not above 0."""
    with np.errstate(over="ignore", invalid="ignore"):
        return (valid.end - valid.least) / valid.least if valid.least > 0 else 0.0


def _matters(curves: Curves, valid: Course, *, consequence: float, noise: float) -> bool:
    """Tell whether the valid loss ends above its least by more than noise, and by what counts."""
    train = curves.train or valid
    with np.errstate(over="ignore", invalid="ignore"):
        top = float(max(train.level.max(), valid.level.max()))
        span, lost = top - min(train.least, valid.least), valid.end - valid.least
        return lost > consequence * span and lost > noise * valid.error


def _lasts(valid: Course, *, noise: float) -> bool:
    """Tell whether the last third lies above the third about the least level by more than noise."""
    y = valid.series.y
    third = y.size // 3
    start = max(0, valid.least_at - third // 2)
    if third < 5 or start > y.size - 2 * third:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        rise = float(y[-third:].mean() - y[start : start + third].mean())
        return rise > noise * valid.noise * float(np.sqrt(2 / third))


def _train_level(train: Course, *, at: float) -> float:
    """Return the level of the train loss at a place, or at the next one after."""
    place = int(np.searchsorted(train.series.x, at).clip(0, train.level.size - 1))
    return float(train.level[place])


def _other_best(curves: Curves) -> tuple[str, float]:
    """Return another series by which weights are chosen, and where it was best."""
    for panel in (curves.accuracy, *curves.others):
        series = panel.series["valid"].finite if "valid" in panel.series else None
        place = None if series is None else best_place(panel.metric, series.y)
        if series is not None and place is not None:
            return f"valid_{panel.metric}", plain_place(float(series.x[place]))
    train = curves.train or curves.valid
    assert train is not None  # a rule asks only where there is a valid loss
    name = "valid" if curves.train is None else "train"
    return f"{name}_{curves.loss.metric}", float(train.series.x[train.least_at])
