"""Separation: how far features keep classes apart, and how many directions they take up."""

from __future__ import annotations

import numpy as np

from kashika.distribution import FloatArray, IntArray
from kashika.neighbours import NEIGHBOURS, chosen, distances, nearest


def separation(features: FloatArray, labels: IntArray, *, seed: int = 0) -> tuple[float, float]:
    """Return silhouette and purity; NaN where they are not defined.

    Of many rows a seeded choice is asked, each compared with all the others, so that rare classes
    keep their neighbours.

    Parameters
    ----------
    features : (rows, units), all finite
    labels : (rows,) int classes

    Returns
    -------
    The mean silhouette, -1 to 1: how much nearer rows are to their own class than to the next one;
    and the purity, 0 to 1: the share of the ten nearest neighbours that are of the row's own class.

    References
    ----------
    Rousseeuw, "Silhouettes", Journal of Computational and Applied Mathematics 20, 1987.
    """
    order = np.argsort(labels, kind="stable")
    x, y = features[order], labels[order]
    _, starts, own, counts = np.unique(
        y, return_index=True, return_inverse=True, return_counts=True
    )
    if not 2 <= len(counts) < len(y) or not np.ptp(x, axis=0).any():
        return np.nan, np.nan
    k = min(NEIGHBOURS, len(x) - 1)
    widths, same = [], []
    for some, apart in distances(x, chosen(len(x), seed=seed)):
        same.append(own[nearest(apart, count=k)] == own[some][:, None])
        apart[np.arange(len(some)), some] = 0.0
        widths.append(_silhouette(np.add.reduceat(apart, starts, axis=1), own[some], counts))
    return float(np.concatenate(widths).mean()), float(np.concatenate(same).mean())


def effective_rank(features: FloatArray, *, seed: int = 0) -> tuple[float, int]:
    """Return over how many directions the features spread, and over how many they could.

    The exponential of the entropy of the singular values of the centred features, as shares of
    their sum: k for k directions of equal size. Of many rows a seeded choice is looked at, the same
    number at every layer.

    Parameters
    ----------
    features : (rows, units), all finite

    Returns
    -------
    1 to the smaller of rows - 1 and units, and that number; NaN where all rows are the same.

    References
    ----------
    Roy and Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007.
    """
    x = features[chosen(len(features), seed=seed)]
    most = max(0, min(len(x) - 1, x.shape[1]))
    largest = np.ptp(x, axis=0).max(initial=0.0) if most else 0.0
    if not largest > 0:
        return np.nan, most
    x = (x - x.mean(axis=0)) / largest
    # The squares of the singular values, out of the smaller of the two products: ten times faster
    # than the values themselves. What is below the rounding of the largest is none.
    squares = np.linalg.eigvalsh(x @ x.T if len(x) < x.shape[1] else x.T @ x)
    squares = squares[squares > squares[-1] * len(squares) * np.finfo(np.float64).eps]
    shares = np.sqrt(squares) / np.sqrt(squares).sum()
    return float(np.exp(-(shares * np.log(shares)).sum())), most


def variation(features: FloatArray) -> float:
    """Return which share of the mean square of features is variance between rows.

    Parameters
    ----------
    features : (rows, units), all finite

    Returns
    -------
    0 where all rows are the same, 1 where all units have mean zero; NaN of fewer than two rows
    """
    if len(features) < 2 or not features.shape[1]:
        return np.nan
    largest = float(np.abs(features).max())
    if not largest > 0:
        return 0.0
    scaled = features / largest
    return float(np.mean(np.var(scaled, axis=0)) / np.mean(np.square(scaled)))


def _silhouette(sums: FloatArray, own: IntArray, counts: IntArray) -> FloatArray:
    """Return the (rows,) silhouettes from the (rows, classes) sums of the distances to each class.

    A row that is alone in its class has none of its own kind to be near to: zero, by definition.
    """
    rows = np.arange(len(own))
    within = sums[rows, own] / np.maximum(counts[own] - 1, 1)
    others = sums / counts
    others[rows, own] = np.inf
    between = others.min(axis=1)
    larger = np.maximum(within, between)
    width = np.divide(between - within, larger, out=np.zeros(len(own)), where=larger > 0)
    return np.where(counts[own] > 1, width, 0.0)
