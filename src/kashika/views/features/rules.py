"""What can be wrong with the features: one rule for each disease."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kashika.view import Evidence, Finding, Level

if TYPE_CHECKING:
    from kashika.views.features import Features


FEW = 30
"""On fewer samples a unit that is never active may be a healthy one."""


def dead_units(features: Features, *, share: float = 0.5, gross: float = 0.9) -> Finding:
    """Many ReLU units of a layer are active on no sample at all.

    A unit that is off for some samples is normal; only one that is off for every sample of every
    split counts. A healthy network of the seed's kind has up to a third of them.

    Parameters
    ----------
    share : share of a layer's units from which it is a warning (SageMaker Debugger, TheDeepChecker)
    gross : share from which it is a problem: the layer passes hardly anything on

    References
    ----------
    Lu et al., "Dying ReLU and initialization", 2019; Ben Braiek and Khomh, "TheDeepChecker", 2022.
    """
    rule = "features.dead_units"
    judged = [one for one in features.separations if one.dead is not None and one.samples >= FEW]
    if not judged:
        return Finding(rule, Level.UNKNOWN)
    worst = max(judged, key=lambda one: (one.dead or 0) / one.units)
    dead = worst.dead or 0
    evidence = (
        Evidence("dead_share", dead / worst.units, limit=share, where=worst.layer),
        Evidence("dead", dead, where=worst.layer),
        Evidence("units", worst.units, where=worst.layer),
        Evidence("samples", worst.samples),
    )
    level = Level.OK if dead / worst.units < share else Level.WARNING
    return Finding(rule, Level.PROBLEM if dead / worst.units >= gross else level, evidence)
