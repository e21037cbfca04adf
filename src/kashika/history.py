"""History: what was logged during training, each series with its own epochs or steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from kashika.distribution import Array, FloatArray
from kashika.naming import SPLITS, Split, standard_name

Unit = Literal["epoch", "step", "row"]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One logged quantity.

    A log that was appended to goes back in x: each such stretch is a segment of it.

    Attributes
    ----------
    x : (points,) int or float, the epoch or step of each value
    y : (points,) float, what was logged; NaN and Inf stay in it
    unit : what x counts: "epoch", "step", or "row" where it is only the place in the file
    percent : whether the values are shares in percent
    """

    x: Array
    y: FloatArray
    unit: Unit = "epoch"
    percent: bool = False

    @property
    def starts(self) -> tuple[int, ...]:
        """Places where a segment begins: x goes back, or leaps in a log of regular strides.

        The same x twice begins none: it is how values of several batches are logged.
        """
        strides = np.diff(self.x)
        ahead = strides[strides > 0]
        usual = float(np.median(ahead)) if ahead.size else 0.0
        regular = ahead.size >= 8 and bool(np.isclose(ahead, usual).mean() >= 0.9)
        leaps = (strides > 10 * usual) & regular
        breaks = np.flatnonzero((strides < 0) | leaps) + 1
        return (0, *breaks.tolist())

    @property
    def segments(self) -> tuple[Series, ...]:
        """The stretches in which x does not go back, in the order of the log."""
        ends = (*self.starts[1:], self.y.size)
        return tuple(
            self._at(slice(start, end)) for start, end in zip(self.starts, ends, strict=True)
        )

    @property
    def latest(self) -> Series:
        """The last run in the log: its last segment, and before it what that one resumed.

        A segment that begins within the one before it, or right after its end, goes on with it,
        as after a resume from a checkpoint; the later value counts where both have one. One that
        begins where the other began is a new run.
        """
        *earlier, run = self.segments
        for one in reversed(earlier):
            if run.x[0] <= one.x[0]:
                break
            kept = one.x < run.x[0]
            x, y = np.concatenate([one.x[kept], run.x]), np.concatenate([one.y[kept], run.y])
            run = replace(run, x=x, y=y)
        return run

    @property
    def averaged(self) -> Series:
        """The same with one value for each x: the mean of those that were logged there."""
        if not (np.diff(self.x) == 0).any():
            return self
        x, place, counts = np.unique(self.x, return_inverse=True, return_counts=True)
        return replace(self, x=x, y=np.bincount(place, self.y) / counts)

    @property
    def spread(self) -> tuple[FloatArray, FloatArray]:
        """The least and the greatest value at each x of `averaged`."""
        begins = np.unique(self.x, return_index=True)[1]
        if not self.y.size:
            return self.y, self.y
        return np.minimum.reduceat(self.y, begins), np.maximum.reduceat(self.y, begins)

    @property
    def during(self) -> Series:
        """The last run, one value for each x, without what was measured after its end."""
        run = self.latest.averaged
        return run._at(slice(-1)) if run._ends_late else run

    @property
    def afterwards(self) -> Series:
        """What was measured after the end of training, as by another call of `validate`.

        Such a value stands right behind the last one of a log of regular strides. It may come from
        other data, so it is no candidate for the best epoch.
        """
        run = self.latest.averaged
        return run._at(slice(-1, None) if run._ends_late else slice(0))

    @property
    def _ends_late(self) -> bool:
        strides = np.diff(self.x)
        return strides.size >= 3 and bool(strides[-1] <= 0.01 * np.median(strides[:-1]))

    @property
    def fraction(self) -> Series:
        """The same as a share of one, where it is in percent."""
        return replace(self, y=self.y / 100, percent=False) if self.percent else self

    @property
    def thinned(self) -> Series:
        """At most 4,000 points that look the same: the least and the greatest of every stretch."""
        step = -(-self.y.size // 2_000)
        if step <= 2:
            return self
        starts = range(0, self.y.size, step)
        parts = [np.nan_to_num(self.y[start : start + step]) for start in starts]
        ends = [
            {start + int(p.argmin()), start + int(p.argmax())}
            for start, p in zip(starts, parts, strict=True)
        ]
        keep = sorted({0, self.y.size - 1}.union(*ends))
        return self._at(np.array(keep))

    @property
    def finite(self) -> Series:
        """The part of it that can be drawn and judged."""
        return self._at(np.isfinite(self.y))

    def _at(self, places: slice | Array) -> Series:
        return replace(self, x=self.x[places], y=self.y[places])


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What was logged during training.

    Attributes
    ----------
    series : {"{split}_{metric}": series}, the split one of train, valid, test
    """

    series: Mapping[str, Series]

    @classmethod
    def of(cls, values: Mapping[str, npt.ArrayLike]) -> History:
        """Take one value for each epoch, from the first epoch on: {"train_loss": [0.7, …]}.

        Raises
        ------
        ValueError
            If a name does not begin with a split, or a series is not a list of numbers.
        """
        series = {}
        for name, value in values.items():
            y = np.atleast_1d(np.asarray(value, dtype=np.float64))
            known = standard_name(name)
            if y.ndim != 1 or known is None:
                raise ValueError(
                    f"history[{name!r}]: expected {{split}}_{{metric}}, the split one of {SPLITS}, "
                    f"and a list of numbers; found an array of shape {y.shape}"
                )
            series[known] = Series(np.arange(1, y.size + 1), y)
        return cls(series)

    def metric(self, metric: str) -> dict[Split, Series]:
        """Return the series of one metric by split, in the order train, valid, test."""
        named = {split: self.series.get(f"{split}_{metric}") for split in SPLITS}
        return {split: series for split, series in named.items() if series is not None}

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what was logged, without the split, each once."""
        return tuple(dict.fromkeys(name.partition("_")[2] for name in self.series))


def on_one_axis(series: Mapping[Split, Series]) -> dict[Split, Series]:
    """Bring the series of one metric onto one axis, which is that of the steps.

    Where one was logged by step and the other by epoch, both end at the end of training: the
    epochs are spread over the steps. Series of the same unit stay as they are.
    """
    steps = [one for one in series.values() if one.unit == "step" and one.x.size]
    if not steps:
        return dict(series)
    end = max(float(one.latest.x[-1]) for one in steps)
    return {split: _by_step(one, end) for split, one in series.items()}


def _by_step(series: Series, end: float) -> Series:
    if series.unit == "step" or not series.x.size:
        return series
    x = series.x + max(0, 1 - float(series.x.min()))  # what is said of epoch 0 holds at its end
    return replace(
        series, x=x * (end / float(series.latest.x[-1] + x[0] - series.x[0])), unit="step"
    )
