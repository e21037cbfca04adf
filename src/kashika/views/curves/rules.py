"""What can be wrong with the curves: one rule for each disease."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.view import Evidence, Finding, Level
from kashika.views.curves.smoothing import level_error, levels

if TYPE_CHECKING:
    from kashika.views.curves import Curves


def nonfinite(curves: Curves) -> Finding:
    """A logged value is NaN or infinite."""
    if not curves.history.series:
        return Finding("curves.nonfinite", Level.UNKNOWN)
    bad = [
        (int(series.x[~np.isfinite(series.y)][0]), name, int((~np.isfinite(series.y)).sum()))
        for name, series in curves.history.series.items()
        if not np.isfinite(series.y).all()
    ]
    if not bad:
        return Finding("curves.nonfinite", Level.OK)
    first, name, _ = min(bad)
    evidence = (
        Evidence("count", sum(count for *_, count in bad), limit=0),
        Evidence("first_at", first, where=name, unit=curves.history.series[name].unit),
    )
    return Finding("curves.nonfinite", Level.PROBLEM, evidence)


def overfitting(
    curves: Curves, *, rise: float = 0.1, consequence: float = 0.05, noise: float = 6.0
) -> Finding:
    """The validation loss turned up while the training loss went on falling.

    The rise is judged between smoothed levels (running medians over a twentieth of the points, 3
    to 15 of them), must exceed the noise of the series, and must matter against the range that
    training covered: a run that goes from 1e-8 to 2e-8 has not overfitted.

    Parameters
    ----------
    rise : relative rise of the valid loss over its least level, from which it counts
    consequence : the same rise as a share of the range of both losses, from which it counts
    noise : the same rise in standard errors of a level, from which it counts; so many, because
        the least of many levels lies two or three below their mean by chance alone

    References
    ----------
    Prechelt, "Early stopping - but when?", 1998: generalisation loss GL with a strip.
    """
    rule = "curves.overfitting"
    train, valid = (curves.loss.series.get(s) for s in ("train", "valid"))
    if train is None or valid is None:
        return Finding(rule, Level.UNKNOWN)
    train, valid, where = train.finite, valid.finite, f"valid_{curves.loss.metric}"
    if min(train.y.size, valid.y.size) < 4:
        return Finding(rule, Level.UNKNOWN)
    train_level, valid_level = levels(train.y), levels(valid.y)
    best = int(np.argmin(valid_level))
    last, least = float(valid_level[-1]), float(valid_level[best])
    then = int(np.searchsorted(train.x, valid.x[best]).clip(0, train.y.size - 1))
    span = float(max(train_level.max(), valid_level.max())) - min(float(train_level.min()), least)
    relative = (last - least) / least if least > 0 else 0.0
    counts = (
        relative > rise
        and last - least > consequence * span
        and last - least > noise * level_error(valid.y)
        and float(train_level[-1]) < float(train_level[then])
    )
    evidence = (
        Evidence("rise", relative, limit=rise),
        Evidence("least", least),
        Evidence("least_at", int(valid.x[best]), unit=valid.unit, where=where),
        Evidence("last", last),
        Evidence("last_at", int(valid.x[-1]), unit=valid.unit, where=where),
        Evidence("train_then", float(train_level[then])),
        Evidence("train_last", float(train_level[-1])),
    )
    level = Level.OK if not counts else Level.PROBLEM if relative > 3 * rise else Level.WARNING
    return Finding(rule, level, evidence)


def not_learning(curves: Curves, *, gain: float = 0.02) -> Finding:
    """The network does no better than an answer that ignores the input, or its loss never fell.

    A logged loss may be a sum, or another loss than the one that chance is known for; so it is the
    loss recomputed on the training samples that is compared with chance.

    Parameters
    ----------
    gain : share of the loss of a constant answer, or of the first logged loss, that must be gained

    References
    ----------
    Karpathy, "A recipe for training neural networks", 2019, and Stanford CS231n: compare with the
    loss at chance.
    """
    rule = "curves.not_learning"
    train = curves.loss.series.get("train")
    if train is None or train.finite.y.size < 3:
        return Finding(rule, Level.UNKNOWN)
    y = train.finite.y
    first, last = float(y[0]), float(levels(y)[-1])
    evidence: tuple[Evidence, ...] = (Evidence("first_loss", first), Evidence("last_loss", last))
    stuck = last >= first - gain * abs(first)
    over_chance = curves.train_loss / curves.chance_loss if curves.chance_loss > 0 else np.nan
    if np.isfinite(over_chance):
        evidence += (Evidence("over_chance", over_chance, limit=1 - gain),)
        if over_chance >= 1 - gain:
            return Finding(rule, Level.PROBLEM, evidence)
        stuck = stuck and over_chance > 0.5  # else it knew the answers from the first epoch on
    elif stuck and _ends_well(curves):
        return Finding(rule, Level.UNKNOWN)
    return Finding(rule, Level.WARNING if stuck else Level.OK, evidence)


def _ends_well(curves: Curves) -> bool:
    accuracy = curves.accuracy.series.get("train")
    return accuracy is not None and bool((accuracy.finite.y[-1:] >= 0.9).any())
