"""How the features are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.palette import BLACK, INK, class_colour, class_marker, ring_size
from kashika.projection import Embedding, Projection
from kashika.texts import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kashika.views.features import Features, Plane


NAMED = 10
"""Up to so many classes are named."""

_TITLE = 7.5  # three of them stand beside each other


def draw_projection(projection: Projection, axes: Axes) -> None:
    """Show every sample at its place, classes by colour and marker, misclassified ones ringed."""
    if projection.refused is not None:
        draw_refusal(projection, axes)
        return
    x, y = projection.places
    for k in projection.classes:
        chosen = projection.targets == k
        axes.plot(
            x[chosen], y[chosen], linestyle="", marker=class_marker(k), markersize=4,
            color=class_colour(k), alpha=0.8, label=text("labels.class", k=k),
            gid=f"features-{k}", rasterized=len(x) > 1000,
        )  # fmt: skip
    diameter, width = ring_size(int(projection.ringed.sum()))
    axes.plot(
        x[projection.ringed], y[projection.ringed], linestyle="", marker="o", markersize=diameter,
        markerfacecolor="none", markeredgecolor=INK, markeredgewidth=width,
    )  # fmt: skip
    _name_axes(projection, axes)
    _name_classes(projection, axes)


def draw_by_target(projection: Projection, axes: Axes) -> None:
    """Show every sample of a regression at its place, coloured by its target."""
    if projection.refused is not None:
        draw_refusal(projection, axes)
        return
    x, y = projection.places
    axes.scatter(x, y, c=projection.targets, cmap="cividis", s=14, rasterized=len(x) > 1000)
    _name_axes(projection, axes)


def draw_refusal(projection: Projection, axes: Axes) -> None:
    """Say why there is no projection."""
    axes.set_axis_off()
    axes.text(
        0.5, 0.5, str(projection.refused), ha="center", va="center", wrap=True,
        transform=axes.transAxes,
    )  # fmt: skip


def draw_train_test(embedding: Embedding, axes: Axes) -> None:
    """Show training samples at their places and test samples, with black edges, among them."""
    low, high = embedding.limits
    for split, one in (("train", embedding.train), ("test", embedding.test)):
        x, y = one.places
        test, many = split == "test", len(x) > 1000
        edge, width = (BLACK, 0.7) if test else ("white", 0.4)
        if not one.classifies:
            axes.scatter(
                x, y, c=one.targets, cmap="cividis", vmin=low, vmax=high, s=20 if test else 9,
                edgecolors=edge, linewidths=width, rasterized=many,
            )  # fmt: skip
        for k in one.classes if one.classifies else ():
            chosen = one.targets == k
            axes.plot(
                x[chosen], y[chosen], linestyle="", marker=class_marker(k),
                markersize=4.5 if test else 3, markeredgewidth=width,
                color=class_colour(k), markeredgecolor=edge, rasterized=many, gid=f"{split}-{k}",
                label=text("labels.class", k=k) if test else "",
            )  # fmt: skip
        diameter, thin = ring_size(int(one.ringed.sum()))
        axes.plot(
            x[one.ringed], y[one.ringed], linestyle="", marker="o", markersize=diameter,
            markerfacecolor="none", markeredgecolor=INK, markeredgewidth=thin, gid=f"wrong-{split}",
        )  # fmt: skip
    _name_axes(embedding.test, axes)
    axes.set_title(_described_both(embedding), fontsize=_TITLE)
    if embedding.test.classifies:
        _name_classes(embedding.test, axes)


def draw_layer(plane: Plane, axes: Axes) -> None:
    """Show one layer small: its samples in the plane of their largest variance."""
    projection = plane.projection
    x, y = projection.places
    if projection.classifies:
        for k in projection.classes:
            chosen = projection.targets == k
            axes.plot(
                x[chosen], y[chosen], linestyle="", marker=class_marker(k), markersize=2.5,
                color=class_colour(k), alpha=0.7, rasterized=True,
            )  # fmt: skip
    else:
        axes.scatter(x, y, c=projection.targets, cmap="cividis", s=5, rasterized=True)
    axes.set_title(_small_title(plane), fontsize=8)
    axes.set_xlabel(_small_note(projection), fontsize=7)
    axes.tick_params(labelbottom=False, labelleft=False, length=0)
    axes.grid(visible=False)


def draw_depth(features: Features, axes: Axes) -> None:
    """Separation of the classes, and spread, from the input side to the outputs."""
    places = range(len(features.separations))
    axes.plot(
        places, [one.purity for one in features.separations],
        marker="o", color=class_colour(0), label=text("columns.purity"),
    )  # fmt: skip
    axes.plot(
        places, [one.silhouette for one in features.separations],
        marker="s", linestyle="--", color=class_colour(1), label=text("columns.silhouette"),
    )  # fmt: skip
    axes.plot(
        places, [one.rank_share for one in features.separations],
        marker="D", linestyle=":", color=class_colour(2), label=text("features.rank_share"),
    )  # fmt: skip
    names = [_layer_name(features.separations[i].layer) for i in features.ticks]
    axes.set_xticks(features.ticks, names, rotation=30, ha="right", rotation_mode="anchor")
    axes.legend()


def _name_classes(projection: Projection, axes: Axes) -> None:
    if len(projection.classes) > NAMED:
        return
    if projection.key == "below":
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.26), ncols=5, fontsize=6,
            columnspacing=0.8, handletextpad=0.1, handlelength=1.2,
        )  # fmt: skip
    elif projection.key == "inside":
        axes.legend(
            loc="best", fontsize=6, handletextpad=0.1, handlelength=1.2, labelspacing=0.2,
            frameon=True, framealpha=0.7, borderpad=0.3, columnspacing=0.8,
            ncols=1 if len(projection.classes) <= 5 else 2,
        )  # fmt: skip


def _name_axes(projection: Projection, axes: Axes) -> None:
    name = "labels.feature" if projection.method == "plain" else "labels.axis"
    single = projection.coordinates.shape[1] == 1
    # The layer stands below: a title of two lines would not fit between rows of pictures.
    layer = _layer_names(projection) if projection.layer else ""
    where = [text(name, k=1), layer, str(projection.pooled or "")]
    axes.set_title(_described(projection), fontsize=_TITLE)
    axes.set(
        xlabel=", ".join(filter(None, where)),
        ylabel=text("labels.target") if single else text(name, k=2),
    )


def _described(projection: Projection) -> str:
    return text(
        f"features.title_{projection.method}",
        trustworthiness=projection.trustworthiness,
        explained=projection.explained,
        perplexity=projection.perplexity,
    )


def _described_both(embedding: Embedding) -> str:
    train, test = embedding.train.trustworthiness, embedding.test.trustworthiness
    match embedding.test.method:
        case "plain":
            return _described(embedding.test)
        case "pca":
            return text("features.title_embedded_pca", train=train, test=test)
        case "tsne":
            return text("features.title_embedded", train=train, test=test)


def _small_title(plane: Plane) -> str:
    name = _layer_names(plane.projection)
    if not np.isfinite(plane.purity):
        return name
    return text("features.small", layer=name, purity=plane.purity)


def _small_note(projection: Projection) -> str:
    """Say how a small picture was made."""
    if projection.refused is not None:
        return ""
    if projection.method == "plain":
        return _described(projection)
    how = text("features.small_pca", explained=projection.explained)
    return ", ".join(filter(None, [how, str(projection.pooled or "")]))


def _layer_names(projection: Projection) -> str:
    """Name a layer with the last of those that have the same features."""
    first, *others = projection.layer, *projection.alike
    between = ["…"] if len(others) > 1 else []
    return " = ".join([_layer_name(first), *between, *map(_layer_name, others[-1:])])


def _layer_name(name: str) -> str:
    """Return the end of a long name, which tells more than its beginning."""
    return (f"…{name[-20:]}" if len(name) > 22 else name) or text("words.outputs")
