"""Landscape: what a network says at every place of a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kashika.distribution import Array, FloatArray, IntArray
from kashika.naming import Split
from kashika.palette import class_colour
from kashika.task import Task
from kashika.texts import Sentence, text
from kashika.views.boundary.grid import STEP, Ask, fill, nearest
from kashika.views.boundary.margin import AT_ONCE, Predict, lead, scores

LINES = 50
"""Up to so many classes the line around each is drawn; beyond, the colours alone tell."""

_PLACES = 16_384  # that go through the network at a time; fewer, where an input is large

Kind = Literal["inputs", "plane", "features", "projection"]


@dataclass(frozen=True, slots=True)
class Refused:
    """What could not be made, since the network raised an error where it was asked.

    Attributes
    ----------
    kind : of the picture
    reason : what was expected and what was found
    """

    kind: Kind | Literal["margins"]
    reason: Sentence


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The samples of one split in a picture.

    Attributes
    ----------
    places : (n, 2)
    targets : (n,) class, or value of a regression
    predicted : (n,) what the network says to the sample itself: class, -1 for NaN; or value
    wrong : (n,) bool, misclassified; all False for a regression
    """

    places: FloatArray
    targets: Array
    predicted: Array
    wrong: Array


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """What the network says over a picture of its inputs.

    Attributes
    ----------
    kind : "inputs" where the axes are the only two inputs; a "plane" through three samples;
        two "features" with the others held; or a "projection" with a way back learned from the
        samples
    labels : of the axes
    x, y : (width,), (height,) the grid
    classes : number of classes; 0 for a regression
    predicted : (height, width) int class, -1 for NaN; empty for a regression
    confidence : (height, width) probability of that class; the value of a regression
    lead : (height, width) how far that class lies above the next one, in logits or probability;
        empty for a regression
    points : {split: samples}
    asked : share of the grid where the network was asked; elsewhere it is interpolated
    shown : how many of the samples lie within the picture
    corners : (3, 2) of a plane; else (0, 2)
    title : how the picture was made; None where the axes are the inputs
    agreement : share of the samples in the picture that lie on the class that the network predicts
        for them; for a regression, of the variance of its answers to them; NaN for "inputs"
    by_chance : the same, if the whole picture had the class that is predicted most often
    trustworthiness : 0 to 1, whether neighbours in the picture are neighbours among the inputs;
        NaN where it is no projection
    """

    kind: Kind
    labels: tuple[Sentence, Sentence]
    x: FloatArray
    y: FloatArray
    classes: int
    predicted: IntArray
    confidence: FloatArray
    lead: FloatArray
    points: Mapping[Split, Points]
    asked: float
    shown: int
    corners: FloatArray
    title: Sentence | None = None
    agreement: float = np.nan
    by_chance: float = np.nan
    trustworthiness: float = np.nan

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
    def lines(self) -> list[FloatArray]:
        """(height, width) for each class that has a line around it: the line is where this is zero.

        Exact beside the line, since the next class there is the one on its other side; only where
        three classes meet may it be off, by less than a cell.
        """
        occur = np.unique(self.predicted[self.predicted >= 0])
        if len(occur) < 2 or self.classes > LINES:
            return []
        # Between two classes both would be the same line.
        around = occur[:1] if len(occur) == 2 else occur
        return [np.where(self.predicted == k, self.lead, -self.lead) for k in around]

    @property
    def limits(self) -> tuple[float, float]:
        """Least and greatest finite confidence, or value of a regression."""
        finite = self.confidence[np.isfinite(self.confidence)]
        return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)

    @property
    def heading(self) -> str:
        """How the picture was made and how faithful it is, each on a line; "" for "inputs".

        Where samples lie outside the frame, a further line counts those inside.
        """
        if self.title is None:
            return ""
        said = [str(self.title)]
        if np.isfinite(self.agreement):
            key = "boundary.agreement" if self.classes else "boundary.agreement_values"
            said.append(text(key, agreement=self.agreement, count=self.shown))
        if np.isfinite(self.trustworthiness):
            said.append(text("boundary.trust", trustworthiness=self.trustworthiness))
        every = sum(len(one.places) for one in self.points.values())
        if self.shown < every:
            said.append(text("boundary.in_frame", count=self.shown, every=every))
        return "\n".join(said)


