"""Suspicious labels: training samples deep inside another class, by all who were not told."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from kashika.distribution import FloatArray, IntArray
from kashika.neighbours import chosen
from kashika.observation import Observation
from kashika.views.predictions.class_counts import lower
from kashika.views.predictions.plain_inputs import PlainInputs, scaled
from kashika.views.predictions.simple_models import Ridge, around, nearby

_DEEP = 1 / 3
"""So many of the samples, those that lie deepest in a class, are asked for wrong labels."""

_HELD = 500  # held-out samples that the models are tried on

_ENOUGH = 50  # held-out samples, to tell whether they contradict each other

_FEW = 0.2  # of the samples around one that is listed have its label


@dataclass(frozen=True, slots=True, eq=False)
class Suspects:
    """Labels that the samples around them contradict.

    Attributes
    ----------
    samples : how many were looked at
    deep : how many of them are called deep in a class: a third
    against : of the deep ones, how many have the label of another class
    errors : share of all whose label is not the one that the samples around them have
    chance : the same of the best constant answer
    by_heart : whether the network gives most of these labels itself: it has learned them by heart,
        or it knows better
    judges : whether the samples around one tell its class as well as the network does, on held-out
        samples
    held_out : share of held-out samples whose label is not that of the held-out ones around them,
        over that of their best constant answer; NaN without any
    index : (most,) int samples, those first whose labels are contradicted most
    label, voted : (most,) int, their label, and the class around them
    share : (most,) of the samples around them that have their own label
    """

    samples: int
    deep: int
    against: int
    errors: float
    chance: float
    by_heart: bool
    judges: bool
    held_out: float
    index: IntArray
    label: IntArray
    voted: IntArray
    share: FloatArray

    @property
    def by_overlap(self) -> float:
        """Share of the deep ones that two normal classes which overlap as much would contradict."""
        return at_depth(self.errors)

    @property
    def at_least(self) -> float:
        """Lower end of the interval of the share of wrong labels among the deep ones."""
        return float(lower(np.array([float(self.against)]), np.array([float(self.deep)]))[0])


def suspects(
    plain: PlainInputs,
    *,
    linear: Ridge,
    close: FloatArray,
    held: Observation | None,
    most: int = 20,
) -> Suspects | None:
    """Find training samples that lie deep in another class than their label says.

    A wrong label is as likely deep in a class as at its edge, while classes that overlap do so at
    their edges only. So it is the deepest third of the samples that tells the two apart. Whoever
    was trained with a label may know it by heart: only models that answer for a sample from the
    others are asked, and the network where it contradicts the label as well.

    Parameters
    ----------
    linear : a linear model of these samples
    close : (widths, n, targets) share of the classes around each sample, in narrow and wide
        neighbourhoods
    held : held-out samples that show whether these models know as much as the network
    most : so many are listed

    References
    ----------
    Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels",
    JAIR 70, 2021; Brodley and Friedl, "Identifying mislabeled training data", JAIR 11, 1999.
    """
    if plain.classes.size < 2:
        return None
    labels, every = plain.labels, np.arange(len(plain.rows))
    shares = close.mean(axis=0)
    by_line = _accuracy(linear.left_out, labels) > _accuracy(shares, labels)
    main = linear.left_out if by_line else shares
    voted, depth = main.argmax(axis=1), _lead(main)
    wrong, deep = voted != labels, depth >= np.quantile(depth, 1 - _DEEP)
    known = (plain.answers == labels)[wrong & deep]
    by_heart = bool(known.size and known.mean() > 0.5)
    against = wrong & (by_heart | (plain.answers == voted))
    found = np.flatnonzero(against & (shares[every, labels] <= _FEW))
    found = found[np.argsort(-depth[found], kind="stable")][:most]
    return Suspects(
        samples=len(labels),
        deep=int(deep.sum()),
        against=int((deep & against).sum()),
        errors=float(wrong.mean()),
        chance=float(1 - plain.targets.mean(axis=0).max()),
        by_heart=by_heart,
        judges=held is not None and _judges(plain, linear if by_line else None, held),
        held_out=_errors_among(held, like=plain),
        index=plain.rows[found],
        label=plain.classes[labels[found]],
        voted=plain.classes[voted[found]],
        share=shares[found, labels[found]],
    )


def at_depth(errors: float) -> float:
    """Return the share of errors among the deepest third of two normal classes that overlap.

    Parameters
    ----------
    errors : share of all that lie on the side of the other class
    """
    if not 0 < errors < 0.5:
        return 0.0 if errors <= 0 else 0.5
    normal = NormalDist()
    half = -normal.inv_cdf(errors)  # of the distance, in standard deviations
    low, high = 0.0, 2 * half + 4
    for _ in range(50):
        depth = (low + high) / 2
        inside = normal.cdf(half - depth) + normal.cdf(-half - depth) > _DEEP
        low, high = (depth, high) if inside else (low, depth)
    return normal.cdf(-half - low) / _DEEP


def _lead(votes: FloatArray) -> FloatArray:
    """Return (n,), how far the first class is ahead of the second."""
    two = np.partition(votes, -2, axis=1)[:, -2:]
    return np.asarray(two[:, 1] - two[:, 0])


def _accuracy(votes: FloatArray, labels: IntArray) -> float:
    return float((votes.argmax(axis=1) == labels).mean())


def _asked(held: Observation, *, like: PlainInputs) -> tuple[IntArray, FloatArray]:
    """Return (n,) some held-out samples, and (n, columns) their inputs in the unit of others."""
    rows = held.input_rows[chosen(len(held.input_rows), most=_HELD)]
    if not rows.size or held.inputs.shape[1:] != like.raw.shape[1:]:
        return rows[:0], np.empty((0, like.inputs.shape[1]))
    raw = held.inputs[np.searchsorted(held.input_rows, rows)]
    with np.errstate(over="ignore", invalid="ignore"):
        return rows, np.nan_to_num(scaled(raw, like=like.raw), posinf=1e9, neginf=-1e9)


def _errors_among(held: Observation | None, *, like: PlainInputs) -> float:
    """Return how often held-out samples contradict each other, over a constant answer's errors."""
    if held is None:
        return np.nan
    rows, inputs = _asked(held, like=like)
    wanted = held.targets[rows]
    targets = (wanted[:, None] == like.classes).astype(np.float64)
    if len(rows) < _ENOUGH or not 0 < targets.mean(axis=0).max() < 1:
        return np.nan
    votes = around(inputs, targets).mean(axis=0)
    errors = float((like.classes[votes.argmax(axis=1)] != wanted).mean())
    return errors / float(1 - targets.mean(axis=0).max())


def _judges(plain: PlainInputs, linear: Ridge | None, held: Observation) -> bool:
    """Tell whether a simple model is as good as the network on held-out samples."""
    rows, asked = _asked(held, like=plain)
    if not rows.size:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        votes = (
            nearby(plain.inputs, plain.targets, asked=asked) if linear is None else linear(asked)
        )
    wanted = held.targets[rows]
    ours = float((plain.classes[votes.argmax(axis=1)] == wanted).mean())
    theirs = float((held.predicted[rows] == wanted).mean())
    error = np.sqrt(max(theirs * (1 - theirs), 1 / rows.size) / rows.size)
    return bool(ours >= theirs - 0.02 - 2 * error)
