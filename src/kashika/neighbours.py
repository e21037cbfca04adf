"""Neighbours: who lies next to whom, in a layer and in a picture of it.

Everything of size rows × rows is asked of a bounded, seeded choice of rows, each of them compared
with all the others: time and memory grow with the rows, not with their square.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kashika.distribution import FloatArray, IntArray

NEIGHBOURS = 10
"""So many neighbours of a sample are looked at."""

ASKED = 1_000
"""So many rows are asked for their neighbours; where there are no more, all of them are."""

_AT_ONCE = 4_000_000  # distances that are held at a time: 32 MB


def chosen(rows: int, *, most: int = ASKED, seed: int = 0) -> IntArray:
    """Return the (≤ most,) int, increasing, a seeded choice of `rows` rows."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def distances(
    features: FloatArray, asked: IntArray, *, among: int | None = None
) -> Iterator[tuple[IntArray, FloatArray]]:
    """Give some of the asked rows at a time, with their Euclidean distances to the others.

    Parameters
    ----------
    features : (rows, units)
    asked : (asked,) int rows
    among : only the distances to the first so many rows are wanted; to all if None

    Yields
    ------
    (some,) of the asked rows, and (some, among) distances; infinite to the row itself.
    """
    # About their mean: a common offset would take the digits that the differences stand in.
    centred = features - features.mean(axis=0)
    every = centred[:among]
    size = max(1, _AT_ONCE // len(every))
    for start in range(0, len(asked), size):
        some = asked[start : start + size]
        apart = _euclidean(centred[some], every)
        own = np.flatnonzero(some < len(every))
        apart[own, some[own]] = np.inf
        yield some, apart


def nearest(apart: FloatArray, *, count: int) -> IntArray:
    """Return the (some, count) rows that are nearest, in no order, by (some, rows) distances."""
    return np.argpartition(apart, count - 1, axis=1)[:, :count]


def trustworthiness(
    features: FloatArray, places: FloatArray, *, asked: IntArray, among: int | None = None
) -> float:
    """Tell whether neighbours in a picture are neighbours in the layer: 0 to 1.

    Parameters
    ----------
    features : (rows, units) of the layer
    places : (rows, 2) in the picture
    asked : (asked,) int, the rows whose neighbours are looked at
    among : their neighbours are sought among the first so many rows only, and these are not asked
        themselves; among all if None

    References
    ----------
    Venna and Kaski, "Neighborhood preservation in nonlinear projection methods", ICANN 2001.
    """
    rows = len(features) if among is None else among + 1  # with the one that is asked
    k = min(NEIGHBOURS, (rows - 1) // 2)
    penalty = 0
    for (_, apart), (_, shown) in zip(
        distances(features, asked, among=among), distances(places, asked, among=among), strict=True
    ):
        for neighbour in nearest(shown, count=k).T:
            limit = np.take_along_axis(apart, neighbour[:, None], axis=1)
            rank = 1 + (apart < limit).sum(axis=1)
            penalty += int(np.maximum(rank - k, 0).sum())
    return 1 - penalty * 2 / (len(asked) * k * (2 * rows - 3 * k - 1))


def _euclidean(some: FloatArray, every: FloatArray) -> FloatArray:
    squares = (some**2).sum(axis=1)[:, None] + (every**2).sum(axis=1) - 2 * some @ every.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))