def survey(
    predict: Predict,
    task: Task,
    points: Mapping[Split, Points],
    inputs_at: Callable[[FloatArray], Array],
    *,
    x: FloatArray,
    y: FloatArray,
    kind: Kind,
    labels: tuple[Sentence, Sentence],
    title: Sentence | None = None,
    corners: FloatArray | None = None,
    trustworthiness: float = np.nan,
    step: int = STEP,
) -> Map:
    """Ask the network over a grid, closely where its answer changes, and judge the picture.

    Islands of a class between four places of the first pass (see `grid.fill`) can be missed, except
    around the samples where the axes are the inputs themselves.

    Parameters
    ----------
    predict : (n, …) inputs -> (n, outputs) outputs; with one output for a regression
    inputs_at : (m, 2) places -> (m, …) inputs
    x, y : (width,), (height,) the grid
    step : of the first pass over it; 1 asks everywhere
    """
    every = list(points.values())
    places = np.concatenate([one.places for one in every])
    predicted = np.concatenate([one.predicted for one in every])
    known = kind == "inputs" and task.classifies
    ask = _asking(predict, task, inputs_at)
    hints = (places, predicted) if known else (None, None)
    found = fill(ask, x, y, step=step, places=hints[0], classes=hints[1])
    none = np.empty((0, 0))
    answers = found.classes if task.classifies else found.values[0]
    rows, columns, inside = nearest(places, x, y)
    there = answers[rows, columns][inside]
    agreement, by_chance = _agreement(there, predicted[inside], task)
    return Map(
        kind, labels, x, y, task.classes,
        found.classes if task.classifies else none.astype(int),
        found.values[0],
        found.values[1] if task.classifies else none,
        points,
        asked=float(found.asked.mean()),
        shown=int(inside.sum()),
        corners=np.empty((0, 2)) if corners is None else corners,
        title=title,
        agreement=np.nan if kind == "inputs" else agreement,
        by_chance=np.nan if kind == "inputs" else by_chance,
        trustworthiness=trustworthiness,
    )  # fmt: skip


def axis(values: FloatArray, count: int, *, margin: float = 1 / 12) -> FloatArray:
    """Lay `count` points over the values, with a margin relative to their range."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    # Where all values are equal: relative to the value.
    beyond = margin * (high - low) or margin * max(abs(low), 1.0)
    return np.linspace(low - beyond, high + beyond, count)


def _asking(predict: Predict, task: Task, inputs_at: Callable[[FloatArray], Array]) -> Ask:
    """Ask for class, confidence and lead, a bounded number of inputs at a time."""

    def answers(places: FloatArray) -> tuple[IntArray, FloatArray]:
        outputs = predict(inputs_at(places))
        outputs = np.asarray(outputs, dtype=np.float64).reshape(len(outputs), -1)
        if not task.classifies:
            return np.where(np.isfinite(outputs[:, 0]), 0, -1), outputs[:, :1]
        classes = task.predicted(outputs)
        sure = task.probabilities(outputs).max(axis=1)
        return classes, np.column_stack([sure, lead(scores(task, outputs), classes)])

    def ask(places: FloatArray) -> tuple[IntArray, FloatArray]:
        size = min(_PLACES, max(1, AT_ONCE // max(1, inputs_at(places[:1]).size)))
        parts = [answers(places[start : start + size]) for start in range(0, len(places), size)]
        return np.concatenate([c for c, _ in parts]), np.concatenate([v for _, v in parts])

    return ask


def _agreement(there: Array, predicted: Array, task: Task) -> tuple[float, float]:
    """Return what a picture shows of the answers, and what one of a single colour would show."""
    if not len(there):
        return np.nan, np.nan
    if task.classifies:
        most = np.unique(predicted, return_counts=True)[1].max()
        return float(np.mean(there == predicted)), float(most / len(predicted))
    finite = np.isfinite(there) & np.isfinite(predicted)
    variance = float(np.var(predicted[finite])) if finite.any() else 0.0
    if not variance > 0:
        return np.nan, np.nan
    missed = float(np.mean((there[finite] - predicted[finite]) ** 2))
    return max(0.0, 1 - missed / variance), 0.0


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
