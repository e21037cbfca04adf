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
from kashika.palette import SPLIT_COLOUR, SPLIT_LINE, SPLIT_MARKER
from kashika.panel import Panel, best_place, main_loss, panel_of, plain_place
from kashika.proportion import interval
from kashika.run import Run
from kashika.smoothing import level_error, levels
from kashika.texts import text
from kashika.view import Evidence, Finding, Level, Picture, Row, Table, View

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
    gap = _gap(loss.series)
    unit = next((one.unit for one in loss.series.values()), "epoch")
    place = None if saved is None else saved.get(unit)
    return Curves(history, loss, accuracy, others, band, gap, place, train_loss, chance_loss)


# --- rules -------------------------------------------------------------------------------------


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


# --- pictures ----------------------------------------------------------------------------------


def draw_loss(curves: Curves, axes: Axes) -> None:
    """Loss by epoch, on a linear axis."""
    _draw_panel(curves.loss, axes)
    _mark(curves, axes)


def draw_loss_log(curves: Curves, axes: Axes) -> None:
    """Loss by epoch, on a logarithmic axis: how fast it still falls."""
    draw_loss(curves, axes)
    axes.set_yscale("log", nonpositive="mask")


def draw_accuracy(curves: Curves, axes: Axes) -> None:
    """Accuracy by epoch with its 95 % interval."""
    for split, (low, high) in curves.band.items():
        axes.fill_between(
            curves.accuracy.series[split].x,
            low,
            high,
            color=SPLIT_COLOUR[split],
            alpha=0.15,
            linewidth=0,
        )
    _draw_panel(curves.accuracy, axes)
    _mark(curves, axes)


def draw_metric(panel: Panel, axes: Axes) -> None:
    """Another metric, on its own scale."""
    _draw_panel(panel, axes)
    axes.legend()


def draw_gap(gap: Series, axes: Axes) -> None:
    """Valid loss minus train loss; above zero the network does better on what it has seen."""
    axes.axhline(0, color="gray", linewidth=0.8)
    gap = gap.thinned
    axes.plot(
        gap.x, gap.y, color=SPLIT_COLOUR["valid"], marker=_point(gap), label=text("labels.gap")
    )
    axes.set(xlabel=text(f"labels.{gap.unit}"), ylabel=text("labels.gap"))


# --- tables ------------------------------------------------------------------------------------


def summary(history: History) -> list[Row]:
    """Return one row for each series: how long it is, how it began, its best, how it ended.

    The best is that of the last run in the log, during training.
    """
    rows: list[Row] = []
    for name, series in history.series.items():
        finite, judged = series.finite, series.during.finite
        place = best_place(name.partition("_")[2], judged.y)
        rows.append({
            "series": name,
            "points": len(series.y),
            "first": float(finite.y[0]) if finite.y.size else None,
            "best": None if place is None else float(judged.y[place]),
            "best_at": None if place is None else plain_place(judged.x[place]),
            "last": float(finite.y[-1]) if finite.y.size else None,
        })  # fmt: skip
    return rows


def points(curves: Curves) -> list[Row]:
    """Return one row for each logged value."""
    return [
        {"series": name, series.unit: float(x) if x % 1 else int(x), "value": float(y)}
        for name, series in curves.history.series.items()
        for x, y in zip(series.x, series.y, strict=True)
    ]


# --- how it is computed --------------------------------------------------------------------------


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


def _ends_well(curves: Curves) -> bool:
    accuracy = curves.accuracy.series.get("train")
    return accuracy is not None and bool((accuracy.finite.y[-1:] >= 0.9).any())


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


def _draw_panel(panel: Panel, axes: Axes) -> None:
    for split, whole in panel.logged.items():
        _draw_logged(whole, axes, split=split)
        one = panel.series[split].thinned
        axes.plot(
            one.x, one.y, color=SPLIT_COLOUR[split], linestyle=SPLIT_LINE[split],
            marker=_point(one, SPLIT_MARKER[split]), label=text(f"labels.{split}"),
            gid=f"series-{split}",
        )  # fmt: skip
        axes.set_xlabel(text(f"labels.{one.unit}"))
    words = {"loss": text("labels.loss"), "acc": text("labels.accuracy")}
    axes.set_ylabel(words.get(panel.metric, panel.metric))


def _draw_logged(whole: Series, axes: Axes, *, split: Split) -> None:
    """Draw behind a series what it is not judged by: earlier runs, single batches, late values."""
    segments, colour = whole.segments, SPLIT_COLOUR[split]
    for segment in segments[:-1]:
        one = segment.averaged.thinned
        axes.plot(one.x, one.y, color=colour, alpha=0.3, linewidth=0.8, marker=_point(one))
    last = segments[-1]
    if last.averaged is not last:
        low, high = last.spread
        axes.fill_between(last.averaged.x, low, high, color=colour, alpha=0.15, linewidth=0)
    late = whole.afterwards
    if late.y.size:
        axes.plot(late.x, late.y, color=colour, linestyle="", marker="x")


def _mark(curves: Curves, axes: Axes) -> None:
    if curves.best is not None:
        ends = {split: int(one.x[-1]) for split, one in curves.loss.series.items() if one.x.size}
        last = max(ends.values())
        axes.axvline(
            curves.best, color="gray", linewidth=0.8, linestyle="-.",
            label=text("labels.best_at", x=curves.best),
        )  # fmt: skip
        axes.axvline(
            last, color="gray", linewidth=0.8, linestyle=":", label=text("labels.last_at", x=last)
        )
    if curves.saved is not None and curves.saved != curves.best:
        axes.axvline(
            curves.saved, color="gray", linewidth=0.8, label=text("labels.saved_at", x=curves.saved)
        )
    axes.legend()


def _with_positive_loss(curves: Curves) -> Sequence[Curves]:
    """Give the curves where a logarithmic axis has something to show."""
    losses = curves.loss.series.values()
    return (curves,) if any((one.finite.y > 0).any() for one in losses) else ()


def _point(series: Series, marker: str = "o") -> str:
    return marker if len(series.y) == 1 else ""


VIEW = View(
    "curves",
    measure=_of_run,
    rules=(nonfinite, overfitting, not_learning),
    pictures=(
        Picture("loss", draw_loss, each=lambda c: (c,) if c.loss.drawable else ()),
        Picture("loss_log", draw_loss_log, each=_with_positive_loss),
        Picture("accuracy", draw_accuracy, each=lambda c: (c,) if c.accuracy.drawable else ()),
        Picture("gap", draw_gap, each=lambda c: () if c.gap is None else (c.gap,)),
        Picture("metrics", draw_metric, each=lambda c: c.others),
    ),
    tables=(Table("summary", lambda c: summary(c.history)),),
    gradients=False,
)
