"""What can be wrong with the boundary: one rule for each disease."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kashika.view import Evidence, Finding, Level
from kashika.views.boundary.landscape import Map

if TYPE_CHECKING:
    from kashika.views.boundary import Boundary


def unfaithful(boundary: Boundary, *, above_chance: float = 0.6) -> Finding:
    """The projection, a two-dimensional map of samples of more inputs, misplaces many of them.

    Judged is the share of samples that lie on the colour of the network's own answer to them, in
    relation to a picture of one colour, as Cohen's kappa does: 0.9 says nothing where nine tenths
    have one class. Two inputs are shown as they are, and never judged.

    Nor is a cut, the plane through three samples or the two inputs with the others held. Its ground
    is the network's answer to the very inputs that lie in it, so it is right wherever one looks.
    That samples beside it have other answers is so for the cut of a healthy network of many inputs,
    and a reader is not misled, since the title of each counts the samples that are shown right.

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
    if boundary.maps and all(one.kind == "inputs" for one in boundary.maps):
        return Finding(rule, Level.OK)
    projections = [one for one in boundary.maps if one.kind == "projection"]
    judged = [one for one in projections if np.isfinite(one.agreement) and one.by_chance < 1]
    if not judged:
        return Finding(rule, Level.UNKNOWN)
    one = judged[0]
    shown = _above_chance(one)
    evidence = (
        Evidence("own_answer", one.agreement, where=one.kind),
        Evidence("one_colour", one.by_chance),
        Evidence("above_chance", shown, limit=above_chance),
        Evidence("samples", one.shown),
    )
    return Finding(rule, Level.NOTE if shown < above_chance else Level.OK, evidence)


def _above_chance(one: Map) -> float:
    """Return 0 to 1; a picture that is worse than one of a single colour shows nothing."""
    return max(0.0, (one.agreement - one.by_chance) / (1 - one.by_chance))
