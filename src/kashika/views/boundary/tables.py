"""How the boundary are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.view import Row

if TYPE_CHECKING:
    from kashika.views.boundary import Boundary


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


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
