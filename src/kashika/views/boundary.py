"""Where does the network change its mind?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kashika import figure, table
from kashika.chart import Method
from kashika.cuts import Grid, all_samples, through_three, two_columns, whole
from kashika.distribution import Array
from kashika.errors import LoadError, Missing, need
from kashika.landscape import Kind, Map
from kashika.margin import Margins, margins_of
from kashika.naming import SPLITS, Split
from kashika.observation import Observation
from kashika.palette import BLACK, RINGS, class_colour, class_marker
from kashika.pool import Pool
from kashika.projection import Projection
from kashika.run import Network, Run
from kashika.texts import text
from kashika.view import Evidence, Finding, Level, Picture, Row, Table, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Boundary:
    """Where the network changes its mind.

    Attributes
    ----------
    maps : one for a network of two inputs; else a plane through three samples, two of the inputs,
        and all samples in a projection, as far as they were asked for and can be made
    margins : how far samples lie from the boundary; None for a regression
    """

    maps: tuple[Map, ...]
    margins: Margins | None

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the first map into `ax`, or into a new figure."""
        return figure.plot(draw_map, self.maps[0], ax)

    def to_frame(self) -> DataFrame:
        """Return one row for each point of the grid of each map."""
        rows: list[Row] = []
        for one in self.maps:
            xx, yy = np.meshgrid(one.x, one.y)
            columns: dict[str, Array] = {"x": xx, "y": yy, "confidence": one.confidence}
            if one.classes:
                columns["predicted_class"] = one.predicted
            cells = zip(*(column.ravel().tolist() for column in columns.values()), strict=True)
            rows += [{"map": one.kind, **dict(zip(columns, row, strict=True))} for row in cells]
        return table.frame(rows)

    def __repr__(self) -> str:
        return table.plain(VIEW, self)

    def _repr_html_(self) -> str:
        return figure.html(VIEW, self)


def measure(
    network: Network,
    observations: Mapping[Split, Observation],
    *,
    through: Sequence[int] | None = None,
    features: Sequence[int] | None = None,
    at: int | None = None,
    method: Method | None = None,
    grid: Grid | None = None,
    seed: int = 0,
) -> Boundary:
    """Ask the network over pictures of its inputs, and how far samples lie from the boundary.

    Without `through`, `features`, `at` and `method`, a network of two inputs is shown as it is, and
    one of more in every way that fits it: two single entries of an image are not looked at.

    Parameters
    ----------
    observations : of the splits that are shown; rows are those of the first one
    through : three rows, whose plane is shown
    features : two columns of the flattened inputs, from 0; those along which the answer changes
        most if only `at` is given
    at : row that gives the values of the other columns; their medians if None
    method : of a projection of all samples
    grid : (width,) and (height,) places, for a single map
    seed : of choices of samples, and of t-SNE

    Raises
    ------
    Missing
        If the answers are not one class or one value for each sample, or the inputs not arrays of
        at least two numbers.
    LoadError
        If a row, column or method does not exist, or a grid is given for several maps.
    """
    seen = next(iter(observations.values()))
    if seen.task.labels or seen.task.positional:
        raise Missing("missing.one_answer")
    if not seen.task.classifies and seen.outputs.shape[1] != 1:
        raise Missing("missing.one_output", found=seen.outputs.shape[1])
    pool = Pool.of(observations, seed=seed)
    if seen.inputs.dtype.kind in "iu":
        _take_fractions(network, pool)
    two = features is not None or at is not None
    free = through is None and not two and method is None
    two_inputs = pool.inputs.shape[1] == 2
    several = not two_inputs if free else (through is not None) + two + (method is not None) > 1
    if grid is not None and several:
        raise LoadError("errors.boundary.grid")
    found: list[Map | Projection | None] = []
    if free and two_inputs:
        found.append(whole(network, pool, grid=grid))
    if through is not None or (free and not two_inputs):
        found.append(through_three(network, pool, seen, through, grid=grid))
    if two or (free and not two_inputs and len(pool.shape) == 1):
        found.append(two_columns(network, pool, seen, features, at=at, grid=grid))
    if method is not None or (free and not two_inputs):
        found.append(all_samples(network, pool, method=method or "pca", grid=grid, seed=seed))
    maps = tuple(one for one in found if isinstance(one, Map))
    refused = next((one.refused for one in found if isinstance(one, Projection)), None)
    if refused is not None and (method is not None or not maps):
        raise Missing(refused.key, **refused.values)
    split, last = list(observations.items())[-1]
    classifies = seen.task.classifies
    return Boundary(maps, margins_of(network, split, last, seed=seed) if classifies else None)


# --- rules -------------------------------------------------------------------------------------


