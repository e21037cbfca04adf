"""How the answers are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kashika.palette import BLACK, REFERENCE, SPLIT_COLOUR, SPLIT_MARKER
from kashika.texts import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kashika.views.predictions import Predictions
    from kashika.views.predictions.answers import Classified
    from kashika.views.predictions.simple_models import Simple


def draw_confusion(classified: Classified, axes: Axes) -> None:
    """How often each class was taken for each other one."""
    confusion = classified.drawn
    places = range(len(confusion))
    few = len(confusion) <= 20  # more numbers in a row cannot be read
    # Of many classes some are far more frequent than others, which would all be white beside them.
    norm, least = ("linear", 0.0) if few else ("log", 0.3)
    axes.imshow(confusion, cmap="Blues", norm=norm, vmin=least, vmax=classified.darkest)
    axes.grid(visible=False)
    for true, row in enumerate(confusion if few else ()):
        for predicted, count in enumerate(row):
            axes.text(predicted, true, str(count), ha="center", va="center", color=BLACK)
    axes.set(
        xticks=places if few else [], yticks=places if few else [],
        xlabel=text("labels.predicted_class"), ylabel=text("labels.true_class"),
    )  # fmt: skip
    if len(confusion) < len(classified.confusion):
        axes.set_title(text("labels.most_frequent", count=len(confusion)))


def draw_reliability(classified: Classified, axes: Axes) -> None:
    """Share of right answers by confidence; on the diagonal the network is as sure as it may be."""
    axes.plot(
        [0, 1], [0, 1], color=REFERENCE, linewidth=1, linestyle="--", label=text("labels.ideal")
    )
    axes.plot(
        classified.confidence, classified.accuracy, color=SPLIT_COLOUR["test"], marker="o",
        label=text("labels.ece", ece=classified.ece),
    )  # fmt: skip
    for x, y, count in zip(
        classified.confidence, classified.accuracy, classified.count, strict=True
    ):
        if count:
            axes.annotate(
                str(count),
                (x, y),
                xytext=(0, -11),
                textcoords="offset points",
                ha="center",
                fontsize=7,
            )
    axes.set(
        xlim=(0, 1.03), ylim=(-0.15, 1.05),  # room for the count below a point at zero
        xlabel=text("labels.confidence"), ylabel=text("labels.accuracy"),
    )  # fmt: skip
    axes.legend()


def draw_values(predictions: Predictions, axes: Axes) -> None:
    """Answers of a regression by their targets; on the diagonal they are right."""
    true = predictions.true
    axes.plot(
        true, predictions.predicted, linestyle="", markersize=3, alpha=0.6,
        marker=SPLIT_MARKER[predictions.split], color=SPLIT_COLOUR[predictions.split],
        rasterized=len(true) > 2000,
    )  # fmt: skip
    axes.axline((true[0], true[0]), slope=1, color=REFERENCE, linewidth=1, linestyle="--")
    axes.set(xlabel=text("labels.target"), ylabel=text("labels.output"))


def draw_simple(simple: Simple, axes: Axes) -> None:
    """What the network gains on its training data, beside two simple models; chance is dashed."""
    names = [text("labels.network"), text("labels.linear"), text("labels.neighbours")]
    values = [score[0] for score in (simple.network, simple.linear, simple.neighbours)]
    bars = axes.barh(
        names, values, height=0.55, color=[SPLIT_COLOUR["train"], REFERENCE, REFERENCE]
    )
    axes.bar_label(bars, fmt="%.3f", padding=4)
    axes.axvline(
        simple.chance[0], color=BLACK, linewidth=1, linestyle="--", label=text("labels.chance")
    )
    axes.invert_yaxis()
    axes.set(xlabel=text("labels.accuracy" if simple.unit == "accuracy" else "labels.explained"))
    axes.margins(x=0.15)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.3)  # clear of the bars
