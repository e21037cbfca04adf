"""What can be wrong with the boundary: one rule for each disease."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.view import Evidence, Finding, Level
from kashika.views.boundary.landscape import Map

if TYPE_CHECKING:
    from kashika.views.boundary import Boundary


def unfaithful(boundary: Boundary, *, above_chance: float = 0.6) -> Finding:
    """A two-dimensional picture of more inputs misplaces many samples.

    Judged is the share of samples that lie on the colour of the network's own answer to them, in
    relation to a picture of one colour, as Cohen's kappa does: 0.9 says nothing where nine tenths
    have one class. Of the pictures of a report the worst counts. Two inputs are shown as they are,
    and never judged.

    Parameters
    ----------
    above_chance : share of what lies above chance, below which a reader cannot go by the picture;
        agreement from there on is called substantial. For a regression, of the variance

    References
    ----------
    Landis and Koch, "The measurement of observer agreement for categorical data", Biometrics 33,
    1977.
    """
    rule = "boundary.unfaithful"
    pictures = [one for one in boundary.maps if one.kind != "inputs"]
    judged = [one for one in pictures if np.isfinite(one.agreement) and one.by_chance < 1]
    if not judged:
        return Finding(rule, Level.UNKNOWN if pictures else Level.OK)
    worst = min(judged, key=_above_chance)
    evidence = (
        Evidence("own_answer", worst.agreement, where=worst.kind),
        Evidence("above_chance", _above_chance(worst), limit=above_chance),
        Evidence("samples", worst.shown),
    )
    level = Level.NOTE if _above_chance(worst) < above_chance else Level.OK
    return Finding(rule, level, evidence)


def _above_chance(one: Map) -> float:
    return (one.agreement - one.by_chance) / (1 - one.by_chance)
