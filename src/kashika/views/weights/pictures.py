"""How the weights are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kashika.palette import REFERENCE, VALUES
from kashika.texts import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kashika.views.weights import Histogram


def draw_histogram(histogram: Histogram, axes: Axes) -> None:
    """Values of one parameter, with the distribution that it was drawn from before training."""
    axes.stairs(histogram.counts, histogram.edges, fill=True, color=VALUES, alpha=0.8)
    start = histogram.parameter.initial
    if histogram.x.size:
        axes.plot(
            histogram.x, histogram.initial, color=REFERENCE, linestyle="--", linewidth=1.2,
            label=text("labels.initial"),
        )  # fmt: skip
    elif start is not None and not start.width:
        axes.axvline(
            start.centre,
            color=REFERENCE,
            linestyle="--",
            linewidth=1.2,
            label=text("labels.initial"),
        )
    axes.set_title(histogram.parameter.name)
    axes.locator_params(axis="x", nbins=5)
