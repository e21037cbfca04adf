"""What can be wrong with the weights: one rule for each disease."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kashika.view import Evidence, Finding, Level

if TYPE_CHECKING:
    from kashika.views.weights import Weights


def nonfinite(weights: Weights) -> Finding:
    """A weight is NaN or infinite: the network cannot answer."""
    rule = "weights.nonfinite"
    if not weights.parameters:
        return Finding(rule, Level.UNKNOWN)
    bad = [
        (one.values.nan + one.values.infinite, one.name)
        for one in weights.parameters
        if one.values.nan + one.values.infinite
    ]
    if not bad:
        return Finding(rule, Level.OK)
    evidence = (
        Evidence("count", sum(count for count, _ in bad), limit=0),
        Evidence("in_first", bad[0][0], where=bad[0][1]),
    )
    return Finding(rule, Level.PROBLEM, evidence)
