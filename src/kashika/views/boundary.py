"""Where does the network change its mind?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kashika import figure, table
from kashika.distribution import Array, FloatArray, IntArray
from kashika.errors import Missing, need
from kashika.naming import SPLITS, Split
from kashika.observation import Observation
from kashika.palette import BLACK, RINGS, class_colour, class_marker
from kashika.run import Network, Run
from kashika.task import Task
from kashika.texts import text
from kashika.view import Picture, Row, Table, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

LINES = 50
"""Up to so many classes the line around each is drawn; beyond, the colours alone tell."""

RESOLUTION = (360, 270)
"""Points of the grid in x and y: one for every screen pixel of a picture."""

_AT_ONCE = 16_384  # points of the grid that go through the network at a time


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The samples of one split.

    Attributes
    ----------
    inputs : (n, 2)
    targets : (n,) class, or value of a regression
    wrong : (n,) bool, misclassified; all False for a regression
    """

    inputs: FloatArray
    targets: Array
    wrong: Array


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Boundary:
    """What the network says over a rectangle of its two inputs.

    Attributes
    ----------
    x, y : (width,), (height,) the grid
    classes : number of classes; 0 for a regression
    predicted : (height, width) int class; empty for a regression
    confidence : (height, width) probability of that class; the value of a regression
    lead : (classes, height, width) how far a class lies above the best of the others, in logits or
        probability: its zero line is the boundary; empty for a regression and above `LINES`
    points : {split: samples}
    """

    x: FloatArray
    y: FloatArray
    classes: int
    predicted: IntArray
    confidence: FloatArray
    lead: FloatArray
    points: Mapping[Split, Points]

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top edge of the grid's cells."""
        dx, dy = (self.x[1] - self.x[0]) / 2, (self.y[1] - self.y[0]) / 2
        return self.x[0] - dx, self.x[-1] + dx, self.y[0] - dy, self.y[-1] + dy

    @property
    def shade(self) -> FloatArray:
        """(height, width, 3) the colour of the class on white, the stronger the surer.

        In 24 steps: finer ones cannot be told apart, and make the file four times as large.
        """
        colours = np.array([_rgb(class_colour(k)) for k in range(self.classes)])
        sure = (self.confidence - 1 / self.classes) / (1 - 1 / self.classes)
        steps = np.round(24 * np.clip(np.nan_to_num(sure), 0, 1)) / 24
        strength = np.where(self.predicted < 0, 0.0, 0.08 + 0.47 * steps)[..., None]
        return np.asarray(strength * colours[self.predicted] + (1 - strength))

    @property
    def limits(self) -> tuple[float, float]:
        """Least and greatest finite confidence, or value of a regression."""
        finite = self.confidence[np.isfinite(self.confidence)]
        return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the map into `ax`, or into a new figure."""
        return figure.plot(draw_map if self.classes else draw_surface, self, ax)

    def to_frame(self) -> DataFrame:
        """Return one row for each point of the grid."""
        xx, yy = np.meshgrid(self.x, self.y)
        columns: dict[str, Array] = {"x": xx, "y": yy, "confidence": self.confidence}
        if self.classes:
            columns["predicted_class"] = self.predicted
        rows = zip(*(column.ravel().tolist() for column in columns.values()), strict=True)
        return table.frame([dict(zip(columns, row, strict=True)) for row in rows])

    def __repr__(self) -> str:
        return table.plain(VIEW, self)

    def _repr_html_(self) -> str:
        return figure.html(VIEW, self)


def measure(
    predict: Callable[[Array], FloatArray],
    task: Task,
    points: Mapping[Split, Points],
    *,
    x: FloatArray | None = None,
    y: FloatArray | None = None,
) -> Boundary:
    """Ask the network at every point of a grid, a bounded number of points at a time.

    Parameters
    ----------
    predict : (n, 2) inputs -> (n, outputs) outputs
    points : {split: samples} to show; the grid covers them with a margin of a twelfth on each side
    x, y : the grid, if not the one that is laid by the size of a picture
    """
    inputs = np.concatenate([p.inputs for p in points.values()])
    x = _axis(inputs[:, 0], RESOLUTION[0]) if x is None else np.asarray(x)
    y = _axis(inputs[:, 1], RESOLUTION[1]) if y is None else np.asarray(y)
    xx, yy = np.meshgrid(x, y)
    grid = np.column_stack([xx.ravel(), yy.ravel()])
    predicted: list[IntArray] = []
    confidence: list[FloatArray] = []
    lead: list[FloatArray] = []
    for start in range(0, len(grid), _AT_ONCE):
        outputs = predict(grid[start : start + _AT_ONCE])
        outputs = outputs.reshape(len(outputs), -1)
        if not task.classifies:
            confidence.append(outputs[:, 0].astype(np.float64))
            continue
        predicted.append(task.predicted(outputs))
        probabilities = task.probabilities(outputs)
        confidence.append(probabilities.max(axis=1))
        if task.classes <= LINES:
            scores = outputs if task.outputs == "logits" else probabilities
            lead.append(_lead(scores).astype(np.float32))
    shape = (len(y), len(x))
    return Boundary(
        x, y, task.classes,
        np.concatenate(predicted).reshape(shape) if predicted else np.empty((0, 0), dtype=int),
        np.concatenate(confidence).reshape(shape),
        np.concatenate(lead).T.reshape(-1, *shape) if lead else np.empty((0, 0, 0)),
        points,
    )  # fmt: skip


# --- pictures ----------------------------------------------------------------------------------


def draw_map(boundary: Boundary, axes: Axes) -> None:
    """Shade the predicted classes, draw the line between them, and the samples."""
    axes.imshow(boundary.shade, extent=boundary.extent, origin="lower", aspect="auto")
    # Between two classes both leads have the same zero line.
    for lead in boundary.lead[:1] if boundary.classes == 2 else boundary.lead:
        if lead.min() < 0 < lead.max():
            axes.contour(
                boundary.x, boundary.y, lead, levels=[0], colors=BLACK, linewidths=1.2
            )  # fmt: skip
    for split, points in boundary.points.items():
        test = split == "test"
        for k in range(boundary.classes):
            chosen = points.inputs[points.targets == k]
            axes.plot(
                chosen[:, 0], chosen[:, 1], linestyle="", marker=class_marker(k),
                markersize=4.5 if test else 3, markeredgewidth=0.7,
                color=class_colour(k), markeredgecolor=BLACK if test else "white",
                label=text("labels.class_of", k=k, split=text(f"labels.{split}")),
                gid=f"points-{split}-{k}", rasterized=len(chosen) > 2000,
            )  # fmt: skip
        wrong = points.inputs[points.wrong.astype(bool)]
        if 0 < len(wrong) <= RINGS:
            axes.plot(
                wrong[:, 0], wrong[:, 1], linestyle="", marker="o", markersize=9,
                markerfacecolor="none", markeredgecolor=BLACK, markeredgewidth=1.3,
                label=text("labels.wrong_of", count=len(wrong), split=text(f"labels.{split}")),
                gid=f"wrong-{split}",
            )  # fmt: skip
    _frame(boundary, axes)
    if boundary.classes <= 4:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=7)


def draw_surface(boundary: Boundary, axes: Axes) -> None:
    """Shade the value of a regression, with lines of equal value, and the samples."""
    low, high = boundary.limits
    axes.imshow(
        boundary.confidence, extent=boundary.extent, origin="lower", aspect="auto", cmap="cividis",
        vmin=low, vmax=high,
    )  # fmt: skip
    if low < high:
        lines = axes.contour(
            boundary.x, boundary.y, boundary.confidence, colors=BLACK, linewidths=0.6
        )
        axes.clabel(lines, fontsize=7)
    for split, points in boundary.points.items():
        axes.scatter(
            points.inputs[:, 0], points.inputs[:, 1], c=points.targets,
            cmap="cividis", vmin=low, vmax=high,
            s=14 if split == "test" else 8, edgecolors=BLACK if split == "test" else "white",
            linewidths=0.6, rasterized=len(points.inputs) > 2000, label=text(f"labels.{split}"),
        )  # fmt: skip
    _frame(boundary, axes)


# --- tables ------------------------------------------------------------------------------------


def areas(boundary: Boundary) -> list[Row]:
    """Return one row for each class: its share of the map and its samples."""
    return [
        {
            "class": k,
            "area": float(np.mean(boundary.predicted == k)),
            "shown": int(sum((p.targets == k).sum() for p in boundary.points.values())),
            "wrong": int(sum((p.wrong & (p.targets == k)).sum() for p in boundary.points.values())),
        }
        for k in range(boundary.classes)
    ]


# --- how it is computed --------------------------------------------------------------------------


def points_of(seen: Observation) -> Points:
    """Take the samples of an observation whose inputs were kept."""
    targets = np.asarray(seen.targets)[seen.rows]
    classifies = seen.task.classifies
    wrong = seen.predicted[seen.rows] != targets if classifies else np.zeros(len(targets), bool)
    return Points(
        np.asarray(seen.inputs, dtype=np.float64),
        targets if classifies else targets.reshape(len(targets), -1)[:, 0],
        wrong,
    )


def subject(run: Run) -> tuple[Network, Task, dict[Split, Points]]:
    """Return whom to ask, what the answers mean, and the samples to show.

    Raises
    ------
    Missing
        If there is no network of two inputs, or a regression of several outputs.
    """
    network = need(run.network, "network")
    split, seen = need(run.observation(*SPLITS), "data")
    if seen.inputs.ndim != 2 or seen.inputs.shape[1] != 2:
        shape = "\u00a0×\u00a0".join(map(str, seen.inputs.shape[1:])) or "1"
        raise Missing("missing.two_inputs", found=shape)
    if not seen.task.classifies and seen.outputs.shape[1] != 1:
        raise Missing("missing.one_output", found=seen.outputs.shape[1])
    apart: tuple[Split, ...] = ("train", "test")
    shown = {s: points_of(run.observations[s]) for s in apart if s in run.observations}
    return network, seen.task, shown or {split: points_of(seen)}


def _of_run(run: Run) -> Boundary:
    network, task, shown = subject(run)
    return measure(network.predict, task, shown)


def _axis(values: FloatArray, count: int) -> FloatArray:
    """Lay `count` points over the values, with a margin relative to their range."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    margin = (high - low) / 12 or max(abs(low), 1.0) / 12  # all values equal: relative to the value
    return np.linspace(low - margin, high + margin, count)


def _lead(scores: FloatArray) -> FloatArray:
    """Return by how much each column lies above the greatest of the others."""
    order = np.sort(scores, axis=1)
    best, second = order[:, -1:], order[:, -2:-1]
    with np.errstate(invalid="ignore"):  # of two infinite scores neither leads
        return np.where(scores == best, scores - second, scores - best)


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def _frame(boundary: Boundary, axes: Axes) -> None:
    left, right, bottom, top = boundary.extent
    axes.set(
        xlim=(left, right), ylim=(bottom, top),
        xlabel=text("labels.input", k=1), ylabel=text("labels.input", k=2),
    )  # fmt: skip
    axes.grid(visible=False)


VIEW = View(
    "boundary",
    measure=_of_run,
    pictures=(
        Picture("map", draw_map, each=lambda b: (b,) if b.classes else ()),
        Picture("surface", draw_surface, each=lambda b: () if b.classes else (b,)),
    ),
    tables=(Table("areas", areas),),
)
