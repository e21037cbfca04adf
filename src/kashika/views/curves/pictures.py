"""How the curves are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kashika.history import Series
from kashika.naming import Split
from kashika.palette import SPLIT_COLOUR, SPLIT_LINE, SPLIT_MARKER
from kashika.texts import text
from kashika.views.curves.panel import Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kashika.views.curves import Curves


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


def _point(series: Series, marker: str = "o") -> str:
    return marker if len(series.y) == 1 else ""
