"""How the curves are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kashika.history import History
from kashika.view import Row
from kashika.views.curves.panel import best_place, plain_place

if TYPE_CHECKING:
    from kashika.views.curves import Curves


def summary(history: History) -> list[Row]:
    """Return one row for each series: how long it is, how it began, its best, how it ended.

    The best is that of the last run in the log, during training.
    """
    rows: list[Row] = []
    for name, series in history.series.items():
        finite, judged = series.finite, series.during.finite
        place = best_place(name.partition("_")[2], judged.y)
        rows.append({
            "series": name,
            "points": len(series.y),
            "first": float(finite.y[0]) if finite.y.size else None,
            "best": None if place is None else float(judged.y[place]),
            "best_at": None if place is None else plain_place(judged.x[place]),
            "last": float(finite.y[-1]) if finite.y.size else None,
        })  # fmt: skip
    return rows


def points(curves: Curves) -> list[Row]:
    """Return one row for each logged value."""
    return [
        {"series": name, series.unit: float(x) if x % 1 else int(x), "value": float(y)}
        for name, series in curves.history.series.items()
        for x, y in zip(series.x, series.y, strict=True)
    ]
