"""Cuts: the pictures of inputs of any number of dimensions that a boundary is shown in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np

from kashika.distribution import FloatArray
from kashika.errors import LoadError
from kashika.neighbours import chosen
from kashika.observation import Observation
from kashika.projection import Projection
from kashika.run import Network
from kashika.texts import Sentence
from kashika.views.boundary.chart import Chart, Method, columns, plane, projected
from kashika.views.boundary.landscape import Kind, Map, Points, axis, survey
from kashika.views.boundary.margin import slopes_of
from kashika.views.boundary.pool import Pool, kept_row, typical

Grid = tuple[FloatArray, FloatArray]
"""(width,) and (height,) places of a grid."""

RESOLUTION = (360, 270)
"""Points of the grid in x and y: one for every screen pixel of a picture."""

_LETTERS = 48  # of the name of a column beside a picture

_ASKED = 256  # samples that are asked which inputs matter


def whole(
    network: Network, pool: Pool, *, names: Sequence[str] = (), grid: Grid | None = None
) -> Map:
    """Show a network of two inputs as it is.

    Parameters
    ----------
    names : of the inputs, for the axes; where there are not as many, they are numbered from 1
    """
    places = pool.inputs.astype(np.float64)
    chart = Chart(places, places, lambda asked: asked)
    labels = Sentence("labels.input", k=1), Sentence("labels.input", k=2)
    if len(names) == 2:
        labels = _named(names[0]), _named(names[1])
    return _map(network, pool, chart, kind="inputs", labels=labels, grid=grid)


def through_three(
    network: Network,
    pool: Pool,
    seen: Observation,
    rows: Sequence[int] | None,
    *,
    grid: Grid | None = None,
) -> Map | None:
    """Show the plane through three samples of the pool's first split.

    Parameters
    ----------
    seen : of the first split
    rows : three of its rows; typical ones if None, and no map where these span no plane

    Raises
    ------
    LoadError
        If they are not three, not all kept, or lie on one line.
    """
    split = next(iter(pool.splits))
    if rows is None:
        three = typical(pool)
        if three is None:
            return None
        named, corners = pool.rows[three].tolist(), pool.inputs[three]
    else:
        if len(rows) != 3 or len(set(rows)) != 3:
            raise LoadError("errors.boundary.through", found=rows)
        named, corners = rows, np.stack([kept_row(seen, split, row) for row in rows])
    said = ", ".join(map(str, named))
    chart = plane(pool.inputs, corners, units=pool.units)
    if chart is None and rows is not None:
        raise LoadError("errors.boundary.line", rows=said)
    if chart is None:
        return None
    title = Sentence("boundary.plane", split=Sentence(f"labels.{split}"), rows=said)
    return _map(network, pool, chart, kind="plane", title=title, grid=grid)


def two_columns(
    network: Network,
    pool: Pool,
    seen: Observation,
    pair: Sequence[int] | None,
    *,
    at: int | None = None,
    names: Sequence[str] = (),
    grid: Grid | None = None,
) -> Map:
    """Show two of the inputs, with the others held.

    Parameters
    ----------
    seen : of the first split
    pair : two columns of the flattened inputs; those along which the answer changes most if None
    at : row of the first split that the others are held at; their medians if None
    names : of all columns, for the axes; where there are not as many, they are numbered from 0

    Raises
    ------
    LoadError
        If there are no such columns, or the row was not kept.
    """
    split, last = next(iter(pool.splits)), pool.inputs.shape[1] - 1
    first, second = steepest(network, pool) if pair is None else _pair(pair, last=last)
    held = np.median(pool.inputs, axis=0) if at is None else kept_row(seen, split, at)
    title = Sentence("boundary.at_median")
    if at is not None:
        title = Sentence("boundary.at_row", split=Sentence(f"labels.{split}"), row=at)
    chart = columns(pool.inputs, first, second, held=held)
    labels = Sentence("boundary.column", k=first), Sentence("boundary.column", k=second)
    if len(names) == last + 1:
        labels = _named(names[first]), _named(names[second])
    return _map(network, pool, chart, kind="features", labels=labels, title=title, grid=grid)


def all_samples(
    network: Network, pool: Pool, *, method: Method, grid: Grid | None = None, seed: int = 0
) -> Map | Projection:
    """Show all samples in a projection; or a projection that says why there is none.

    Raises
    ------
    LoadError
        If there is no such method.
    """
    if method not in get_args(Method):
        raise LoadError("errors.boundary.method", found=method)
    chart = projected(pool.inputs, units=pool.units, method=method, seed=seed)
    if isinstance(chart, Projection):
        return chart
    title = Sentence("boundary.tsne")
    if method == "pca":
        title = Sentence("boundary.pca", explained=chart.explained)
    return _map(network, pool, chart, kind="projection", title=title, grid=grid)


def steepest(network: Network, pool: Pool) -> tuple[int, int]:
    """Return the two columns along which the lead of the predicted class changes most.

    By the mean size of its slope, times the standard deviation of the column. Where there are no
    slopes, as in a regression, by the correlation with the answers.
    """
    some = chosen(len(pool.inputs), most=_ASKED)
    inputs = pool.inputs[some]
    slopes = slopes_of(network, inputs.reshape(-1, *pool.shape), pool.task)
    sd = inputs.astype(np.float64).std(axis=0)
    weight = np.abs(np.nan_to_num(slopes.reshape(inputs.shape))).mean(axis=0) * sd
    if not weight.any():
        answers = np.nan_to_num(pool.predicted[some].astype(np.float64))
        centred = inputs - inputs.mean(axis=0)
        weight = np.abs((answers - answers.mean()) @ centred) / np.where(sd > 0, sd, 1)
    first, second = np.argsort(-weight, kind="stable")[:2]
    return int(first), int(second)


def _named(name: str) -> Sentence:
    """Name an axis by the column that it is, on one line and no longer than the axis."""
    said = " ".join(name.split())
    return Sentence("boundary.named", name=said if len(said) <= _LETTERS else f"{said[:_LETTERS]}…")


def _pair(columns: Sequence[int], *, last: int) -> tuple[int, int]:
    if len(set(columns)) != 2 or len(columns) != 2 or not all(0 <= k <= last for k in columns):
        raise LoadError("errors.boundary.features", last=last, found=columns)
    return columns[0], columns[1]


def _map(
    network: Network,
    pool: Pool,
    chart: Chart,
    *,
    kind: Kind,
    labels: tuple[Sentence, Sentence] | None = None,
    title: Sentence | None = None,
    grid: Grid | None = None,
) -> Map:
    x, y = grid or [
        axis(values, count) for values, count in zip(chart.frame.T, RESOLUTION, strict=True)
    ]
    points = {
        split: Points(chart.places[s], pool.targets[s], pool.predicted[s], pool.wrong[s])
        for split, s in pool.splits.items()
    }
    return survey(
        network.predict, pool.task, points,
        lambda places: chart.inputs_at(places).reshape(-1, *pool.shape),
        x=np.asarray(x), y=np.asarray(y), kind=kind,
        labels=labels or (Sentence("labels.axis", k=1), Sentence("labels.axis", k=2)),
        title=title,
        corners=chart.corners,
        trustworthiness=chart.trustworthiness,
    )  # fmt: skip