def unfaithful(boundary: Boundary, *, above_chance: float = 0.6) -> Finding:
    """A two-dimensional picture of more inputs misplaces many samples.

    Judged is the share of samples that lie on the colour of the network's own answer to them, in
    relation to a picture of one colour, as Cohen's kappa does: 0.9 says nothing where nine tenths
    have one class. Of the pictures of a report the worst counts. Two inputs are shown as they are,
    and never judged.

    Parameters
    ----------
    above_chance : share of what lies above chance, below which a reader cannot go by the picture;
        agreement from there on is called substantial. For a regression, of the variance

    References
    ----------
    Landis and Koch, "The measurement of observer agreement for categorical data", Biometrics 33,
    1977.
    """
    rule = "boundary.unfaithful"
    pictures = [one for one in boundary.maps if one.kind != "inputs"]
    judged = [one for one in pictures if np.isfinite(one.agreement) and one.by_chance < 1]
    if not judged:
        return Finding(rule, Level.UNKNOWN if pictures else Level.OK)
    worst = min(judged, key=_above_chance)
    evidence = (
        Evidence("own_answer", worst.agreement, where=worst.kind),
        Evidence("above_chance", _above_chance(worst), limit=above_chance),
        Evidence("samples", worst.shown),
    )
    level = Level.NOTE if _above_chance(worst) < above_chance else Level.OK
    return Finding(rule, level, evidence)


# --- pictures ----------------------------------------------------------------------------------


def draw_map(one: Map, axes: Axes) -> None:
    """Shade the classes, or the value of a regression, with its lines and the samples."""
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


def draw_margins(margins: Margins, axes: Axes) -> None:
    """Show each group's median, its middle half as a thick line, 5 to 95 % as a thin one."""
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
    axes.invert_yaxis()
    axes.set(xlabel=text("boundary.distance"))
    axes.set_xlim(left=0)


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
                label=text("labels.class_of", k=k, split=text(f"labels.{split}")),
                gid=f"points-{split}-{k}", rasterized=len(mine) > 2000,
            )  # fmt: skip
        wrong = points.places[points.wrong.astype(bool)]
        if 0 < len(wrong) <= RINGS:
            axes.plot(
                wrong[:, 0], wrong[:, 1], linestyle="", marker="o", markersize=9,
                markerfacecolor="none", markeredgecolor=BLACK, markeredgewidth=1.3,
                label=text("labels.wrong_of", count=len(wrong), split=text(f"labels.{split}")),
                gid=f"wrong-{split}",
            )  # fmt: skip
    if one.classes <= 4:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=7)


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


# --- tables ------------------------------------------------------------------------------------


def areas(boundary: Boundary) -> list[Row]:
    """Return one row for each class: its share of the map of two inputs, and its samples."""
    return [
        {
            "class": k,
            "area": float(np.mean(one.predicted == k)),
            "shown": int(sum((p.targets == k).sum() for p in one.points.values())),
            "wrong": int(sum((p.wrong & (p.targets == k)).sum() for p in one.points.values())),
        }
        for one in boundary.maps
        if one.kind == "inputs"
        for k in range(one.classes)
    ]


def maps(boundary: Boundary) -> list[Row]:
    """Return one row for each picture of more than two inputs: how faithful it is."""
    return [
        {
            "picture": one.kind,
            "method": str(one.title),
            "shown": one.shown,
            "own_answer": _or_none(one.agreement),
            "trustworthiness": _or_none(one.trustworthiness),
            "asked": one.asked,
        }
        for one in boundary.maps
        if one.kind != "inputs"
    ]


def margins(boundary: Boundary) -> list[Row]:
    """Return one row for the right and one for the wrong samples of each class."""
    return [
        {
            "class": one.of,
            "right": one.right,
            "samples": one.distances.size,
            "not_found": one.distances.size - one.distances.finite,
            "min": _or_none(one.distances.least),
            "tenth": _or_none(one.distances.quantile(0.1)),
            "median": _or_none(one.distances.quantile(0.5)),
            "max": _or_none(one.distances.greatest),
        }
        for one in (boundary.margins.groups if boundary.margins else ())
    ]


# --- how it is computed --------------------------------------------------------------------------


def shown(run: Run) -> dict[Split, Observation]:
    """Return the splits that are shown: train and test, else the only one."""
    split, seen = need(run.observation(*SPLITS), "data")
    apart: tuple[Split, ...] = ("train", "test")
    both = {one: run.observations[one] for one in apart if one in run.observations}
    return both or {split: seen}


def _of_run(run: Run) -> Boundary:
    return measure(need(run.network, "network"), shown(run))


def _take_fractions(network: Network, pool: Pool) -> None:
    """See to it that whole numbers are numbers, and no names of tokens."""
    one = pool.inputs[:1].reshape(-1, *pool.shape)
    try:
        network.predict(one + 0.5)
    except Exception as error:
        raise Missing("missing.fractions") from error


def _above_chance(one: Map) -> float:
    return (one.agreement - one.by_chance) / (1 - one.by_chance)


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _kind(kind: Kind) -> Callable[[Boundary], list[Map]]:
    return lambda boundary: [one for one in boundary.maps if one.kind == kind]


VIEW = View(
    "boundary",
    measure=_of_run,
    rules=(unfaithful,),
    pictures=(
        Picture("map", draw_map, each=lambda b: [m for m in _kind("inputs")(b) if m.classes]),
        Picture(
            "surface", draw_map, each=lambda b: [m for m in _kind("inputs")(b) if not m.classes]
        ),
        Picture("plane", draw_map, each=_kind("plane")),
        Picture("features", draw_map, each=_kind("features")),
        Picture("projection", draw_map, each=_kind("projection")),
        Picture(
            "margins",
            draw_margins,
            each=lambda b: (b.margins,) if b.margins and b.margins.bars else (),
        ),
    ),
    tables=(Table("areas", areas), Table("maps", maps), Table("margins", margins)),
    gradients=False,
)
