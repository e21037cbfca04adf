"""How the boundary are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kashika.palette import BLACK, RINGS, class_colour, class_marker, ring_size
from kashika.texts import text
from kashika.views.boundary.landscape import Map, Refused
from kashika.views.boundary.margin import Margins

if TYPE_CHECKING:
    from matplotlib.axes import Axes


NAMED = 10
"""Up to so many classes are named beside a map: colours begin again with the next one."""

_APART = 4  # up to so many are named for each split


def draw_map(one: Map | Refused, axes: Axes) -> None:
    """Shade the classes, or the value of a regression, with its lines and the samples."""
    if isinstance(one, Refused):
        _draw_refusal(one, axes)
        return
    if one.classes:
        _draw_classes(one, axes)
    else:
        _draw_values(one, axes)
    axes.plot(
        one.corners[:, 0], one.corners[:, 1], linestyle="", marker="*", markersize=11,
        color="white", markeredgecolor=BLACK, gid="corners",
    )  # fmt: skip
    left, right, bottom, top = one.extent
    axes.set(
        xlim=(left, right), ylim=(bottom, top), title=one.heading,
        xlabel=str(one.labels[0]), ylabel=str(one.labels[1]),
    )  # fmt: skip
    axes.grid(visible=False)


def draw_margins(margins: Margins | Refused, axes: Axes) -> None:
    """Show each group's median, its middle half as a thick line, 5 to 95 % as a thin one."""
    if isinstance(margins, Refused):
        _draw_refusal(margins, axes)
        return
    for place, one in margins.bars:
        low, lower, middle, upper, high = one.spread
        colour = class_colour(one.of)
        axes.plot([low, high], [place, place], color=colour, linewidth=1)
        axes.plot([lower, upper], [place, place], color=colour, linewidth=4, alpha=0.6)
        axes.plot(
            middle, place, linestyle="", marker=class_marker(one.of), markersize=6,
            markerfacecolor=colour if one.right else "white", markeredgecolor=BLACK,
            gid=f"margin-{one.of}-{'right' if one.right else 'wrong'}",
        )  # fmt: skip
    named = {round(place): text("labels.class", k=one.of) for place, one in margins.bars}
    axes.set_yticks([*named], [*named.values()])
    axes.set_ylim(margins.edges)
    axes.set(xlabel=text("boundary.distance"))
    axes.set_xlim(left=0)


def _draw_refusal(refused: Refused, axes: Axes) -> None:
    """Say why there is no picture."""
    axes.set_axis_off()
    axes.text(
        0.5, 0.5, str(refused.reason), ha="center", va="center", wrap=True,
        transform=axes.transAxes,
    )  # fmt: skip


def _draw_classes(one: Map, axes: Axes) -> None:
    axes.imshow(one.shade, extent=one.extent, origin="lower", aspect="auto")
    for line in one.lines:
        axes.contour(one.x, one.y, line, levels=[0], colors=BLACK, linewidths=1.2)
    for split, points in one.points.items():
        test = split == "test"
        for k in range(one.classes):
            mine = points.places[points.targets == k]
            axes.plot(
                mine[:, 0], mine[:, 1], linestyle="", marker=class_marker(k),
                markersize=4.5 if test else 3, markeredgewidth=0.7,
                color=class_colour(k), markeredgecolor=BLACK if test else "white",
                label=_label(one, k, split),
                gid=f"points-{split}-{k}", rasterized=len(mine) > 2000,
            )  # fmt: skip
        wrong = points.places[points.wrong.astype(bool)]
        if 0 < len(wrong) <= RINGS:
            diameter, width = ring_size(len(wrong))
            axes.plot(
                wrong[:, 0], wrong[:, 1], linestyle="", marker="o", markersize=diameter,
                markerfacecolor="none", markeredgecolor=BLACK, markeredgewidth=width,
                label=text("labels.wrong_of", count=len(wrong), split=text(f"labels.{split}")),
                gid=f"wrong-{split}",
            )  # fmt: skip
    legend = axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.19), fontsize=7, title_fontsize=7,
        ncols=2 if one.classes <= _APART else 5, columnspacing=1.2, handletextpad=0.2,
        title=text("boundary.many", classes=one.classes) if one.classes > NAMED else "",
    )  # fmt: skip
    for handle in legend.get_lines() if one.classes > _APART else ():
        handle.set(markersize=5, markeredgecolor=BLACK)  # white edges hide small stars on white


def _label(one: Map, k: int, split: str) -> str:
    """Name a class for each split where there is room, else once; "" for none."""
    if one.classes <= _APART:
        return text("labels.class_of", k=k, split=text(f"labels.{split}"))
    first = next(iter(one.points))
    return text("labels.class", k=k) if one.classes <= NAMED and split == first else ""


def _draw_values(one: Map, axes: Axes) -> None:
    low, high = one.limits
    axes.imshow(
        one.confidence, extent=one.extent, origin="lower", aspect="auto", cmap="cividis",
        vmin=low, vmax=high,
    )  # fmt: skip
    if low < high:
        lines = axes.contour(one.x, one.y, one.confidence, colors=BLACK, linewidths=0.6)
        axes.clabel(lines, fontsize=7)
    for split, points in one.points.items():
        axes.scatter(
            points.places[:, 0], points.places[:, 1], c=points.targets,
            cmap="cividis", vmin=low, vmax=high,
            s=14 if split == "test" else 8, edgecolors=BLACK if split == "test" else "white",
            linewidths=0.6, rasterized=len(points.places) > 2000, label=text(f"labels.{split}"),
        )  # fmt: skip
