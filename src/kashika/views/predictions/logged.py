"""What the log says of the weights that are looked at, beside what they give now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kashika.distribution import FloatArray, IntArray
from kashika.history import History, Series
from kashika.naming import Split
from kashika.observation import Observation

_WINDOW = 0.1  # of the log, at its end, may be the weights' where nothing says when they were saved


@dataclass(frozen=True, slots=True, eq=False)
class Logged:
    """One metric of one split, logged and computed again.

    Attributes
    ----------
    split : "valid"
    metric : "acc" or "loss"
    logged : the value in the log that is nearest, of those that can belong to these weights
    now : the value of the weights that are looked at
    error : standard error of their difference, had they been measured on other samples of the kind
    chance : value of the best constant answer
    like_epoch : where in the log the value comes nearest to that of now; NaN where nowhere near
    """

    split: Split
    metric: Literal["acc", "loss"]
    logged: float
    now: float
    error: float
    chance: float
    like_epoch: float

    @property
    def worse(self) -> float:
        """How much worse than the log it is now, in the unit of the metric."""
        return self.logged - self.now if self.metric == "acc" else self.now - self.logged

    @property
    def lost(self) -> float:
        """The same, as a share of what lay between the log and chance; NaN where nothing did."""
        reach = self.logged - self.chance if self.metric == "acc" else self.chance - self.logged
        return self.worse / reach if reach > 0 else np.nan


def logged(
    history: History | None,
    observations: Mapping[Split, Observation],
    *,
    saved: Mapping[str, int | None] | None = None,
) -> tuple[Logged, ...]:
    """Compare what was logged with what is computed now, split by split.

    Parameters
    ----------
    saved : {"epoch" or "step": that of the weights}, where known
    """
    if history is None:
        return ()
    times = saved or {}
    best = _best(history)
    found = []
    for split, seen in observations.items():
        series = history.series.get(f"{split}_acc")
        if seen.task.classifies and series is not None:
            now = float((seen.predicted == seen.targets).mean())
            counts = np.bincount(seen.targets)
            error = float(np.sqrt(2 * max(now * (1 - now), 1 / seen.samples) / seen.samples))
            one = _nearest(series.fraction, now, better=-1.0, best=best, at=times.get(series.unit))
            if one is not None and -0.01 <= one[0] <= 1.01:
                chance = float(counts.max() / counts.sum())
                found.append(Logged(split, "acc", one[0], now, error, chance, one[1]))
        series = history.series.get(f"{split}_loss")
        if series is not None:
            now = seen.mean_loss
            each = seen.loss[np.isfinite(seen.loss)]
            error = float(np.std(each) * np.sqrt(2 / seen.samples)) if each.size else 0.0
            one = _nearest(series, now, better=1.0, best=best, at=times.get(series.unit))
            if one is not None:
                found.append(Logged(split, "loss", one[0], now, error, seen.chance_loss, one[1]))
    return tuple(found)


def _best(history: History) -> float | None:
    """Return how far into the log the valid loss is least, 0 to 1; None without one."""
    series = history.series.get("valid_loss")
    run = None if series is None else series.during.finite
    if run is None or run.y.size < 2:
        return None
    return float(np.argmin(run.y) / (run.y.size - 1))


def logged_loss(
    history: History | None,
    split: Split,
    *,
    near: float,
    saved: Mapping[str, int | None] | None = None,
) -> tuple[float, float]:
    """Return a logged loss and the least of all of a split; NaN where none was logged.

    The first is the one nearest to `near`, of those that can belong to these weights.
    """
    series = None if history is None else history.series.get(f"{split}_loss")
    if history is None or series is None:
        return np.nan, np.nan
    at = (saved or {}).get(series.unit)
    one = _nearest(series, near, better=1.0, best=_best(history), at=at)
    return (np.nan, np.nan) if one is None else (one[0], float(series.finite.y.min()))


def _nearest(
    series: Series, now: float, *, better: float, best: float | None, at: int | None
) -> tuple[float, float] | None:
    """Return the value nearest to `now` of those that may be these weights', and an x.

    The x is that of the nearest value in the whole log; None where there is nothing to compare.

    Parameters
    ----------
    better : 1 where less is better, -1 where more is
    best : how far into the log the valid loss is least, 0 to 1
    at : epoch or step of the weights, where known
    """
    run = series.during.finite
    n = run.y.size
    if not n or not np.isfinite(now):
        return None
    if at is not None and n > 1 and run.x[0] - 1 <= at <= run.x[-1] + 1:
        # Epochs count from 0 or from 1, and a value may be logged before or after its epoch.
        place = np.flatnonzero(np.abs(run.x - at) <= 1)
        nearest = int(np.argmin(np.abs(run.x - at)))
        places = np.unique([*place, max(nearest - 1, 0), nearest, min(nearest + 1, n - 1)])
    else:
        places = np.arange(max(0, n - max(2, round(_WINDOW * n))), n)
        around: IntArray | list[int] = (
            [] if best is None else round(best * (n - 1)) + np.array([-1, 0, 1])
        )
        top = int(np.argmin(better * run.y))
        places = np.unique(np.clip([*places, *around, top], 0, n - 1)).astype(int)
    # Of the measurements after training, any may be of these weights.
    values = np.concatenate([run.y[places], series.afterwards.finite.y])
    away = np.abs(run.y - now)
    like = float(run.x[np.argmin(away)])
    return float(values[np.argmin(np.abs(values - now))]), like


def loss_while_training(
    history: History | None, train: Observation | None, found: Sequence[Logged]
) -> float:
    """Return the level of the logged training loss at its end, as it was in training mode; or NaN.

    It is known only where nothing else makes it differ from what is computed now: a loss with
    other terms would differ on held-out samples as well, and images are changed while training.
    """
    series = None if history is None else history.series.get("train_loss")
    held = [one for one in found if one.split != "train" and one.metric == "loss"]
    same = [one for one in held if abs(one.worse) <= 0.1 * abs(one.now) + one.error]
    if series is None or not same or len(same) < len(held):
        return np.nan
    if train is None or train.inputs.ndim != 2:
        return np.nan
    run = series.during.finite.y
    width = max(3, run.size // 10)
    if run.size < 2 * width:
        return np.nan
    end, before = (float(np.median(one)) for one in (run[-width:], run[-2 * width : -width]))
    # A mean over an epoch lags behind while the loss falls: what it fell by is taken away.
    return end - max(before - end, 0.0)


def improving(history: History | None, *, share: float = 0.05) -> bool:
    """Tell whether the loss was still falling when the log ended.

    It is where the median of the last tenth lies a twentieth below that of the tenth before the
    last fifth, and beyond the noise of both.
    """
    if history is None:
        return False
    series = history.series.get("train_loss") or history.series.get("valid_loss")
    run = None if series is None else series.during.finite
    if run is None or run.y.size < 5:
        return False
    width = max(2, round(run.y.size / 10))
    end, before = (
        run.y[-width:],
        run.y[-3 * width : -2 * width] if run.y.size >= 3 * width else run.y[:2],
    )
    fell = float(np.median(before) - np.median(end))
    return fell > share * abs(float(np.median(end))) and fell > 3 * _noise(run.y) / np.sqrt(width)


def _noise(values: FloatArray) -> float:
    """Return the standard deviation of the noise, from the jumps between neighbouring points."""
    with np.errstate(over="ignore", invalid="ignore"):
        jumps = np.diff(values[-max(8, values.size // 3) :])
        return float(1.4826 * np.median(np.abs(jumps - np.median(jumps))) / np.sqrt(2))
