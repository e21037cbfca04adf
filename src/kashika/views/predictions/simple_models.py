"""What simple models make of the same samples: ridge regression, and the nearest neighbours.

Both answer for a sample from all the others, in closed form, so nothing is trained and no lots are
drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kashika.distribution import FloatArray
from kashika.neighbours import NEIGHBOURS, distances, nearest
from kashika.views.predictions.plain_inputs import PlainInputs

WIDTHS = (NEIGHBOURS, 3 * NEIGHBOURS, 8 * NEIGHBOURS)
"""So many neighbours around a sample are looked at, to tell how deep in a class it lies."""

_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # over the mean square of the inputs

_CURVED = 15  # up to so many columns are multiplied with each other

Kind = Literal["linear", "neighbours"]
Unit = Literal["accuracy", "explained"]


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """A linear model.

    Attributes
    ----------
    left_out : (n, targets) its answer to each sample, learned from all the others
    slopes : (columns, targets), learned from all
    at_mean : (targets,) its answer to the mean of the inputs
    centre : (columns,) that mean
    """

    left_out: FloatArray
    slopes: FloatArray
    at_mean: FloatArray
    centre: FloatArray

    def __call__(self, inputs: FloatArray) -> FloatArray:
        """Answer (n, columns) inputs."""
        return np.asarray((inputs - self.centre) @ self.slopes + self.at_mean)


def ridge(inputs: FloatArray, targets: FloatArray) -> Ridge:
    """Fit a ridge regression whose penalty leaves the least error on samples that are left out.

    Parameters
    ----------
    inputs : (n, columns)
    targets : (n, targets)

    References
    ----------
    Golub, Heath and Wahba, "Generalized cross-validation as a method for choosing a good ridge
    parameter", Technometrics 21, 1979.
    """
    centre, at_mean = inputs.mean(axis=0), targets.mean(axis=0)
    x, y = inputs - centre, targets - at_mean
    wide = x.shape[1] > x.shape[0]
    squares, vectors = np.linalg.eigh(x @ x.T if wide else x.T @ x)
    there = squares > 1e-9 * max(float(squares[-1]), 1e-300)
    squares, vectors = squares[there], vectors[:, there]
    roots = np.sqrt(squares)
    left = vectors if wide else x @ vectors / roots
    right = x.T @ vectors / roots if wide else vectors
    along = left.T @ y
    unit = float(np.mean(x**2)) * len(x)
    best, least = None, np.inf
    for penalty in _PENALTIES:
        kept = squares / (squares + penalty * unit) if squares.size else squares
        share = left**2 @ kept + 1 / len(x)  # of a sample in its own answer
        off = (y - left @ (kept[:, None] * along)) / np.maximum(1 - share, 1e-9)[:, None]
        error = float(np.sum(off**2))
        if error < least or best is None:
            slopes = right @ ((roots / (squares + penalty * unit))[:, None] * along)
            best, least = Ridge(targets - off, slopes, at_mean, centre), error
    assert best is not None
    return best


def with_products(inputs: FloatArray) -> FloatArray:
    """Put the products of every two columns beside (n, columns); of many columns, none."""
    columns = inputs.shape[1]
    if columns > _CURVED:
        return inputs
    first, second = np.triu_indices(columns)
    return np.hstack([inputs, inputs[:, first] * inputs[:, second]])


def around(
    inputs: FloatArray, targets: FloatArray, *, widths: tuple[int, ...] = WIDTHS
) -> FloatArray:
    """Return (widths, n, targets), the mean target of the nearest samples, without one's own.

    Parameters
    ----------
    inputs : (n, columns)
    targets : (n, targets)
    widths : how many of them, increasing
    """
    count = min(widths[-1], len(inputs) - 1)
    means = np.empty((len(widths), len(inputs), targets.shape[1]))
    for rows, apart in distances(inputs, np.arange(len(inputs))):
        means[:, rows] = _means(apart, targets, widths, count)
    return means


def nearby(inputs: FloatArray, targets: FloatArray, *, asked: FloatArray) -> FloatArray:
    """Return (asked, targets), the mean target of the samples nearest to others that are asked."""
    both = np.concatenate([inputs, asked])
    means = np.empty((len(asked), targets.shape[1]))
    count, known = min(NEIGHBOURS, len(inputs)), len(inputs)
    for rows, apart in distances(both, np.arange(known, len(both)), among=known):
        means[rows - known] = targets[nearest(apart, count=count)].mean(axis=1)
    return means


def _means(
    apart: FloatArray, targets: FloatArray, widths: tuple[int, ...], count: int
) -> FloatArray:
    close = nearest(apart, count=count)
    order = np.argsort(np.take_along_axis(apart, close, axis=1), axis=1)
    summed = np.cumsum(targets[np.take_along_axis(close, order, axis=1)], axis=1)
    wanted = [min(width, count) for width in widths]
    return np.stack([summed[:, width - 1] / width for width in wanted])


@dataclass(frozen=True, slots=True, eq=False)
class Simple:
    """The network beside the better of two simple models, on samples that it was trained on.

    They are compared in two ways, since a network may have been trained for either: of a
    classifier the share of right answers and the mean over the classes' recalls; of a regression
    the share of the squared and of the absolute deviation that is explained.

    Attributes
    ----------
    samples : how many were looked at
    unit : what the first of the two scores is
    better : which of the two models it is
    network, simple, chance : (2,) scores; chance is that of the best constant answer
    linear, neighbours : (2,) of the two models
    lead : (2,) how far the model is ahead of the network, in standard errors
    variety : of the model's answers over that of the targets, as for the rule `constant`
    recall : {class: that of the model that finds most of it}
    rescaled : (2,) score of the network after the best shift and scale of its answers
    """

    samples: int
    unit: Unit
    better: Kind
    network: FloatArray
    simple: FloatArray
    chance: FloatArray
    linear: FloatArray
    neighbours: FloatArray
    lead: FloatArray
    variety: float
    recall: dict[int, float]
    rescaled: FloatArray


def compared(plain: PlainInputs, *, linear: FloatArray, neighbours: FloatArray) -> Simple | None:
    """Compare the network with two simple models.

    Parameters
    ----------
    linear, neighbours : (n, targets) what they answer to each sample from all the others
    """
    gains = _Gains.of(plain)
    if gains is None:
        return None
    models: dict[Kind, FloatArray] = {"linear": linear, "neighbours": neighbours}
    answers = {kind: gains.answered(one) for kind, one in models.items()}
    each = {kind: gains.each(one) for kind, one in answers.items()}
    scores = {kind: gains.total(one) for kind, one in each.items()}
    better: Kind = max(scores, key=lambda kind: float(scores[kind].mean()))
    network = gains.each(plain.outputs)
    ahead = each[better] - network
    lead = gains.total(ahead)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # Each class about its own mean would be exact for the recalls; about the common one it is
        # a little too large, which is the careful side.
        error = np.sqrt(np.sum((gains.weights * (ahead - lead[:, None])) ** 2, axis=1))
        lead_in_errors = np.where(error > 0, lead / error, np.sign(lead) * np.inf)
    recall = {}
    if plain.classes.size:
        found = [
            (plain.targets * one).sum(axis=0) / plain.targets.sum(axis=0)
            for one in answers.values()
        ]
        recall = dict(zip(plain.classes.tolist(), np.max(found, axis=0).tolist(), strict=True))
    return Simple(
        len(plain.rows), "explained" if gains.kind == "values" else "accuracy", better,
        gains.total(network), scores[better], gains.chance(plain),
        scores["linear"], scores["neighbours"], np.nan_to_num(lead_in_errors),
        _variety(answers[better], plain), recall,
        gains.total(gains.each(_rescaled(plain))),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Gains:
    """What each sample adds to the two scores.

    Attributes
    ----------
    targets : (n, targets)
    kind : "classes", "labels" or "values"
    weights : (2, n), which add up to 1
    unit : (2,) mean squared and absolute deviation of the best constant answer
    """

    targets: FloatArray
    kind: Literal["classes", "labels", "values"]
    weights: FloatArray
    unit: FloatArray

    @classmethod
    def of(cls, plain: PlainInputs) -> _Gains | None:
        n, targets = len(plain.rows), plain.targets
        equal = np.full(n, 1 / n)
        unit = np.ones(2)
        if plain.classes.size:
            if plain.classes.size < 2:
                return None
            counts = targets.sum(axis=0)
            by_class = 1 / (counts.size * counts[plain.labels])
            return cls(targets, "classes", np.stack([equal, by_class]), unit)
        if np.isin(targets, (0, 1)).all() and np.isin(plain.outputs, (0, 1)).all():
            return cls(targets, "labels", np.stack([equal, equal]), unit)
        unit = np.array(
            [np.mean(targets**2), np.mean(np.abs(targets - np.median(targets, axis=0)))]
        )
        return cls(targets, "values", np.stack([equal, equal]), unit) if unit.all() else None

    def answered(self, scores: FloatArray) -> FloatArray:
        """Turn what a model gives into answers of the form of the targets."""
        if self.kind == "classes":
            return np.asarray(np.eye(scores.shape[1])[scores.argmax(axis=1)])
        return np.heaviside(scores - 0.5, 0.0) if self.kind == "labels" else scores

    def each(self, answers: FloatArray) -> FloatArray:
        """Return (2, n), what each sample adds, before it is weighted."""
        if self.kind == "classes":
            return np.stack(2 * [(answers * self.targets).sum(axis=1)])
        if self.kind == "labels":
            return np.stack(2 * [np.equal(answers, self.targets).mean(axis=1)])
        with np.errstate(over="ignore", invalid="ignore"):
            off = np.nan_to_num(answers - self.targets, nan=1e6, posinf=1e6, neginf=-1e6)
            both = np.stack([np.mean(off**2, axis=1), np.mean(np.abs(off), axis=1)])
        return np.asarray(1 - both / self.unit[:, None])

    def total(self, each: FloatArray) -> FloatArray:
        return np.asarray((self.weights * each).sum(axis=1))

    def chance(self, plain: PlainInputs) -> FloatArray:
        share = plain.targets.mean(axis=0)
        if self.kind == "classes":
            return np.array([share.max(), 1 / share.size])
        if self.kind == "labels":
            return np.full(2, np.maximum(share, 1 - share).mean())
        return np.zeros(2)


def _variety(answers: FloatArray, plain: PlainInputs) -> float:
    """Return how varied answers are, over how varied the targets are."""
    if plain.classes.size:
        shares = [one.mean(axis=0) for one in (answers, plain.targets)]
        given, needed = (-np.sum(s * np.log(np.where(s > 0, s, 1))) for s in shares)
    else:
        given, needed = np.std(answers), np.std(plain.targets)
    return float(given / needed) if needed > 0 else np.nan


def _rescaled(plain: PlainInputs) -> FloatArray:
    """Return a regression's answers after the best shift and scale of each column."""
    if plain.classes.size:
        return plain.outputs
    given, wanted = np.nan_to_num(plain.outputs), plain.targets
    centred = given - given.mean(axis=0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        slope = (centred * wanted).sum(axis=0) / (centred**2).sum(axis=0)
    return np.asarray(wanted.mean(axis=0) + centred * np.nan_to_num(slope, posinf=0, neginf=0))
