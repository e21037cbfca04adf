"""How the gradients are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kashika.palette import SPLIT_COLOUR, SPLIT_MARKER, VALUES
from kashika.texts import text
from kashika.views.gradients.learning_signal import Pulls

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kashika.views.gradients import Gradient, Gradients


def draw_by_layer(gradients: Gradients, axes: Axes) -> None:
    """Gradient over weights of every layer, from the input side to the output side."""
    relative = gradients.relative
    axes.plot(
        range(len(relative)), list(relative.values()),
        color=SPLIT_COLOUR[gradients.split], marker=SPLIT_MARKER[gradients.split],
    )  # fmt: skip
    if gradients.signals:
        places = [place for place, name in enumerate(relative) if name in gradients.relative_pull]
        axes.lines[0].set_label(text("labels.mean_loss"))
        axes.plot(
            places, [gradients.relative_pull[name] for name in relative if name in
                     gradients.relative_pull],
            color=SPLIT_COLOUR[gradients.split], marker=SPLIT_MARKER[gradients.split],
            linestyle=":", markerfacecolor="none", label=text("labels.single_samples"),
        )  # fmt: skip
        axes.legend()
    axes.set_yscale("log", nonpositive="mask")
    axes.set(ylabel=text("labels.gradient_over_weight"), ylim=gradients.decades)
    axes.set_xticks(
        range(len(relative)), list(relative), rotation=30, ha="right", rotation_mode="anchor"
    )


def draw_norms(gradients: Gradients, axes: Axes) -> None:
    """Norm of the whole gradient on every split."""
    for split, norm in gradients.norms.items():
        axes.bar(text(f"labels.{split}"), norm, color=SPLIT_COLOUR[split], width=0.5)
    axes.set_ylabel(text("labels.gradient_norm"))


def draw_samples(pulls: Pulls, axes: Axes) -> None:
    """Gradient norm of every sample, the greatest first."""
    ranks, norms = pulls.ranked
    axes.plot(ranks, norms, color=VALUES)
    axes.set_yscale("log", nonpositive="mask")
    axes.set_xscale("log")
    axes.set(xlabel=text("labels.rank_of_sample"), ylabel=text("labels.gradient_norm"))


def draw_signal(gradients: Gradients, axes: Axes) -> None:
    """Signal over noise of a single sample's gradient, by layer."""
    by_layer = gradients.by_layer
    axes.plot(
        range(len(by_layer)), [one.ratio for one in by_layer],
        color=SPLIT_COLOUR[gradients.split], marker=SPLIT_MARKER[gradients.split],
    )  # fmt: skip
    axes.set_yscale("log", nonpositive="mask")
    axes.set_ylabel(text("labels.signal_over_noise"))
    axes.set_xticks(
        range(len(by_layer)), [one.layer for one in by_layer],
        rotation=30, ha="right", rotation_mode="anchor",
    )  # fmt: skip


def draw_histogram(gradient: Gradient, axes: Axes) -> None:
    """How the entries of one gradient are spread; exact zeros stand apart, in the title."""
    counts, edges = gradient.small
    axes.stairs(counts, edges, fill=True, color=VALUES)
    axes.set_title(
        text("labels.zeros_of", name=gradient.parameter, share=gradient.values.zero_share)
    )  # fmt: skip
    axes.ticklabel_format(axis="x", style="sci", scilimits=(-2, 2))
    axes.locator_params(axis="x", nbins=5)
